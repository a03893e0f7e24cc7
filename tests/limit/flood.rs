//! Threads that insert as fast as they can, against a limit.

use crate::{Counted, alone};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};
use weakmap::{Collector, Tuning, WeakMap};

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 64 * MIB;
const THREADS: u64 = 4;

type Pages = WeakMap<u64, Vec<u8>>;

/// With so much beside what is in use already.
fn pages(limit: u64) -> Pages {
    let collector = Collector::new(Tuning::new().limit(Counted::live() + limit)).unwrap();
    WeakMap::builder().collector(collector).build().unwrap()
}

pub fn page(_: u64) -> usize {
    4096
}

/// 100 B to 1 MB, each power of two as likely as the others, scattered over the keys.
pub fn mixed(key: u64) -> usize {
    let random = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (100.0 * 10_000f64.powf(random as f64 / f64::from(u32::MAX))) as usize
}

/// What inserting threads have in hand, and the most that was in use beside it.
#[derive(Default)]
struct Scales {
    in_hand: AtomicU64,
    most: AtomicU64,
}

impl Scales {
    /// What was in hand before or after: a value that came or went meanwhile is in one of them.
    fn look(&self) {
        let before = self.in_hand.load(Relaxed);
        let live = Counted::live();
        let in_hand = before.max(self.in_hand.load(Relaxed));
        self.most.fetch_max(live.saturating_sub(in_hand + Counted::error()), Relaxed);
    }

    fn insert(&self, map: &Pages, key: u64, bytes: usize) {
        self.in_hand.fetch_add(bytes as u64, Relaxed);
        let value = vec![1; bytes];
        self.look();
        map.insert(key, value);
        self.look();
        self.in_hand.fetch_sub(bytes as u64, Relaxed);
    }
}

/// So many bytes, by all threads together; keys from `from`.
pub fn flood(bytes: u64, from: u64, insert: impl Fn(u64) -> usize + Sync) {
    let (keys, inserted) = (AtomicU64::new(from), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while inserted.load(Relaxed) < bytes {
                    let size = insert(keys.fetch_add(1, Relaxed));
                    inserted.fetch_add(size as u64, Relaxed);
                }
            });
        }
    });
}

/// Whatever the sizes: what an insert has in hand comes on top, for no map can make room for it before.
#[test]
fn nothing_beyond_limit_error_and_hand() {
    let _alone = alone();
    for size in [page, mixed] {
        let map = pages(LIMIT);
        let (limit, scales) = (map.collector().stats().limit, Scales::default());
        flood(20 * LIMIT, 0, |key| {
            scales.insert(&map, key, size(key));
            size(key)
        });
        let (most, stats) = (scales.most.into_inner(), map.collector().stats());
        assert!(most <= limit, "{most} of {limit}: {stats:?}");
        assert!(stats.live + Counted::error() > limit / 100 * 92, "it is used: {stats:?}");
    }
}

/// While threads insert, the program takes half of the limit, and gives it back.
#[test]
fn a_flood_makes_room_for_the_program_and_takes_it_back() {
    let _alone = alone();
    let (map, over) = (pages(LIMIT), AtomicBool::new(false));
    let goal = map.collector().stats().goal;
    thread::scope(|scope| {
        scope.spawn(|| {
            let steps = (0..).take_while(|_| !over.load(Relaxed));
            steps.for_each(|step| {
                flood(MIB, step << 32, |key| map.insert(key, vec![1; 4096]).map_or(4096, |_| 0))
            });
        });
        let full = await_that("it is full", || Counted::live() >= goal / 100 * 99, &map);
        let taken = std::hint::black_box(vec![1u8; LIMIT as usize / 2]);
        let half = await_that("it made room", || Counted::live() <= goal + Counted::error(), &map);
        drop(taken);
        await_that("it grew again", || map.len() >= full / 100 * 95, &map);
        over.store(true, Relaxed);
        assert!(half < full / 100 * 60, "{half} of {full}");
    });
}

/// Nothing was stripped before, so nobody knows yet what a strip frees; and while the pin lives, none frees anything.
#[test]
fn a_pin_held_from_the_start_costs_no_more_than_what_came() {
    let _alone = alone();
    let (map, pages) = (pages(LIMIT), LIMIT / 4096);
    (0..pages / 4 * 3).for_each(|key| drop(map.insert(key, vec![1; 4096])));
    assert_eq!(map.stats().stripped, 0, "there is room");
    let pin = map.pin();
    (0..pages / 4).for_each(|key| drop(map.insert(pages + key, vec![1; 4096])));
    drop(pin);
    map.collect();
    assert!(map.stats().stripped > 0, "there was none for all: {:?}", map.collector().stats());
    assert!(map.len() as u64 > pages / 10 * 7, "{} of {pages} are left", map.len());
}

/// Half a minute at the most; the entries then.
#[track_caller]
fn await_that(what: &str, condition: impl Fn() -> bool, map: &Pages) -> usize {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}: {:?}", map.collector().stats());
        thread::sleep(Duration::from_millis(1));
    }
    map.len()
}
