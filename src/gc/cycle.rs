//! Cycles: the passes of laws that do without debt. Each says at which heap size the next one is due.

use super::{Collector, settings::Settings};
use crate::{stats::count, sync::tally::Relaxed};

impl Collector {
    /// One cycle, unless another thread is at it.
    pub(super) fn cycle(&self, settings: &Settings) {
        if self.0.next_pass.swap(u64::MAX, Relaxed) == u64::MAX {
            return;
        }
        count(&self.0.passes);
        let mut cycle = Cycle { collector: self, next: 0 };
        // Read again: this thread may have waited since it found the cycle due.
        let load = self.load(settings);
        self.strip_whole(settings.pacer.pass(load.x, self.entries()), load, settings);
        cycle.next = settings.pacer.next_pass(self.load(settings).x);
    }
}

/// A cycle under way. Whatever a source of the user's does, another one comes; and if somebody tuned meanwhile, then when he said.
struct Cycle<'c> {
    collector: &'c Collector,
    next: u64,
}

impl Drop for Cycle<'_> {
    fn drop(&mut self) {
        let _ = self.collector.0.next_pass.compare_exchange(u64::MAX, self.next, Relaxed, Relaxed);
    }
}
