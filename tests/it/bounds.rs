//! What a map may keep whatever the pressure: `max_weight`, `floor`, and what is too heavy.

use crate::support::*;
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};
use weakmap::{Builder, WeakMap, heap::Scripted};

fn weighed(
    set: fn(Builder<u64, Counted>) -> Builder<u64, Counted>,
) -> (WeakMap<u64, Counted>, Scripted, Census) {
    let (builder, heap) = scripted();
    let map = set(builder.weigher(|_, value: &Counted| value.bytes)).build().unwrap();
    (map, heap, Census::default())
}

#[test]
fn a_unit_weigher_makes_max_weight_a_count() {
    let _calm = no_pins();
    let (builder, _) = scripted();
    let (map, census) = (builder.weigher(|_, _| 1).max_weight(10).build().unwrap(), Census::default());
    for n in 0..100u64 {
        map.insert(n, census.value(n));
        let kept = 10.min(n + 1);
        assert_eq!((map.len() as u64, map.weight(), census.living() as u64), (kept, kept, kept));
    }
}

/// Sweeps go below the bound, so that not each insert sweeps; and not far, so that little room is idle.
#[test]
fn a_full_map_stays_nearly_full_and_sweeps_now_and_then() {
    const INSERTS: u64 = 4_000;
    let _calm = no_pins();
    for (most, an_insert_in) in [(10, 1), (260, 3), (2_000, 12), (20_000, 12)] {
        let (builder, _) = scripted();
        let map: WeakMap<u64, u64> = builder.weigher(|_, _| 1).max_weight(most).build().unwrap();
        (0..most).for_each(|n| drop(map.insert(n, n)));
        let (before, mut least) = (map.stats().passes, most);
        for n in most..most + INSERTS {
            map.insert(n, n);
            least = least.min(map.weight());
            assert!(map.weight() <= most);
        }
        assert!(least >= most - most / 128, "{least} of {most}");
        let sweeps = map.stats().passes - before;
        assert!(sweeps <= INSERTS / an_insert_in + 1, "{sweeps} sweeps in {INSERTS} inserts, for {most}");
    }
}

#[test]
fn at_rest_the_map_never_weighs_more_than_max_weight() {
    let _pins = with_pins();
    let (map, heap, census) = weighed(|builder| builder.max_weight(100));
    let (mut random, mut held) = (Random::new(9), Vec::new());
    for n in 0..5000 {
        let key = random.below(40);
        match random.below(10) {
            0..5 => drop(map.insert(key, census.sized(n, random.below(60)))),
            5 => drop(map.get_or_insert_with(key, || census.sized(n, random.below(120)))),
            6 => held.extend(map.get(&key)),
            7 => drop(map.remove(&key)),
            8 => held.truncate(10),
            _ => {
                heap.set([CALM, FULL][random.below(2) as usize]);
                map.collect();
                heap.set(CALM);
            }
        }
        let mut sum = 0;
        map.for_each(|_, value| sum += value.bytes);
        assert!(map.weight() <= 100, "{} after {n}", map.weight());
        assert!(map.weight() <= sum, "{} of {sum}", map.weight());
    }
}

#[test]
fn revived_values_make_room_for_a_heavy_one() {
    let _calm = no_pins();
    let (map, heap, census) = weighed(|builder| builder.max_weight(10));
    let held = [1, 2].map(|n| Arc::new(census.sized(n, 5)));
    held.iter().for_each(|value| drop(map.insert_arc(value.n, value.clone())));
    heap.set(FULL);
    map.collect();
    heap.set(CALM);
    assert!(map.get(&1).is_some() && map.get(&2).is_some());
    assert_eq!((map.weight(), map.stats().revivals), (10, 2));
    map.insert(1, census.sized(1, 10));
    assert!(map.weight() <= 10, "{}", map.weight());
}

