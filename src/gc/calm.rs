//! Calm: what an insert looks at instead of the settings, as long as it finds nothing to do, or no more than debt, which can wait.
//!
//! Tallies: they publish nothing. Whoever sees the level of a moment ago does what it would have done then.

use super::{ledger::Ledger, settings::Settings};
use crate::{
    heap::Source,
    sync::tally::{AtomicBool, AtomicU64, Relaxed},
};

/// By how much the heap may have moved before it is read again: so many bytes, or one part of the limit in so many.
const STEP: (u64, u64) = (4 << 10, 1 << 10);

/// Where the heap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Height {
    /// About where it was at the last reading, and below all that is acted on, however wrong the source may be.
    Low,
    /// Within the limit.
    Within,
    /// Beyond it, or unknown.
    Beyond,
}

/// See the module.
#[derive(Debug)]
pub struct Calm {
    /// The source that the collector was made with; while another is in force, there is no calm.
    source: Source,
    /// Bytes in use, up to which an insert has nothing to do; 0 where it is to look always.
    level: AtomicU64,
    /// The limit in force: up to here, where there is a level, an insert may look later.
    gate: AtomicU64,
    step: AtomicU64,
    /// Bytes in use at the last reading.
    told: AtomicU64,
    /// Whether anything is due once in a while.
    ticks: AtomicBool,
}

impl Calm {
    pub fn new(settings: &Settings) -> Self {
        let new = Self {
            source: settings.source.clone(),
            level: AtomicU64::new(0),
            gate: AtomicU64::new(0),
            step: AtomicU64::new(0),
            told: AtomicU64::new(u64::MAX),
            ticks: AtomicBool::new(false),
        };
        new.heed(settings);
        new
    }

    /// Goes by these settings from now on.
    pub fn heed(&self, settings: &Settings) {
        let known = settings.source.is_the_same(&self.source);
        self.level.store(if known { settings.pacer.calm() } else { 0 }, Relaxed);
        self.gate.store(settings.bytes, Relaxed);
        self.step.store(STEP.0.min(settings.bytes / STEP.1), Relaxed);
        self.ticks.store(settings.ticks(), Relaxed);
    }

    /// So much is in use now.
    pub fn tell(&self, live: u64) {
        super::ledger::update(&self.told, live);
    }

    #[inline]
    pub fn ticks(&self) -> bool {
        self.ticks.load(Relaxed)
    }

    /// The limit in force.
    pub fn gate(&self) -> u64 {
        self.gate.load(Relaxed)
    }

    /// Where the heap is now, by one look at it.
    #[inline]
    pub fn height(&self, ledger: &Ledger) -> Height {
        let level = self.level.load(Relaxed);
        if level == 0 {
            return Height::Beyond;
        }
        let sample = self.source.sample(ledger.weight.load(Relaxed));
        let live = sample.live.saturating_add(ledger.reserved.load(Relaxed));
        let most = live.saturating_add(sample.error);
        if most <= level && live.abs_diff(self.told.load(Relaxed)) <= self.step.load(Relaxed) {
            Height::Low
        } else if most <= self.gate.load(Relaxed) {
            Height::Within
        } else {
            Height::Beyond
        }
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;
    use crate::{Tuning, gc::Law, heap::Scripted};

    const LIMIT: u64 = 1 << 20;

    fn tuning(heap: &Scripted) -> Tuning {
        Tuning::new().limit(LIMIT).heap(heap.clone())
    }

    fn settings(tuning: Tuning) -> Settings {
        Settings::new(tuning).expect("it can work")
    }

    #[test]
    fn is_low_while_the_heap_is_and_where_it_was() {
        let (heap, ledger) = (Scripted::new(), Ledger::default());
        let calm = Calm::new(&settings(tuning(&heap)));
        assert_eq!(calm.height(&ledger), Height::Within, "it was never read");
        calm.tell(0);
        assert_eq!(calm.height(&ledger), Height::Low);
        heap.set(LIMIT / 2);
        assert_eq!(calm.height(&ledger), Height::Within, "it moved");
        calm.tell(LIMIT / 2);
        assert_eq!(calm.height(&ledger), Height::Low);
        drop(ledger.reserve(LIMIT / 2));
        assert_eq!(calm.height(&ledger), Height::Low);
        let reserved = ledger.reserve(LIMIT / 2);
        calm.tell(LIMIT);
        assert_eq!(calm.height(&ledger), Height::Within, "it is high");
        heap.set(LIMIT / 2 + 1);
        assert_eq!(calm.height(&ledger), Height::Beyond);
        drop(reserved);
        assert_eq!(calm.height(&ledger), Height::Within, "it moved");
    }

    #[test]
    fn is_unknown_with_another_source_and_where_passes_come_in_cycles() {
        let ledger = Ledger::default();
        let tuning = tuning(&Scripted::new());
        let calm = Calm::new(&settings(tuning.clone()));
        calm.tell(0);
        for other in [tuning.clone().heap(Scripted::new()), tuning.clone().law(Law::EveryPass)] {
            calm.heed(&settings(other));
            assert_eq!(calm.height(&ledger), Height::Beyond);
        }
        calm.heed(&settings(tuning));
        assert_eq!(calm.height(&ledger), Height::Low);
    }
}
