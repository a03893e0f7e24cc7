//! `get_or_insert_with`: what a hit costs, and how often a loader runs when many ask for a key at once.

use std::{
    collections::HashSet,
    hint::black_box,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};

use super::filled;
use crate::ops::{
    cache::Cache,
    cell::Cell,
    crew::{self, Shift},
    label::Label,
    lineup,
    run::Run,
    scene::{self, Scene, Stage},
    stream::{Draw, Skew, Stream},
};

/// Threads that ask for an absent key.
const RIVALS: usize = 8;
/// Absent keys in a round, one after the other.
const ABSENT: u64 = 16;
/// How long a loader takes: long enough for all to arrive.
const LOAD: Duration = Duration::from_millis(1);

struct Loads {
    entries: usize,
    threads: Vec<usize>,
    draws: usize,
    shift: Shift,
}

enum Case {
    Hit { threads: usize },
    Absent,
}

enum Script {
    Hit(Vec<Stream>),
    Absent,
}

pub fn measure(run: &mut Run) -> Result<Vec<Cell>> {
    let scene = Loads {
        entries: run.options.entries(100_000),
        threads: run.options.threads(&[1, 2, 4]),
        draws: run.options.draws(),
        shift: run.options.shift(),
    };
    scene::play(run, &[scene], lineup::maps())
}

impl Scene for Loads {
    type Key = u64;
    type Case = Case;
    type Script = Script;

    fn cases(&self) -> Vec<Case> {
        let hits = self.threads.iter().map(|&threads| Case::Hit { threads });
        hits.chain([Case::Absent]).collect()
    }

    fn labels(&self, case: &Case) -> Vec<Label> {
        vec![match case {
            Case::Hit { threads } => Label::new("hit", "ops/s").entries(self.entries).threads(*threads),
            Case::Absent => Label::new("absent", "loads a key").threads(RIVALS),
        }]
    }

    fn script(&self, case: &Case) -> Script {
        let draw =
            Draw { skew: Skew::Zipf(0.99), keys: self.entries, writes: 0, length: self.draws, series: 0 };
        match case {
            Case::Hit { threads } => Script::Hit(draw.streams(*threads)),
            Case::Absent => Script::Absent,
        }
    }

    fn stage<C: Cache<u64> + Sync>(&self) -> Result<Stage<Script>> {
        let (cache, shift, mut next) = (filled::<C>(self.entries), self.shift, self.entries as u64);
        Ok(Box::new(move |script| match script {
            Script::Hit(streams) => hits(&cache, streams, shift),
            Script::Absent => {
                next += ABSENT;
                Ok(vec![absent(&cache, next)? / ABSENT as f64])
            }
        }))
    }
}

fn hits<C: Cache<u64> + Sync>(cache: &C, streams: &[Stream], shift: Shift) -> Result<Vec<f64>> {
    let loads = AtomicU64::new(0);
    let tally = crew::work(streams, shift, |steps| {
        for key in steps.iter().map(|step| step.key()) {
            black_box(cache.load(&key, || count(&loads, key)));
        }
        steps.len()
    });
    let share = loads.into_inner() as f64 / tally.operations as f64;
    ensure!(share < 0.01, "loaded {:.1} % of the present keys, not below 1 %", share * 100.0);
    Ok(vec![tally.rate()])
}

fn count(loads: &AtomicU64, word: u64) -> [u64; 8] {
    loads.fetch_add(1, Relaxed);
    [word; 8]
}

/// How many loaders ran for all keys together.
fn absent<C: Cache<u64> + Sync>(cache: &C, first: u64) -> Result<f64> {
    let (loads, gate) = (AtomicU64::new(0), Barrier::new(RIVALS));
    let load = |key| {
        gate.wait();
        cache.load(&key, || {
            thread::sleep(LOAD);
            count(&loads, loads.load(Relaxed))
        })
    };
    let rival = || (first..first + ABSENT).map(load).collect::<Vec<u64>>();
    let words: HashSet<Vec<u64>> = thread::scope(|scope| {
        let rivals: Vec<_> = (0..RIVALS).map(|_| scope.spawn(rival)).collect();
        rivals.into_iter().map(|rival| rival.join().expect("a loader does not panic")).collect()
    });
    let runs = loads.into_inner();
    if C::SINGLE_FLIGHT {
        ensure!(runs == ABSENT, "{RIVALS} threads ran {runs} loaders for {ABSENT} keys, not one a key");
        ensure!(words.len() == 1, "{RIVALS} threads got {} different answers, not one", words.len());
    }
    Ok(runs as f64)
}
