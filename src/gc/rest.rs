//! Rest: how long strips are left alone after they freed nothing.
//!
//! Where callers hold every value, or all maps stand at their floors, each further look would walk the maps for nothing. So after
//! [`MOST_FAILURES`] in a row the next one waits a hundred times as long as the last took: one percent of a processor. No longer
//! than [`LONGEST`], and no longer than until so much came in that there may be something to strip again.

use crate::sync::tally::{AtomicU64, Relaxed};
use std::time::{Duration, Instant};

/// So often in a row: another thread may have had in hand what could be stripped.
const MOST_FAILURES: u64 = 4;
/// Of one processor, one part in so many.
const SHARE: u32 = 100;
/// A look may have taken long for other reasons: its thread had no processor.
const LONGEST: Duration = Duration::from_secs(1);

/// Relaxed throughout: whoever reads an old value looks once too often, or once too late.
#[derive(Debug)]
pub struct Rest {
    start: Instant,
    /// When it ends, in microseconds after `start`; 0 for none.
    until: AtomicU64,
    failures: AtomicU64,
    /// The heap at which it is over.
    level: AtomicU64,
    rests: AtomicU64,
}

impl Rest {
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { start: Instant::now(), until: zero(), failures: zero(), level: zero(), rests: zero() }
    }

    /// Whether it still lasts, at so much in use. Costs a load while there is none.
    pub fn lasts(&self, live: u64) -> bool {
        let until = self.until.load(Relaxed);
        until > 0 && live < self.level.load(Relaxed) && self.start.elapsed() < Duration::from_micros(until)
    }

    /// Whether the last strips freed nothing.
    pub fn is_exhausted(&self) -> bool {
        self.until.load(Relaxed) > 0
    }

    /// How often it began.
    pub fn rests(&self) -> u64 {
        self.rests.load(Relaxed)
    }

    /// Strips freed nothing, and took so long: look again when the heap is at `level`, at the latest. Whether a rest began that is no
    /// continuation of another.
    pub fn fail(&self, took: Duration, level: u64) -> bool {
        if self.failures.fetch_add(1, Relaxed) + 1 < MOST_FAILURES {
            return false;
        }
        self.rests.fetch_add(1, Relaxed);
        self.level.store(level, Relaxed);
        let until = self.start.elapsed() + took.saturating_mul(SHARE).min(LONGEST);
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

    const LEVEL: u64 = 100;

    fn failed(times: usize, took: Duration) -> Rest {
        let rest = Rest::new();
        (0..times).for_each(|_| _ = rest.fail(took, LEVEL));
        rest
    }

    fn until(rest: &Rest) -> Duration {
        Duration::from_micros(rest.until.load(Relaxed)).saturating_sub(rest.start.elapsed())
    }

    #[test]
    fn begins_at_the_fourth_failure_and_lasts_a_hundred_times_as_long() {
        let took = Duration::from_millis(9);
        let rest = failed(3, took);
        assert!(!rest.lasts(0) && !rest.is_exhausted());
        assert!(rest.fail(took, LEVEL) && rest.lasts(0));
        assert!(until(&rest) > Duration::from_millis(400) && until(&rest) <= Duration::from_millis(900));
        assert!(!rest.fail(took, LEVEL), "it goes on");
        assert_eq!(rest.rests(), 2);
    }

    #[test]
    fn is_never_long() {
        assert!(until(&failed(4, Duration::MAX)) <= LONGEST);
    }

    #[test]
    fn ends_with_the_first_success() {
        let rest = failed(4, Duration::from_secs(1));
        assert!(rest.succeed() && !rest.succeed());
        assert!(!rest.lasts(0) && !rest.is_exhausted());
        assert!(!rest.fail(Duration::ZERO, LEVEL), "failures are counted from the start again");
    }

    #[test]
    fn is_over_when_its_time_is_but_still_exhausted() {
        let rest = failed(4, Duration::ZERO);
        while rest.lasts(0) {}
        assert!(rest.is_exhausted());
    }

    #[test]
    fn is_over_when_much_came_in() {
        let rest = failed(4, Duration::from_secs(1));
        assert!(rest.lasts(LEVEL - 1) && !rest.lasts(LEVEL) && rest.is_exhausted());
        rest.fail(Duration::from_secs(1), 2 * LEVEL);
        assert!(rest.lasts(LEVEL), "nothing was found: it goes on");
    }
}
