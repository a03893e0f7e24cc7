//! The collector: one budget, one pressure, and the passes of all its maps.
//!
//! # A pass
//!
//! 1. Asked for by `collect`: look at every weak entry; reap those that callers have let go.
//! 2. Read the heap; the [`Pacer`] says how much is to be stripped.
//! 3. Take the region whose hand stands at the oldest entry; it strips one batch ([`pass`]).
//! 4. Again from 3 until enough is freed, or no region has anything to strip.
//! 5. Asked for by `collect`: free what was stripped, as far as no guard holds it back.
//! 6. Read the heap again and report.
//!
//! An inserting thread does steps 2 to 4 for what it owes ([`assist`]). Nobody waits for a sweep, but who finds
//! the heap at the limit. For pressure from elsewhere there is a thread in the [`background`] ([`upkeep`]).

mod ages;
mod assist;
mod background;
mod bag;
mod band;
mod calm;
mod clock;
mod cycle;
mod ghost;
mod graves;
mod learned;
mod ledger;
mod log;
mod members;
mod pacer;
mod pass;
mod quota;
mod region;
mod rest;
mod settings;
mod strips;
mod upkeep;

pub use clock::Policy;
pub use pacer::Law;
pub(crate) use region::{Bounds, Region, entry_bytes, inline_bytes};

#[cfg(weakmap_loom)]
pub mod model;

