//! scc's HashCache: LRU within each bucket of 32. It rounds its room up to a power of two.

use scc::HashCache;

use crate::ops::cache::{Cache, Hasher, Key, Payload, Value};

pub struct SccCache<K: Key>(HashCache<K, Value, Hasher>);

impl<K: Key> Cache<K> for SccCache<K> {
    const NAME: &'static str = "scc-cache";
    const SINGLE_FLIGHT: bool = true;

    fn with_room(entries: usize) -> Self {
        Self(HashCache::with_capacity_and_hasher(0, entries, Hasher::default()))
    }

    /// By `get`: `read` would take a lighter lock, but leaves no mark of use.
    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        let value = self.0.get_sync(key).map(|entry| entry.get().clone());
        value.map(|value| value[0])
    }

    /// By the entry: `put` refuses what is present.
    #[inline]
    fn insert(&self, key: K, value: Value) {
        match self.0.entry_sync(key) {
            scc::hash_cache::Entry::Occupied(mut entry) => drop(entry.put(value)),
            scc::hash_cache::Entry::Vacant(entry) => drop(entry.put_entry(value)),
        }
    }

    fn remove(&self, key: &K) {
        self.0.remove_sync(key);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn load(&self, key: &K, make: impl FnOnce() -> Payload) -> u64 {
        let (_, entry) = self.0.entry_sync(key.clone()).or_put_with(|| Value::new(make()));
        let value = entry.get().clone();
        drop(entry);
        value[0]
    }
}
