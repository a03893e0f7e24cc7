//! What concurrent readers may see: never an older value after a newer one, no gap at a replacement.

use crate::support::*;
use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};
use weakmap::WeakMap;

/// Runs a writer beside two readers until the writer is done.
fn beside(write: impl FnOnce() + Send, read: impl Fn() + Sync) {
    let (start, done) = (Barrier::new(3), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                while !done.load(SeqCst) {
                    read();
                }
            });
        }
        start.wait();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(write));
        done.store(true, SeqCst);
        result.unwrap();
    });
}

#[test]
fn a_replacement_never_makes_the_key_absent() {
    let _pins = with_pins();
    for weigher in [false, true] {
        let (mut builder, _) = scripted::<u64, u64>();
        if weigher {
            builder = builder.weigher(|_, value| value % 10);
        }
        let map = builder.build().unwrap();
        map.insert(1, 0);
        let write = || (0..30_000).for_each(|n| assert!(map.insert(1, n).is_some()));
        let read = || {
            assert!(map.get(&1).is_some() && map.peek(&1).is_some() && map.contains_key(&1));
            assert!(map.get_weak(&1).is_some() && map.pin().get(&1).is_some());
        };
        beside(write, read);
        assert_eq!(map.len(), 1);
    }
}

#[test]
fn a_held_and_stripped_key_stays_present_while_it_is_replaced() {
    let (map, heap) = scripted_map::<u64, u64>();
    let first = std::sync::Arc::new(0);
    map.insert_arc(1, first.clone());
    let write = || {
        let mut held = first.clone();
        for n in 1..3000 {
            heap.set(FULL);
            map.collect();
            heap.set(CALM);
            let next = std::sync::Arc::new(n);
            assert!(map.insert_arc(1, next.clone()).is_some());
            held = next;
        }
        drop(held);
    };
    beside(write, || assert!(map.get(&1).is_some() && map.contains_key(&1)));
}

#[test]
fn growth_hides_no_key() {
    let (map, _) = scripted_map::<u64, u64>();
    let there = AtomicU64::new(0);
    let write = || {
        for n in 0..20_000 {
            map.insert(n, n);
            there.store(n, SeqCst);
        }
        for n in (0..20_000).step_by(2) {
            map.remove(&n);
        }
    };
    let read = || {
        // The odd ones stay.
        for n in (1..=there.load(SeqCst)).step_by(498).chain((1..=there.load(SeqCst)).rev().take(2)) {
            assert!(n % 2 == 0 || map.get(&n).as_deref() == Some(&n), "{n}");
        }
    };
    beside(write, read);
    assert_eq!(map.len(), 10_000);
}

const KEYS: usize = 8;

/// Writers own keys and write versions that only grow; after each write they publish the least that may be found.
fn versions(pressure: bool, weigher: bool) {
    let _pins = with_pins();
    let (mut builder, heap) = scripted::<usize, u64>();
    if weigher {
        builder = builder.weigher(|key, value| *key as u64 + value % 5);
    }
    let (map, least) = (builder.build().unwrap(), [const { AtomicU64::new(0) }; KEYS]);
    let write = || {
        let mut random = Random::new(5);
        let mut held = Vec::new();
        for version in 1..15_000 {
            let key = random.below(KEYS as u64) as usize;
            if random.below(4) == 0 {
                let removed = map.remove(&key);
                assert!(removed.is_none_or(|value| *value >= least[key].load(SeqCst)));
                least[key].store(version + 1, SeqCst);
            } else {
                map.insert(key, version);
                least[key].store(version, SeqCst);
            }
            if pressure && random.below(8) == 0 {
                held.truncate(3);
                held.extend(map.get(&key));
                heap.set(FULL);
                map.collect();
                heap.set(CALM);
            }
        }
    };
    let read = || {
        for (key, least) in least.iter().enumerate() {
            let (before, found) = (least.load(SeqCst), map.get(&key));
            assert!(
                found.as_deref().is_none_or(|&found| found >= before),
                "{found:?} is older than {before}"
            );
            let (before, pin) = (least.load(SeqCst), map.pin());
            let found = pin.get(&key);
            assert!(found.is_none_or(|&found| found >= before), "{found:?} is older than {before}");
            let (before, found) = (least.load(SeqCst), map.get_weak(&key).and_then(|weak| weak.upgrade()));
            assert!(
                found.as_deref().is_none_or(|&found| found >= before),
                "{found:?} is older than {before}"
            );
        }
    };
    beside(write, read);
}

#[test]
fn an_older_value_is_never_found_after_a_newer_one_or_a_removal() {
    versions(false, false);
    versions(false, true);
}

#[test]
fn an_older_value_is_never_found_after_a_newer_one_or_a_removal_under_pressure() {
    versions(true, false);
    versions(true, true);
}

#[test]
fn each_removal_takes_what_one_insert_put_in() {
    let _calm = no_pins();
    let (census, (map, _)) = (Census::default(), scripted_map());
    let counts = [const { AtomicU64::new(0) }; 3]; // put in, replaced, removed
    thread::scope(|scope| {
        for thread in 0..4 {
            let (census, map, counts) = (&census, &map, &counts);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for n in 0..4000 {
                    let key = random.below(4);
                    let (put, out) = match random.below(2) {
                        0 => (1, map.insert(key, census.value(n)).map(|_| 1)),
                        _ => (0, map.remove(&key).map(|_| 2)),
                    };
                    counts[0].fetch_add(put, SeqCst);
                    out.map(|which: usize| counts[which].fetch_add(1, SeqCst));
                }
            });
        }
    });
    let [put, replaced, removed] = counts.map(AtomicU64::into_inner);
    let stats = map.stats();
    assert_eq!((stats.inserts, stats.replaced, stats.removed), (put, replaced, removed));
    assert_eq!((put - replaced - removed, map.len() as i64), (map.len() as u64, census.living()));
}

#[test]
fn passes_in_several_threads_share_the_work() {
    let _calm = no_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map::<u64, Counted>());
    (0..2000).for_each(|n| drop(map.insert(n, census.value(n))));
    heap.set(FULL);
    let reports: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| map.collect())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(reports.iter().map(|report| report.stripped).sum::<u64>(), 2000);
    assert_eq!((census.living(), map.stats().stripped, map.stats().reaped), (0, 2000, 2000));
}

/// Shared maps move between threads; the last handle may go anywhere.
#[test]
fn a_map_may_be_dropped_in_another_thread() {
    let census = Census::default();
    let map: WeakMap<u64, Counted> = scripted_map().0;
    (0..1000).for_each(|n| drop(map.insert(n, census.value(n))));
    thread::spawn(move || drop(map)).join().unwrap();
    census.assert_all_gone();
}
