//! Pressure that comes from elsewhere than inserts, and none at all.

use crate::{Counted, alone};
use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::ThreadId,
    time::{Duration, Instant},
};
use weakmap::{
    Collector, Tuning, WeakMap,
    heap::{Purge, Scripted},
};

const MIB: u64 = 1 << 20;
const KIB: usize = 1 << 10;
const LIMIT: u64 = 64 * MIB;

type Pages = WeakMap<u64, Vec<u8>>;

/// A map of its own whose limit leaves `LIMIT` beside what is in use already.
fn pages(change: impl FnOnce(Tuning) -> Tuning) -> (Pages, Collector) {
    let tuning = change(Tuning::new().limit(Counted::live() + LIMIT));
    let collector = Collector::new(tuning).unwrap();
    (WeakMap::builder().collector(collector.clone()).build().unwrap(), collector)
}

/// Inserts pages of 4 KiB worth so many bytes.
fn fill(map: &Pages, keys: std::ops::Range<u64>) {
    keys.for_each(|key| _ = map.insert(key, vec![1; 4 * KIB]));
}

/// Waits for what happens by itself, half a minute at the most.
#[track_caller]
fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_others_take_is_made_room_for_without_an_insert() {
    let _alone = alone();
    let (map, collector) = pages(|tuning| tuning);
    fill(&map, 0..40_000);
    let full = map.len();
    let others = std::hint::black_box(vec![1u8; LIMIT as usize / 2]);
    await_that("room for what others took", || collector.stats().live <= collector.stats().goal);
    assert!(map.len() < full * 6 / 10, "{} of {full}", map.len());
    drop(others);
    fill(&map, 50_000..90_000);
    assert!(map.len() > full * 95 / 100, "it grows again: {} of {full}", map.len());
}

#[test]
fn a_lower_limit_is_obeyed_without_an_insert() {
    let _alone = alone();
    let (map, collector) = pages(|tuning| tuning);
    fill(&map, 0..40_000);
    let lower = collector.stats().limit - LIMIT / 2;
    collector.tune(|tuning| tuning.limit(lower)).unwrap();
    await_that("the lower limit holds", || collector.stats().live < lower);
    assert!(map.len() > 1000, "{}", map.len());
}

#[test]
fn a_source_that_wakes_nobody_is_looked_at() {
    let _alone = alone();
    let heap = Scripted::new();
    let (map, collector) = pages(|tuning| tuning.limit(LIMIT).heap(heap.clone()));
    fill(&map, 0..1000);
    heap.set(2 * LIMIT);
    await_that("all is stripped", || map.is_empty());
    heap.set(0);
    assert!(collector.stats().wakeups > 0);
}

#[test]
fn nothing_is_stripped_and_nobody_wakes_where_nothing_goes_on() {
    let _alone = alone();
    for share in [10, 50, 90] {
        let (map, collector) = pages(|tuning| tuning);
        fill(&map, 0..LIMIT * share / 100 / (4 * KIB as u64 + 200));
        await_that("the thread has started", || collector.stats().wakeups > 0);
        let (full, before) = (map.len(), collector.stats());
        std::thread::sleep(Duration::from_millis(300)); // nothing can be waited for
        let after = collector.stats();
        assert_eq!((map.len(), after.passes, after.assists), (full, before.passes, before.assists));
        assert!(after.wakeups <= before.wakeups + 2, "{share} %: {before:?} {after:?}"); // of the map's own start
    }
}

#[test]
fn without_a_background_thread_nothing_happens_by_itself() {
    let _alone = alone();
    let (map, collector) = pages(|tuning| tuning.background(false));
    fill(&map, 0..40_000);
    let full = map.len();
    let others = std::hint::black_box(vec![1u8; LIMIT as usize / 2]);
    assert_eq!((collector.stats().wakeups, map.len()), (0, full));
    collector.collect();
    assert!(collector.stats().live <= collector.stats().goal + Counted::error());
    drop(others);
}

#[test]
fn where_all_is_held_passes_rest_until_holders_let_go() {
    let _alone = alone();
    let (map, collector) = pages(|tuning| tuning.background(false));
    let mut held: Vec<_> = (0..20_000).map(|_| Arc::new(vec![1u8; 4 * KIB])).collect();
    for (key, value) in held.iter().enumerate() {
        map.insert_arc(key as u64, Arc::clone(value));
    }
    for key in 20_000..22_000 {
        let value = Arc::new(vec![1; KIB]);
        held.push(Arc::clone(&value));
        map.insert_arc(key, value);
    }
    let stats = collector.stats();
    assert!(stats.exhausted && stats.rests > 0 && stats.overruns > 0, "{stats:?}");
    assert!(stats.rests < 200, "each rest is a hundred times as long as the look before it: {stats:?}");
    assert!((0..20_000).all(|key| map.get(&key).is_some()), "what is held is found");
    drop(held);
    await_that("strips go on", || {
        fill(&map, 30_000..31_000);
        !collector.stats().exhausted
    });
    fill(&map, 40_000..80_000);
    let stats = collector.stats();
    assert!(stats.live <= stats.limit, "{stats:?}");
}

