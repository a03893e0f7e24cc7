//! How entries come into a region: a new one linked, or a value put in the place of another.

use super::{Came, MANY_CAME, Region, subtract};
use crate::{
    entry::Entry,
    index::{Keyed, part_of},
    slot::{Displaced, State},
    stats::{Frequent, Row, count},
    sync::{Arc, Guard, StrongArc, tally::Relaxed},
};
use std::mem;

/// What a slot that takes no new value does.
const GIVEN_BACK: &str = "a replacement that fails gives the value back";

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Puts a value in, in the place of what the key had. Returns that, if it was still alive. The guard is to look under.
    // Always: as `get`.
    #[inline(always)]
    pub fn insert(&self, hash: u64, key: K, value: Arc<V>, weight: u64, guard: Guard) -> Option<Arc<V>> {
        self.index.prefetch(hash);
        let mut value = Some(value);
        // Linking tells, too, that a key is present; but then the entry was made in vain.
        let mut absent = self.counters.row().is_some_and(Row::is_long);
        if !absent {
            let found = self.index.find(hash, &key, &guard);
            let found = found.map(|entry| self.swap(&entry, &mut value, weight, &guard));
            if let Some(Some((displaced, many))) = found {
                drop(guard);
                self.counters.replaced();
                if many {
                    self.tend_graves();
                }
                self.wait_for_pins(&displaced);
                return Some(displaced);
            }
            absent = found.is_none();
        }
        drop(guard);
        let value = value.expect(GIVEN_BACK);
        match absent {
            true => self.link_new(hash, key, value, weight),
            false => self.replace_or_link(hash, key, value, weight),
        }
    }

    /// Where the key is absent, most likely.
    #[inline(never)]
    fn link_new(&self, hash: u64, key: K, value: Arc<V>, weight: u64) -> Option<Arc<V>> {
        let (key, value) = self.try_link(hash, key, value, weight).err()?;
        self.replace_or_link(hash, key, value, weight)
    }

    /// Where there is no strong value, but an entry, most likely.
    #[cold]
    fn replace_or_link(&self, hash: u64, mut key: K, value: Arc<V>, weight: u64) -> Option<Arc<V>> {
        let mut value = Some(value);
        loop {
            let replace = |entry: &StrongArc<Entry<K, V>>, guard: &Guard| {
                self.replace(entry, &mut value, weight, guard)
            };
            let replaced = self.index.read(hash, &key, replace).flatten().map(|displaced| {
                self.counters.replaced();
                self.settle(displaced, part_of(hash))
            });
            self.tend_graves();
            if let Some(replaced) = replaced {
                return replaced;
            }
            let (back, its) = self.try_link(hash, key, value.expect(GIVEN_BACK), weight).err()?;
            (key, value) = (back, Some(its));
        }
    }

    /// Links a new entry, unless its key is there: then gives key and value back.
    #[inline(always)] // into each insert of a new key
    fn try_link(&self, hash: u64, key: K, value: Arc<V>, weight: u64) -> Result<(), (K, Arc<V>)> {
        let entry = StrongArc::new(Entry::vacant(hash, key));
        entry.set_weight(weight);
        entry.slot.fill(value);
        let many = self.link(entry).map_err(|entry| self.take_apart(entry))?;
        if many {
            self.tidy();
        }
        self.counters.count(Frequent::Addition);
        self.counters.row().inspect(|row| row.go_on());
        Ok(())
    }

    /// Links an entry whose slot is filled, unless its key is there: then gives it back. Whether many wait for the sweeper then, and it is time to
    /// [tidy](Self::tidy): under no guard or lock, for that forgets keys.
    #[inline(always)] // as `try_link`
    fn link(&self, entry: StrongArc<Entry<K, V>>) -> Result<bool, StrongArc<Entry<K, V>>> {
        // The sums first: a removal may come before we are back. Taken back where linking fails, or `Eq` panics.
        let linking = Linking::begin(self, entry.weight());
        let (indexed, entry) = entry.split();
        self.index.insert(indexed)?;
        mem::forget(linking);
        if self.sums.coldest.load(Relaxed) == u64::MAX {
            // The first of an empty region: later than all that is elsewhere.
            self.sums.coldest.store(self.ledger.now.fetch_add(1, Relaxed), Relaxed);
        }
        Ok(self.incoming.put(Came { entry, origin: None }) % MANY_CAME == 0)
    }

    /// Makes sure that the key is there: links `entry` unless a living value is there already, and returns that. To be followed by
    /// [`tidy_after_load`](Self::tidy_after_load), under no guard or lock.
    pub fn link_unless_alive(&self, entry: &StrongArc<Entry<K, V>>, guard: &Guard) -> Option<Arc<V>> {
        loop {
            let Some(there) = self.index.get(entry.hash(), entry.key()) else {
                match self.link(StrongArc::clone(entry)) {
                    Ok(_) => return None,
                    Err(_) => continue,
                }
            };
            if let Some(found) = there.slot.get(guard) {
                return Some(found.value);
            }
            self.bury(&there, guard);
        }
    }

    /// What a load left for later.
    pub fn tidy_after_load(&self) {
        if self.incoming.len_of_own() >= MANY_CAME {
            self.tidy();
        }
        self.tend_graves();
    }

    /// A new value in the place of a strong one, which is handed back; whether many counts wait in this thread's graves then. `None`,
    /// with the value left where it was, if the slot is not strong.
    #[inline(always)]
    fn swap(
        &self,
        entry: &StrongArc<Entry<K, V>>,
        value: &mut Option<Arc<V>>,
        weight: u64,
        guard: &Guard,
    ) -> Option<(Arc<V>, bool)> {
        let _writing = self.write(entry);
        match entry.slot.replace_strong(value.take()?, guard) {
            Ok((displaced, retired)) => {
                // The charge stays. A weight changes under `Writing` alone, where nobody takes the new value out.
                self.change_weight(entry, weight);
                entry.touch();
                Some((displaced, self.graves.put(retired, part_of(entry.hash()))))
            }
            Err(back) => {
                *value = Some(back);
                None
            }
        }
    }

    /// `None`, with the value left where it was, if the slot is closed.
    fn replace(
        &self,
        entry: &StrongArc<Entry<K, V>>,
        value: &mut Option<Arc<V>>,
        weight: u64,
        guard: &Guard,
    ) -> Option<Displaced<V>> {
        let _writing = self.write(entry);
        // Charged first: whoever takes the new value out again discharges it, maybe before we are back.
        self.charge(weight);
        match entry.slot.replace(value.take()?, guard) {
            Ok(displaced) => {
                match displaced.state {
                    State::Strong => self.discharge(entry.weight()),
                    _ => {
                        subtract(&self.sums.weak, 1);
                        count(&self.sums.turned);
                    }
                }
                entry.set_weight(weight);
                entry.touch();
                Some(displaced)
            }
            Err(back) => {
                self.discharge(weight);
                *value = Some(back);
                self.keep_aside(self.index.remove(entry));
                None
            }
        }
    }

    /// Of a strong value, under `Writing` where weights differ.
    #[inline]
    fn change_weight(&self, entry: &Entry<K, V>, weight: u64) {
        let before = entry.weight();
        if weight > before {
            self.charge(weight - before);
        }
        if weight < before {
            self.discharge(before - weight);
        }
        if weight != before {
            entry.set_weight(weight);
        }
    }

    /// Key and value of an entry that could not be linked.
    #[cold]
    fn take_apart(&self, entry: StrongArc<Entry<K, V>>) -> (K, Arc<V>) {
        let part = part_of(entry.hash());
        let displaced = entry.slot.close(&Guard::of(part)).expect("filled, and never shared");
        self.retire(displaced.retired, part);
        self.tend_graves();
        let entry = StrongArc::try_unwrap(entry).ok().expect("never shared");
        (entry.into_key(), displaced.value.expect("of a slot that was strong"))
    }
}

/// The sums of an entry that is being linked; taken back if it does not come to that.
struct Linking<'r, K, V> {
    region: &'r Region<K, V>,
    weight: u64,
}

impl<'r, K, V> Linking<'r, K, V> {
    fn begin(region: &'r Region<K, V>, weight: u64) -> Self {
        region.sums.entries.fetch_add(1, Relaxed);
        region.charge(weight);
        Self { region, weight }
    }
}

impl<K, V> Drop for Linking<'_, K, V> {
    fn drop(&mut self) {
        subtract(&self.region.sums.entries, 1);
        self.region.discharge(self.weight);
    }
}