#[test]
fn what_was_removed_before_makes_no_room_for_later() {
    let _calm = no_pins();
    for collects in [false, true] {
        let (map, _, census) = weighed(|builder| builder.max_weight(100));
        for n in 0..1000 {
            map.insert(n, census.sized(n, 10));
            if n % 10 == 9 {
                (n - 9..n - 4).for_each(|n| drop(map.remove(&n)));
            }
            if collects && n % 7 == 0 {
                map.collect();
            }
            assert!(map.weight() <= 100, "{} after {n}", map.weight());
        }
    }
}

#[test]
fn replacement_by_lighter_values_makes_no_room_for_later() {
    let _calm = no_pins();
    let (map, _, census) = weighed(|builder| builder.max_weight(100));
    for n in 0..1000 {
        map.insert(n % 30, census.sized(n, 1 + n * 7 % 23));
        assert!(map.weight() <= 100, "{} after {n}", map.weight());
    }
}

#[test]
fn a_stripped_value_is_not_revived_beyond_max_weight() {
    let _calm = no_pins();
    let (map, _, census) = weighed(|builder| builder.max_weight(10));
    let held = [1, 2].map(|n| Arc::new(census.sized(n, 8)));
    held.iter().for_each(|value| drop(map.insert_arc(value.n, value.clone())));
    assert_eq!((map.weight(), map.stats().weak), (8, 1), "one of them was stripped");
    assert!(held.iter().all(|value| Arc::ptr_eq(&map.get(&value.n).unwrap(), value)), "both are found");
    assert_eq!((map.weight(), map.stats().revivals), (8, 0), "but there is no room");
    let (weak, strong) = if Arc::strong_count(&held[0]) == 1 { (0, 1) } else { (1, 0) };
    map.remove(&held[strong].n);
    assert!(Arc::ptr_eq(&map.get(&held[weak].n).unwrap(), &held[weak]));
    assert_eq!((map.weight(), map.stats().revivals), (8, 1), "now there is");
}

#[test]
fn a_value_as_heavy_as_allowed_takes_all_room() {
    let _calm = no_pins();
    let (map, _, census) = weighed(|builder| builder.max_weight(100));
    (0..10).for_each(|n| drop(map.insert(n, census.sized(n, 10))));
    map.insert(98, census.sized(98, 0));
    assert_eq!((map.len(), map.weight()), (11, 100), "what weighs nothing fits");
    map.clear();
    map.insert(99, census.sized(99, 100));
    assert_eq!((map.weight(), map.stats().stripped), (100, 0));
    map.insert(1, census.sized(1, 1));
    assert!(matches!((map.len(), map.weight()), (1, 1 | 100)), "one of them went");
}

#[test]
fn what_is_too_heavy_is_not_kept_and_ends_the_older_value() {
    let _calm = no_pins();
    for limit in [false, true] {
        let (map, _, census) =
            weighed(if limit { |builder| builder.limit(100) } else { |builder| builder.max_weight(100) });
        map.insert(1, census.sized(10, 10));
        assert_eq!(map.insert(1, census.sized(11, 101)).unwrap().n, 10);
        assert!(map.get(&1).is_none() && map.is_empty());
        assert!(map.insert(2, census.sized(12, u64::MAX >> 2)).is_none());
        assert_eq!((census.living(), map.stats().too_heavy, map.len(), map.weight()), (0, 2, 0, 0));
        let handed = map.get_or_insert_with(3, || census.sized(13, 101));
        assert_eq!((handed.n, Arc::strong_count(&handed), map.get(&3).is_none()), (13, 1, true));
        assert_eq!(map.get_or_insert_with(3, || census.sized(14, 5)).n, 14, "it is loaded again");
        assert_eq!((map.stats().too_heavy, map.stats().inserts), (3, 2));
    }
}

#[test]
fn pressure_stops_at_the_floor() {
    let _calm = no_pins();
    let (map, heap, census) = weighed(|builder| builder.floor(30));
    (0..100).for_each(|n| drop(map.insert(n, census.sized(n, 10))));
    heap.set(FULL);
    assert_eq!((map.collect().stripped, map.len(), census.living()), (70, 30, 30));
    assert_eq!((map.collect().stripped, map.len()), (0, 30));
    map.insert(1000, census.sized(1000, 10));
    assert_eq!((map.len(), map.weight()), (30, 300), "an insert at the limit, too");
}

