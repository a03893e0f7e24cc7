//! The collector: one budget, one pressure, and the passes of all its maps.
//!
//! # A pass
//!
//! 1. Asked for by `collect`: look at every weak entry; reap those that callers have let go.
//! 2. Read the heap; the [`Pacer`] says how much is to be stripped.
//! 3. Take the region whose hand stands at the oldest entry; it strips one batch ([`pass`]).
//! 4. Again from 3 until enough is freed, or no region has anything to strip.
//! 5. Asked for by `collect`: move the epochs on until what was stripped is freed.
//! 6. Read the heap again and report.
//!
//! An inserting thread does steps 2 to 4 for what it owes ([`Collector::assist`]). Nobody waits for a sweep, but who finds
//! the heap at the limit.

mod ages;
mod bag;
mod clock;
mod ghost;
mod ledger;
mod pacer;
mod pass;
mod region;

pub use clock::Policy;
pub use pacer::Law;
pub(crate) use region::{Bounds, Region, entry_bytes, inline_bytes};

/// What the models see.
#[cfg(weakmap_loom)]
pub mod model {
    pub use super::{
        ledger::Ledger,
        pass::{Swept, Want},
        region::{Bounds, Region},
    };

    impl<K: Eq + Send + Sync + 'static, V: Send + Sync + 'static> Region<K, V> {
        /// One batch, waiting for other sweepers.
        pub fn pass(&self, want: Want) -> Swept {
            super::Sweep::sweep(self, super::Order::of(want), true, &|| crate::heap::Net::Unknown)
                .expect("it waits")
        }

        /// A look at every weak entry, and the frees.
        pub fn settle_all(&self) -> Swept {
            let done = super::Sweep::review(self);
            super::Sweep::flush(self);
            done
        }

        /// Entries in the index, closed ones included.
        pub fn indexed(&self) -> usize {
            let (guard, mut entries) = (crate::sync::Guard::new(), 0);
            self.index.for_each(&guard, |_| entries += 1);
            entries
        }

        /// Whether each entry in the index is in exactly one sweeper's place (invariant 1). For when nothing runs; empties
        /// the places.
        pub fn placed_once(&self) -> bool {
            let mut places = Vec::new();
            self.incoming.drain(|came| places.push(came.entry));
            let mut rings = crate::sync::lock(&self.rings);
            places.extend(rings.weak.drain(..).map(|came| came.entry));
            places.extend(std::iter::from_fn(|| rings.clock.release()));
            drop(rings);
            let (guard, mut once) = (crate::sync::Guard::new(), true);
            self.index.for_each(&guard, |entry| {
                let found =
                    places.iter().filter(|place| crate::sync::StrongArc::ptr_eq(place, entry)).count();
                once &= found == 1;
            });
            once
        }
    }
}

use crate::{
    builder::{ConfigError, Tuning},
    heap::{Net, Source},
    stats::{CollectorStats, PassReport, count},
    sync::{
        ArcSwap, Lazy, lock_shared,
        shared::{Arc, Mutex, Weak},
        tally::{AtomicI64, AtomicU64, Relaxed},
        yield_now,
    },
};
use ledger::{Ledger, Reserved};
use pacer::{Pacer, Strip};
use pass::{Order, Swept, Want};
use std::{fmt, time::Instant};

/// How often an insert looks for room before it proceeds without.
const MOST_TRIES: usize = 16;

/// How far a thread goes to get what it is after.
#[derive(Clone, Copy, PartialEq)]
enum Effort {
    /// A few batches, and none where another thread sweeps: what callers hold all of could be swept for long.
    Assist,
    /// To the end.
    Whole,
}

impl Effort {
    fn batches(self) -> usize {
        match self {
            Self::Assist => 8,
            Self::Whole => usize::MAX,
        }
    }
}

/// A region, whatever it holds.
pub(crate) trait Sweep: Send + Sync {
    /// One batch; `None` if another thread sweeps and `wait` is not set.
    fn sweep(&self, order: Order, wait: bool, net: &dyn Fn() -> Net) -> Option<Swept>;
    /// Looks at all weak entries.
    fn review(&self) -> Swept;
    /// Frees what was stripped, as far as no reader holds it back.
    fn flush(&self);
    /// When the entry under the hand came there, on the ledger's clock.
    fn coldest(&self) -> u64;
    /// Strong entries.
    fn entries(&self) -> u64;
}

