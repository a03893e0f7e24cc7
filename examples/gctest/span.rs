//! The time of the run, and the ticks in it.

use std::{
    thread,
    time::{Duration, Instant},
};

#[derive(Clone, Copy)]
pub struct Span {
    start: Instant,
    end: Instant,
}

impl Span {
    pub fn from_now(duration: Duration) -> Self {
        let start = Instant::now();
        Self { start, end: start + duration }
    }

    /// Waits for each tick in turn; without a wait where `every` is zero. As Go's ticker does, it drops ticks for a slow taker.
    pub fn ticks(self, every: Duration) -> Ticks {
        Ticks { span: self, every, next: self.start }
    }
}

/// Yields the time since the start.
pub struct Ticks {
    span: Span,
    every: Duration,
    next: Instant,
}

impl Iterator for Ticks {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        self.next = now.max(self.next + self.every);
        if self.next > self.span.end {
            thread::sleep(self.span.end.saturating_duration_since(now));
            return None;
        }
        if self.next > now {
            thread::sleep(self.next - now);
        }
        Some(self.next - self.span.start)
    }
}
