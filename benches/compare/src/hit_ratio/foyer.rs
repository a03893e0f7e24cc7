//! foyer's memory cache with one shard, under each of its policies.

use foyer_memory::{
    CacheBuilder, CacheProperties, EvictionConfig, LfuConfig, LruConfig, S3FifoConfig, SieveConfig,
};

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

#[derive(Clone, Copy)]
pub enum Foyer {
    S3Fifo,
    Lfu,
    Lru,
    Sieve,
}

type Map = foyer_memory::Cache<u32, u32>;

impl Foyer {
    fn policy(self) -> EvictionConfig {
        match self {
            Self::S3Fifo => S3FifoConfig::default().into(),
            Self::Lfu => LfuConfig::default().into(),
            Self::Lru => LruConfig::default().into(),
            Self::Sieve => SieveConfig.into(),
        }
    }
}

impl Subject for Foyer {
    fn name(&self) -> &'static str {
        match self {
            Self::S3Fifo => "foyer-s3fifo",
            Self::Lfu => "foyer-lfu",
            Self::Lru => "foyer-lru",
            Self::Sieve => "foyer-sieve",
        }
    }

    fn build(&self, room: &Room, _: &Trace) -> Option<Box<dyn Cache>> {
        let capacity = room.capacity as usize;
        let map: Map = CacheBuilder::new(capacity)
            .with_shards(1)
            // Else an entry heavier than the cache empties it and is kept all the same.
            .with_filter(move |_, weight| *weight as usize <= capacity)
            .with_eviction_config(self.policy())
            .with_weighter(|_: &u32, weight: &u32| *weight as usize)
            .build::<CacheProperties>();
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
