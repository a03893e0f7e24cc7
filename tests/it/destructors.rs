//! Destructors of values and keys that panic: nothing else is lost, and operations on others do not feel it.

use crate::support::*;
use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use weakmap::WeakMap;

/// Its destructor panics if it is armed.
struct Bomb {
    armed: bool,
    counted: Counted,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.armed || std::thread::panicking(), "bang {}", self.counted.n);
    }
}

/// A map of 300 values, every third a bomb.
fn minefield() -> (WeakMap<u64, Bomb>, weakmap::heap::Scripted, Census) {
    let (census, (map, heap)) = (Census::default(), scripted_map());
    (0..300).for_each(|n| drop(map.insert(n, Bomb { armed: n % 3 == 0, counted: census.value(n) })));
    (map, heap, census)
}

#[test]
fn destructors_that_panic_in_a_pass_are_counted_and_keep_nothing_alive() {
    let _calm = no_pins();
    let (map, heap, census) = minefield();
    heap.set(FULL);
    let report = map.collect();
    assert_eq!((report.stripped, report.reaped, map.stats().panicked), (300, 300, 100));
    assert_eq!((census.living(), map.len(), map.weight()), (0, 0, 0));
    heap.set(CALM);
    map.insert(1, Bomb { armed: false, counted: census.value(1) });
    assert!(map.get(&1).is_some());
    drop(map);
    census.assert_all_gone();
}

#[test]
fn destructors_that_panic_in_an_inserts_strip_do_not_reach_the_insert() {
    let _calm = no_pins();
    let (map, heap, census) = minefield();
    heap.set(FULL);
    map.insert(1000, Bomb { armed: false, counted: census.value(1000) });
    assert_eq!((census.living(), map.stats().panicked), (0, 100));
    assert_eq!(map.collector().stats().overruns, 1, "the scripted heap has not fallen");
}

#[test]
fn destructors_that_panic_in_clear_retain_and_drop_keep_nothing_alive() {
    let _calm = no_pins();
    let ways: [fn(WeakMap<u64, Bomb>); 3] = [
        |map| {
            map.clear();
            assert_eq!((map.len(), map.weight(), map.stats().panicked), (0, 0, 100));
        },
        |map| {
            map.retain(|_, _| false);
            assert_eq!((map.len(), map.weight(), map.stats().panicked), (0, 0, 100));
        },
        |map| drop(map),
    ];
    for way in ways {
        let (map, _, census) = minefield();
        way(map);
        census.assert_all_gone();
    }
}

#[test]
fn destructors_that_panic_after_a_pin_keep_nothing_alive() {
    let _pins = with_pins();
    let (map, heap, census) = minefield();
    let pin = map.pin();
    heap.set(FULL);
    map.collect();
    drop(pin);
    settle(&map);
    assert_eq!((census.living(), map.len(), map.weight()), (0, 0, 0));
    assert_eq!(map.stats().panicked, 100);
}

#[test]
fn a_replaced_value_that_panics_does_so_at_its_holder() {
    let _calm = no_pins();
    let (map, _, census) = minefield();
    let old = map.insert(0, Bomb { armed: false, counted: census.value(0) });
    assert!(catch_unwind(AssertUnwindSafe(|| drop(old))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(map.remove(&3)))).is_err());
    assert_eq!(
        (map.len(), map.contains_key(&0), map.contains_key(&3), census.living()),
        (299, true, false, 299)
    );
}

/// A key whose destructor panics while `armed` is set.
#[derive(Debug)]
struct Mine(Counted, Arc<AtomicBool>);

impl Drop for Mine {
    fn drop(&mut self) {
        assert!(!self.1.load(SeqCst) || std::thread::panicking(), "bang");
    }
}

impl Borrow<u64> for Mine {
    fn borrow(&self) -> &u64 {
        &self.0.n
    }
}

impl Hash for Mine {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.n.hash(hasher);
    }
}

impl PartialEq for Mine {
    fn eq(&self, other: &Self) -> bool {
        self.0.n == other.0.n
    }
}

impl Eq for Mine {}

#[test]
fn key_destructors_that_panic_lose_no_other_entry() {
    let _calm = no_pins();
    let (keys, values, armed) = (Census::default(), Census::default(), Arc::new(AtomicBool::new(true)));
    let (map, heap) = scripted_map();
    let mut reached = 0;
    for round in 0..40 {
        for n in 0..200u64 {
            let n = n + round % 3 * 100;
            // Only keys that the map itself drops: none is handed in twice.
            let mut ops = || {
                if !map.contains_key(&n) {
                    map.insert(Mine(keys.value(n), armed.clone()), values.value(n));
                } else if n % 2 == 0 {
                    map.remove(&n);
                }
            };
            reached += u32::from(catch_unwind(AssertUnwindSafe(&mut ops)).is_err());
        }
        if round % 4 == 0 {
            heap.set(LIMIT / 100 * 96 + 20_000);
            reached += u32::from(catch_unwind(AssertUnwindSafe(|| map.collect())).is_err());
            heap.set(CALM);
        }
    }
    armed.store(false, SeqCst);
    let mut entries = 0;
    map.for_each(|_, _| entries += 1);
    assert_eq!(map.len(), entries);
    heap.set(FULL);
    map.collect();
    map.collect();
    assert_eq!(
        (map.len(), map.weight(), values.living()),
        (0, 0, 0),
        "no entry slipped from the sweeper's hands"
    );
    drop(map);
    values.assert_all_gone();
    assert_eq!(reached, 0, "panics of keys' destructors reached operations on other keys");
}
