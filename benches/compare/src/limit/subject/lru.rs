//! The crate lru under a lock. It knows no weights: we count bytes and pop until the next value fits.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::{Cache, Room, Value};

pub struct Map(Mutex<Recency>);

struct Recency {
    entries: LruCache<u64, Arc<Value>>,
    capacity: u64,
    used: u64,
}

pub fn build(room: &Room) -> Map {
    Map(Mutex::new(Recency { entries: LruCache::unbounded(), capacity: room.bytes, used: 0 }))
}

impl Cache for Map {
    fn get(&self, key: u64) -> bool {
        let mut recency = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recency.entries.get(&key).inspect(|value| value.look()).is_some()
    }

    fn insert(&self, key: u64, bytes: usize) {
        let mut recency = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recency.insert(key, Arc::new(Value::new(bytes)));
    }
}

impl Recency {
    fn insert(&mut self, key: u64, value: Arc<Value>) {
        let bytes = value.bytes() as u64;
        if bytes > self.capacity {
            return;
        }
        while self.used + bytes > self.capacity
            && let Some((_, gone)) = self.entries.pop_lru()
        {
            self.used -= gone.bytes() as u64;
        }
        self.used += bytes;
        let replaced = self.entries.put(key, value);
        self.used -= replaced.map_or(0, |gone| gone.bytes() as u64);
    }
}
