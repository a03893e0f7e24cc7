//! One batch: victims are named and stripped under the rings' lock; their values go, and they leave the index, under none.

use super::{Order, Swept};
use crate::{
    entry::Entry,
    gc::{
        clock::{Budget, Victim},
        ledger::Cause,
        region::{Came, Region, Rings, inline_bytes, quietly, subtract},
    },
    heap::Net,
    index::Keyed,
    prefetch::prefetch,
    slot::State,
    stats::Events,
    sync::{Arc, Guard, StrongArc, defer_for_pins, lock_shared, pin, shared, tally::Relaxed},
};
use std::mem;

/// So few steps of the hands, and a sweep that makes room under `max_weight` may go ahead (see [`quota`](crate::gc::quota)).
const FEW_STEPS: u64 = 128;

/// Entries that were stripped, and what they weigh together.
pub(super) struct Batch<K, V> {
    entries: Vec<Stripped<K, V>>,
    weight: u64,
}

/// A victim, and what was taken from it.
#[derive(Debug)]
struct Stripped<K, V> {
    came: Came<K, V>,
    /// The strong count, until it is given back.
    value: Option<Arc<V>>,
    weight: u64,
}

/// Of no entries: what the last batch lay in, for the next one.
#[derive(Debug)]
pub struct Tray<K, V>(Vec<Stripped<K, V>>);

