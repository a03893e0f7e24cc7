//! Recorded histories of a key, checked against what a cache register may do.
//!
//! Each key has one writer, so its writes are in order. A read of `Some(v)` must overlap v's time: from its write's call to the
//! return of the next. Passes may take v away at any time while nobody holds it, but for good: after a read that found
//! nothing, v is not found again. And while somebody holds v, it is found.

use crate::support::*;
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

/// From the call to the return, on a clock of all threads.
#[derive(Clone, Copy, Debug)]
struct Span(u64, u64);

impl Span {
    fn is_before(self, other: Self) -> bool {
        self.1 < other.0
    }
}

/// Of one key. Versions count from 1; a write of `None` is a removal.
#[derive(Debug, Default)]
struct History {
    writes: Vec<(Span, Option<u64>)>,
    reads: Vec<(Span, Option<u64>)>,
    /// From the return of the read that took the value to just before its release.
    holds: Vec<(Span, u64)>,
}

impl History {
    /// The first offence.
    fn check(&self) -> Result<(), String> {
        self.reads.iter().try_for_each(|&(span, found)| match found {
            Some(version) => self.check_found(span, version),
            None => self.check_absent(span),
        })
    }

    fn check_found(&self, span: Span, version: u64) -> Result<(), String> {
        let Some(at) = self.writes.iter().position(|write| write.1 == Some(version)) else {
            return Err(format!("{version} was never written"));
        };
        if span.is_before(self.writes[at].0) {
            return Err(format!("{version} was found before it was written"));
        }
        if let Some(next) = self.writes.get(at + 1).filter(|next| next.0.is_before(span)) {
            return Err(format!("{version} was found at {span:?}, after {next:?}"));
        }
        let lost = |read: &&(Span, Option<u64>)| {
            read.1.is_none() && self.writes[at].0.is_before(read.0) && read.0.is_before(span)
        };
        match self.reads.iter().find(lost) {
            Some(lost) => Err(format!("{version} was found at {span:?}, though gone at {lost:?}")),
            None => Ok(()),
        }
    }

    fn check_absent(&self, span: Span) -> Result<(), String> {
        let newest = self.writes.iter().rposition(|write| write.0.is_before(span));
        let Some((_, Some(version))) = newest.map(|at| self.writes[at]) else { return Ok(()) };
        let overtaken = self.writes.get(newest.unwrap() + 1).is_some_and(|next| !span.is_before(next.0));
        let held = |hold: &&(Span, u64)| hold.1 == version && hold.0.0 < span.0 && span.1 < hold.0.1;
        match self.holds.iter().find(held).filter(|_| !overtaken) {
            Some(hold) => {
                Err(format!("nothing was found at {span:?}, though {version} was held at {hold:?}"))
            }
            None => Ok(()),
        }
    }

    fn add(&mut self, other: Self) {
        self.writes.extend(other.writes);
        self.reads.extend(other.reads);
        self.holds.extend(other.holds);
    }
}

const KEYS: usize = 4;

/// Two writers (each of its own keys), two readers that hold now and then, and passes.
fn record(pressure: bool, weigher: bool, seed: u64) -> Vec<History> {
    let (mut builder, heap) = scripted::<usize, u64>();
    if weigher {
        builder = builder.weigher(|_, value| value % 7).max_weight(20);
    }
    let (map, clock, start) = (builder.build().unwrap(), AtomicU64::new(0), Barrier::new(4));
    let now = || clock.fetch_add(1, SeqCst);
    let writer = |thread: usize| {
        let mut own: Vec<_> = (0..KEYS).map(|_| History::default()).collect();
        let mut random = Random::new(seed + thread as u64);
        start.wait();
        for version in 1..400 {
            let key = 2 * random.below(KEYS as u64 / 2) as usize + thread;
            let written = (random.below(4) > 0).then_some(version);
            let call = now();
            match written {
                Some(version) => drop(map.insert(key, version)),
                None => drop(map.remove(&key)),
            }
            own[key].writes.push((Span(call, now()), written));
            if pressure && random.below(3) == 0 {
                heap.set(FULL);
                map.collect();
                heap.set(CALM);
            }
        }
        own
    };
    let reader = |thread: usize| {
        let mut own: Vec<_> = (0..KEYS).map(|_| History::default()).collect();
        let mut held: [Option<(u64, Arc<u64>)>; KEYS] = Default::default();
        let mut random = Random::new(seed + 100 + thread as u64);
        start.wait();
        for _ in 0..1500 {
            let key = random.below(KEYS as u64) as usize;
            let call = now();
            let found = map.get(&key);
            let span = Span(call, now());
            own[key].reads.push((span, found.as_deref().copied()));
            if random.below(6) == 0 {
                if let Some((since, value)) =
                    std::mem::replace(&mut held[key], found.map(|value| (span.1, value)))
                {
                    own[key].holds.push((Span(since, now()), *value));
                }
            }
        }
        own
    };
    thread::scope(|scope| {
        let (writer, reader) = (&writer, &reader);
        let mut threads: Vec<_> = (0..2).map(|thread| scope.spawn(move || writer(thread))).collect();
        threads.extend((0..2).map(|thread| scope.spawn(move || reader(thread))));
        let mut all: Vec<_> = (0..KEYS).map(|_| History::default()).collect();
        for thread in threads {
            all.iter_mut().zip(thread.join().unwrap()).for_each(|(all, own)| all.add(own));
        }
        all
    })
}

fn check_runs(pressure: bool, weigher: bool) {
    for seed in 0..8 {
        for (key, history) in record(pressure, weigher, seed * 1000).into_iter().enumerate() {
            history.check().unwrap_or_else(|offence| panic!("key {key}, seed {seed}: {offence}"));
            assert!(history.writes.len() > 50 && history.reads.len() > 100);
        }
    }
}

#[test]
fn histories_without_pressure_are_those_of_a_register() {
    check_runs(false, false);
}

#[test]
fn histories_under_pressure_are_those_of_a_cache() {
    check_runs(true, false);
    check_runs(true, true);
}

#[test]
fn the_checker_knows_each_offence() {
    let write = |call, version: u64| (Span(call, call + 1), Some(version));
    let read = |call, found| (Span(call, call + 1), found);
    let offence = |history: History| history.check().unwrap_err();
    let good = History {
        writes: vec![write(0, 1), write(10, 2), (Span(20, 21), None)],
        reads: vec![read(2, Some(1)), read(9, Some(2)), read(11, Some(1)), read(14, None), read(22, None)],
        holds: vec![(Span(3, 13), 1)],
    };
    // The read at 9 to 10 overlaps the write at 10; so does the one at 11.
    assert_eq!(good.check(), Ok(()));
    let writes = || vec![write(0, 1), write(10, 2)];
    let with = |reads, holds| History { writes: writes(), reads, holds };
    assert!(offence(with(vec![read(3, Some(7))], vec![])).contains("never"));
    assert!(offence(with(vec![read(3, Some(2))], vec![])).contains("before"));
    assert!(offence(with(vec![read(12, Some(1))], vec![])).contains("after"));
    assert!(offence(with(vec![read(3, None), read(5, Some(1))], vec![])).contains("gone"));
    assert!(offence(with(vec![read(5, None)], vec![(Span(3, 8), 1)])).contains("held"));
    let removed = History {
        writes: vec![write(0, 1), (Span(4, 5), None)],
        reads: vec![read(6, Some(1))],
        holds: vec![],
    };
    assert!(offence(removed).contains("after"));
}
