//! A region: what one map holds, as its collector sees it. Index, rings and sums, and the changes that keep them in step.
//!
//! # Who owns an entry
//!
//! ```text
//!  index ──► entry ◄── exactly one of: incoming bag, the clock, weak list, a batch under way
//! ```
//!
//! # Invariants
//!
//! 1. A linked entry is in exactly one sweeper's place (above) until the sweeper meets it closed and forgets it.
//!    `link` puts it into the bag; only the sweeper moves it on.
//! 2. Whoever changes a slot's state changes the sums: they follow the successful transitions one to one. So they are
//!    exact when nothing runs.
//! 3. Where a weigher was given, weight and slot change together under [`Entry::write`]; readers never wait for it.
//! 4. Whoever closes a slot removes the entry from the index; whoever finds a closed one there may, too.
//! 5. No user code runs under a lock of this file, but `Eq` under a shard's.

use super::{
    ages::Ages,
    bag::Bag,
    clock::{Clock, Origin, Policy},
    graves::Graves,
    learned::Learned,
    ledger::Ledger,
    pass::{Sweep, Tray},
};
use crate::{
    entry::{Entry, Writing},
    index::{Index, Keyed, part_of},
    slot::{Found, Retired},
    stats::{Counters, Events, Frequent, count},
    sync::{
        Arc, Guard, Mutex, Part, StrongArc, lock,
        pin::Pin,
        shared,
        tally::{AtomicU64, Relaxed},
    },
};
use equivalent::Equivalent;
use std::{
    collections::VecDeque,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// So many inserts of a thread are taken in at once, by that thread: no pass ever meets more.
const MANY_CAME: usize = 64;

/// What a map may keep, apart from pressure.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Entries that pressure never strips below.
    pub floor: u64,
    /// The most that the strong values may weigh together.
    pub max_weight: Option<u64>,
    /// A weigher was given: entries differ.
    pub weighed: bool,
    /// Among the regions of a collector, how much longer than another's an entry must have been idle to go first.
    pub priority: f64,
    /// How victims are chosen.
    pub policy: Policy,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { floor: 0, max_weight: None, weighed: false, priority: 1.0, policy: Policy::default() }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Region<K, V> {
    pub(super) index: Index<Entry<K, V>>,
    /// Boxed: it is large, and moved while a map is built (on loom's small stacks, too).
    pub(super) rings: Mutex<Box<Rings<K, V>>>,
    pub(super) incoming: Bag<Came<K, V>>,
    /// What slots and index gave up.
    pub(super) graves: Graves<Retired<V>>,
    pub(super) unlinked: Graves<StrongArc<Entry<K, V>>>,
    /// Of no entries: what the last batch lay in, for the next one.
    pub(super) tray: shared::Mutex<Tray<K, V>>,
    pub(super) bounds: Bounds,
    pub(super) learned: Learned,
    pub(super) ledger: shared::Arc<Ledger>,
    pub sums: Sums,
    pub events: shared::Arc<Events>,
    pub counters: Counters,
}

/// What only the sweeper touches.
#[derive(Debug)]
pub struct Rings<K, V> {
    pub clock: Clock<StrongArc<Entry<K, V>>>,
    /// The share of its capacity that the last pass left.
    pub kept: f64,
    /// The clock's time, in the collector's.
    pub ages: Ages,
    /// Stripped entries whose value a caller holds.
    pub weak: VecDeque<Came<K, V>>,
    /// `Sums::turned` when all of `weak` was last looked at.
    pub turned: u64,
    /// Of none: for the next that come.
    pub spare: Vec<Came<K, V>>,
}

impl<K, V> Rings<K, V> {
    fn new(policy: Policy) -> Box<Self> {
        Box::new(Self {
            clock: Clock::new(policy),
            kept: 1.0,
            ages: Ages::default(),
            weak: VecDeque::new(),
            turned: 0,
            spare: Vec::new(),
        })
    }
}

/// An entry on its way to the sweeper, and where the clock had it if it was stripped.
#[derive(Debug)]
pub struct Came<K, V> {
    pub entry: StrongArc<Entry<K, V>>,
    pub origin: Option<Origin>,
}

/// What is left of an entry that was reaped.
pub(super) struct Remains<K, V> {
    pub retired: Retired<V>,
    /// Of both (see `sync::grace`).
    pub part: Part,
    /// The index's count, if this thread took it out.
    pub unlinked: Option<StrongArc<Entry<K, V>>>,
}

/// What a region adds up (invariant 2).
#[derive(Debug, Default)]
pub struct Sums {
    /// Linked entries that are not closed.
    pub entries: AtomicU64,
    /// Those of them that are weak; those of a batch under way are missing, so it may be below zero for a moment.
    pub(super) weak: AtomicU64,
    /// What the strong ones weigh.
    pub weight: AtomicU64,
    /// Closed entries that the sweeper has not met yet, about.
    pub closed: AtomicU64,
    /// How often weak entries became strong again: where they wait, the sweeper has them for weak ones.
    pub turned: AtomicU64,
    /// Weak entries that the sweeper found strong again since this was last reported.
    pub found: AtomicU64,
    /// When the entry under the hand came there, or `u64::MAX` for an empty ring: a hint for choosing among regions.
    pub coldest: AtomicU64,
    /// Sweeps to come that make room early, for threads have met at the rings; and by which weight.
    pub crowded: AtomicU64,
    pub early: AtomicU64,
}

impl Sums {
    /// Weak entries.
    pub fn weak(&self) -> u64 {
        (self.weak.load(Relaxed) as i64).max(0) as u64
    }
}

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub fn new(bounds: Bounds, ledger: shared::Arc<Ledger>) -> Self {
        Self {
            index: Index::new(),
            rings: Mutex::new(Rings::new(bounds.policy)),
            incoming: Bag::new(),
            graves: Graves::new(),
            unlinked: Graves::new(),
            tray: shared::Mutex::default(),
            bounds,
            learned: Learned::default(),
            ledger,
            sums: Sums { coldest: AtomicU64::new(u64::MAX), ..Sums::default() },
            events: shared::Arc::default(),
            counters: Counters::default(),
        }
    }

    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Looks at the entry of a key, if there is one. Takes no lock.
    #[inline]
    pub fn read<Q, R>(&self, hash: u64, key: &Q, look: impl FnOnce(&Entry<K, V>, &Guard) -> R) -> Option<R>
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.index.read(hash, key, |entry, guard| look(entry, guard))
    }

    /// The value of a key, touched, and strong again if it was stripped and there is room. Counted.
    // Always: what a call and its saved registers cost is a tenth of the time where the index is in the cache.
    #[inline(always)]
    pub fn get<Q>(&self, hash: u64, key: &Q) -> Option<Arc<V>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let guard = Guard::of(part_of(hash));
        let Some(entry) = self.index.find(hash, key, &guard) else {
            drop(guard);
            self.counters.count(Frequent::Miss);
            return None;
        };
        entry.touch();
        let Some(value) = entry.slot.get_strong(&guard) else {
            let found = self.weak_value_of(&entry, &guard);
            drop(guard);
            self.counters.read(found.is_some());
            return found;
        };
        drop(guard);
        self.counters.count(Frequent::Hit);
        Some(value)
    }

    /// The same under a pin, without a count; `None` if it is not strong. Counted, if it was found.
    #[inline(always)]
    pub fn get_pinned<'p, Q>(&'p self, hash: u64, key: &Q, pin: &'p Pin) -> Option<&'p V>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let entry = self.index.find(hash, key, pin)?;
        entry.touch();
        let value = entry.slot.strong(pin)?;
        self.counters.count_by(pin.number(), Frequent::Hit);
        Some(value)
    }

    /// As `get`, not counted.
    pub fn find<Q>(&self, hash: u64, key: &Q) -> Option<Arc<V>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let find = |entry: &Entry<K, V>, guard: &_| {
            entry.touch();
            self.weak_value_of(entry, guard)
        };
        self.read(hash, key, find).flatten()
    }

    /// The value of an entry that is not strong, most likely; strong again, if there is room.
    #[cold]
    fn weak_value_of(&self, entry: &Entry<K, V>, guard: &Guard) -> Option<Arc<V>> {
        let Found { value, weak } = entry.slot.get(guard)?;
        if weak {
            self.revive(entry, &value);
        }
        Some(value)
    }

    /// Frees what was stripped and removed, as far as no pin and no reader holds it back.
    pub fn flush(&self) {
        Sweep::bury(self);
        self.ledger.settle();
    }

    /// What so much weight stands for, in bytes, if passes have learned that.
    pub fn lesson(&self, weight: u64) -> Option<u64> {
        self.learned.lesson(weight)
    }

    /// Holds the lock of the key's shard while `f` runs. The key must be there.
    #[cfg(all(test, not(weakmap_loom)))]
    pub fn while_shard_is_locked<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q, f: impl FnOnce()) {
        let entry = self.index.get(hash, key).expect("the key is there");
        self.index.lock_shard_of(&entry, f);
    }

    /// Heap bytes of the policy's rings and ghosts. Waits for a sweep's lock.
    pub fn policy_bytes(&self) -> u64 {
        lock(&self.rings).clock.bytes() as u64
    }

    /// What an entry weighs on average.
    pub fn average_weight(&self) -> u64 {
        self.sums.weight.load(Relaxed) / Sweep::entries(self).max(1)
    }

    /// Takes in and forgets, if much has gone.
    pub fn tidy_if_worth_it(&self) {
        if self.many_closed() {
            self.tidy();
        }
    }

    /// Visits the entries that hold a living value.
    pub fn for_each(&self, mut visit: impl FnMut(&StrongArc<Entry<K, V>>, Arc<V>)) {
        self.index.for_each(|entry| {
            let found = entry.slot.get(&Guard::of(part_of(entry.hash())));
            if let Some(found) = found {
                visit(entry, found.value);
            }
        });
    }

    /// The same, one by one. Between two of them it holds keys, no entries: of these there may be so many handles and no more.
    pub fn iter(&self) -> impl Iterator<Item = (K, Arc<V>)>
    where
        K: Clone,
    {
        let keyed = |entry: &StrongArc<Entry<K, V>>| (entry.hash(), entry.key().clone());
        let keys = move |shard| self.index.all_in(shard).iter().map(keyed).collect::<Vec<_>>();
        self.index.shards().flat_map(keys).filter_map(|(hash, key)| {
            let found = self.read(hash, &key, |entry, guard| entry.slot.get(guard)).flatten()?;
            Some((key, found.value))
        })
    }

    fn write<'e>(&self, entry: &'e Entry<K, V>) -> Option<Writing<'e>> {
        self.bounds.weighed.then(|| entry.write())
    }

    /// `None` if another thread is writing.
    pub(super) fn try_write<'e>(&self, entry: &'e Entry<K, V>) -> Option<Option<Writing<'e>>> {
        if self.bounds.weighed { entry.try_write().map(Some) } else { Some(None) }
    }
}

