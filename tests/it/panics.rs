//! User code that panics: the map stays consistent and usable, and nothing is lost but what was at hand.

use crate::support::*;
use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
    },
};
use weakmap::WeakMap;

/// Panics at its nth use from when it was lit, or from there on.
#[derive(Clone, Debug, Default)]
struct Fuse(Arc<(AtomicI64, AtomicBool)>);

impl Fuse {
    fn light(&self, nth: i64, for_ever: bool) {
        self.0.1.store(for_ever, SeqCst);
        self.0.0.store(nth, SeqCst);
    }

    /// Puts it out; whether it had gone off.
    fn out(&self) -> bool {
        self.0.1.store(false, SeqCst);
        self.0.0.swap(i64::MIN, SeqCst) <= 0
    }

    fn burn(&self) {
        let left = self.0.0.load(SeqCst);
        if left > i64::MIN {
            self.0.0.store(left - 1, SeqCst);
            assert!(left != 1 && !(left < 1 && self.0.1.load(SeqCst)), "bang");
        }
    }
}

#[derive(Clone, Debug)]
struct Key {
    n: u64,
    hash: Fuse,
    eq: Fuse,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.hash.burn();
        hasher.write_u64(0); // all in one bucket, so that `Eq` has work
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.eq.burn();
        self.n == other.n
    }
}

impl Eq for Key {}

type Hashers = BuildHasherDefault<std::collections::hash_map::DefaultHasher>;
type Map = WeakMap<Key, Counted, Hashers>;
type Op = fn(&Map, Key, &Census);

const OPS: &[(&str, Op)] = &[
    ("insert", |map, key, census| drop(map.insert(key, census.sized(1, 7)))),
    ("get", |map, key, _| drop(map.get(&key))),
    ("peek", |map, key, _| drop(map.peek(&key))),
    ("get_weak", |map, key, _| drop(map.get_weak(&key))),
    ("contains_key", |map, key, _| _ = map.contains_key(&key)),
    ("pin", |map, key, _| _ = map.pin().get(&key).map(Counted::read)),
    ("remove", |map, key, _| drop(map.remove(&key))),
    ("load", |map, key, census| drop(map.get_or_insert_with(key, || census.sized(1, 7)))),
    ("failing load", |map, key, _| drop(map.get_or_try_insert_with(key, || Err(())))),
];

/// Runs each operation on a present and an absent key with a fuse that is lit for the nth use.
fn each_op(light: fn(&Key, i64), out: fn(&Key) -> bool) {
    let _pins = with_pins();
    for &(name, op) in OPS {
        for n in [3, 99] {
            let mut bangs = 0;
            for nth in 1..20 {
                let census = Census::default();
                let (builder, heap) = scripted();
                let map: Map = builder
                    .weigher(|_, value: &Counted| value.bytes)
                    .hasher(Hashers::default())
                    .build()
                    .unwrap();
                let key = |n| Key { n, hash: Fuse::default(), eq: Fuse::default() };
                (0..6).for_each(|n| drop(map.insert(key(n), census.sized(n, 10))));
                let sought = key(n);
                light(&sought, nth);
                let panicked = catch_unwind(AssertUnwindSafe(|| op(&map, sought.clone(), &census))).is_err();
                assert_eq!(out(&sought), panicked, "{name}: a panic must reach the caller");
                bangs += u32::from(panicked);
                // All others are there, and the map works.
                assert!(
                    (0..6).filter(|&other| other != n).all(|n| map.get(&key(n)).is_some()),
                    "{name} {n} {nth}"
                );
                if panicked {
                    assert_eq!(map.contains_key(&key(n)), n < 6, "{name} {n} {nth}: as it was");
                }
                map.insert(key(n), census.sized(n, 20));
                assert_eq!(map.get(&key(n)).unwrap().bytes, 20);
                assert_eq!(*map.get_or_insert_with(key(50), || census.sized(50, 1)).census_bytes(), 1);
                consistent(&map);
                heap.set(FULL);
                map.collect();
                assert_eq!((map.len(), map.weight()), (0, 0), "{name} {n} {nth}");
                drop(map);
                census.assert_all_gone();
            }
            assert!(bangs > 0, "{name} {n}: never went off");
        }
    }
}

