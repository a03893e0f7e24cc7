//! Values that are made where a key has none.

use super::WeakMap;
use crate::{
    entry::Entry,
    flight::Seat,
    index::Keyed,
    stats::{Frequent, count},
    sync::{Arc, Guard, StrongArc},
};
use std::{
    convert::Infallible,
    hash::{BuildHasher, Hash},
};

impl<K, V, S> WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// The value of a key; where there is none, `load` makes it. One loader runs per key at a time: other callers wait for its value.
    ///
    /// If the key is inserted or removed while the loader runs, that wins: the loaded value goes to those who wait, not into the
    /// map. A value that is too heavy to keep (see [`insert`](Self::insert)) is handed back all the same. The map makes room before
    /// the loader runs, as much as its entries take on average.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// let length = map.get_or_insert_with("weak", || "weak".len());
    /// assert_eq!(*length, 4);
    /// assert_eq!(*map.get_or_insert_with("weak", || unreachable!()), 4);
    /// ```
    ///
    /// # Panics
    ///
    /// Where the loader does: then the next caller's loader runs.
    ///
    /// # Deadlocks
    ///
    /// Where a loader asks for the key that it loads, directly or through another thread.
    pub fn get_or_insert_with(&self, key: K, load: impl FnOnce() -> V) -> Arc<V> {
        match self.get_or_try_insert_with(key, || Ok::<V, Infallible>(load())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_insert_with`](Self::get_or_insert_with), for a loader that can fail.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// let failed = map.get_or_try_insert_with("n", || "x".parse::<u32>());
    /// assert!(failed.is_err() && map.is_empty());
    /// assert_eq!(*map.get_or_try_insert_with("n", || "7".parse::<u32>())?, 7);
    /// # Ok::<_, std::num::ParseIntError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The loader's own. Each caller gets the error of its own loader: where one fails, the next one's runs.
    pub fn get_or_try_insert_with<E>(
        &self,
        key: K,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        let hash = self.hash(&key);
        let found = self.region.get(hash, &key);
        if let Some(found) = found {
            return Ok(found);
        }
        let entry = StrongArc::new(Entry::vacant(hash, key));
        let seat = self.flights.join(&entry);
        seat.value(|| self.load(hash, &entry, &seat, load))
    }

    /// What the flight's value is made by: see `flight`.
    fn load<E>(
        &self,
        hash: u64,
        entry: &StrongArc<Entry<K, V>>,
        seat: &Seat<'_, K, V>,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        // Somebody may have landed between our miss and our seat.
        if let Some(found) = self.region.find(hash, entry.key()) {
            return Ok(found);
        }
        count(&self.region.events.loads);
        let average = self.region.average_weight();
        let bytes = self.region.lesson(average);
        let reserved = self.collector().reserve(bytes.unwrap_or(average));
        self.collector().assist(average, || bytes);
        let value = Arc::new(load()?);
        drop(reserved);
        let weight = self.weigh(entry.key(), &value);
        if self.is_too_heavy(weight) {
            count(&self.region.events.too_heavy);
            seat.land(|| ());
            return Ok(value);
        }
        entry.set_weight(weight);
        entry.slot.fill(Arc::clone(&value));
        // The guard goes when the table of flights is unlocked: what waited for it may be keys, and run their destructors.
        let guard = Guard::new();
        let landed = seat.land(|| self.region.link_unless_alive(entry, &guard));
        drop(guard);
        self.region.tidy_after_load();
        match landed {
            Some(None) => {
                self.region.counters.count(Frequent::Addition);
                self.inserted(weight.saturating_sub(average));
            }
            Some(Some(newer)) => return Ok(newer),
            None => (), // cancelled
        }
        Ok(value)
    }
}
