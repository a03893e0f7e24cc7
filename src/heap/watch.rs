//! What is due once in a while, without a thread that waits for it.

use crate::sync::tally::{AtomicU64, Relaxed};
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Tells one thread, once in a while, that something is due.
#[derive(Debug)]
pub(crate) struct Watch {
    start: Instant,
    period: Duration,
    /// Microseconds after `start`.
    due: AtomicU64,
}

impl Watch {
    pub fn every(period: Duration) -> Self {
        Self { start: Instant::now(), period, due: AtomicU64::new(period.as_micros() as u64) }
    }

    /// Whether the caller is to do it. Costs a look at the clock.
    pub fn is_due(&self) -> bool {
        self.is_due_at(self.start.elapsed())
    }

    /// The same for a hot path: each thread looks at the clock at one of 16 calls.
    #[inline]
    pub fn glance(&self) -> bool {
        thread_local!(static CALLS: Cell<u64> = const { Cell::new(0) });
        // At random: who takes turns with several watches must not meet the same one always.
        let calls = CALLS.with(|calls| {
            calls.set(
                calls.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407),
            );
            calls.get()
        });
        calls >> 60 == 0 && self.is_due()
    }

    fn is_due_at(&self, since: Duration) -> bool {
        let (now, due) = (since.as_micros() as u64, self.due.load(Relaxed));
        let next = now + self.period.as_micros() as u64;
        now >= due && self.due.compare_exchange(due, next, Relaxed, Relaxed).is_ok()
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn due_for_one_thread_every_ten_seconds() {
        let watch = Watch::every(Duration::from_secs(10));
        let seconds =
            [0, 9, 10, 10, 19, 21, 25, 31].map(|second| watch.is_due_at(Duration::from_secs(second)));
        assert_eq!(seconds, [false, false, true, false, false, true, false, true]);
    }
}
