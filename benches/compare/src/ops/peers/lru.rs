//! The crate lru under a mutex: what one writes without a concurrent cache.

use std::{
    num::NonZero,
    sync::{Mutex, MutexGuard},
};

use lru::LruCache;

use crate::ops::cache::{Cache, Hasher, Key, Payload, Value};

pub struct Lru<K: Key>(Mutex<LruCache<K, Value, Hasher>>);

impl<K: Key> Lru<K> {
    fn lock(&self) -> MutexGuard<'_, LruCache<K, Value, Hasher>> {
        self.0.lock().expect("nothing under the lock panics")
    }
}

impl<K: Key> Cache<K> for Lru<K> {
    const NAME: &'static str = "mutex-lru";
    const SINGLE_FLIGHT: bool = true;

    /// Unbounded, then bounded: else it takes the memory for the whole room at once.
    fn with_room(entries: usize) -> Self {
        let mut map = LruCache::unbounded_with_hasher(Hasher::default());
        map.resize(NonZero::new(entries).expect("room for something"));
        Self(Mutex::new(map))
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        let value = self.lock().get(key).cloned();
        value.map(|value| value[0])
    }

    /// What goes is dropped after the lock.
    #[inline]
    fn insert(&self, key: K, value: Value) {
        let gone = self.lock().push(key, value);
        drop(gone);
    }

    fn remove(&self, key: &K) {
        let gone = self.lock().pop(key);
        drop(gone);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    #[inline]
    fn load(&self, key: &K, make: impl FnOnce() -> Payload) -> u64 {
        let value = self.lock().get_or_insert_ref(key, || Value::new(make())).clone();
        value[0]
    }
}
