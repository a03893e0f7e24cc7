//! quick_cache, the sync cache, weighing the values' bytes.

use std::sync::Arc;

use quick_cache::{Weighter, sync};

use super::{Cache, Room, Value};

type Map = sync::Cache<u64, Arc<Value>, ByBytes>;

#[derive(Clone)]
pub struct ByBytes;

impl Weighter<u64, Arc<Value>> for ByBytes {
    fn weight(&self, _: &u64, value: &Arc<Value>) -> u64 {
        value.bytes() as u64
    }
}

pub fn build(room: &Room) -> Map {
    Map::with_weighter(room.entries(), room.bytes, ByBytes)
}

impl Cache for Map {
    fn get(&self, key: u64) -> bool {
        sync::Cache::get(self, &key).inspect(|value| value.look()).is_some()
    }

    fn insert(&self, key: u64, bytes: usize) {
        sync::Cache::insert(self, key, Arc::new(Value::new(bytes)));
    }
}
