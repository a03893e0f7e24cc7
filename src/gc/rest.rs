//! Rest: how long strips are left alone after they freed nothing.
//!
//! Where callers hold every value, or all maps stand at their floors, each further look would walk the maps for nothing. So after
//! [`MOST_FAILURES`] in a row the next one waits a hundred times as long as the last took: one percent of a processor.

use crate::sync::tally::{AtomicU64, Relaxed};
use std::time::{Duration, Instant};

/// So often in a row: another thread may have had in hand what could be stripped.
const MOST_FAILURES: u64 = 4;
/// Of one processor, one part in so many.
const SHARE: u32 = 100;

/// Relaxed throughout: whoever reads an old value looks once too often, or once too late.
#[derive(Debug)]
pub struct Rest {
    start: Instant,
    /// When it ends, in microseconds after `start`; 0 for none.
    until: AtomicU64,
    failures: AtomicU64,
    rests: AtomicU64,
}

impl Rest {
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { start: Instant::now(), until: zero(), failures: zero(), rests: zero() }
    }

    /// How long it still lasts, if it does. Costs a load while there is none.
    pub fn left(&self) -> Option<Duration> {
        match self.until.load(Relaxed) {
            0 => None,
            until => Duration::from_micros(until).checked_sub(self.start.elapsed()),
        }
    }

    /// Whether the last strips freed nothing.
    pub fn is_exhausted(&self) -> bool {
        self.until.load(Relaxed) > 0
    }

    /// How often it began.
    pub fn rests(&self) -> u64 {
        self.rests.load(Relaxed)
    }

    /// Strips freed nothing, and took so long. Whether a rest began that is no continuation of another.
    pub fn fail(&self, took: Duration) -> bool {
        if self.failures.fetch_add(1, Relaxed) + 1 < MOST_FAILURES {
            return false;
        }
        self.rests.fetch_add(1, Relaxed);
        let until = self.start.elapsed() + took * SHARE;
        self.until.swap((until.as_micros() as u64).max(1), Relaxed) == 0
    }

    /// Strips freed something. Whether a rest ended.
    pub fn succeed(&self) -> bool {
        if self.failures.load(Relaxed) > 0 {
            self.failures.store(0, Relaxed);
        }
        self.is_exhausted() && self.until.swap(0, Relaxed) > 0
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn begins_at_the_fourth_failure_and_lasts_a_hundred_times_as_long() {
        let rest = Rest::new();
        let took = Duration::from_secs(10);
        assert_eq!([(); 3].map(|()| rest.fail(took)), [false; 3]);
        assert_eq!((rest.left(), rest.is_exhausted()), (None, false));
        assert!(rest.fail(took));
        let left = rest.left().unwrap();
        assert!(left > Duration::from_secs(990) && left <= Duration::from_secs(1000), "{left:?}");
        assert!(!rest.fail(took), "it goes on");
        assert_eq!(rest.rests(), 2);
    }

    #[test]
    fn ends_with_the_first_success() {
        let rest = Rest::new();
        (0..4).for_each(|_| _ = rest.fail(Duration::from_secs(10)));
        assert!(rest.succeed() && !rest.succeed());
        assert_eq!((rest.left(), rest.is_exhausted()), (None, false));
        assert!(!rest.fail(Duration::ZERO), "failures are counted from the start again");
    }

    #[test]
    fn is_over_when_its_time_is_but_still_exhausted() {
        let rest = Rest::new();
        (0..4).for_each(|_| _ = rest.fail(Duration::ZERO));
        while rest.left().is_some() {}
        assert!(rest.is_exhausted());
    }
}