impl<K, V> Drop for Region<K, V> {
    fn drop(&mut self) {
        // The sweeper's handles first, one by one: a destructor that panics must not keep another from running, and two
        // that panic at once would abort. What the index drops then is caught there.
        let (rings, events) = (crate::sync::get_mut(&mut self.rings), &self.events);
        while let Some(entry) = rings.clock.release() {
            quietly(events, || drop(entry));
        }
        for came in mem::take(&mut rings.weak) {
            quietly(events, || drop(came));
        }
        self.incoming.drain(|came| quietly(events, || drop(came)));
        // What this region still weighs leaves the ledger with it.
        subtract(&self.ledger.weight, self.sums.weight.load(Relaxed));
    }
}

impl<K, V> Region<K, V> {
    fn charge(&self, weight: u64) {
        self.sums.weight.fetch_add(weight, Relaxed);
        self.ledger.weight.fetch_add(weight, Relaxed);
    }

    pub(super) fn discharge(&self, weight: u64) {
        subtract(&self.sums.weight, weight);
        subtract(&self.ledger.weight, weight);
    }

    /// Runs a destructor of the user's; its panic ends here and is counted.
    pub(super) fn quietly(&self, f: impl FnOnce()) {
        quietly(&self.events, f);
    }
}

/// Runs a destructor of the user's; its panic ends here and is counted.
pub(super) fn quietly(events: &Events, f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        mem::forget(panic); // its own destructor may panic, too
        count(&events.panicked);
    }
}

/// What an allocation of a value takes, beside what the value owns elsewhere: two counts and itself.
pub const fn inline_bytes<V>() -> u64 {
    (2 * size_of::<usize>() + size_of::<V>()) as u64
}

/// What an entry weighs where no weigher was given: itself, its value, and its places in the index (12 to 24 bytes, taken for 16), a ring (17) and the
/// ghosts (13).
pub const fn entry_bytes<K, V>() -> u64 {
    const PLACES: usize = 46;
    (size_of::<Entry<K, V>>() + PLACES) as u64 + inline_bytes::<V>()
}

pub(super) fn subtract(sum: &AtomicU64, amount: u64) {
    sum.fetch_sub(amount, Relaxed);
}

mod handle;
mod insert;
mod remove;
mod retire;
mod revive;
#[cfg(all(test, not(weakmap_loom)))]
mod tests;