use crate::{
    error::ConfigError,
    heap::Watch,
    stats::{CollectorStats, PassReport, count},
    sync::{
        ArcSwap, Lazy, lock_shared,
        shared::{Arc, Mutex, Weak},
        tally::{AtomicI64, AtomicU64, Relaxed},
    },
    tuning::Tuning,
};
use assist::PutIn;
use calm::Calm;
use ledger::Ledger;
pub(crate) use ledger::Reserved;
use pass::{Sweep, Swept};
use rest::Rest;
use settings::Settings;
use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    time::Instant,
};
use strips::Effort;
use upkeep::{GOOD_FOR, Outer, Purging, TICK};

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
    calm: Calm,
    ledger: Arc<Ledger>,
    regions: ArcSwap<Vec<Weak<dyn Sweep>>>,
    /// Maps attached.
    maps: AtomicU64,
    /// Taken to change `regions` or `settings`.
    changing: Mutex<()>,
    /// Bytes that inserting threads owe; below zero where they have paid too much.
    debt: AtomicI64,
    put_in: PutIn,
    /// The heap size at which the next cycle is due, under the laws that have cycles; `u64::MAX` while one runs.
    next_pass: AtomicU64,
    passes: AtomicU64,
    assists: AtomicU64,
    overruns: AtomicU64,
    wakeups: AtomicU64,
    start: Instant,
    ticks: Watch,
    rereads: Watch,
    rest: Rest,
    outer: Mutex<Option<Outer>>,
    purging: Purging,
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
        if log::ON {
            log::started(&settings.explain());
        }
        let ledger = Ledger { limit: AtomicU64::new(settings.most_of_one()), ..Ledger::default() };
        Ok(Self(Arc::new(Shared {
            calm: Calm::new(&settings),
            settings: ArcSwap::from_pointee(settings),
            ledger: Arc::new(ledger),
            regions: ArcSwap::from_pointee(Vec::new()),
            maps: AtomicU64::new(0),
            changing: Mutex::default(),
            debt: AtomicI64::new(0),
            put_in: PutIn::default(),
            next_pass: AtomicU64::new(next_pass),
            passes: AtomicU64::new(0),
            assists: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
            wakeups: AtomicU64::new(0),
            start: Instant::now(),
            ticks: Watch::every(TICK),
            rereads: Watch::every(GOOD_FOR),
            rest: Rest::new(),
            outer: Mutex::default(),
            purging: Purging::default(),
        })))
    }

    /// The collector that maps share unless they are given another. Made at first use, with the limit that
    /// [`heap::Limit::detect`](crate::heap::Limit::detect) finds.
    ///
    /// # Panics
    ///
    /// Where `WEAKMAP_LIMIT` is no size; [`Builder::build`](crate::Builder::build) returns the error.
    pub fn global() -> &'static Self {
        Self::try_global().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, or why there is none.
    pub(crate) fn try_global() -> Result<&'static Self, ConfigError> {
        static GLOBAL: Lazy<Result<Collector, ConfigError>> = Lazy::new(|| Collector::new(Tuning::new()));
        GLOBAL.as_ref().map_err(ConfigError::clone)
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
        let changing = lock_shared(&self.0.changing);
        let old = self.0.settings.load_full();
        let settings = Settings::new(change(old.tuning.clone()))?;
        self.put(settings.keep_correction_of(&old));
        drop(changing);
        drop(old); // not under the lock: it may hold the last of a source or a purge of the user's
        background::join(self);
        background::wake();
        Ok(())
    }

    /// To be called under `changing`, while somebody holds the old settings.
    fn put(&self, settings: Settings) {
        let x = self.load(&settings).x;
        self.0.next_pass.store(settings.pacer.next_pass(x), Relaxed);
        self.0.ledger.limit.store(settings.most_of_one(), Relaxed);
        self.0.calm.heed(&settings);
        self.0.settings.store(Arc::new(settings));
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
        self.reread_limit();
        let settings = self.0.settings.load();
        let before = self.load(&settings);
        let mut done = Swept::default();
        self.regions().for_each(|region| done.add(region.review()));
        let strip = settings.pacer.pass(self.load(&settings).x, self.entries());
        done.add(self.strip(strip, Effort::Whole, &settings).0); // asked for: no rest
        self.flush();
        self.have_purged(&settings);
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

    /// Which signal and which limit it goes by, and why not by others; and what purges. Text to read, a line each.
    ///
    /// ```
    /// # use weakmap::Collector;
    /// println!("{}", Collector::global().explain());
    /// ```
    pub fn explain(&self) -> String {
        self.0.settings.load().explain()
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
            limit: settings.bytes,
            goal: settings.pacer.goal(),
            next_pass,
            pressure: settings.pacer.pressure(load.live),
            pending: shared.ledger.pending(),
            reserved: shared.ledger.reserved.load(Relaxed),
            weight: shared.ledger.weight.load(Relaxed),
            maps: shared.maps.load(Relaxed),
            passes: shared.passes.load(Relaxed),
            assists: shared.assists.load(Relaxed),
            overruns: shared.overruns.load(Relaxed),
            exhausted: shared.rest.is_exhausted() && load.x > settings.pacer.trigger(),
            rests: shared.rest.rests(),
            wakeups: shared.wakeups.load(Relaxed),
        }
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.0.ledger
    }

    #[inline]
    pub(crate) fn limit(&self) -> u64 {
        self.0.ledger.limit.load(Relaxed)
    }

    /// Bytes that are about to be made.
    pub(crate) fn reserve(&self, bytes: u64) -> Reserved<'_> {
        self.0.ledger.reserve(bytes)
    }

    /// Frees what was stripped, as far as no pin and no reader holds it back.
    fn flush(&self) {
        self.regions().for_each(|region| region.bury());
        self.0.ledger.settle();
    }

    /// Asks for a purge, off this thread if there is another.
    fn have_purged(&self, settings: &Settings) {
        if settings.tuning.purge.is_some() {
            self.want_purge();
            match settings.tuning.background {
                true => background::wake(),
                false => drop(self.purge_if_wanted()),
            }
        }
    }

    fn load(&self, settings: &Settings) -> Load {
        let ledger = &self.0.ledger;
        let weight = ledger.weight.load(Relaxed);
        let sample = settings.source.sample(weight);
        let pending = if settings.source.is_weights() {
            0 // without what is pending from the start
        } else if settings.measures {
            ledger.pending()
        } else {
            // It may count values alone: what is left of those that are gone is not subtracted from it, or an insert
            // would wait for what does not come.
            ledger.held_back.load(Relaxed)
        };
        let live = sample.live.saturating_add(ledger.reserved.load(Relaxed));
        let x = live.saturating_sub(pending);
        // Where bytes are not measured, weights are taken at their word.
        self.0.calm.tell(live);
        ledger::update(&ledger.used, if settings.measures { x } else { 0 });
        ledger::update(&ledger.room, settings.pacer.goal().saturating_sub(x));
        Load { live, error: sample.error, x }
    }
}

/// A heap source or a purge that panics leaves it consistent.
impl UnwindSafe for Collector {}

impl RefUnwindSafe for Collector {}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Collector").field(&self.stats()).finish()
    }
}