/// What several maps share: one limit, one pressure, and the passes that strip their coldest entries.
///
/// Cheap to clone; clones are the same collector. Maps that were not given one share [`Collector::global`]. It holds its maps
/// weakly: a map that is dropped leaves nothing behind.
///
/// ```
/// use weakmap::{Collector, Tuning, WeakMap};
///
/// let collector = Collector::new(Tuning::new().limit(64 << 20))?;
/// let users = WeakMap::<u64, String>::builder().collector(collector.clone()).build()?;
/// let pages = WeakMap::<String, Vec<u8>>::builder().collector(collector.clone()).build()?;
/// # users.insert(1, "ann".into());
/// assert_eq!(collector.stats().maps, 2);
/// # drop(pages);
/// # Ok::<_, weakmap::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Collector(Arc<Shared>);

struct Shared {
    settings: ArcSwap<Settings>,
    ledger: Arc<Ledger>,
    regions: ArcSwap<Vec<Weak<dyn Sweep>>>,
    /// Taken to change `regions` or `settings`.
    changing: Mutex<()>,
    /// Bytes that inserting threads owe; below zero where they have paid too much.
    debt: AtomicI64,
    /// The heap size at which the next cycle is due, under the laws that have cycles; `u64::MAX` while one runs.
    next_pass: AtomicU64,
    passes: AtomicU64,
    assists: AtomicU64,
    overruns: AtomicU64,
}

/// What was tuned, ready for use.
struct Settings {
    tuning: Tuning,
    pacer: Pacer,
    source: Source,
    measures: bool,
    limit: u64,
}

/// A reading, with what the collector knows itself.
#[derive(Clone, Copy)]
struct Load {
    live: u64,
    error: u64,
    /// In use, less what is stripped and not freed yet: what the laws go by.
    x: u64,
}

impl Collector {
    /// A collector of its own, for maps with a budget apart.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the tuning cannot work, or `WEAKMAP_LIMIT` (read where no limit was given) is no size.
    pub fn new(tuning: Tuning) -> Result<Self, ConfigError> {
        let settings = Settings::new(tuning)?;
        let next_pass = settings.pacer.next_pass(0);
        let ledger = Ledger { limit: AtomicU64::new(settings.limit), ..Ledger::default() };
        Ok(Self(Arc::new(Shared {
            settings: ArcSwap::from_pointee(settings),
            ledger: Arc::new(ledger),
            regions: ArcSwap::from_pointee(Vec::new()),
            changing: Mutex::default(),
            debt: AtomicI64::new(0),
            next_pass: AtomicU64::new(next_pass),
            passes: AtomicU64::new(0),
            assists: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
        })))
    }