/// Notes who calls it, and when.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<(ThreadId, Instant)>>>);

impl Noting {
    fn calls(&self) -> Vec<(ThreadId, Instant)> {
        self.0.lock().unwrap().clone()
    }
}

impl Purge for Noting {
    fn purge(&self) {
        self.0.lock().unwrap().push((std::thread::current().id(), Instant::now()));
    }

    fn name(&self) -> &str {
        "noting"
    }
}

#[test]
fn purges_run_elsewhere_and_not_too_often() {
    let _alone = alone();
    let (noting, here) = (Noting::default(), std::thread::current().id());
    let (_map, collector) = pages(|tuning| tuning.purge(noting.clone()));
    assert!(collector.explain().contains("purge: noting"), "{}", collector.explain());
    await_that("five purges", || {
        collector.collect();
        noting.calls().len() >= 5
    });
    let calls = noting.calls();
    assert!(calls.iter().all(|(thread, _)| *thread != here));
    let pauses = calls.windows(2).map(|pair| pair[1].1 - pair[0].1);
    assert!(pauses.min() >= Some(Duration::from_millis(100)), "{calls:?}");
}

#[test]
fn without_a_background_thread_a_purge_runs_in_collect() {
    let _alone = alone();
    let (noting, here) = (Noting::default(), std::thread::current().id());
    let (_map, collector) = pages(|tuning| tuning.purge(noting.clone()).background(false));
    (0..3).for_each(|_| _ = collector.collect());
    let calls = noting.calls();
    assert_eq!((calls.len(), calls[0].0), (1, here));
}

/// The threads that are called so.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|it| it.trim() == name).count()
}

#[test]
#[cfg(target_os = "linux")]
fn one_thread_from_the_first_map_to_the_last() {
    let _alone = alone();
    await_that("the thread of other tests' maps ends", || threads("weakmap") == 0);
    let maps: Vec<_> = (0..10).map(|_| pages(|tuning| tuning)).collect();
    let without = pages(|tuning| tuning.background(false));
    await_that("it starts", || threads("weakmap") == 1);
    let mut maps = maps.into_iter();
    let last = maps.next();
    maps.for_each(drop);
    await_that("the others are forgotten", || threads("weakmap") == 1);
    drop(last);
    await_that("it ends with the last map", || threads("weakmap") == 0);
    let collector = without.1;
    collector.tune(|tuning| tuning.background(true)).unwrap();
    await_that("it starts when it is wanted", || threads("weakmap") == 1);
    collector.tune(|tuning| tuning.background(false)).unwrap();
    await_that("and ends when it is not", || threads("weakmap") == 0);
}

/// A value whose destructor parks: it takes the token of a wake that was meant for the thread.
struct Parking(Arc<AtomicBool>, #[allow(dead_code)] Vec<u8>);

impl Drop for Parking {
    fn drop(&mut self) {
        if std::thread::current().name() == Some("weakmap") && !self.0.swap(true, SeqCst) {
            std::thread::park_timeout(Duration::from_millis(200));
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_destructor_that_parks_loses_no_wake() {
    let _alone = alone();
    let parked = Arc::new(AtomicBool::new(false));
    let map: WeakMap<u64, Parking> = WeakMap::builder().limit(Counted::live() + LIMIT).build().unwrap();
    (0..20_000).for_each(|key| _ = map.insert(key, Parking(parked.clone(), vec![0; 4 * KIB])));
    let others = std::hint::black_box(vec![1u8; LIMIT as usize / 2]);
    await_that("a destructor in the background", || parked.load(SeqCst));
    let heap = Scripted::new();
    heap.set(2 * LIMIT);
    let (late, _collector) = pages(|tuning| tuning.limit(LIMIT).heap(heap));
    await_that("a map that came meanwhile is looked after", || {
        late.insert(1, vec![1]);
        late.is_empty()
    });
    drop((others, map));
}

/// Panics at its first call.
#[derive(Clone, Default)]
struct Panicking(Noting);

impl Purge for Panicking {
    fn purge(&self) {
        self.0.purge();
        assert!(self.0.calls().len() > 1, "a purge of the user's");
    }

    fn name(&self) -> &str {
        "panicking"
    }
}

#[test]
fn a_purge_that_panics_is_called_again() {
    let _alone = alone();
    let panicking = Panicking::default();
    let (_map, collector) = pages(|tuning| tuning.purge(panicking.clone()));
    await_that("another purge", || {
        collector.collect();
        panicking.0.calls().len() >= 3
    });
}
