//! weakmap: bounded by `max_weight`, read by `get`, and under a pin; and bounded by the heap.

use std::alloc::System;

use weakmap::{
    Law, WeakMap,
    heap::{Counting, Scripted},
};

use crate::ops::cache::{Cache, Hasher, Key, Payload, Value};

pub struct Weakmap<K: Key> {
    map: WeakMap<K, Payload, Hasher>,
    heap: Scripted,
}

/// A pin for each read.
pub struct Pinned<K: Key>(Weakmap<K>);

/// No bound of its own. Once filled and settled, its limit is what the heap holds then, and as much more as it lacks to its room:
/// what goes is stripped by the pacer, as the counting allocator tells.
pub struct Limited<K: Key> {
    map: Weakmap<K>,
    room: usize,
}

/// Above any heap here.
const LIMIT: u64 = 1 << 40;
/// Just above the goal of the collector: below it nothing is stripped.
const LOW: f64 = 0.961;

impl<K: Key> Cache<K> for Weakmap<K> {
    const NAME: &'static str = "weakmap";
    const SINGLE_FLIGHT: bool = true;

    fn with_room(entries: usize) -> Self {
        let heap = Scripted::new();
        let builder = WeakMap::builder().hasher(Hasher::default()).limit(LIMIT);
        // Passes are asked for: nobody else looks at the scripted heap.
        let builder = builder.background(false).heap(heap.clone());
        let builder = builder.weigher(|_, _| 1).max_weight(entries as u64);
        Self { map: builder.build().expect("bounds above 0"), heap }
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        self.map.get(key).map(|value| value[0])
    }

    #[inline]
    fn insert(&self, key: K, value: Value) {
        self.map.insert_arc(key, value);
    }

    fn remove(&self, key: &K) {
        self.map.remove(key);
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    #[inline]
    fn load(&self, key: &K, make: impl FnOnce() -> Payload) -> u64 {
        self.map.get_or_insert_with(key.clone(), make)[0]
    }

    /// One pass, at a pressure that strips that share.
    fn shed(&self, _: impl Iterator<Item = K>) {
        let law = Law::Proportional { low: LOW, high: 1.0 };
        self.map.collector().tune(|tuning| tuning.law(law)).expect("low is below high");
        self.heap.set((LIMIT as f64 * (LOW + (1.0 - LOW) * 0.9)) as u64);
        self.map.collect();
        self.heap.set(0);
    }
}

impl<K: Key> Cache<K> for Pinned<K> {
    const NAME: &'static str = "weakmap-pin";

    fn with_room(entries: usize) -> Self {
        Self(Weakmap::with_room(entries))
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        self.0.map.pin().get(key).map(|value| value[0])
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

impl<K: Key> Cache<K> for Limited<K> {
    const NAME: &'static str = "weakmap-limit";

    fn with_room(entries: usize) -> Self {
        let builder = WeakMap::builder().hasher(Hasher::default()).limit(LIMIT);
        let map = builder.build().expect("a limit above 0");
        Self { map: Weakmap { map, heap: Scripted::new() }, room: entries }
    }

    #[inline]
    fn read(&self, key: &K) -> Option<u64> {
        self.map.read(key)
    }

    #[inline]
    fn insert(&self, key: K, value: Value) {
        self.map.insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.map.remove(key);
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn settle(&self) {
        let share = self.room as f64 / self.len() as f64;
        let limit = (Counting::<System>::live() as f64 * share) as u64;
        self.map.map.collector().tune(|tuning| tuning.limit(limit)).expect("a limit above 0");
    }
}