    /// The collector that maps share unless they are given another. Made at first use, with the limit from `WEAKMAP_LIMIT`, else
    /// half of physical memory.
    ///
    /// # Panics
    ///
    /// At first use, where `WEAKMAP_LIMIT` is no size.
    pub fn global() -> &'static Self {
        static GLOBAL: Lazy<Collector> =
            Lazy::new(|| Collector::new(Tuning::new()).unwrap_or_else(|error| panic!("{error}")));
        &GLOBAL
    }

    /// Changes what is tuned; passes and inserts go by it from now on. Blocks while another thread tunes.
    ///
    /// ```
    /// # use weakmap::{Collector, Tuning};
    /// let collector = Collector::new(Tuning::new().limit(64 << 20))?;
    /// collector.tune(|tuning| tuning.limit(32 << 20))?;
    /// assert_eq!(collector.stats().limit, 32 << 20);
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the new tuning cannot work: then the old one stays.
    pub fn tune(&self, change: impl FnOnce(Tuning) -> Tuning) -> Result<(), ConfigError> {
        let _changing = lock_shared(&self.0.changing);
        let settings = Settings::new(change(self.0.settings.load().tuning.clone()))?;
        let x = self.load(&settings).x;
        self.0.next_pass.store(settings.pacer.next_pass(x), Relaxed);
        self.0.ledger.limit.store(settings.limit, Relaxed);
        self.0.settings.store(Arc::new(settings));
        Ok(())
    }

    /// A pass now, over all maps of this collector: strips what the law asks for at the pressure of now (nothing, at
    /// a heap below the goal), reaps what callers have let go, and returns when the memory is freed. Memory that
    /// a pinned read or a reader in the middle of a `get` holds back is freed later and counted in `pending`.
    ///
    /// Blocks while another thread sweeps. Destructors of stripped values run in the calling thread.
    ///
    /// ```
    /// # use weakmap::{Collector, Tuning};
    /// let report = Collector::global().collect();
    /// println!("{} stripped, {} bytes freed in {:?}", report.stripped, report.freed, report.duration);
    /// ```
    pub fn collect(&self) -> PassReport {
        let start = Instant::now();
        let settings = self.0.settings.load();
        let before = self.load(&settings);
        let mut done = Swept::default();
        self.regions().for_each(|region| done.add(region.review()));
        let strip = settings.pacer.pass(self.load(&settings).x, self.entries());
        done.add(self.strip(strip, Effort::Whole, &settings));
        self.regions().for_each(|region| region.flush());
        count(&self.0.passes);
        let after = self.load(&settings);
        self.0.next_pass.store(settings.pacer.next_pass(after.x), Relaxed);
        PassReport {
            swept: done.swept,
            stripped: done.stripped,
            reaped: done.reaped,
            revived: done.revived,
            freed: done.freed,
            shared: done.shared,
            pressure_before: settings.pacer.pressure(before.live),
            pressure_after: settings.pacer.pressure(after.live),
            duration: start.elapsed(),
        }
    }

    /// How it is doing. Costs one reading of the heap.
    ///
    /// ```
    /// # use weakmap::Collector;
    /// let stats = Collector::global().stats();
    /// assert!(stats.goal < stats.limit);
    /// ```
    pub fn stats(&self) -> CollectorStats {
        let shared = &*self.0;
        let settings = shared.settings.load();
        let load = self.load(&settings);
        let next_pass =
            if settings.pacer.cycles() { shared.next_pass.load(Relaxed) } else { settings.pacer.trigger() };
        CollectorStats {
            live: load.live,
            error: load.error,
            limit: settings.limit,
            goal: settings.pacer.goal(),
            next_pass,
            pressure: settings.pacer.pressure(load.live),
            pending: shared.ledger.pending.load(Relaxed),
            reserved: shared.ledger.reserved.load(Relaxed),
            weight: shared.ledger.weight.load(Relaxed),
            maps: self.regions().count() as u64,
            passes: shared.passes.load(Relaxed),
            assists: shared.assists.load(Relaxed),
            overruns: shared.overruns.load(Relaxed),
        }
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.0.ledger
    }

    pub(crate) fn limit(&self) -> u64 {
        self.0.ledger.limit.load(Relaxed)
    }

    /// Adds a region, and forgets those that have gone.
    pub(crate) fn attach(&self, region: Weak<dyn Sweep>) {
        let _changing = lock_shared(&self.0.changing);
        let mut regions = Vec::clone(&self.0.regions.load());
        regions.retain(|region| region.strong_count() > 0);
        regions.push(region);
        self.0.regions.store(Arc::new(regions));
    }

    /// Forgets the regions that have gone.
    pub(crate) fn detach(&self) {
        let _changing = lock_shared(&self.0.changing);
        let mut regions = Vec::clone(&self.0.regions.load());
        regions.retain(|region| region.strong_count() > 0);
        self.0.regions.store(Arc::new(regions));
    }

    /// Bytes that are about to be made.
    pub(crate) fn reserve(&self, bytes: u64) -> Reserved<'_> {
        self.0.ledger.reserve(bytes)
    }

    /// What a thread does that inserted (or is about to insert) so much weight, which stands for so many bytes where that was learned:
    /// nothing below the trigger.
    pub(crate) fn assist(&self, weight: u64, bytes: Option<u64>) {
        let settings = self.0.settings.load();
        let load = self.load(&settings);
        if load.x > settings.pacer.trigger() {
            let inserted = bytes.unwrap_or_else(|| self.0.ledger.guess(weight));
            self.pay(inserted, load, &settings);
        }
        if settings.pacer.cycles() && load.x >= self.0.next_pass.load(Relaxed) {
            self.cycle(&settings);
        }
        if settings.pacer.over(load.live, load.error) > 0 {
            self.make_room(&settings);
        }
    }

    fn pay(&self, inserted: u64, load: Load, settings: &Settings) {
        let owed = settings.pacer.owed(load.x, inserted);
        if owed == 0 {
            return;
        }
        let owed = owed.min(i64::MAX as u64) as i64;
        let debt = self.0.debt.fetch_add(owed, Relaxed).saturating_add(owed);
        let due = settings.pacer.due(debt.max(0) as u64, inserted);
        if due > 0 {
            count(&self.0.assists);
            // Taken off first: whoever comes next meets the debt without what we pay. What could not be paid is forgotten, not
            // piled up; what was paid too much (an entry may be large) is credit.
            self.0.debt.fetch_sub(due as i64, Relaxed);
            let freed = self.strip(Strip::Bytes(due), Effort::Assist, settings).freed;
            self.0.debt.fetch_sub(freed.saturating_sub(due) as i64, Relaxed);
        }
    }

    /// One cycle, unless another thread is at it.
    fn cycle(&self, settings: &Settings) {
        if self.0.next_pass.swap(u64::MAX, Relaxed) == u64::MAX {
            return;
        }
        count(&self.0.passes);
        // Read again: this thread may have waited since it found the cycle due.
        let load = self.load(settings);
        self.strip(settings.pacer.pass(load.x, self.entries()), Effort::Whole, settings);
        let x = self.load(settings).x;
        self.0.next_pass.store(settings.pacer.next_pass(x), Relaxed);
    }

    /// The gate: strips until the heap is within its limit, or nothing is left to strip. The map must not lose what it was
    /// given, so the insert proceeds then, and is counted.
    fn make_room(&self, settings: &Settings) {
        for _ in 0..MOST_TRIES {
            let load = self.load(settings);
            let over = settings.pacer.over(load.live, load.error);
            if over == 0 {
                return;
            }
            let coming = load.live - load.x;
            if over <= coming {
                // Stripped already, and held back by a pin or a reader: more strips would free nothing now.
                self.regions().for_each(|region| region.flush());
                yield_now();
            } else if self.strip(Strip::Bytes(over - coming), Effort::Whole, settings).stripped == 0 {
                break;
            }
        }
        count(&self.0.overruns);
    }

    /// Steps 3 and 4 of a pass.
    fn strip(&self, strip: Strip, effort: Effort, settings: &Settings) -> Swept {
        let mut done = Swept::default();
        let regions = self.0.regions.load();
        let mut tired = Vec::new();
        let mut batches = 0;
        while batches < effort.batches() {
            let Some(want) = left(strip, &done) else { break };
            let Some((which, region)) = coldest(&regions, &tired) else { break };
            let order = Order { want, stripped: done.weight };
            let swept = region.sweep(order, effort == Effort::Whole, &|| settings.source.net());
            match swept {
                Some(swept) if swept.stripped > 0 => batches += 1,
                _ => tired.push(which),
            }
            done.add(swept.unwrap_or_default());
        }
        done
    }

    fn load(&self, settings: &Settings) -> Load {
        let ledger = &self.0.ledger;
        let weight = ledger.weight.load(Relaxed);
        let sample = settings.source.sample(weight);
        // The weights are without what is pending from the start.
        let pending = if settings.source.is_weights() { 0 } else { ledger.pending.load(Relaxed) };
        let live = sample.live.saturating_add(ledger.reserved.load(Relaxed));
        let x = live.saturating_sub(pending);
        // Where bytes are not measured, weights are taken at their word.
        ledger::update(&ledger.used, if settings.measures { x } else { 0 });
        ledger::update(&ledger.room, settings.pacer.goal().saturating_sub(x));
        Load { live, error: sample.error, x }
    }

    fn regions(&self) -> impl Iterator<Item = Arc<dyn Sweep>> {
        let regions = self.0.regions.load_full();
        (0..regions.len()).filter_map(move |which| regions[which].upgrade())
    }

    fn entries(&self) -> u64 {
        self.regions().map(|region| region.entries()).sum()
    }
}

