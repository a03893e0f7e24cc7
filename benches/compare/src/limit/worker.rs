//! A thread that works at a cache, and measures each call.

use std::{hint::black_box, time::Instant};

use super::{
    load::{Keys, Moment, Pace},
    pauses::{Pauses, Stopwatch},
    recording::Peak,
    stage::Stage,
    subject::Cache,
};

pub struct Worker<'s> {
    stage: &'s Stage,
    keys: Keys,
    pub watch: Stopwatch,
    pub peak: Peak,
    pub hits: u64,
    pub requests: u64,
}

impl<'s> Worker<'s> {
    pub fn new(stage: &'s Stage, thread: u64) -> Self {
        let keys = stage.keys(thread);
        Self { stage, keys, watch: Stopwatch::new(), peak: Peak::default(), hits: 0, requests: 0 }
    }

    /// One request of the fill: as the load has it while it is calm.
    pub fn fill(&mut self, cache: &impl Cache) {
        let unseen = self.stage.load.is_flood();
        self.request(cache, Moment { rate: None, unseen });
    }

    pub fn run(&mut self, cache: &impl Cache, start: Instant) {
        for due in Pace::new(self.stage.load, start, self.stage.span, self.stage.rate()) {
            self.watch.batch();
            (0..due.requests).for_each(|_| self.request(cache, due.moment));
        }
    }

    /// Get, else insert; a key that was never there is not asked for.
    fn request(&mut self, cache: &impl Cache, moment: Moment) {
        let key = self.keys.draw(moment);
        if moment.unseen || !self.get(cache, key) {
            self.insert(cache, key);
        }
    }

    fn get(&mut self, cache: &impl Cache, key: u64) -> bool {
        let hit = self.watch.time(|| cache.get(key));
        self.requests += 1;
        self.hits += u64::from(hit);
        hit
    }

    fn insert(&mut self, cache: &impl Cache, key: u64) {
        let bytes = self.stage.load.sizes().of(key);
        let in_hand = self.stage.hold(bytes as u64);
        self.watch.time(|| cache.insert(key, bytes));
        self.peak.look(self.stage);
        drop(in_hand);
    }
}

/// As many buffers as one worker makes at the most, each dropped at once.
pub fn bystander(stage: &Stage, start: Instant) -> Pauses {
    let (mut keys, mut watch) = (stage.keys(0), Stopwatch::new());
    for due in Pace::new(stage.load, start, stage.span, stage.rate()) {
        watch.batch();
        for _ in 0..due.requests {
            let bytes = stage.load.sizes().of(keys.draw(due.moment));
            let _in_hand = stage.hold(bytes as u64);
            watch.time(|| drop(black_box(vec![1u8; bytes])));
        }
    }
    Pauses::of([&watch].into_iter())
}
