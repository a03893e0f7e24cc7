//! Values that are made where a key has none.

use super::WeakMap;
use crate::{
    entry::Entry,
    flight::Seat,
    gc::Reserved,
    index::Keyed,
    stats::{Frequent, count},
    sync::{Arc, Guard, StrongArc},
};
use equivalent::Equivalent;
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
    /// With the feature `async`, where a thread that runs tasks waits for a key that one of these loads.
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
        match self.region.get(hash, &key) {
            Some(found) => Ok(found),
            None => self.take_off(hash, key, load),
        }
    }

    /// As [`get_or_insert_with`](Self::get_or_insert_with), with the key made only where there is no value: a hit needs no `String` of a `&str`.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::<String, usize>::new();
    /// let length = |word: &str| *map.get_or_insert_with_by_ref(word, || word.len());
    /// assert_eq!((length("weak"), length("weak")), (4, 4));
    /// ```
    ///
    /// # Panics
    ///
    /// Where the loader does: then the next caller's loader runs.
    ///
    /// # Deadlocks
    ///
    /// Where a loader asks for the key that it loads, directly or through another thread.
    /// With the feature `async`, where a thread that runs tasks waits for a key that one of these loads.
    pub fn get_or_insert_with_by_ref<Q>(&self, key: &Q, load: impl FnOnce() -> V) -> Arc<V>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        match self.get_or_try_insert_with_by_ref(key, || Ok::<V, Infallible>(load())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_insert_with_by_ref`](Self::get_or_insert_with_by_ref), for a loader that can fail.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::<String, u32>::new();
    /// let parse = |text: &str| map.get_or_try_insert_with_by_ref(text, || text.parse());
    /// assert!(parse("x").is_err());
    /// assert_eq!(*parse("7")?, 7);
    /// # Ok::<_, std::num::ParseIntError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The loader's own, as [`get_or_try_insert_with`](Self::get_or_try_insert_with).
    pub fn get_or_try_insert_with_by_ref<Q, E>(
        &self,
        key: &Q,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hash(key);
        match self.region.get(hash, key) {
            Some(found) => Ok(found),
            None => self.take_off(hash, key.to_owned(), load),
        }
    }

    /// Where the key has no value.
    fn take_off<E>(&self, hash: u64, key: K, load: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let entry = StrongArc::new(Entry::vacant(hash, key));
        let seat = self.flights.join(&entry);
        seat.value(|| {
            if let Some(found) = self.landed(&entry, &seat) {
                return Ok(found);
            }
            let room = self.make_room();
            let value = Arc::new(load()?);
            Ok(self.land(&entry, &seat, value, room))
        })
    }

    /// What somebody landed between our miss and our seat.
    pub(super) fn landed(&self, entry: &Entry<K, V>, seat: &Seat<'_, K, V>) -> Option<Arc<V>> {
        let find = || self.region.find(entry.hash(), entry.key());
        // Mostly nothing: then the table's lock is not needed.
        find()?;
        seat.end_if_found(find)
    }

    /// Before a loader runs.
    pub(super) fn make_room(&self) -> Room<'_> {
        count(&self.region.events.loads);
        let average = self.region.average_weight();
        let bytes = self.region.lesson(average);
        let reserved = self.collector().reserve(bytes.unwrap_or(average));
        self.collector().assist(average, || bytes);
        Room { average, reserved }
    }

    /// Puts what was loaded into the map, unless something newer is there; what the flight's callers get: see `flight`.
    pub(super) fn land(
        &self,
        entry: &StrongArc<Entry<K, V>>,
        seat: &Seat<'_, K, V>,
        value: Arc<V>,
        Room { average, reserved }: Room<'_>,
    ) -> Arc<V> {
        drop(reserved);
        let weight = self.weigh(entry.key(), &value);
        if self.is_too_heavy(weight) {
            count(&self.region.events.too_heavy);
            seat.land(|| ());
            return value;
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
            Some(Some(newer)) => return newer,
            None => (), // cancelled
        }
        value
    }
}

/// What was made room for, before it is there.
pub(super) struct Room<'m> {
    /// What it is taken to weigh.
    average: u64,
    reserved: Reserved<'m>,
}
