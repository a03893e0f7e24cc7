//! quick_cache, the sync cache with the shards that it chooses.

use std::convert::Infallible;

use quick_cache::{UnitWeighter, sync};

use crate::ops::cache::{Cache, Hasher, Key, Payload, Value};

pub struct QuickCache<K: Key>(sync::Cache<K, Value, UnitWeighter, Hasher>);

impl<K: Key> Cache<K> for QuickCache<K> {
    const NAME: &'static str = "quick_cache";
    const SINGLE_FLIGHT: bool = true;

    fn with_room(entries: usize) -> Self {
        let room = entries as u64;
        Self(sync::Cache::with(entries, room, UnitWeighter, Hasher::default(), Default::default()))
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
        self.0.remove(key);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn load(&self, key: &K, make: impl FnOnce() -> Payload) -> u64 {
        match self.0.get_or_insert_with(key, || Ok::<_, Infallible>(Value::new(make()))) {
            Ok(value) => value[0],
            Err(never) => match never {},
        }
    }
}
