//! What a thread of its own samples, a thousand times a second.

use std::{
    sync::atomic::Ordering::Relaxed,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use weakmap::heap::Counting;

use super::{
    need::Need,
    stage::Stage,
    subject::{gone, made},
};

type Counted = Counting<crate::allocator::Chosen>;

const EVERY: Duration = Duration::from_millis(1);
/// Points for the plot, about: allocated first, for they count as heap in use, too.
const POINTS: u32 = 2000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recording {
    /// Bytes in use after the fill.
    pub mean: f64,
    pub peak: Peak,
    /// Bytes that were evicted, over what an ideal cache would have evicted, less one.
    pub beyond_need: f64,
    pub trace: Vec<Point>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Seconds.
    pub at: f32,
    /// Bytes in use.
    pub live: u64,
    /// Of these, what the program itself holds.
    pub taken: u64,
}

/// The most that was in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    pub live: u64,
    /// By how much that may have been wrong.
    pub error: u64,
    /// Bytes that no map could have made room for, by then.
    pub in_hand: u64,
    /// The most beyond error and what was in hand, at any time.
    pub surplus: u64,
}

impl Peak {
    pub fn look(&mut self, stage: &Stage) {
        // Read on either side: what comes into hand or leaves meanwhile is in one of the two.
        let before = stage.in_hand.load(Relaxed);
        let (live, error) = (Counted::live(), Counted::error());
        let in_hand = before.max(stage.in_hand.load(Relaxed));
        let surplus = self.surplus.max(live.saturating_sub(error + in_hand));
        let peak = if live > self.live { Self { live, error, in_hand, surplus } } else { *self };
        *self = Self { surplus, ..peak };
    }

    pub fn join(&mut self, other: Self) {
        let surplus = self.surplus.max(other.surplus);
        let peak = if other.live > self.live { other } else { *self };
        *self = Self { surplus, ..peak };
    }
}

impl Recording {
    /// Until the stage says it is over.
    pub fn of(stage: &Stage) -> Self {
        let mut samples = Samples::new(stage);
        while !stage.over.load(Relaxed) {
            samples.take();
            sleep(EVERY);
        }
        samples.recording()
    }
}

struct Samples<'s> {
    stage: &'s Stage,
    count: u64,
    sum: u64,
    peak: Peak,
    need: Need,
    trace: Vec<Point>,
    step: Duration,
    next: Instant,
}

impl<'s> Samples<'s> {
    fn new(stage: &'s Stage) -> Self {
        Self {
            stage,
            count: 0,
            sum: 0,
            peak: Peak::default(),
            need: Need::new(stage.room.bytes),
            trace: Vec::with_capacity(POINTS as usize * 2),
            step: EVERY.max(stage.span / POINTS),
            next: stage.start,
        }
    }

    fn take(&mut self) {
        self.need.follow(made(), self.stage.taken.load(Relaxed));
        if self.stage.filled.load(Relaxed) {
            self.count += 1;
            self.sum += Counted::live();
            self.peak.look(self.stage);
        }
        self.draw();
    }

    fn draw(&mut self) {
        let now = Instant::now();
        if now >= self.next && self.trace.len() < self.trace.capacity() {
            self.next = now + self.step;
            self.trace.push(Point {
                at: (now - self.stage.start).as_secs_f32(),
                live: Counted::live(),
                taken: self.stage.taken.load(Relaxed),
            });
        }
    }

    fn recording(self) -> Recording {
        Recording {
            mean: self.sum as f64 / self.count.max(1) as f64,
            peak: self.peak,
            beyond_need: self.need.exceeded_by(gone()),
            trace: self.trace,
        }
    }
}
