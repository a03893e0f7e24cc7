//! Single flight: one loader per key at a time, and what was written meanwhile wins.

use crate::support::*;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc::channel,
    },
    thread,
};
use weakmap::WeakMap;

const THREADS: u64 = 4;

/// Waits until so many callers have missed: they are in the load's flight, or about to join it.
fn until_misses(map: &WeakMap<u64, u64>, misses: u64) {
    while map.stats().misses < misses {
        thread::yield_now();
    }
}

#[test]
fn threads_that_want_one_key_load_it_once() {
    for round in 0..50 {
        let (map, loads) = (scripted_map::<u64, u64>().0, AtomicU64::new(0));
        let start = Barrier::new(THREADS as usize);
        let load = || {
            until_misses(&map, THREADS.min(round % 4 + 1));
            loads.fetch_add(1, SeqCst) + 7
        };
        let values: Vec<_> = thread::scope(|scope| {
            let want = || {
                start.wait();
                map.get_or_insert_with(1, load)
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(want)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!((loads.load(SeqCst), map.stats().loads, map.len()), (1, 1, 1));
        assert!(values.iter().all(|value| Arc::ptr_eq(value, &map.get(&1).unwrap()) && **value == 7));
    }
}

thread_local! {
    static MADE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Tells how often it is made of a `&Name`.
#[derive(PartialEq, Eq, Hash)]
struct Name(&'static str);

impl Clone for Name {
    fn clone(&self) -> Self {
        MADE.set(MADE.get() + 1);
        Self(self.0)
    }
}

#[test]
fn a_key_that_is_lent_is_made_where_there_is_no_value_alone() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<Name, usize>();
    let length = |name: &Name| *map.get_or_insert_with_by_ref(name, || name.0.len());
    let name = Name("weak");
    assert_eq!((length(&name), length(&name), MADE.get()), (4, 4, 1));
    assert_eq!((map.stats().loads, map.stats().hits, map.stats().misses), (1, 1, 1));
    heap.set(FULL);
    map.collect();
    heap.set(CALM);
    assert!(map.get_or_try_insert_with_by_ref(&name, || Err("no")).is_err());
    assert_eq!((length(&name), MADE.get(), map.len()), (4, 3, 1));
}

#[test]
fn where_a_loader_fails_the_next_ones_runs() {
    let (map, _) = scripted_map::<u64, u64>();
    let (failed, loaded) = thread::scope(|scope| {
        let (loading, is_loading) = channel();
        let map = &map;
        let first = scope.spawn(move || {
            map.get_or_try_insert_with(1, || {
                loading.send(()).unwrap();
                until_misses(map, 2);
                Err("no")
            })
        });
        is_loading.recv().unwrap();
        let second = scope.spawn(move || map.get_or_try_insert_with(1, || Ok::<_, &str>(5)));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!((failed, loaded.as_deref()), (Err("no"), Ok(&5)), "each has its own error");
    assert_eq!((map.get(&1).as_deref(), map.stats().loads), (Some(&5), 2));
}

#[test]
fn where_a_loader_panics_the_next_ones_runs() {
    let (map, _) = scripted_map::<u64, u64>();
    let (panicked, loaded) = thread::scope(|scope| {
        let (loading, is_loading) = channel();
        let map = &map;
        let first = scope.spawn(move || {
            let load = || {
                loading.send(()).unwrap();
                until_misses(map, 2);
                panic!("bang")
            };
            catch_unwind(AssertUnwindSafe(|| map.get_or_insert_with(1, load))).is_err()
        });
        is_loading.recv().unwrap();
        let second = scope.spawn(move || map.get_or_insert_with(1, || 5));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!((panicked, *loaded, map.get(&1).as_deref(), map.len()), (true, 5, Some(&5), 1));
}

type Write = fn(&WeakMap<u64, u64>);

/// What is done during the load of key 1, and what is there afterwards.
const WRITES: &[(&str, Write, Option<u64>)] = &[
    ("insert", |map| drop(map.insert(1, 70)), Some(70)),
    ("remove", |map| drop(map.remove(&1)), None),
    ("clear", |map| map.clear(), None),
    ("insert and remove", |map| drop((map.insert(1, 70), map.remove(&1))), None),
    ("remove and insert", |map| drop((map.remove(&1), map.insert(1, 71))), Some(71)),
];

#[test]
fn what_the_loader_itself_writes_to_its_key_wins() {
    for &(name, write, there) in WRITES {
        let (map, _) = scripted_map::<u64, u64>();
        let load = || {
            write(&map);
            7
        };
        assert_eq!(*map.get_or_insert_with(1, load), 7, "{name}: the caller gets what was loaded");
        assert_eq!(
            (map.get(&1).as_deref(), map.len()),
            (there.as_ref(), usize::from(there.is_some())),
            "{name}"
        );
        map.clear();
        assert_eq!(*map.get_or_insert_with(1, || 8), 8, "{name}: no trace of the older load");
    }
}

#[test]
fn what_other_threads_write_during_a_load_wins() {
    for &(name, write, there) in WRITES {
        let (map, _) = scripted_map::<u64, u64>();
        let (loading, is_loading) = channel();
        let (written, is_written) = channel();
        let values = thread::scope(|scope| {
            let map = &map;
            let load = move || {
                loading.send(()).unwrap();
                is_written.recv().unwrap();
                7
            };
            let loader = scope.spawn(move || map.get_or_insert_with(1, load));
            is_loading.recv().unwrap();
            let waiter = scope.spawn(move || map.get_or_insert_with(1, || 9));
            until_misses(map, 2);
            write(map);
            written.send(()).unwrap();
            [loader.join().unwrap(), waiter.join().unwrap()]
        });
        assert_eq!(*values[0], 7, "{name}: the caller gets what it loaded");
        // A waiter that had not sat down yet when the key was written finds what was written (70, before it is removed again), or loads anew.
        let others = [7, 9, 70].into_iter().chain(there);
        assert!(others.into_iter().any(|other| *values[1] == other), "{name}: {}", values[1]);
        let found = map.get(&1).map(|value| *value);
        assert!(found == there || found == Some(9), "{name}: {found:?} instead of {there:?}");
        assert_ne!(found, Some(7), "{name}: what was loaded is older");
    }
}

#[test]
fn an_overtaken_load_does_not_end_the_one_that_overtook_it() {
    let (map, _) = scripted_map::<u64, u64>();
    let (loading, is_loading) = channel();
    let [(go_first, first_goes), (go_second, second_goes)] = [channel(), channel()];
    thread::scope(|scope| {
        let map = &map;
        let load = |value: u64, goes: std::sync::mpsc::Receiver<()>| {
            let loading = loading.clone();
            scope.spawn(move || {
                let load = || {
                    loading.send(()).unwrap();
                    goes.recv().unwrap();
                    value
                };
                *map.get_or_insert_with(1, load)
            })
        };
        let first = load(7, first_goes);
        is_loading.recv().unwrap();
        map.remove(&1);
        let second = load(8, second_goes);
        is_loading.recv().unwrap();
        go_first.send(()).unwrap();
        assert_eq!(first.join().unwrap(), 7);
        assert!(map.get(&1).is_none(), "what was loaded is older than the removal");
        go_second.send(()).unwrap();
        assert_eq!((second.join().unwrap(), map.get(&1).as_deref()), (8, Some(&8)));
    });
}

#[test]
fn a_loader_may_use_the_map_for_other_keys() {
    let (map, _) = scripted_map::<u64, u64>();
    fn factorial(map: &WeakMap<u64, u64>, n: u64) -> Arc<u64> {
        map.get_or_insert_with(n, || if n == 0 { 1 } else { n * *factorial(map, n - 1) })
    }
    assert_eq!(*factorial(&map, 20), 2_432_902_008_176_640_000);
    assert_eq!((map.len(), map.stats().loads), (21, 21));
    let busy = || {
        map.remove(&3);
        map.insert(100, 1);
        map.retain(|key, _| key % 2 == 0);
        map.for_each(|_, _| ());
        map.collect();
        map.len() as u64
    };
    assert_eq!(*map.get_or_insert_with(50, busy), 12);
}

#[test]
fn a_flight_ends_with_its_load() {
    let (map, _) = scripted_map::<u64, u64>();
    for n in 0..100 {
        assert_eq!(*map.get_or_insert_with(1, || n), n, "what was removed is loaded anew");
        map.remove(&1);
        assert!(map.get_or_try_insert_with(2, || Err(n)).is_err());
    }
    assert_eq!((map.len(), map.stats().loads), (0, 200));
}

#[test]
fn a_load_that_was_overtaken_is_no_insert() {
    let (map, _) = scripted_map::<u64, u64>();
    let load = || {
        map.insert(1, 70);
        7
    };
    map.get_or_insert_with(1, load);
    assert_eq!(map.stats().inserts, 1, "one value was put in");
}

#[test]
fn bytes_are_reserved_while_a_value_is_made() {
    let (builder, _) = scripted::<u64, u64>();
    let map = builder.weigher(|_, _| 1000).build().unwrap();
    let reserved = || map.collector().stats().reserved;
    (0..10).for_each(|n| drop(map.insert(n, n)));
    let during = map.get_or_insert_with(99, reserved);
    assert_eq!((*during, reserved()), (1000, 0), "as much as entries weigh on average");
    assert!(map.get_or_try_insert_with(98, || Err(reserved())).is_err());
    assert_eq!(reserved(), 0);
}

#[test]
fn a_load_finds_a_stripped_value_that_is_held() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held = map.get_or_insert_with(1, || 1);
    heap.set(FULL);
    map.collect();
    heap.set(CALM);
    assert!(Arc::ptr_eq(&held, &map.get_or_insert_with(1, || unreachable!("it is there"))));
    assert_eq!(map.stats().revivals, 1);
}

#[test]
fn loads_of_many_keys_race_with_removals_and_keep_the_newest() {
    // The source's version of a key only grows; a load reads it, an update bumps it and invalidates the key.
    let (source, map) = ([const { AtomicU64::new(0) }; 4], scripted_map::<usize, u64>().0);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        let (source, map, start) = (&source, &map, &start);
        for thread in 0..2 {
            scope.spawn(move || {
                start.wait();
                for n in 0..3000 {
                    let key = (n + thread) % 4;
                    let floor = source[key].load(SeqCst);
                    source[key].store(floor.max(n as u64 + 1), SeqCst);
                    map.remove(&key);
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(move || {
                start.wait();
                (0..3000).for_each(|n| drop(map.get_or_insert_with(n % 4, || source[n % 4].load(SeqCst))));
            });
        }
    });
    for (key, newest) in source.iter().enumerate() {
        let newest = newest.load(SeqCst);
        assert_eq!(*map.get_or_insert_with(key, || newest), newest, "an outdated value stayed");
    }
}