impl<K, V> Default for Tray<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// What the clock gave up.
type Prey<K, V> = Victim<StrongArc<Entry<K, V>>>;

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Step 1, second half.
    pub(super) fn strip_batch(&self, rings: &mut Rings<K, V>, order: Order) -> Batch<K, V> {
        let Tray(entries) = mem::take(&mut *lock_shared(&self.tray));
        let mut batch = Batch { entries, weight: 0 };
        let quota = self.quota(order.want);
        let Some(left) = quota.left(self, 0, 0, true) else { return batch };
        let budget = self.budget_of_pass(rings, order, left);
        let before = rings.clock.steps();
        let large = rings.clock.is_large();
        rings.clock.prepare(budget, self.ahead());
        while let Some(left) =
            quota.left(self, batch.entries.len(), batch.weight, rings.clock.steps() - before < FEW_STEPS)
        {
            let Some(victim) = rings.clock.another().or_else(|| self.search(rings, order, left)) else {
                break;
            };
            let Some((value, weight)) = self.strip(&victim.entry) else {
                rings.clock.put_back(victim);
                break;
            };
            if large {
                // What is looked at when the rings are free again.
                self.index.prefetch(victim.entry.hash());
                prefetch(Arc::as_ptr(&value));
            }
            batch.weight += weight;
            let Victim { entry, origin, .. } = victim;
            let came = Came { entry, origin: Some(origin) };
            batch.entries.push(Stripped { came, value: Some(value), weight });
        }
        self.discharge(batch.weight);
        self.events.stripped.fetch_add(batch.entries.len() as u64, Relaxed);
        batch
    }

    /// Where the clock has no victim within the budget, entries may have gone without a word, or be among the weak, revived.
    #[cold]
    fn search(&self, rings: &mut Rings<K, V>, order: Order, left: u64) -> Option<Prey<K, V>> {
        let turned = self.sums.turned.load(Relaxed);
        if rings.turned != turned {
            rings.turned = turned;
            self.wake(rings, usize::MAX);
        }
        // Each round meets entries that have gone, or finds a victim.
        let (mut victim, mut len) = (None, usize::MAX);
        while victim.is_none() && rings.clock.len() < len && !rings.clock.is_empty() {
            len = rings.clock.len();
            let budget = self.budget_of_pass(rings, order, left);
            victim = rings.clock.next(budget);
        }
        victim
    }

    /// The strong count of an entry, and what it weighs; `None` if a writer is at it.
    fn strip(&self, entry: &Entry<K, V>) -> Option<(Arc<V>, u64)> {
        let _writing = self.try_write(entry)?;
        let weight = entry.weight(); // not what the clock counts
        Some((entry.slot.strip()?, weight))
    }

    /// What the policy goes by: the capacity is what there would be room for with the heap at its goal (at the last reading, before
    /// `stripped` went), the target what passes leave of that.
    pub(super) fn budget(&self, rings: &Rings<K, V>, stripped: u64) -> Budget {
        let weight = self.sums.weight.load(Relaxed).saturating_add(stripped);
        let most = self.bounds.max_weight.unwrap_or(u64::MAX);
        let capacity = weight.saturating_add(self.weight_of(self.ledger.room.load(Relaxed))).min(most).max(1);
        Budget { capacity, target: (capacity as f64 * rings.kept) as u64 }
    }

    /// The same for a pass that has so much weight to strip yet.
    pub(in crate::gc) fn budget_of_pass(&self, rings: &mut Rings<K, V>, order: Order, left: u64) -> Budget {
        let Budget { capacity, .. } = self.budget(rings, order.stripped);
        let target = rings.clock.weight().saturating_sub(left.max(1)).min(capacity);
        rings.kept = target as f64 / capacity as f64;
        Budget { capacity, target }
    }

    /// The bytes that what was just stripped stands for: learned, or what the weigher says, or else as if all that is in use were the maps'. With too few, where a pin
    /// holds it back, passes would go on and empty the map; with too many they would leave the heap above its limit once the pin has gone.
    fn bytes_of(&self, batch: &Batch<K, V>) -> u64 {
        // A weigher that says less than the least that an entry has does not say bytes.
        let says_bytes =
            self.bounds.weighed && batch.weight >= batch.entries.len() as u64 * inline_bytes::<V>();
        let guess = || if says_bytes { batch.weight } else { self.ledger.guess_stripped(batch.weight) };
        self.learned.lesson(batch.weight).unwrap_or_else(guess)
    }

    /// The weight that stands for so many bytes.
    pub(in crate::gc) fn weight_of(&self, bytes: u64) -> u64 {
        let unit = self.learned.lesson(1 << 20).unwrap_or_else(|| self.ledger.guess(1 << 20)).max(1);
        (bytes as f64 / unit as f64 * (1 << 20) as f64) as u64
    }

    /// Steps 2 to 4.
    pub(super) fn release(&self, mut batch: Batch<K, V>, net: &dyn Fn() -> Net) -> Swept {
        let mut done =
            Swept { stripped: batch.entries.len() as u64, weight: batch.weight, ..Swept::default() };
        if batch.entries.is_empty() {
            return done;
        }
        for stripped in &batch.entries {
            if stripped.value.as_ref().is_some_and(|value| Arc::strong_count(value) > 1) {
                done.shared += self.learned.bytes(stripped.weight);
            }
        }
        let freed = self.give_back(&mut batch, net);
        self.bury_all(batch, freed, &mut done);
        done
    }

    /// Step 2. The heap that the destructors freed, where that was measured.
    fn give_back(&self, batch: &mut Batch<K, V>, net: &dyn Fn() -> Net) -> Freed {
        let bytes = pin::pinned().then(|| self.bytes_of(batch));
        let mut values = batch.entries.iter_mut().filter_map(|stripped| stripped.value.take());
        if let Some(bytes) = bytes {
            let (pending, events) = (self.ledger.pend(bytes, Cause::Pin), shared::Arc::clone(&self.events));
            let values: Vec<_> = values.collect();
            defer_for_pins(move || {
                drop_all(&events, &mut values.into_iter());
                drop(pending);
            });
            return Freed::Later(bytes);
        }
        let before = net();
        drop_all(&self.events, &mut values);
        net().freed_since(before).map_or(Freed::Unknown, Freed::Measured)
    }

    /// Steps 3 and 4.
    fn bury_all(&self, mut batch: Batch<K, V>, freed: Freed, done: &mut Swept) {
        let (mut weight, mut reaped) = (0, Vec::with_capacity(batch.entries.len()));
        let mut gone = Vec::new();
        let guard = Guard::new();
        for Stripped { came, weight: its, .. } in batch.entries.drain(..) {
            if let Some(remains) = self.inter(&came.entry, &guard) {
                reaped.push(remains);
                weight += its;
            } else if came.entry.slot.state() != State::Closed {
                self.incoming.put(came);
            } else {
                gone.push(came);
            }
        }
        drop(guard);
        drop(gone); // with the keys, where they are the last handles
        *lock_shared(&self.tray) = Tray(batch.entries);
        done.reaped = reaped.len() as u64;
        // The stripped were not counted as weak yet: whoever took one over counted it off.
        self.sums.weak.fetch_add(done.stripped - done.reaped, Relaxed);
        if done.reaped > 0 {
            subtract(&self.sums.entries, done.reaped);
            self.retire_batch(reaped);
        }
        done.freed = match freed {
            Freed::Later(bytes) => bytes,
            Freed::Unknown => self.learned.bytes(weight),
            Freed::Measured(heap) => {
                let bytes = heap + done.reaped * inline_bytes::<V>();
                self.learned.add(weight, bytes, done.reaped);
                bytes
            }
        };
    }
}

enum Freed {
    Measured(u64),
    Later(u64),
    Unknown,
}

/// Drops them one by one; a panic ends there and is counted.
fn drop_all<T>(events: &Events, values: &mut impl Iterator<Item = T>) {
    let mut some_left = true;
    while some_left {
        quietly(events, || {
            values.by_ref().for_each(drop);
            some_left = false;
        });
    }
}
