//! How entries leave a region: taken out by a caller, or closed because their value has gone.

use super::{Region, Remains, subtract};
use crate::{
    entry::Entry,
    index::{Keyed, part_of},
    slot::{Displaced, State},
    stats::count,
    sync::{Arc, Guard, StrongArc, tally::Relaxed},
};
use equivalent::Equivalent;

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Takes the entry of a key out; the value, if it was still alive. The guard is to look under.
    pub fn remove<Q>(&self, hash: u64, key: &Q, guard: Guard) -> Option<Arc<V>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let found = self.index.find(hash, key, &guard)?;
        let entry = StrongArc::clone(&found);
        drop(guard);
        let removed = self.remove_entry(&entry);
        self.tend_graves();
        removed
    }

    /// Takes the entry of a key out, if its value is alive, `goes` says so, and it is still the same afterwards. Returns that.
    pub fn remove_if<Q>(&self, hash: u64, key: &Q, goes: impl FnOnce(&Arc<V>) -> bool) -> Option<Arc<V>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let look = |entry: &StrongArc<Entry<K, V>>, guard: &_| {
            Some((StrongArc::clone(entry), entry.slot.get(guard)?.value))
        };
        let (entry, value) = self.index.read(hash, key, look)??;
        if !goes(&value) {
            return None;
        }
        let removed = self.close(&entry, |guard| entry.slot.close_if(&value, guard)).flatten();
        self.quietly(|| drop(value)); // may be the last one, of a value that was replaced meanwhile
        self.tend_graves();
        removed
    }

    /// Takes this entry out, unless somebody did; the value, if it was still alive.
    fn remove_entry(&self, entry: &StrongArc<Entry<K, V>>) -> Option<Arc<V>> {
        self.close(entry, |guard| entry.slot.close(guard)).flatten()
    }

    /// Closes the slot by `close` and does what goes with it; the value, if it was still alive.
    fn close(
        &self,
        entry: &StrongArc<Entry<K, V>>,
        close: impl FnOnce(&Guard) -> Option<Displaced<V>>,
    ) -> Option<Option<Arc<V>>> {
        let guard = Guard::of(part_of(entry.hash()));
        let writing = self.write(entry);
        let displaced = close(&guard)?;
        match displaced.state {
            State::Strong => self.discharge(entry.weight()),
            _ => subtract(&self.sums.weak, 1),
        }
        subtract(&self.sums.entries, 1);
        drop(writing);
        self.sums.closed.fetch_add(1, Relaxed);
        let unlinked = self.index.remove(entry);
        // What is deferred may run at once, and with it a user's destructors.
        drop(guard);
        self.keep(unlinked);
        count(&self.events.removed);
        Some(self.settle(displaced, part_of(entry.hash())))
    }

    /// Takes out the living entries that `keep` says no to.
    pub fn retain(&self, mut keep: impl FnMut(&Entry<K, V>, &Arc<V>) -> bool) {
        self.for_each(|entry, value| {
            if !keep(entry, &value) {
                let removed = self.close(entry, |guard| entry.slot.close_if(&value, guard));
                self.quietly(|| drop((removed, value)));
                self.tend_graves();
            }
        });
        self.index.trim();
    }

    /// Takes everything out, and frees what nobody holds.
    pub fn clear(&self) {
        self.index.for_each(|entry| {
            let removed = self.remove_entry(entry);
            self.quietly(|| drop(removed));
            self.tend_graves();
        });
        self.index.trim();
        self.forget();
        self.flush();
    }

    /// Closes an entry whose value is gone and takes it out of the index.
    pub(in crate::gc) fn bury(&self, entry: &StrongArc<Entry<K, V>>, guard: &Guard) -> bool {
        let remains = self.inter(entry, guard);
        let reaped = remains.is_some();
        if let Some(Remains { retired, unlinked, .. }) = remains {
            subtract(&self.sums.entries, 1);
            subtract(&self.sums.weak, 1);
            self.retire_reaped(retired);
            self.keep_aside(unlinked);
        }
        reaped
    }

    /// The same, without the sums.
    #[inline]
    pub(in crate::gc) fn inter(
        &self,
        entry: &StrongArc<Entry<K, V>>,
        guard: &Guard,
    ) -> Option<Remains<K, V>> {
        let Some(retired) = entry.slot.reap(guard) else {
            if entry.slot.state() == State::Closed {
                self.keep_aside(self.index.remove(entry));
            }
            return None;
        };
        Some(Remains { retired, part: part_of(entry.hash()), unlinked: self.index.remove(entry) })
    }
}
