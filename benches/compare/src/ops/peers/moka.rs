//! moka, the sync cache.

use moka::sync;

use crate::ops::cache::{Cache, Hasher, Key, Payload, Value};

pub struct Moka<K: Key>(sync::Cache<K, Value, Hasher>);

impl<K: Key> Cache<K> for Moka<K> {
    const NAME: &'static str = "moka";
    const SINGLE_FLIGHT: bool = true;

    fn with_room(entries: usize) -> Self {
        Self(sync::CacheBuilder::new(entries as u64).build_with_hasher(Hasher::default()))
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
        self.0.invalidate(key);
    }

    fn len(&self) -> usize {
        self.0.entry_count() as usize
    }

    #[inline]
    fn load(&self, key: &K, make: impl FnOnce() -> Payload) -> u64 {
        self.0.get_with_by_ref(key, || Value::new(make()))[0]
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}
