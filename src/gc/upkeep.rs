//! What the background thread does for one collector, and inserting threads where there is none.
//!
//! 1. Read a limit again that was found, not told.
//! 2. Correct the limit by what is taken of its wall ([`Band`]).
//! 3. Strip what is above the goal: pressure that comes from elsewhere than inserts.
//! 4. Have the allocator give back what passes freed, if that is wanted.
//! 5. Say when to be called next.

use super::{Collector, band::Band, band::Reading, log, pacer::Strip, settings::Settings};
use crate::{
    heap::{Gauge, Limit},
    stats::count,
    sync::{
        alarm, flush_if_any, lock_shared,
        shared::Arc,
        tally::{AtomicBool, AtomicU64, Relaxed},
    },
};
use std::time::{Duration, Instant};

/// Between two corrections of a limit, while inserts run: with 50 ms, and three quarters of the wall to start from, a flood of four threads over glibc
/// was killed.
pub const TICK: Duration = Duration::from_millis(10);
/// How long a limit is good for that was found: a container's may change while the program runs. Finding it costs 0.1 ms.
pub const GOOD_FOR: Duration = Duration::from_millis(500);
/// Between two looks at a source that wakes nobody, and where nothing could be freed.
const POLL: Duration = Duration::from_secs(1);
/// Where the heap stays above its level for reasons that pass (a pin, values under construction).
const SOON: Duration = Duration::from_millis(20);
/// Between two purges, and of how many times its own duration.
const PURGE: (Duration, u32) = (Duration::from_millis(100), 20);
/// The part of the limit that a pass must have freed for a purge to be worth it.
const BIG: u64 = 16;

/// Until when the background thread may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nap {
    /// Counted bytes at which it is to wake up.
    pub level: u64,
    pub most: Option<Duration>,
}

impl Nap {
    /// For ever.
    pub const NONE: Self = Self { level: u64::MAX, most: None };

    pub fn min(self, other: Self) -> Self {
        let most = [self.most, other.most].into_iter().flatten().min();
        Self { level: self.level.min(other.level), most }
    }
}

/// The wall of a limit, and what is read of it.
pub struct Outer {
    limit: Arc<Limit>,
    gauge: Gauge,
    band: Band,
}

impl Outer {
    fn of(settings: &Settings) -> Option<Self> {
        let band = Band::new(settings.limit.wall?, settings.tuning.limit);
        Some(Self { limit: Arc::clone(&settings.limit), gauge: Gauge::of(&settings.limit)?, band })
    }
}

/// When memory was last given back to the system, and whether it is to be.
#[derive(Debug, Default)]
pub struct Purging {
    wanted: AtomicBool,
    /// In microseconds of the collector's clock.
    next: AtomicU64,
}

impl Collector {
    /// Called now and then by inserting threads.
    pub(super) fn tick(&self) {
        let settings = self.0.settings.load();
        if !settings.ticks() {
            return;
        }
        if settings.tuning.background {
            alarm().wake();
        } else {
            self.reread_limit();
            self.correct_limit();
        }
    }

    /// The steps of the module.
    pub(super) fn look_after(&self) -> Nap {
        count(&self.0.wakeups);
        flush_if_any();
        self.reread_limit();
        self.correct_limit();
        self.relieve();
        let purge = self.purge_if_wanted();
        self.nap().min(Nap { most: purge, ..Nap::NONE })
    }

    /// Where the limit was found: goes by the one of now, twice a second.
    pub(super) fn reread_limit(&self) {
        let settings = self.0.settings.load_full();
        if settings.is_found() && self.0.rereads.is_due() {
            if let Some(anew) = settings.found_anew() {
                self.put_in_force(&settings, anew, "it was read again");
            }
        }
    }

