//! What a thread of its own samples while the others set.

use crate::{Cache, span::Span};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(10);
/// Points for the plot, about: allocated before the run, for they count as heap in use, too.
const POINTS: u32 = 1000;

/// The samples count from the first fill on: from where the heap first reaches 90 % of the collector's goal. For laws (and
/// rates) that never get there, from a third of the time on.
pub struct Recording {
    since_fill: Tally,
    since_third: Tally,
    filled: bool,
    third: Duration,
    trace: Vec<Point>,
    /// Between two points of the trace.
    step: Duration,
}

/// What the samples add up to.
#[derive(Default)]
pub struct Tally {
    samples: u64,
    live: f64,
    entries: f64,
    /// The most bytes in use.
    pub most: u64,
}

pub struct Point {
    pub at: Duration,
    pub live: u64,
    pub entries: u64,
}

impl Recording {
    pub fn new(duration: Duration) -> Self {
        Self {
            since_fill: Tally::default(),
            since_third: Tally::default(),
            filled: false,
            third: duration / 3,
            trace: Vec::with_capacity(POINTS as usize + 2),
            step: EVERY.max(duration / POINTS),
        }
    }

    pub fn sample(&mut self, cache: &Cache, span: Span) {
        let mut next = Duration::ZERO;
        for at in span.ticks(EVERY) {
            let heap = cache.collector().stats();
            let point = Point { at, live: heap.live, entries: cache.len() as u64 };
            self.filled |= heap.live >= heap.goal / 10 * 9;
            self.add(&point);
            if at >= next {
                next = at + self.step;
                self.trace.push(point);
            }
        }
    }

    pub fn tally(&self) -> &Tally {
        if self.since_fill.samples > 0 { &self.since_fill } else { &self.since_third }
    }

    pub fn trace(&self) -> &[Point] {
        &self.trace
    }

    fn add(&mut self, point: &Point) {
        if self.filled {
            self.since_fill.add(point);
        }
        if point.at >= self.third {
            self.since_third.add(point);
        }
    }
}

impl Tally {
    pub fn mean_live(&self) -> f64 {
        self.live / self.samples.max(1) as f64
    }

    pub fn mean_entries(&self) -> f64 {
        self.entries / self.samples.max(1) as f64
    }

    fn add(&mut self, point: &Point) {
        self.samples += 1;
        self.live += point.live as f64;
        self.entries += point.entries as f64;
        self.most = self.most.max(point.live);
    }
}
