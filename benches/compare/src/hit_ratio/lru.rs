//! The crate lru. It knows no weights: we count them and pop until the next one fits.

use lru::LruCache;

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

pub struct Lru;

struct Map {
    entries: LruCache<u32, u32>,
    capacity: u64,
    used: u64,
}

impl Subject for Lru {
    fn name(&self) -> &'static str {
        "lru"
    }

    fn build(&self, room: &Room, _: &Trace) -> Option<Box<dyn Cache>> {
        Some(Box::new(Map { entries: LruCache::unbounded(), capacity: room.capacity, used: 0 }))
    }
}

impl Cache for Map {
    fn access(&mut self, key: u32, weight: u32) -> bool {
        let hit = self.entries.get(&key).is_some();
        if !hit && self.make_room(weight) {
            self.entries.put(key, weight);
        }
        hit
    }
}

impl Map {
    /// Whether the weight fits, once what is least recently used has gone.
    fn make_room(&mut self, weight: u32) -> bool {
        let weight = u64::from(weight);
        if weight > self.capacity {
            return false;
        }
        while self.used + weight > self.capacity {
            let (_, gone) = self.entries.pop_lru().expect("something is used");
            self.used -= u64::from(gone);
        }
        self.used += weight;
        true
    }
}
