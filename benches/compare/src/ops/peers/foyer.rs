//! foyer's memory cache with the shards that it chooses, under S3-FIFO. Its loads are async alone, and left out.

use foyer_memory::{CacheBuilder, CacheProperties, S3FifoConfig};

use crate::ops::cache::{Cache, Hasher, Key, Value};

pub struct Foyer<K: Key>(foyer_memory::Cache<K, Value, Hasher>);

impl<K: Key> Cache<K> for Foyer<K> {
    const NAME: &'static str = "foyer";

    fn with_room(entries: usize) -> Self {
        let builder = CacheBuilder::new(entries).with_hash_builder(Hasher::default());
        Self(builder.with_eviction_config(S3FifoConfig::default()).build::<CacheProperties>())
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        self.0.get(key).map(|entry| entry.value()[0])
    }

    #[inline]
    fn insert(&self, key: K, value: Value) {
        self.0.insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.0.remove(key);
    }

    fn len(&self) -> usize {
        self.0.entries()
    }
}
