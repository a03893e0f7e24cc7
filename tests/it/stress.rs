//! Many threads at once: nothing is lost, nothing is kept, nothing is read after its drop.

use crate::support::*;
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};
use weakmap::{WeakMap, heap::Scripted};

const KEYS: u64 = 64;
const THREADS: u64 = 4;
const OPS: u64 = 3000;

#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    pressure: bool,
    pins: bool,
    weigher: bool,
    max_weight: Option<u64>,
    one_bucket: bool,
}

/// Puts all keys into one bucket.
#[derive(Clone, Default)]
struct Flat;

impl std::hash::BuildHasher for Flat {
    type Hasher = FlatHasher;
    fn build_hasher(&self) -> FlatHasher {
        FlatHasher
    }
}

struct FlatHasher;

impl std::hash::Hasher for FlatHasher {
    fn finish(&self) -> u64 {
        1
    }
    fn write(&mut self, _: &[u8]) {}
}

fn run(plan: Plan) {
    if plan.one_bucket { run_on(plan, Flat) } else { run_on(plan, weakmap::DefaultHasher::default()) }
}

fn run_on<S: std::hash::BuildHasher + Send + Sync>(plan: Plan, hasher: S) {
    let _pins = with_pins();
    let (census, (mut builder, heap)) = (Census::default(), scripted());
    if plan.weigher {
        builder = builder.weigher(|_: &u64, value: &Counted| value.bytes);
    }
    if let Some(most) = plan.max_weight {
        builder = builder.max_weight(most);
    }
    let map = builder.hasher(hasher).build().unwrap();
    let (start, done) = (Barrier::new(THREADS as usize + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let passes = scope.spawn(|| {
            start.wait();
            presses(&map, &heap, plan, &done)
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|seed| {
                let (map, census, start) = (&map, &census, &start);
                scope.spawn(move || {
                    start.wait();
                    works(map, census, plan, seed);
                })
            })
            .collect();
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, Relaxed); // before a failure: the passes would go on for ever
        results.into_iter().chain([passes.join()]).for_each(Result::unwrap);
    });
    heap.set(CALM);
    at_rest(&map, &census, plan);
    drop(map);
    census.assert_all_gone();
}

fn presses<S: std::hash::BuildHasher>(
    map: &WeakMap<u64, Counted, S>,
    heap: &Scripted,
    plan: Plan,
    done: &AtomicBool,
) {
    let mut random = Random::new(77);
    while !done.load(Relaxed) {
        if plan.pressure {
            heap.set([CALM, LIMIT / 100 * 95, LIMIT / 1000 * 961, FULL][random.below(4) as usize]);
        }
        map.collect();
        thread::yield_now();
    }
}

fn works<S: std::hash::BuildHasher>(map: &WeakMap<u64, Counted, S>, census: &Census, plan: Plan, seed: u64) {
    let mut random = Random::new(seed + 1);
    let mut held = Vec::new();
    for op in 0..OPS {
        let key = random.below(KEYS);
        let value = |random: &mut Random| census.sized(key, 1 + random.below(9));
        let mine = |value: &Counted| assert_eq!(value.read(), key, "another key's value");
        match random.below(100) {
            0..30 => drop(map.get(&key).map(|value| mine(&value))),
            30..50 => drop(map.insert(key, value(&mut random)).map(|value| mine(&value))),
            50..57 => drop(map.remove(&key).map(|value| mine(&value))),
            57..60 => {
                let goes = |value: &Arc<Counted>| value.read() == key && value.bytes > 4;
                if let Some(value) = map.remove_if(&key, goes) {
                    mine(&value);
                }
            }
            60..68 => mine(&map.get_or_insert_with(key, || value(&mut random))),
            68..70 => drop(map.get_or_try_insert_with(key, || Err(()))),
            70..78 => held.extend(map.get(&key)),
            78..83 => drop(map.get_weak(&key).and_then(|weak| weak.upgrade()).map(|value| mine(&value))),
            83..88 => held.truncate(held.len() / 2),
            88..90 => drop(map.peek(&key).map(|value| map.insert_arc(key, value))),
            90..98 if plan.pins => {
                let pin = map.pin();
                let seen: Vec<_> = (0..8).filter_map(|n| pin.get(&((key + n) % KEYS))).collect();
                if op % 2 == 0 {
                    map.remove(&key);
                }
                seen.iter().for_each(|value| _ = value.read());
            }
            98 => map.retain(|key, value| {
                assert_eq!(value.read(), *key);
                value.bytes > 2
            }),
            99 if op % 10 == 0 => map.clear(),
            _ => map.for_each(|key, value| assert_eq!(value.read(), *key)),
        }
    }
}

/// Nothing runs: every number is exact.
fn at_rest<S: std::hash::BuildHasher>(map: &WeakMap<u64, Counted, S>, census: &Census, plan: Plan) {
    for _ in 0..1000 {
        map.collect();
        if map.stats().pending == 0 {
            break;
        }
        thread::yield_now();
    }
    let (mut entries, mut bytes) = (0, 0);
    map.for_each(|key, value| {
        assert_eq!((value.read(), Arc::strong_count(value)), (*key, 2), "the map's and the visit's");
        (entries, bytes) = (entries + 1, bytes + value.bytes);
    });
    let stats = map.stats();
    assert_eq!((map.len(), stats.weak, stats.pending), (entries, 0, 0), "{plan:?} {stats:?}");
    assert_eq!(
        (census.living(), census.bytes()),
        (entries as i64, bytes),
        "only what the map shows is alive"
    );
    if plan.weigher {
        assert_eq!((map.weight(), map.collector().stats().weight), (bytes, bytes));
    } else {
        assert_eq!(map.weight() % entries.max(1) as u64, 0);
    }
    assert!(plan.max_weight.is_none_or(|most| map.weight() <= most), "{} is too much", map.weight());
    assert_eq!(map.collector().stats().reserved, 0);
}

#[test]
fn drops_are_creations_without_pressure() {
    run(Plan::default());
    run(Plan { weigher: true, ..Plan::default() });
}

#[test]
fn drops_are_creations_under_pressure() {
    run(Plan { pressure: true, ..Plan::default() });
    run(Plan { pressure: true, weigher: true, ..Plan::default() });
}

#[test]
fn drops_are_creations_with_pins() {
    run(Plan { pins: true, ..Plan::default() });
    run(Plan { pins: true, pressure: true, ..Plan::default() });
    run(Plan { pins: true, pressure: true, weigher: true, ..Plan::default() });
}

#[test]
fn drops_are_creations_with_a_greatest_weight() {
    run(Plan { weigher: true, max_weight: Some(100), ..Plan::default() });
    run(Plan { weigher: true, max_weight: Some(50), pressure: true, pins: true, ..Plan::default() });
    run(Plan { max_weight: Some(10_000), pressure: true, ..Plan::default() });
}

#[test]
fn drops_are_creations_in_a_single_bucket() {
    run(Plan { one_bucket: true, ..Plan::default() });
    run(Plan { one_bucket: true, pressure: true, pins: true, weigher: true, ..Plan::default() });
}