/// What is left of an order.
fn left(strip: Strip, done: &Swept) -> Option<Want> {
    let left = |most: u64, done: u64| most.checked_sub(done).filter(|&left| left > 0);
    match strip {
        Strip::Bytes(most) => left(most, done.freed).map(Want::Bytes),
        Strip::Entries(most) => left(most, done.stripped).map(Want::Entries),
    }
}

/// The region whose hand stands at the oldest entry, of those that are not tired.
fn coldest(regions: &[Weak<dyn Sweep>], tired: &[usize]) -> Option<(usize, Arc<dyn Sweep>)> {
    let awake = regions.iter().enumerate().filter(|(which, _)| !tired.contains(which));
    awake
        .filter_map(|(which, region)| Some((which, region.upgrade()?)))
        .min_by_key(|(_, region)| region.coldest())
}

impl Settings {
    fn new(tuning: Tuning) -> Result<Self, ConfigError> {
        tuning.check()?;
        let limit = match tuning.limit {
            Some(limit) => limit,
            None => crate::heap::detect_limit()?,
        };
        let pacer = Pacer::new(tuning.law, limit, tuning.sensitivity);
        let source = Source::choose(tuning.heap.clone());
        Ok(Self { tuning, pacer, measures: source.measures(), source, limit })
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Collector").field(&self.stats()).finish()
    }
}
