//! A load on a cache: threads that fill it, then work, then say what they saw.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    disturbance::disturb,
    load::{Keys, Load, THREADS},
    pauses::Pauses,
    recording::Recording,
    subject::{Act, Cache, Room, made},
    worker::{Worker, bystander},
};

/// What is made until a cache counts as full, as a share of the room: overhead makes it fuller.
const FILL: f64 = 1.2;
/// How often all that has room is asked for, a second.
const TURNS: f64 = 2.0;

/// Everything that the threads share.
pub struct Stage {
    pub load: Load,
    pub room: Room,
    pub span: Duration,
    pub start: Instant,
    pub filled: AtomicBool,
    pub over: AtomicBool,
    /// Bytes that the program holds itself.
    pub taken: AtomicU64,
    /// Bytes of values that are under construction, or in an insert that did not return yet: before it has its value, a
    /// map cannot make room for it.
    pub in_hand: AtomicU64,
}

/// So many bytes in hand until this is dropped.
pub struct InHand<'s>(&'s AtomicU64, u64);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Relaxed);
    }
}

/// What a run came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Seconds until it was full.
    pub fill: f64,
    pub recording: Recording,
    /// Threads at the cache.
    pub pauses: Pauses,
    /// A thread that does the same work without one.
    pub bystander: Pauses,
    pub hits: u64,
    pub requests: u64,
    pub overruns: u64,
}

impl Stage {
    pub fn new(load: Load, room: Room, span: Duration) -> Self {
        Self {
            load,
            room,
            span,
            start: Instant::now(),
            filled: AtomicBool::new(false),
            over: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            in_hand: AtomicU64::new(0),
        }
    }

    /// Of a thread that fills the cache, or works at it: no other has its unseen keys.
    pub fn keys(&self, thread: u64) -> Keys {
        Keys::new(self.load.sizes(), self.room.bytes, thread, 2 * THREADS)
    }

    pub fn hold(&self, bytes: u64) -> InHand<'_> {
        self.in_hand.fetch_add(bytes, Relaxed);
        InHand(&self.in_hand, bytes)
    }

    /// Requests a second and thread, where the load is calm and paced: as much as has room, in half a second.
    pub fn rate(&self) -> f64 {
        self.room.entries() as f64 * TURNS / THREADS as f64
    }

    fn fill(&self, cache: &impl Cache) {
        let enough = (self.room.bytes as f64 * FILL) as u64;
        thread::scope(|scope| {
            for thread in THREADS..2 * THREADS {
                scope.spawn(move || {
                    let mut worker = Worker::new(self, thread);
                    while made() < enough {
                        worker.fill(cache);
                    }
                });
            }
        });
    }

    fn work<'s, C: Cache>(&'s self, cache: &C) -> (Vec<Worker<'s>>, Pauses) {
        let start = Instant::now();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut worker = Worker::new(self, thread);
                        worker.run(cache, start);
                        worker
                    })
                })
                .collect();
            let bystander = scope.spawn(move || bystander(self, start));
            disturb(self, cache, start);
            let workers = threads.into_iter().map(|thread| thread.join().expect("no worker panics"));
            (workers.collect(), bystander.join().expect("it only allocates"))
        })
    }
}

impl Act for &Stage {
    type Outcome = Outcome;

    fn on(self, cache: &impl Cache) -> Outcome {
        thread::scope(|scope| {
            let sampler = scope.spawn(|| Recording::of(self));
            self.fill(cache);
            let fill = self.start.elapsed().as_secs_f64();
            self.filled.store(true, Relaxed);
            let (workers, bystander) = self.work(cache);
            self.over.store(true, Relaxed);
            let mut recording = sampler.join().expect("it only reads");
            workers.iter().for_each(|worker| recording.peak.join(worker.peak));
            Outcome {
                fill,
                recording,
                pauses: Pauses::of(workers.iter().map(|worker| &worker.watch)),
                bystander,
                hits: workers.iter().map(|worker| worker.hits).sum(),
                requests: workers.iter().map(|worker| worker.requests).sum(),
                overruns: cache.overruns(),
            }
        })
    }
}
