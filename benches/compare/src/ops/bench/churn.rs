//! Caches that are too small: `get`, else `insert`; and nothing but new keys.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use anyhow::Result;

use crate::ops::{
    cache::{Cache, value},
    cell::Cell,
    crew::{self, Shift},
    label::Label,
    lineup,
    run::Run,
    scene::{self, Scene, Stage},
    stream::{Draw, Skew, Stream},
};

#[derive(Clone, Copy)]
enum Traffic {
    /// Draws from ten times as many keys as there is room for.
    Zipf(f64),
    New,
}

/// Keys for an entry of room.
const KEYS: usize = 10;
/// How many times as long as usual the streams are.
const LAPS: usize = 16;

struct Churn {
    traffic: Traffic,
    room: usize,
    threads: Vec<usize>,
    draws: usize,
    shift: Shift,
}

pub fn measure(run: &mut Run) -> Result<Vec<Cell>> {
    let options = run.options;
    let scene = |traffic| Churn {
        traffic,
        room: options.entries(100_000),
        threads: options.threads(&[1, 2, 4]),
        draws: options.draws(),
        shift: options.shift(),
    };
    scene::play(run, &[Traffic::Zipf(0.8), Traffic::Zipf(0.99), Traffic::New].map(scene), lineup::caches())
}

impl Scene for Churn {
    type Key = u64;
    type Case = usize;
    type Script = Vec<Stream>;

    fn cases(&self) -> Vec<usize> {
        self.threads.clone()
    }

    fn labels(&self, &threads: &usize) -> Vec<Label> {
        match self.traffic {
            Traffic::Zipf(exponent) => {
                let rate = Label::new(Skew::Zipf(exponent).to_string(), "ops/s");
                let rate = rate.entries(self.room).threads(threads);
                vec![rate.clone(), rate.part("hits", "%")]
            }
            Traffic::New => vec![Label::new("new", "ops/s").entries(self.room).threads(threads)],
        }
    }

    /// So long that a subject has turned over long since when it meets a part of it again: else it would find what it kept
    /// the last time.
    fn script(&self, &threads: &usize) -> Vec<Stream> {
        self.streams(threads, LAPS * self.draws, threads as u64)
    }

    fn stage<C: Cache<u64> + Sync>(&self) -> Result<Stage<Vec<Stream>>> {
        let cache = C::with_room(self.room);
        Ok(match self.traffic {
            Traffic::Zipf(_) => replay(cache, self.streams(1, self.draws, 0).remove(0), self.shift),
            Traffic::New => flood(cache, self.room, self.shift),
        })
    }
}

impl Churn {
    fn streams(&self, threads: usize, length: usize, series: u64) -> Vec<Stream> {
        let skew = match self.traffic {
            Traffic::Zipf(exponent) => Skew::Zipf(exponent),
            Traffic::New => Skew::OneHot, // only counted
        };
        Draw { skew, keys: self.room * KEYS, writes: 0, length, series }.streams(threads)
    }
}

/// The first stream is replayed unmeasured: a cache is to be full, and to know its keys.
fn replay<C: Cache<u64> + Sync>(cache: C, first: Stream, shift: Shift) -> Stage<Vec<Stream>> {
    for step in first.steps() {
        access(&cache, step.key());
    }
    Box::new(move |streams| {
        let tally = crew::work(streams, shift, |steps| {
            steps.iter().filter(|step| access(&cache, step.key())).count()
        });
        Ok(vec![tally.rate(), tally.hit_ratio()])
    })
}

/// Whether it was a hit.
#[inline]
fn access<C: Cache<u64>>(cache: &C, key: u64) -> bool {
    let hit = black_box(cache.read(&key)).is_some();
    if !hit {
        cache.insert(key, value(key));
    }
    hit
}

fn flood<C: Cache<u64> + Sync>(cache: C, room: usize, shift: Shift) -> Stage<Vec<Stream>> {
    let next = AtomicU64::new(0);
    let insert = move |count: usize| {
        let first = next.fetch_add(count as u64, Relaxed);
        (first..first + count as u64).for_each(|key| cache.insert(key, value(key)));
    };
    insert(2 * room);
    Box::new(move |streams| {
        let tally = crew::work(streams, shift, |steps| {
            insert(steps.len());
            0
        });
        Ok(vec![tally.rate()])
    })
}
