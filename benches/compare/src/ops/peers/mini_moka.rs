//! mini-moka, the sync cache.

use mini_moka::sync::{self, ConcurrentCacheExt};

use crate::ops::cache::{Cache, Hasher, Key, Value};

pub struct MiniMoka<K: Key>(sync::Cache<K, Value, Hasher>);

impl<K: Key> Cache<K> for MiniMoka<K> {
    const NAME: &'static str = "mini-moka";

    fn with_room(entries: usize) -> Self {
        Self(sync::CacheBuilder::new(entries as u64).build_with_hasher(Hasher::default()))
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        self.0.get(key).map(|value| value[0])
    }

    #[inline]
    fn insert(&self, key: K, value: Value) {
        self.0.insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.0.invalidate(key);
    }

    fn len(&self) -> usize {
        self.0.entry_count() as usize
    }

    fn settle(&self) {
        self.0.sync();
    }
}
