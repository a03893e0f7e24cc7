//! Pinned reads: a `&V` stays good as long as its pin lives, and what it held back is freed afterwards.

use crate::support::*;
use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::channel,
    },
    thread,
};
use weakmap::{DefaultHasher, Pinned, WeakMap};

type Take = fn(&WeakMap<u64, Counted>, &weakmap::heap::Scripted, &Census);

/// The ways for a value to leave the map.
const WAYS: &[(&str, Take)] = &[
    ("strip", |map, heap, _| {
        heap.set(FULL);
        assert_eq!(map.collect().stripped, 10);
    }),
    ("replace", |map, _, census| (0..10).for_each(|n| drop(map.insert(n, census.value(n))))),
    ("remove", |map, _, _| (0..10).for_each(|n| drop(map.remove(&n).unwrap()))),
    ("remove if", |map, _, _| (0..10).for_each(|n| drop(map.remove_if(&n, |_| true).unwrap()))),
    ("clear", |map, _, _| map.clear()),
    ("retain", |map, _, _| map.retain(|_, _| false)),
    ("a flood", |map, heap, census| {
        heap.set(FULL);
        (10..100).for_each(|n| drop(map.insert(n, census.value(n))));
    }),
];

#[test]
fn what_a_pin_has_read_stays_whatever_happens_to_the_entry() {
    let _pins = with_pins();
    for &(name, take) in WAYS {
        let (census, (map, heap)) = (Census::default(), scripted_map());
        (0..10).for_each(|n| drop(map.insert(n, census.value(n))));
        let pin = map.pin();
        let seen: Vec<_> = (0..10).map(|n| pin.get(&n).unwrap()).collect();
        take(&map, &heap, &census);
        settle_what_can_be(&map);
        assert!(census.living() >= 10, "{name}");
        seen.iter().zip(0..).for_each(|(value, n)| assert_eq!(value.read(), n, "{name}"));
        let pending = map.stats().pending;
        assert!(pending >= 10 * size_of::<Counted>() as u64, "{name}: {pending} bytes wait for the pin");
        assert_eq!(map.collector().stats().pending, pending);
        drop(pin);
        heap.set(FULL);
        map.collect();
        assert_eq!((census.living(), map.len()), (0, 0), "{name}");
        settle(&map);
        census.assert_all_gone();
    }
}

fn settle_what_can_be(map: &WeakMap<u64, Counted>) {
    (0..10).for_each(|_| _ = map.collect());
}

#[test]
fn one_collect_after_the_pin_brings_everything_back() {
    let _pins = with_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map());
    (0..1000).for_each(|n| drop(map.insert(n, census.value(n))));
    let pin = map.pin();
    heap.set(FULL);
    map.collect();
    assert_eq!(census.living(), 1000);
    drop(pin);
    map.collect();
    assert_eq!((census.living(), map.len(), map.stats().weak), (0, 0, 0));
}

#[test]
fn dropping_the_pin_frees_what_it_held_back() {
    let _pins = with_pins();
    let (census, (map, _)) = (Census::default(), scripted_map());
    (0..1000).for_each(|n| drop(map.insert(n, census.value(n))));
    let pin = map.pin();
    (0..1000).for_each(|n| drop(map.remove(&n)));
    assert_eq!(census.living(), 1000);
    drop(pin);
    assert_eq!(census.living(), 0);
}

#[test]
fn what_another_thread_removed_comes_back_though_that_thread_idles() {
    let _pins = with_pins();
    let (census, (map, _)) = (Census::default(), scripted_map());
    map.insert(1, census.value(1));
    let pin = map.pin();
    thread::scope(|scope| {
        let (map, (removed, is_removed), (end, is_end)) = (&map, channel(), channel::<()>());
        scope.spawn(move || {
            map.remove(&1);
            removed.send(()).unwrap();
            let _ = is_end.recv();
        });
        is_removed.recv().unwrap();
        assert_eq!(census.living(), 1);
        drop(pin);
        map.collect();
        assert_eq!((census.living(), map.stats().pending), (0, 0));
        drop(end);
    });
}

#[test]
fn pins_nest_and_the_last_one_frees() {
    let _pins = with_pins();
    let (census, (map, _)) = (Census::default(), scripted_map());
    map.insert(1, census.value(1));
    let (outer, inner) = (map.pin(), map.pin());
    let seen = outer.get(&1).unwrap();
    map.remove(&1);
    drop(inner);
    assert_eq!((seen.read(), census.living()), (1, 1));
    drop(outer);
    map.collect();
    assert_eq!(census.living(), 0);
}

#[test]
fn a_pin_on_one_map_holds_back_another_and_no_longer_than_it_lives() {
    let _pins = with_pins();
    let (census, (map, _), (other, _)) = (Census::default(), scripted_map(), scripted_map::<u64, u64>());
    map.insert(1, census.value(1));
    let pin = other.pin();
    map.remove(&1);
    drop(pin);
    map.collect();
    assert_eq!((census.living(), map.stats().pending), (0, 0));
}

