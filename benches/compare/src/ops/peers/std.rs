//! std's HashMap, for one thread: in a RefCell, whose flag costs next to nothing.

use std::{cell::RefCell, collections::HashMap};

use crate::ops::cache::{Cache, Hasher, Key, Value};

pub struct Std<K: Key>(RefCell<HashMap<K, Value, Hasher>>);

impl<K: Key> Cache<K> for Std<K> {
    const NAME: &'static str = "std";
    const EVICTS: bool = false;

    fn with_room(_: usize) -> Self {
        Self(RefCell::new(HashMap::with_hasher(Hasher::default())))
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        let value = self.0.borrow().get(key).cloned();
        value.map(|value| value[0])
    }

    #[inline]
    fn insert(&self, key: K, value: Value) {
        self.0.borrow_mut().insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.0.borrow_mut().remove(key);
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}
