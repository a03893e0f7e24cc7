//! What concerns all entries: counts, visits, passes, and std's traits.

use super::WeakMap;
use crate::{
    index::Keyed,
    stats::{Frequent, PassReport, Stats},
    sync::{Arc, tally::Relaxed},
};
use std::{
    fmt,
    hash::{BuildHasher, Hash},
    panic::{RefUnwindSafe, UnwindSafe},
};

impl<K, V, S> WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// Entries: those with a value, and stripped ones that no pass has reaped yet. Exact when nothing runs. Constant time.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map: WeakMap<_, _> = [("pi", 3.14), ("e", 2.71)].into_iter().collect();
    /// assert_eq!(map.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.region.sums.entries.load(Relaxed) as usize
    }

    /// Whether there are no entries, as [`len`](Self::len) counts them.
    ///
    /// ```
    /// assert!(weakmap::WeakMap::<u32, u32>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the strong values weigh together, in the weigher's unit (without a weigher: bytes, of entries and values themselves).
    /// Exact when nothing runs. Constant time.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::builder().weigher(|_: &u32, page: &Vec<u8>| page.len() as u64).build()?;
    /// map.insert(1, vec![0; 100]);
    /// assert_eq!(map.weight(), 100);
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn weight(&self) -> u64 {
        self.region.sums.weight.load(Relaxed)
    }

    /// Removes all entries. What is inserted meanwhile may stay or go. Frees the memory of what nobody holds before it returns.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map: WeakMap<_, _> = WeakMap::from_iter([(1, 1), (2, 4)]);
    /// map.clear();
    /// assert!(map.is_empty());
    /// ```
    pub fn clear(&self) {
        self.flights.cancel_all();
        self.region.clear();
    }

    /// Removes the entries for which `keep` says no. Runs it under no lock, so it may use the map; an entry whose value is replaced
    /// meanwhile stays. Each entry that is there throughout is visited once.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map: WeakMap<_, _> = WeakMap::from_iter((0..10).map(|n| (n, n * n)));
    /// map.retain(|_, square| **square >= 25);
    /// assert_eq!(map.len(), 5);
    /// ```
    pub fn retain(&self, mut keep: impl FnMut(&K, &Arc<V>) -> bool) {
        self.region.retain(|entry, value| keep(entry.key(), value));
        self.removed();
    }

    /// Visits the entries that have a value, in no order, without touching them. As for [`retain`](Self::retain), no lock is held.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map: WeakMap<_, _> = WeakMap::from_iter([(1, 10), (2, 20)]);
    /// let mut sum = 0;
    /// map.for_each(|_, value| sum += **value);
    /// assert_eq!(sum, 30);
    /// ```
    pub fn for_each(&self, mut visit: impl FnMut(&K, &Arc<V>)) {
        self.region.for_each(|entry, value| visit(entry.key(), &value));
    }

    /// A pass now, over all maps of this map's collector. See [`Collector::collect`](crate::Collector::collect).
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::<u32, u32>::new();
    /// let report = map.collect();
    /// assert_eq!(report.stripped, 0); // an idle process loses nothing
    /// ```
    pub fn collect(&self) -> PassReport {
        self.collector().collect()
    }

    /// What happened so far. Waits for a sweep that takes entries in or strips a batch just now.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// map.insert("pi", 3.14);
    /// map.get("pi");
    /// map.get("e");
    /// let stats = map.stats();
    /// assert_eq!((stats.hits, stats.misses, stats.inserts), (1, 1, 1));
    /// ```
    pub fn stats(&self) -> Stats {
        let counters = &self.region.counters;
        let (events, sums) = (&self.region.events, &self.region.sums);
        Stats {
            hits: counters.sum(Frequent::Hit),
            misses: counters.sum(Frequent::Miss),
            revivals: events.revivals.load(Relaxed),
            inserts: counters.sum(Frequent::Addition) + counters.sum(Frequent::Replacement),
            replaced: counters.sum(Frequent::Replacement),
            removed: events.removed.load(Relaxed),
            too_heavy: events.too_heavy.load(Relaxed),
            loads: events.loads.load(Relaxed),
            stripped: events.stripped.load(Relaxed),
            reaped: events.reaped.load(Relaxed),
            panicked: events.panicked.load(Relaxed),
            passes: events.passes.load(Relaxed),
            entries: sums.entries.load(Relaxed),
            weak: sums.weak(),
            weight: sums.weight.load(Relaxed),
            policy_bytes: self.region.policy_bytes(),
            pending: self.collector().ledger().pending(),
        }
    }
}

impl<K, V, S> Default for WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Default,
{
    fn default() -> Self {
        WeakMap::builder().hasher(S::default()).build().expect("nothing was set")
    }
}

impl<K, V, S> FromIterator<(K, V)> for WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Default,
{
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        map.extend(entries);
        map
    }
}

impl<K, V, S> Extend<(K, V)> for WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        (&*self).extend(entries);
    }
}

impl<K, V, S> Extend<(K, V)> for &WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| drop(self.insert(key, value)));
    }
}

impl<K, V, const N: usize> From<[(K, V); N]> for WeakMap<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn from(entries: [(K, V); N]) -> Self {
        Self::from_iter(entries)
    }
}

/// Whatever panics (a key's `Hash` or `Eq`, a weigher, a loader, a destructor), the map stays consistent.
impl<K: RefUnwindSafe, V: RefUnwindSafe, S: RefUnwindSafe> RefUnwindSafe for WeakMap<K, V, S> {}

impl<K: RefUnwindSafe, V: RefUnwindSafe, S: UnwindSafe> UnwindSafe for WeakMap<K, V, S> {}

impl<K, V, S> fmt::Debug for WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + fmt::Debug + 'static,
    V: Send + Sync + fmt::Debug + 'static,
    S: BuildHasher,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        self.for_each(|key, value| {
            map.entry(key, value);
        });
        map.finish()
    }
}
