//! quick_cache, the sync cache with one shard.

use std::hash::{BuildHasherDefault, DefaultHasher};

use quick_cache::{OptionsBuilder, Weighter, sync};

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

pub struct QuickCache;

/// Hashes alike in every run.
type Map = sync::Cache<u32, u32, ByWeight, BuildHasherDefault<DefaultHasher>>;

/// The value is the weight.
#[derive(Clone)]
struct ByWeight;

impl Weighter<u32, u32> for ByWeight {
    fn weight(&self, _: &u32, weight: &u32) -> u64 {
        u64::from(*weight)
    }
}

impl Subject for QuickCache {
    fn name(&self) -> &'static str {
        "quick_cache"
    }

    fn build(&self, room: &Room, _: &Trace) -> Option<Box<dyn Cache>> {
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(room.entries)
            .weight_capacity(room.capacity)
            .build()
            .expect("capacities are set");
        let map = Map::with_options(options, ByWeight, Default::default(), Default::default());
        Some(Box::new(map))
    }
}

impl Cache for Map {
    fn access(&mut self, key: u32, weight: u32) -> bool {
        let hit = self.get(&key).is_some();
        if !hit {
            self.insert(key, weight);
        }
        hit
    }
}
