//! mini-moka, the sync cache.

use std::hash::{BuildHasherDefault, DefaultHasher};

use mini_moka::sync::{self, ConcurrentCacheExt};

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

pub struct MiniMoka;

/// Hashes alike in every run.
type Map = sync::Cache<u32, u32, BuildHasherDefault<DefaultHasher>>;

impl Subject for MiniMoka {
    fn name(&self) -> &'static str {
        "mini-moka"
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
            // As for moka: admits and evicts now.
            self.sync();
        }
        hit
    }
}
