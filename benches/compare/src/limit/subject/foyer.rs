//! foyer's memory cache with S3-FIFO, its best policy on our traces, weighing the values' bytes.

use std::sync::Arc;

use foyer_memory::{CacheBuilder, CacheProperties, S3FifoConfig};

use super::{Cache, Room, Value};

type Map = foyer_memory::Cache<u64, Arc<Value>>;

pub fn build(room: &Room) -> Map {
    let capacity = room.bytes as usize;
    CacheBuilder::new(capacity)
        // Else an entry heavier than the cache empties it and is kept all the same.
        .with_filter(move |_, value: &Arc<Value>| value.bytes() <= capacity)
        .with_eviction_config(S3FifoConfig::default())
        .with_weighter(|_: &u64, value: &Arc<Value>| value.bytes())
        .build::<CacheProperties>()
}

impl Cache for Map {
    fn get(&self, key: u64) -> bool {
        foyer_memory::Cache::get(self, &key).inspect(|entry| entry.value().look()).is_some()
    }

    fn insert(&self, key: u64, bytes: usize) {
        foyer_memory::Cache::insert(self, key, Arc::new(Value::new(bytes)));
    }
}