impl Counted {
    fn census_bytes(&self) -> &u64 {
        self.read();
        &self.bytes
    }
}

fn consistent(map: &Map) {
    let (mut entries, mut weight) = (0, 0);
    map.for_each(|_, value| (entries, weight) = (entries + 1, weight + value.bytes));
    assert_eq!((map.len(), map.weight()), (entries, weight));
}

#[test]
fn a_hash_that_panics_changes_nothing() {
    each_op(|key, nth| key.hash.light(nth, false), |key| key.hash.out());
}

#[test]
fn an_eq_that_panics_once_changes_nothing() {
    each_op(|key, nth| key.eq.light(nth, false), |key| key.eq.out());
}

#[test]
fn an_eq_that_panics_from_then_on_changes_nothing_and_aborts_nothing() {
    let (passed, said) = in_child("panics::child_an_eq_that_panics_from_then_on", &[]);
    assert!(passed, "{said}");
}

#[test]
fn child_an_eq_that_panics_from_then_on() {
    if is_child() {
        each_op(|key, nth| key.eq.light(nth, true), |key| key.eq.out());
    }
}

#[test]
fn a_weigher_that_panics_changes_nothing() {
    let _calm = no_pins();
    let (census, (builder, _)) = (Census::default(), scripted());
    let weigh = |_: &u64, value: &Counted| if value.bytes == 13 { panic!("bang") } else { value.bytes };
    let map = builder.weigher(weigh).build().unwrap();
    map.insert(1, census.sized(1, 10));
    let inserts: [&dyn Fn(); 3] =
        [&|| drop(map.insert(1, census.sized(1, 13))), &|| drop(map.insert(2, census.sized(2, 13))), &|| {
            drop(map.get_or_insert_with(3, || census.sized(3, 13)))
        }];
    for insert in inserts {
        assert!(catch_unwind(AssertUnwindSafe(insert)).is_err());
        assert_eq!(
            (map.len(), map.weight(), census.living(), map.collector().stats().reserved),
            (1, 10, 1, 0)
        );
    }
    assert_eq!((map.get(&1).unwrap().bytes, map.get_or_insert_with(3, || census.sized(3, 4)).bytes), (10, 4));
    assert_eq!((map.len(), map.weight()), (2, 14));
    drop(map);
    census.assert_all_gone();
}

#[test]
fn a_loader_that_panics_leaves_no_trace() {
    let _calm = no_pins();
    let (map, _) = scripted_map::<u64, u64>();
    map.insert(2, 2);
    for _ in 0..3 {
        let load = || map.get_or_insert_with(1, || panic!("bang"));
        assert!(catch_unwind(AssertUnwindSafe(load)).is_err());
        assert_eq!((map.len(), map.get(&1), map.collector().stats().reserved), (1, None, 0));
    }
    assert_eq!(*map.get_or_insert_with(1, || 1), 1);
    assert_eq!(map.len(), 2);
}

#[test]
fn closures_of_retain_remove_if_and_for_each_that_panic_stop_it_and_no_more() {
    let _calm = no_pins();
    let (census, (map, _)) = (Census::default(), scripted_map());
    (0..100).for_each(|n| drop(map.insert(n, census.value(n))));
    let mut seen = 0;
    let keep = |_: &u64, _: &Arc<Counted>| {
        seen += 1;
        assert!(seen < 10, "bang");
        false
    };
    assert!(catch_unwind(AssertUnwindSafe(|| map.retain(keep))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| map.for_each(|_, _| panic!("bang")))).is_err());
    let goes = |_: &Arc<Counted>| panic!("bang");
    let there = (0..100).find(|n| map.contains_key(n)).expect("nine of a hundred went");
    assert!(catch_unwind(AssertUnwindSafe(|| map.remove_if(&there, goes))).is_err());
    assert_eq!((map.len(), census.living(), map.stats().removed), (91, 91, 9));
    map.clear();
    census.assert_all_gone();
}
