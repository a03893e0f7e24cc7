//! dashmap, a map without eviction.

use dashmap::DashMap;

use crate::ops::cache::{Cache, Hasher, Key, Payload, Value};

pub struct Dashmap<K: Key>(DashMap<K, Value, Hasher>);

impl<K: Key> Cache<K> for Dashmap<K> {
    const NAME: &'static str = "dashmap";
    const EVICTS: bool = false;
    const SINGLE_FLIGHT: bool = true;

    fn with_room(_: usize) -> Self {
        Self(DashMap::with_hasher(Hasher::default()))
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        let value = self.0.get(key).map(|entry| entry.value().clone());
        value.map(|value| value[0])
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
        let value = self.0.entry(key.clone()).or_insert_with(|| Value::new(make())).value().clone();
        value[0]
    }
}
