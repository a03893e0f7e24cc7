//! moka, the sync cache.

use std::hash::{BuildHasherDefault, DefaultHasher};

use moka::sync;

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

pub struct Moka;

/// Hashes alike in every run.
type Map = sync::Cache<u32, u32, BuildHasherDefault<DefaultHasher>>;

impl Subject for Moka {
    fn name(&self) -> &'static str {
        "moka"
    }

    fn build(&self, room: &Room, _: &Trace) -> Option<Box<dyn Cache>> {
        let mut builder = sync::CacheBuilder::new(room.capacity);
        if room.sized {
            builder = builder.weigher(|_, weight| *weight);
        }
        let map: Map = builder.build_with_hasher(Default::default());
        Some(Box::new(map))
    }
}

impl Cache for Map {
    fn access(&mut self, key: u32, weight: u32) -> bool {
        let hit = self.get(&key).is_some();
        if !hit {
            self.insert(key, weight);
            // Admits and evicts now. Hits alone may wait: moka applies them in their order
            // before the next insertion, and after 64 of them by itself (measured: calling this on
            // every access gives the same rows).
            self.run_pending_tasks();
        }
        hit
    }
}
