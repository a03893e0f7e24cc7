//! How long single operations take at worst: while another thread floods a full cache with new keys, so that all the time something
//! must go, and while it replaces values where there is room for all.

use std::{
    hint::black_box,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::SPARE;
use crate::ops::{
    cache::{Cache, value},
    cell::Cell,
    crew::Shift,
    label::Label,
    lineup,
    run::Run,
    scene::{self, Scene, Stage},
    stream::{Draw, Skew, Stream},
};

struct Pauses {
    entries: usize,
    draws: usize,
    shift: Shift,
}

#[derive(Clone, Copy)]
enum Observed {
    Get,
    Insert,
}

#[derive(Clone, Copy)]
struct Case {
    observed: Observed,
    /// Whether the other thread floods, or replaces.
    flood: bool,
}

struct Script {
    case: Case,
    ours: Stream,
    theirs: Stream,
}

/// New keys of the observer and of the other thread begin here.
const NEW: [u64; 2] = [1 << 40, 1 << 41];

pub fn measure(run: &mut Run) -> Result<Vec<Cell>> {
    let entries = run.options.entries(100_000);
    let scene = Pauses { entries, draws: run.options.draws(), shift: run.options.shift() };
    scene::play(run, &[scene], lineup::pressed())
}

impl Scene for Pauses {
    type Key = u64;
    type Case = Case;
    type Script = Script;

    fn cases(&self) -> Vec<Case> {
        let observed = [Observed::Get, Observed::Insert];
        observed
            .into_iter()
            .flat_map(|observed| [true, false].map(|flood| Case { observed, flood }))
            .collect()
    }

    fn labels(&self, case: &Case) -> Vec<Label> {
        let operation = match case.observed {
            Observed::Get => "get",
            Observed::Insert => "insert",
        };
        let label = Label::new(format!("{operation}/{}", if case.flood { "flood" } else { "calm" }), "ns");
        ["p50", "p99", "p99.9", "max"].map(|part| label.clone().part(part, "ns")).to_vec()
    }

    fn script(&self, &case: &Case) -> Script {
        let draw =
            Draw { skew: Skew::Zipf(0.99), keys: self.entries, writes: 0, length: self.draws, series: 0 };
        let [ours, theirs] = draw.streams(2).try_into().ok().expect("two streams");
        Script { case, ours, theirs }
    }

    /// Each round begins with a full cache of its own.
    fn stage<C: Cache<u64> + Sync>(&self) -> Result<Stage<Script>> {
        let (entries, shift) = (self.entries, self.shift);
        Ok(Box::new(move |script| {
            let cache = C::with_room(if script.case.flood { entries } else { SPARE * entries });
            (0..entries as u64).for_each(|key| cache.insert(key, value(key)));
            cache.settle();
            let times = observe(&cache, script, shift)?;
            let [median, high, higher] = [0.5, 0.99, 0.999].map(|share| times.value_at_quantile(share));
            Ok([median, high, higher, times.max()].map(|nanos| nanos as f64).to_vec())
        }))
    }
}

/// Nanoseconds, to three digits.
fn observe<C: Cache<u64> + Sync>(cache: &C, script: &Script, shift: Shift) -> Result<Histogram<u64>> {
    let (gate, over) = (Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            gate.wait();
            disturb(cache, script, &over);
        });
        gate.wait();
        let times = sample(cache, script, shift);
        over.store(true, Relaxed);
        times
    })
}

fn disturb<C: Cache<u64>>(cache: &C, script: &Script, over: &AtomicBool) {
    let mut keys = keys(script.case, &script.theirs, NEW[1]);
    while !over.load(Relaxed) {
        keys.by_ref().take(64).for_each(|key| cache.insert(key, value(key)));
    }
}

/// New ones, or present ones.
fn keys(case: Case, stream: &Stream, new: u64) -> Box<dyn Iterator<Item = u64> + '_> {
    match case.flood {
        true => Box::new(new..),
        false => Box::new(stream.chunks().flatten().map(|step| step.key())),
    }
}

fn sample<C: Cache<u64>>(cache: &C, script: &Script, shift: Shift) -> Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    let mut keys = match script.case.observed {
        Observed::Get => keys(Case { flood: false, ..script.case }, &script.ours, 0),
        Observed::Insert => keys(script.case, &script.ours, NEW[0]),
    };
    let start = Instant::now();
    while start.elapsed() < shift.warm_up + shift.duration {
        let key = keys.next().expect("keys without end");
        let time = match script.case.observed {
            Observed::Get => timed_get(cache, key),
            Observed::Insert => timed_insert(cache, key),
        };
        if start.elapsed() >= shift.warm_up {
            times.record(time)?;
        }
    }
    Ok(times)
}

/// What the flood has pushed out comes back, untimed.
fn timed_get<C: Cache<u64>>(cache: &C, key: u64) -> u64 {
    let start = Instant::now();
    let found = black_box(cache.read(&key));
    let time = start.elapsed();
    if found.is_none() {
        cache.insert(key, value(key));
    }
    time.as_nanos() as u64
}

fn timed_insert<C: Cache<u64>>(cache: &C, key: u64) -> u64 {
    let value = value(key);
    let start = Instant::now();
    cache.insert(key, value);
    start.elapsed().as_nanos() as u64
}