#[test]
fn without_a_pin_nothing_waits() {
    let _calm = no_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map());
    (0..10).for_each(|n| drop(map.insert(n, census.value(n))));
    map.remove(&0);
    map.insert(1, census.value(1));
    assert_eq!(census.living(), 9);
    heap.set(FULL);
    map.collect();
    assert_eq!(census.living(), 0);
}

#[test]
fn a_pin_reads_a_held_value_that_cannot_be_made_strong() {
    let _pins = with_pins();
    let (builder, _) = scripted();
    let map = builder.weigher(|_, _| 10).max_weight(10).build().unwrap();
    let census = Census::default();
    let held = [1, 2].map(|n| Arc::new(census.value(n)));
    held.iter().for_each(|value| drop(map.insert_arc(value.n, value.clone())));
    let weak = 1 + u64::from(Arc::strong_count(&held[0]) > 1);
    let pin = map.pin();
    let seen: Vec<_> = (0..3).map(|_| pin.get(&weak).unwrap()).collect();
    assert_eq!(map.stats().revivals, 0, "no room");
    drop(held);
    map.collect();
    seen.iter().for_each(|value| assert_eq!(value.read(), weak));
    drop(pin);
    map.collect();
    assert_eq!(census.living(), 1);
}

#[test]
fn a_pin_counts_hits_and_misses() {
    let _pins = with_pins();
    let (map, _) = scripted_map::<u64, u64>();
    map.insert(0, 0);
    let pin = map.pin();
    assert!(pin.get(&0).is_some() && pin.get(&0).is_some() && pin.get(&99).is_none());
    assert_eq!((map.stats().hits, map.stats().misses), (2, 1));
}

#[test]
fn pinned_readers_and_writers_stress_one_hot_key() {
    let _pins = with_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map());
    map.insert(0, census.value(0));
    thread::scope(|scope| {
        for thread in 0..3u64 {
            let (map, census, heap) = (&map, &census, &heap);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for n in 0..5000 {
                    match random.below(8) {
                        0 => drop(map.insert(0, census.value(n))),
                        1 if thread == 0 => {
                            heap.set(FULL);
                            map.collect();
                            heap.set(CALM);
                        }
                        2 => drop(map.remove(&0)),
                        _ => {
                            let pin = map.pin();
                            if let Some(value) = pin.get(&0) {
                                thread::yield_now();
                                value.read();
                            }
                        }
                    }
                }
            });
        }
    });
    heap.set(FULL);
    settle(&map);
    assert_eq!(census.living(), 0);
    census.assert_all_gone();
}

#[test]
fn a_pin_may_outlive_the_destructors_of_its_thread() {
    let _pins = with_pins();
    thread_local!(static KEPT: RefCell<Vec<Pinned<'static, u64, u64, DefaultHasher>>> = const { RefCell::new(Vec::new()) });
    let (map, _) = scripted_map::<u64, u64>();
    let map: &'static WeakMap<u64, u64> = Box::leak(Box::new(map));
    map.insert(1, 10);
    for _ in 0..3 {
        // Whichever of the thread's destructors comes first.
        for keep_first in [true, false] {
            let run = move || {
                if keep_first {
                    KEPT.with_borrow_mut(|kept| kept.push(map.pin()));
                }
                assert_eq!(map.pin().get(&1), Some(&10));
                KEPT.with_borrow_mut(|kept| kept.push(map.pin()));
            };
            let threads: Vec<_> = (0..4).map(|_| thread::spawn(run)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }
    let value = Arc::downgrade(&map.get(&1).unwrap());
    drop(map.remove(&1));
    assert!(value.upgrade().is_none(), "no pin is counted any more");
}

#[test]
fn a_destructor_that_a_pin_held_back_may_pin() {
    struct Pinning(&'static WeakMap<u64, u64>, Arc<AtomicUsize>);
    impl Drop for Pinning {
        fn drop(&mut self) {
            let pin = self.0.pin();
            assert_eq!(pin.get(&1), Some(&10));
            self.1.fetch_add(1, Relaxed);
        }
    }
    let _pins = with_pins();
    let (other, _) = scripted_map::<u64, u64>();
    let other: &'static WeakMap<u64, u64> = Box::leak(Box::new(other));
    other.insert(1, 10);
    let dropped = Arc::new(AtomicUsize::new(0));
    let (map, _) = scripted_map();
    (0..100).for_each(|n| drop(map.insert(n, Pinning(other, dropped.clone()))));
    let pin = map.pin();
    (0..100).for_each(|n| drop(map.remove(&n)));
    assert_eq!(dropped.load(Relaxed), 0);
    drop(pin);
    map.collect();
    assert_eq!(dropped.load(Relaxed), 100);
}
