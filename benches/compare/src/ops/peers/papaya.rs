//! papaya's HashMap, a map without eviction: read as an `Arc`, and by reference.

use papaya::HashMap;

use crate::ops::cache::{Cache, Hasher, Key, Payload, Value};

pub struct Papaya<K: Key>(HashMap<K, Value, Hasher>);

/// A pin for each read, and no count.
pub struct PapayaPin<K: Key>(Papaya<K>);

impl<K: Key> Cache<K> for Papaya<K> {
    const NAME: &'static str = "papaya";
    const EVICTS: bool = false;

    fn with_room(_: usize) -> Self {
        Self(HashMap::with_hasher(Hasher::default()))
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        let value = self.0.pin().get(key).cloned();
        value.map(|value| value[0])
    }

    #[inline]
    fn insert(&self, key: K, value: Value) {
        self.0.pin().insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.0.pin().remove(key);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn load(&self, key: &K, make: impl FnOnce() -> Payload) -> u64 {
        let value = self.0.pin().get_or_insert_with(key.clone(), || Value::new(make())).clone();
        value[0]
    }
}

impl<K: Key> Cache<K> for PapayaPin<K> {
    const NAME: &'static str = "papaya-pin";
    const EVICTS: bool = false;

    fn with_room(entries: usize) -> Self {
        Self(Papaya::with_room(entries))
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        self.0.0.pin().get(key).map(|value| value[0])
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
}