#[test]
fn max_weight_goes_below_the_floor() {
    let _calm = no_pins();
    let (map, _, census) = weighed(|builder| builder.floor(30).max_weight(100));
    (0..100).for_each(|n| drop(map.insert(n, census.sized(n, 10))));
    assert_eq!((map.len(), map.weight()), (10, 100));
}

/// Samples the weight while threads insert; the most that was seen.
fn most_seen(map: &WeakMap<u64, Counted>, work: impl Fn(u64, &mut Random) + Sync) -> u64 {
    let (start, done) = (Barrier::new(4), AtomicBool::new(false));
    thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            start.wait();
            let mut most = 0;
            while !done.load(SeqCst) {
                most = most.max(map.weight());
            }
            most
        });
        let workers: Vec<_> = (0..3)
            .map(|thread| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    let mut random = Random::new(thread);
                    (0..4000).for_each(|_| work(thread, &mut random));
                })
            })
            .collect();
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, SeqCst); // before a failure: the sampler would go on for ever
        results.into_iter().for_each(Result::unwrap);
        sampler.join().unwrap()
    })
}

#[test]
fn each_inserting_thread_adds_one_value_at_most() {
    let (map, _, census) = weighed(|builder| builder.max_weight(100));
    let most = most_seen(&map, |_, random| {
        let n = random.below(200);
        match random.below(4) {
            0 => drop(map.remove(&n)),
            _ => drop(map.insert(n, census.sized(n, 1 + random.below(10)))),
        }
    });
    assert!(most <= 100 + 3 * 10, "{most}");
    assert!(map.weight() <= 100, "{} at rest", map.weight());
}

#[test]
fn each_inserting_thread_adds_one_value_at_most_without_a_weigher_too() {
    let (builder, heap) = scripted();
    let (map, census) = (builder.max_weight(4000).build().unwrap(), Census::default());
    map.insert(0, census.value(0));
    let one = map.weight();
    let most = most_seen(&map, |thread, random| {
        let n = random.below(3);
        match random.below(8) {
            0 => drop(map.remove(&n)),
            1 if thread == 0 => {
                heap.set(FULL);
                map.collect();
                heap.set(CALM);
            }
            _ => {
                let _held = map.get(&n);
                map.insert(n, census.value(n));
            }
        }
    });
    assert!(most <= 4000 + 3 * one, "{most}");
}

#[test]
fn replacements_that_grow_make_room_too() {
    let _calm = no_pins();
    let (builder, _) = scripted();
    let map = builder.weigher(|_, weight| *weight).max_weight(50).build().unwrap();
    map.insert(1u64, 5u64);
    let held = [Arc::new(3), Arc::new(3)];
    map.insert_arc(0, held[0].clone());
    map.get(&0);
    map.clear();
    map.insert_arc(4, held[1].clone());
    for (key, weight) in [(1, 15), (3, 0), (0, 14), (2, 0)] {
        map.insert(key, weight);
    }
    map.collect();
    map.remove(&4);
    map.insert(3, 11);
    map.insert(2, 11);
    assert!(map.weight() <= 50, "{}", map.weight());
}

#[test]
fn what_callers_let_go_of_does_not_pile_up() {
    let _calm = no_pins();
    let (builder, _) = scripted::<u64, u64>();
    let map = builder.weigher(|_, _| 1).max_weight(100).build().unwrap();
    let mut held = std::collections::VecDeque::new();
    for n in 0..20_000 {
        held.push_back(map.get_or_insert_with(n, || n));
        if held.len() > 200 {
            held.pop_front();
        }
    }
    assert!(map.len() < 2_000, "{} entries of 100 strong and 200 held ones", map.len());
}
