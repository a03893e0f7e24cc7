//! What leaves slots and index, and waits for who may be looking at it yet: readers, or pins.

use super::{Region, Remains, inline_bytes, quietly};
use crate::{
    entry::Entry,
    gc::{graves::Grave, ledger::Cause},
    index::{Keyed, part_of},
    slot::{Displaced, Retired, State},
    sync::{Arc, Part, Readers, StrongArc, defer, defer_for_pins, pin, shared, tally::Relaxed},
};

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// What a batch reaped: counted, and given back; what readers of now may see when they have gone, pending until then. With it go keys: not to be
    /// called under a guard or a lock.
    pub(in crate::gc) fn retire_batch(&self, mut reaped: Vec<Remains<K, V>>) {
        self.events.reaped.fetch_add(reaped.len() as u64, Relaxed);
        let readers = Readers::now();
        let seen = if readers.are_none() { Vec::new() } else { take_seen(&mut reaped, &readers) };
        drop(reaped);
        if !seen.is_empty() {
            let pending = self.ledger.pend(seen.len() as u64 * inline_bytes::<V>(), Cause::Reader);
            defer(move || drop((seen, pending)));
        }
    }

    /// The same for one weak count, where no key's destructor may run: its entry is left to [`keep_aside`](Self::keep_aside).
    pub fn retire_reaped(&self, retired: Retired<V>) {
        self.events.reaped.fetch_add(1, Relaxed);
        let pending = self.ledger.pend(inline_bytes::<V>(), Cause::Reader);
        self.graves.put_pending(retired, pending);
    }

    /// Gives back what the slot owned; the value, if it is alive.
    pub fn settle(&self, displaced: Displaced<V>, part: Part) -> Option<Arc<V>> {
        let Displaced { value, state, retired } = displaced;
        self.retire(retired, part);
        if let (State::Strong, Some(value)) = (state, &value) {
            self.wait_for_pins(value);
        }
        value
    }

    /// What a slot gave up that was strong, in an exchange by this thread: a pinned read may have handed out a reference. Then one count waits for it.
    #[inline]
    pub fn wait_for_pins(&self, value: &Arc<V>) {
        if pin::pinned_since_exchange() {
            self.keep_for_pins(Arc::clone(value));
        }
    }

    #[cold]
    fn keep_for_pins(&self, value: Arc<V>) {
        let pending = self.ledger.pend(inline_bytes::<V>(), Cause::Pin);
        let events = shared::Arc::clone(&self.events);
        defer_for_pins(move || {
            quietly(&events, || drop(value));
            drop(pending);
        });
    }

    /// What was taken out of the index stays until the guards of now have gone that may see it. What has stayed for so long goes, with its key: not to be called
    /// under a guard or a lock.
    pub fn keep(&self, unlinked: Option<StrongArc<Entry<K, V>>>) {
        if let Some(entry) = unlinked {
            let part = part_of(entry.hash());
            self.unlinked.put(entry, part);
        }
    }

    /// The same, where no key's destructor may run. Somebody is to [tend](Self::tend_graves) the graves soon.
    pub fn keep_aside(&self, unlinked: Option<StrongArc<Entry<K, V>>>) {
        if let Some(entry) = unlinked {
            self.unlinked.put_aside(entry);
        }
    }

    pub fn retire(&self, retired: Retired<V>, part: Part) {
        self.graves.put(retired, part);
    }

    /// Gives back what this thread has retired and unlinked, if that is many or holds much. To be called without a guard, which would hold it
    /// back.
    pub fn tend_graves(&self) {
        if self.graves.is_full() {
            open_graves(self.graves.make_room());
        }
        if self.unlinked.is_full() {
            open_graves(self.unlinked.make_room());
        }
    }

    /// Gives back what all threads have retired and unlinked.
    pub fn open_all_graves(&self) {
        open_graves(self.graves.take_all());
        open_graves(self.unlinked.take_all());
    }
}

/// Gives counts back after the guards of now; before it returns, where there are none.
fn open_graves<C: Send + 'static>(graves: Vec<Grave<C>>) {
    if !graves.is_empty() {
        defer(move || drop(graves));
    }
}

/// Those that the readers may see.
#[cold]
fn take_seen<K, V>(reaped: &mut Vec<Remains<K, V>>, readers: &Readers) -> Vec<Remains<K, V>> {
    let (mut seen, mut number) = (Vec::new(), 0);
    while let Some(Remains { part, .. }) = reaped.get(number) {
        if readers.may_see(*part) {
            seen.push(reaped.swap_remove(number));
        } else {
            number += 1;
        }
    }
    seen
}
