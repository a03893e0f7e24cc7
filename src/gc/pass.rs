//! A pass over one region: carries out what the pacer and the clock decided.
//!
//! # Steps
//!
//! 1. Under the rings' lock: what came in goes to the clock, the clock names victims, each is stripped (its slot goes
//!    from STRONG to WEAK) and its strong count moved to the batch.
//! 2. Under no lock: the batch's counts are given back, and destructors run. While a pin lives they wait for the pins of then instead.
//! 3. Entries whose value is gone now are closed and leave the index; their weak counts wait for the guards of now.
//! 4. The others, whose value a caller holds, go back through the incoming bag to the weak list.
//!
//! Victims leave the ring before they are stripped, so two sweepers never meet at an entry; a get that revives a victim in
//! between wins: step 3 finds it strong, step 4 brings it back.

use super::{
    Sweep,
    clock::{Budget, Handle, Victim},
    ledger::{Cause, update},
    quota::slack,
    region::{Came, Region, Rings, Sums, inline_bytes, quietly, subtract},
};
use crate::{
    entry::Entry,
    heap::Net,
    index::Keyed,
    slot::State,
    stats::{Events, count},
    sync::{
        Arc, Guard, MutexGuard, StrongArc, TryLockError, defer_for_pins, flush_if_any, lock, lock_shared,
        pin, shared, spin, tally::Relaxed,
    },
};
use std::mem;

/// Weak entries that a batch looks at on its way.
const REVIEWED: usize = 16;
/// New entries that are loaded before they are sorted: as many as come between two sweeps.
const MOST_FETCHED: usize = 64;
/// So few steps of the hands, and a sweep that makes room under `max_weight` may go ahead (see [`quota`](super::quota)).
const FEW_STEPS: u64 = 128;
/// Where threads meet at the rings, so many sweeps begin so many entries (half of what they may go ahead at the most) before `max_weight`: who finds
/// another at it goes on.
const CROWDED: u64 = 64;
const EARLY: u64 = 64;
/// Who waits for a sweep looks so often whether it is over before it sleeps: some 10 µs, as long as a sweep. To be woken takes longer.
const SPINS: u32 = if cfg!(weakmap_loom) { 0 } else { 16 };

/// What a sweep is after.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    /// Strips that free so many bytes, by what was learned of the entries' sizes.
    Bytes(u64),
    /// So many strips.
    Entries(u64),
    /// Strips until the region weighs no more than its `max_weight`; the floor does not hold.
    Fit,
}

/// What a sweep is after, and what its pass did before.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub want: Want,
    /// The weight that was stripped since the heap was read.
    pub stripped: u64,
}