    fn correct_limit(&self) {
        let settings = self.0.settings.load_full();
        if settings.limit.wall.is_none() {
            return;
        }
        // Another thread is at it, or this one: a purge may insert.
        let Ok(mut outer) = self.0.outer.try_lock() else { return };
        if !outer.as_ref().is_some_and(|outer| Arc::ptr_eq(&outer.limit, &settings.limit)) {
            *outer = Outer::of(&settings);
        }
        let Some(Outer { gauge, band, .. }) = &mut *outer else { return };
        let Some(mut taken) = gauge.read() else { return };
        let purged = band.is_high(taken) && self.purge(&settings);
        if purged {
            taken = gauge.read().unwrap_or(taken);
        }
        let reading = Reading { taken, live: self.load(&settings).live, purged };
        let bytes = match settings.source.is_weights() {
            true => band.correct_weights(settings.bytes, reading),
            false => band.correct(settings.bytes, reading),
        };
        drop(outer);
        if bytes != settings.bytes {
            self.put_in_force(&settings, settings.corrected(bytes), "of what is taken of the wall");
        }
    }

    /// Unless somebody has tuned since `old` was read.
    fn put_in_force(&self, old: &Arc<Settings>, new: Settings, why: &str) {
        let changing = lock_shared(&self.0.changing);
        let (from, to, current) = (old.bytes, new.bytes, Arc::ptr_eq(&self.0.settings.load(), old));
        if current {
            self.put(new);
        }
        drop(changing);
        if current {
            log::limit_changed(from, to, why);
        }
    }

    /// Strips what is above the goal.
    fn relieve(&self) {
        let settings = self.0.settings.load();
        let load = self.load(&settings);
        if settings.pacer.cycles() {
            if load.x >= self.0.next_pass.load(Relaxed) {
                self.cycle(&settings);
            }
            return;
        }
        let strip = settings.pacer.pass(load.x, self.entries());
        if strip == Strip::NOTHING {
            if self.0.rest.succeed() {
                log::recovered(); // without us: holders let go
            }
        } else {
            count(&self.0.passes);
            let freed = self.strip_whole(strip, load, &settings).freed;
            if freed >= settings.bytes / BIG {
                self.want_purge();
            }
        }
    }

    pub(super) fn want_purge(&self) {
        self.0.purging.wanted.store(true, Relaxed);
    }

    /// How long to wait, if it may not be done yet.
    pub(super) fn purge_if_wanted(&self) -> Option<Duration> {
        // Before it is done: somebody may want the next one meanwhile.
        if !self.0.purging.wanted.swap(false, Relaxed) {
            return None;
        }
        let settings = self.0.settings.load();
        if settings.tuning.purge.is_none() || self.purge(&settings) {
            return None;
        }
        self.want_purge();
        Some(PURGE.0)
    }

    /// Whether it was done: not where there is nothing to do it with, nor too soon after the last.
    fn purge(&self, settings: &Settings) -> bool {
        let Some(purge) = &settings.tuning.purge else { return false };
        let (now, next) = (self.micros(), self.0.purging.next.load(Relaxed));
        let claimed =
            now >= next && self.0.purging.next.compare_exchange(next, u64::MAX, Relaxed, Relaxed).is_ok();
        if claimed {
            let _next = Claimed { collector: self, start: Instant::now() };
            purge.purge();
        }
        claimed
    }

    fn micros(&self) -> u64 {
        self.0.start.elapsed().as_micros() as u64
    }

    /// Step 5.
    fn nap(&self) -> Nap {
        let settings = self.0.settings.load();
        if settings.tuning.sensitivity == 0.0 {
            return Nap::NONE; // the gate alone strips
        }
        if self.0.rest.is_exhausted() {
            return Nap { most: Some(POLL), ..Nap::NONE };
        }
        if settings.source.is_weights() {
            return Nap::NONE; // only inserts and tuning change them
        }
        if !settings.source.wakes() {
            return Nap { most: Some(POLL), ..Nap::NONE };
        }
        let load = self.load(&settings);
        let level = match settings.pacer.cycles() {
            true => self.0.next_pass.load(Relaxed),
            false => settings.pacer.alarm(load.error),
        };
        // A cycle under way has no level yet.
        let asleep = load.live < level && level < u64::MAX;
        if asleep { Nap { level, most: None } } else { Nap { most: Some(SOON), ..Nap::NONE } }
    }
}

/// The right to purge. When it goes, however that comes, the next one may be claimed after a while.
struct Claimed<'c> {
    collector: &'c Collector,
    start: Instant,
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let pause = PURGE.0.max(self.start.elapsed().saturating_mul(PURGE.1));
        let next = self.collector.micros() + pause.as_micros() as u64;
        self.collector.0.purging.next.store(next, Relaxed);
    }
}
