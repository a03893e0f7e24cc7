//! mini-moka, the sync cache, weighing the values' bytes.

use std::sync::Arc;

use mini_moka::sync;

use super::{Cache, Room, Value};

type Map = sync::Cache<u64, Arc<Value>>;

pub fn build(room: &Room) -> Map {
    sync::CacheBuilder::new(room.bytes).weigher(|_, value: &Arc<Value>| value.bytes() as u32).build()
}

impl Cache for Map {
    fn get(&self, key: u64) -> bool {
        sync::Cache::get(self, &key).inspect(|value| value.look()).is_some()
    }

    fn insert(&self, key: u64, bytes: usize) {
        sync::Cache::insert(self, key, Arc::new(Value::new(bytes)));
    }
}