impl Order {
    /// The first of a pass.
    pub fn of(want: Want) -> Self {
        Self { want, stripped: 0 }
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Swept {
    pub swept: u64,
    pub stripped: u64,
    pub reaped: u64,
    pub revived: u64,
    pub freed: u64,
    pub shared: u64,
    /// What the stripped weigh.
    pub weight: u64,
}

impl Swept {
    pub fn add(&mut self, other: Self) {
        self.swept += other.swept;
        self.stripped += other.stripped;
        self.reaped += other.reaped;
        self.revived += other.revived;
        self.freed += other.freed;
        self.shared += other.shared;
        self.weight += other.weight;
    }
}

/// Entries that were stripped, and what they weigh together.
struct Batch<K, V> {
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
    /// Strips until the region fits its `max_weight`. Blocks while another thread sweeps, unless there is room yet.
    #[inline]
    pub fn fit(&self) {
        if let Some(most) = self.bounds.max_weight {
            while self.sums.weight.load(Relaxed) > self.full(most) && self.fit_some(most) {}
        }
    }

    /// Whether this was of use.
    #[inline(never)]
    fn fit_some(&self, most: u64) -> bool {
        let Some(rings) = self.rings_to_fit(most) else { return false };
        // None: what is left is being put in by others, who will look after it.
        self.sweep(rings, Order::of(Want::Fit), &|| Net::Unknown).stripped > 0
    }

    /// The weight beyond which sweeps begin.
    #[inline]
    pub(super) fn full(&self, most: u64) -> u64 {
        most.saturating_sub(self.sums.early.load(Relaxed))
    }

    fn rings_to_fit(&self, most: u64) -> Option<MutexGuard<'_, Box<Rings<K, V>>>> {
        let Sums { crowded, early, .. } = &self.sums;
        if let Some(rings) = self.try_rings() {
            let left = crowded.load(Relaxed).saturating_sub(1);
            update(crowded, left);
            if left == 0 {
                update(early, 0);
            }
            return Some(rings);
        }
        if crowded.load(Relaxed) < CROWDED / 2 {
            crowded.store(CROWDED, Relaxed);
            update(early, (EARLY * self.average_weight()).min(slack(most) / 2));
        }
        for _ in 0..SPINS {
            if self.sums.weight.load(Relaxed) <= most {
                return None;
            }
            if let Some(rings) = self.try_rings() {
                return Some(rings);
            }
            spin();
        }
        (self.sums.weight.load(Relaxed) > most).then(|| lock(&self.rings))
    }

    /// Takes in what came, and forgets what went, if that is much. Does nothing while another thread sweeps.
    pub fn tidy(&self) {
        if let Some(mut rings) = self.try_rings() {
            let came = self.take_in(&mut rings);
            // Twice what came: a pass meets little that was not placed yet.
            let budget = self.budget(&rings, 0);
            rings.clock.drain(budget, 2 * came);
            self.tell_ages(&mut rings);
            unlock(rings);
        }
    }

    fn try_rings(&self) -> Option<MutexGuard<'_, Box<Rings<K, V>>>> {
        match self.rings.try_lock() {
            Ok(rings) => Some(rings),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// One batch: the steps of the module.
    fn sweep(
        &self,
        mut rings: MutexGuard<'_, Box<Rings<K, V>>>,
        order: Order,
        net: &dyn Fn() -> Net,
    ) -> Swept {
        self.take_in(&mut rings);
        let before = rings.clock.steps();
        self.wake(&mut rings, REVIEWED);
        let batch = self.strip_batch(&mut rings, order);
        let swept = rings.clock.steps() - before;
        self.tell_ages(&mut rings);
        rings.clock.prefetch_entries();
        let any_weak = !rings.weak.is_empty();
        unlock(rings);
        let mut done = self.release(batch, net);
        done.swept = swept;
        if any_weak {
            // More than were stripped: what callers let go of is reaped faster than it comes.
            done.add(self.review_some(2 * done.stripped as usize + REVIEWED));
        }
        if done.stripped + done.reaped > 0 {
            count(&self.events.passes);
        }
        done.revived = self.sums.found.swap(0, Relaxed);
        self.tend_graves();
        flush_if_any();
        done
    }

    /// Step 1, first half. Returns how many came.
    fn take_in(&self, rings: &mut Rings<K, V>) -> usize {
        let mut came = 0;
        rings.clock.prefetch_entries();
        rings.ages.begin(rings.clock.now(), self.sums.coldest.load(Relaxed));
        self.incoming.drain_all(|all| {
            came += all.len();
            // What another thread put in is in its processor's cache.
            all.iter().take(MOST_FETCHED).for_each(|it| it.entry.prefetch());
            all.into_iter().for_each(|it| self.sort(it, rings));
        });
        self.ledger.now.fetch_add(came as u64, Relaxed);
        if self.many_closed() {
            self.sums.closed.store(0, Relaxed);
            rings.clock.remove_gone();
            for came in mem::take(&mut rings.weak) {
                self.sort(came, rings);
            }
        }
        came
    }

    /// Gives an entry its place.
    #[inline]
    fn sort(&self, came: Came<K, V>, rings: &mut Rings<K, V>) {
        match (came.entry.slot.state(), came.origin) {
            (State::Strong, None) => rings.clock.admit(came.entry),
            (State::Strong, Some(origin)) => {
                self.sums.found.fetch_add(1, Relaxed);
                rings.clock.readmit(came.entry, origin);
            }
            (State::Weak, _) => rings.weak.push_back(came),
            (State::Closed, _) => rings.clock.forget(came.entry),
        }
    }

    /// What the policy goes by: the capacity is what there would be room for with the heap at its goal (at the last reading, before
    /// `stripped` went), the target what passes leave of that.
    fn budget(&self, rings: &Rings<K, V>, stripped: u64) -> Budget {
        let weight = self.sums.weight.load(Relaxed).saturating_add(stripped);
        let most = self.bounds.max_weight.unwrap_or(u64::MAX);
        let capacity = weight.saturating_add(self.weight_of(self.ledger.room.load(Relaxed))).min(most).max(1);
        Budget { capacity, target: (capacity as f64 * rings.kept) as u64 }
    }

    /// The same for a pass that has so much weight to strip yet.
    fn budget_of_pass(&self, rings: &mut Rings<K, V>, order: Order, left: u64) -> Budget {
        let Budget { capacity, .. } = self.budget(rings, order.stripped);
        let target = rings.clock.weight().saturating_sub(left.max(1)).min(capacity);
        rings.kept = target as f64 / capacity as f64;
        Budget { capacity, target }
    }

    /// The weight that stands for so many bytes.
    pub(super) fn weight_of(&self, bytes: u64) -> u64 {
        let unit = self.learned.lesson(1 << 20).unwrap_or_else(|| self.ledger.guess(1 << 20)).max(1);
        (bytes as f64 / unit as f64 * (1 << 20) as f64) as u64
    }

    /// Notes what time it is, and tells others how old the clock's next candidate is.
    fn tell_ages(&self, rings: &mut Rings<K, V>) {
        let own = rings.clock.now();
        rings.ages.mark(own, self.ledger.now.load(Relaxed));
        let coldest = match rings.clock.coldest() {
            Some(age) => rings.ages.since(own.saturating_sub(age)),
            None if rings.clock.is_empty() => u64::MAX,
            None => rings.ages.since(own), // none was placed yet
        };
        self.sums.coldest.store(coldest, Relaxed);
    }

    /// Closed entries are forgotten when they are a third of all.
    pub(super) fn many_closed(&self) -> bool {
        self.sums.closed.load(Relaxed) > 64 + self.sums.entries.load(Relaxed) / 2
    }

    /// Of so many weak entries, those that are strong again go to the clock.
    fn wake(&self, rings: &mut Rings<K, V>, most: usize) {
        for _ in 0..most.min(rings.weak.len()) {
            let Some(came) = rings.weak.pop_front() else { break };
            self.sort(came, rings);
        }
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

    /// Step 1, second half.
    fn strip_batch(&self, rings: &mut Rings<K, V>, order: Order) -> Batch<K, V> {
        let Tray(entries) = mem::take(&mut *lock_shared(&self.tray));
        let mut batch = Batch { entries, weight: 0 };
        let quota = self.quota(order.want);
        let Some(left) = quota.left(self, 0, 0, true) else { return batch };
        let budget = self.budget_of_pass(rings, order, left);
        let before = rings.clock.steps();
        let large = rings.clock.is_large();
        rings.clock.prepare(budget);
        while let Some(left) =
            quota.left(self, batch.entries.len(), batch.weight, rings.clock.steps() - before < FEW_STEPS)
        {
            let victim = rings.clock.another().or_else(|| self.search(rings, order, left));
            let Some(victim) = victim else { break };
            match self.strip(victim) {
                Ok(stripped) => {
                    if large {
                        self.index.prefetch(stripped.came.entry.hash());
                    }
                    batch.weight += stripped.weight;
                    batch.entries.push(stripped);
                }
                Err(busy) => {
                    rings.clock.put_back(busy);
                    break;
                }
            }
        }
        self.discharge(batch.weight);
        self.events.stripped.fetch_add(batch.entries.len() as u64, Relaxed);
        batch
    }

    /// Gives the victim back if a writer is at it.
    fn strip(&self, victim: Prey<K, V>) -> Result<Stripped<K, V>, Prey<K, V>> {
        let Some(writing) = self.try_write(&victim.entry) else { return Err(victim) };
        let weight = Entry::weight(&victim.entry); // not what the clock counts
        let Some(value) = victim.entry.slot.strip() else {
            drop(writing);
            return Err(victim);
        };
        drop(writing);
        let Victim { entry, origin, .. } = victim;
        Ok(Stripped { came: Came { entry, origin: Some(origin) }, value: Some(value), weight })
    }

    /// Steps 2 to 4.
    fn release(&self, mut batch: Batch<K, V>, net: &dyn Fn() -> Net) -> Swept {
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
        let mut values = batch.entries.iter_mut().filter_map(|stripped| stripped.value.take());
        if pin::pinned() {
            let bytes = self.learned.bytes(batch.weight);
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
        let guard = Guard::new();
        for Stripped { came, weight: its, .. } in batch.entries.drain(..) {
            if let Some(remains) = self.inter(&came.entry, &guard) {
                reaped.push(remains);
                weight += its;
            } else if came.entry.slot.state() != State::Closed {
                self.incoming.put(came);
            }
        }
        drop(guard);
        *lock_shared(&self.tray) = Tray(batch.entries);
        done.reaped = reaped.len() as u64;
        // The stripped were not counted as weak yet: whoever took one over counted it off.
        self.sums.weak.fetch_add(done.stripped - done.reaped, Relaxed);
        if done.reaped > 0 {
            subtract(&self.sums.entries, done.reaped);
            self.inhume(reaped);
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

    /// Looks at so many of the weak entries: strong again, dead by now, or still held.
    fn review_some(&self, most: usize) -> Swept {
        let Some(mut rings) = self.try_rings() else { return Swept::default() };
        let most = most.min(rings.weak.len());
        let weak: Vec<_> = rings.weak.drain(..most).collect();
        drop(rings);
        let mut done = Swept::default();
        let kept: Vec<_> = weak.into_iter().filter(|came| self.stays(&came.entry, &mut done)).collect();
        for came in kept {
            self.incoming.put(came);
        }
        done
    }

    /// Whether a weak entry is still to be looked after.
    fn stays(&self, entry: &StrongArc<Entry<K, V>>, done: &mut Swept) -> bool {
        let guard = Guard::new();
        if self.bury(entry, &guard) {
            done.reaped += 1;
            return false;
        }
        if entry.take_wanted() {
            // A get had no room for it, or was in a writer's way: now, or not until it is used again.
            if let Some(found) = entry.slot.get(&guard).filter(|found| found.weak) {
                self.try_revive(entry, &found.value);
                self.quietly(|| drop(found)); // may be the last one by now
            }
        }
        entry.slot.state() != State::Closed
    }
}

/// Lets go of the rings, and then of what was met gone: the last handle of an entry takes its key with it, and that may have a destructor.
fn unlock<K, V>(mut rings: MutexGuard<'_, Box<Rings<K, V>>>) {
    let gone = rings.clock.take_gone();
    drop(rings);
    drop(gone);
}

enum Freed {
    Measured(u64),
    Later(u64),
    Unknown,
}

impl<K, V> Sweep for Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn sweep(&self, order: Order, wait: bool, net: &dyn Fn() -> Net) -> Option<Swept> {
        let rings = if wait { lock(&self.rings) } else { self.try_rings()? };
        Some(self.sweep(rings, order, net))
    }

    fn review(&self) -> Swept {
        self.tidy();
        let mut done = self.review_some(usize::MAX);
        self.tidy();
        done.revived = self.sums.found.swap(0, Relaxed);
        done
    }

    fn bury(&self) {
        self.open_all_graves();
    }

    fn idle_since(&self) -> Option<u64> {
        Some(self.sums.coldest.load(Relaxed)).filter(|&coldest| coldest < u64::MAX)
    }

    fn priority(&self) -> f64 {
        self.bounds.priority
    }

    fn entries(&self) -> u64 {
        self.sums.entries.load(Relaxed).saturating_sub(self.sums.weak())
    }

    fn trim(&self) {
        self.index.trim();
    }
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

impl<K, V> Handle for StrongArc<Entry<K, V>> {
    fn uses(&self) -> u8 {
        Entry::uses(self)
    }

    fn set_uses(&self, uses: u8) {
        Entry::set_uses(self, uses);
    }

    fn weight(&self) -> u64 {
        // What weighs nothing must go, too.
        Entry::weight(self).max(1)
    }

    fn hash(&self) -> u64 {
        Keyed::hash(&**self)
    }

    #[inline]
    fn prefetch(&self) {
        Entry::prefetch(self);
    }

    fn is_gone(&self) -> bool {
        self.slot.state() != State::Strong
    }
}
