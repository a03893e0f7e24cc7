//! When a thread's next requests are due.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{Load, Moment};

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(1);
/// At full speed.
const BATCH: u64 = 16;

pub struct Pace {
    load: Load,
    /// Requests a second while the load is calm.
    rate: f64,
    start: Instant,
    end: Instant,
    /// Since when nothing was due.
    last: Instant,
    /// Part of a request.
    rest: f64,
}

/// Requests that are due now.
#[derive(Debug)]
pub struct Due {
    pub requests: u64,
    pub moment: Moment,
}

impl Pace {
    pub fn new(load: Load, start: Instant, span: Duration, rate: f64) -> Self {
        Self { load, rate, start, end: start + span, last: start, rest: 0.0 }
    }

    fn due(&mut self, now: Instant) -> Due {
        let moment = self.load.at(now - self.start);
        let Some(times) = moment.rate else { return Due { requests: BATCH, moment } };
        // A thread that was held up does not make up for more than a few ticks, or a pause would become a burst.
        let passed = (now - self.last).min(TICK * 10);
        let due = self.rest + passed.as_secs_f64() * self.rate * times;
        (self.last, self.rest) = (now, due.fract());
        Due { requests: due as u64, moment }
    }
}

/// Waits for each; ends with the time.
impl Iterator for Pace {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let mut now = Instant::now();
        if self.load.at(now - self.start).rate.is_some() && now - self.last < TICK {
            sleep(TICK - (now - self.last));
            now = Instant::now();
        }
        (now < self.end).then(|| self.due(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_add_up_to_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(Load::Steady, start, Duration::from_secs(10), 2500.0);
        let at = |millis| start + Duration::from_millis(millis);
        let sum: u64 = (1..=1000).map(|millis| pace.due(at(millis)).requests).sum();
        assert!((2499..=2500).contains(&sum), "{sum}");
        assert_eq!(pace.due(at(3000)).requests, 25);
    }
}
