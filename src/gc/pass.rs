//! A pass over one region: carries out what the pacer and the clock decided.
//!
//! # Steps
//!
//! 1. Under the rings' lock: what came in goes to the clock, the clock names victims, each is stripped (its slot goes
//!    from STRONG to WEAK) and its strong count moved to the batch.
//! 2. Under no lock: the batch's counts are given back, and destructors run. While a pin lives they wait for the pins of then instead.
//! 3. Entries whose value is gone now are closed and leave the index; their weak counts wait for the guards of now that may see them.
//! 4. The others, whose value a caller holds, go back through the incoming bag to the weak list.
//!
//! Victims leave the ring before they are stripped, so two sweepers never meet at an entry; a get that revives a victim in
//! between wins: step 3 finds it strong, step 4 brings it back.

mod batch;
mod fit;
mod weak;

pub use self::batch::Tray;
use super::region::{Came, Region, Rings};
use crate::{
    heap::Net,
    slot::State,
    stats::count,
    sync::{MutexGuard, TryLockError, flush_if_any, lock, tally::Relaxed},
};
use std::mem;

/// Weak entries that a batch looks at on its way.
const REVIEWED: usize = 16;
/// New entries that are loaded before they are sorted: as many as come between two sweeps.
const MOST_FETCHED: usize = 64;

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

/// A region, whatever it holds: what collectors ask of it.
pub(crate) trait Sweep: Send + Sync {
    /// One batch; `None` if another thread sweeps and `wait` is not set.
    fn sweep(&self, order: Order, wait: bool, net: &dyn Fn() -> Net) -> Option<Swept>;
    /// Looks at all weak entries.
    fn review(&self) -> Swept;
    /// Gives back what was retired, after the readers of now.
    fn bury(&self);
    /// When the entry under the hand came there, on the ledger's clock; `None` if there is none.
    fn idle_since(&self) -> Option<u64>;
    /// How much longer than another region's an entry must have been idle to go first.
    fn priority(&self) -> f64;
    /// Strong entries.
    fn entries(&self) -> u64;
    /// Gives up what the index has too much.
    fn trim(&self);
}

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
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

    /// Forgets all that went, few as they may be. Waits for a sweep's lock.
    pub(super) fn forget(&self) {
        let mut rings = lock(&self.rings);
        self.take_in(&mut rings);
        self.forget_closed(&mut rings);
        self.tell_ages(&mut rings);
        unlock(rings);
    }

    pub(super) fn try_rings(&self) -> Option<MutexGuard<'_, Box<Rings<K, V>>>> {
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
        rings.clock.prefetch_entries(self.ahead());
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
        rings.clock.prefetch_entries(self.ahead());
        rings.ages.begin(rings.clock.now(), self.sums.coldest.load(Relaxed));
        let mut spare = mem::take(&mut rings.spare);
        self.incoming.drain_all(&mut spare, |all| {
            came += all.len();
            // What another thread put in is in its processor's cache.
            all.iter().take(MOST_FETCHED).for_each(|it| it.entry.prefetch());
            all.drain(..).for_each(|it| self.sort(it, rings));
        });
        rings.spare = spare;
        self.ledger.now.fetch_add(came as u64, Relaxed);
        if self.many_closed() {
            self.forget_closed(rings);
        }
        came
    }

    /// Walks through everything.
    fn forget_closed(&self, rings: &mut Rings<K, V>) {
        self.sums.closed.store(0, Relaxed);
        rings.clock.remove_gone();
        for came in mem::take(&mut rings.weak) {
            self.sort(came, rings);
        }
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

    /// Notes what time it is, and tells others how old the clock's next candidate is.
    fn tell_ages(&self, rings: &mut Rings<K, V>) {
        let own = rings.clock.now();
        let oldest = own.saturating_sub(rings.clock.oldest());
        rings.ages.mark(own, self.ledger.now.load(Relaxed), oldest);
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
}

/// Lets go of the rings, and then of what was met gone: the last handle of an entry takes its key with it, and that may have a destructor.
fn unlock<K, V>(mut rings: MutexGuard<'_, Box<Rings<K, V>>>) {
    let gone = rings.clock.take_gone();
    drop(rings);
    drop(gone);
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
