//! How much is stripped at which pressure.

use crate::support::*;
use std::sync::Arc;
use weakmap::{
    Law, WeakMap,
    heap::{Heap, Sample, Scripted},
};

const KIB: u64 = 1 << 10;

/// A map of so many entries of 1 KiB each, under a law.
fn filled(law: Law, sensitivity: f64, entries: u64) -> (WeakMap<u64, u64>, Scripted) {
    let (builder, heap) = scripted();
    let map = builder.law(law).sensitivity(sensitivity).weigher(|_, _| KIB).build().unwrap();
    (0..entries).for_each(|n| drop(map.insert(n, n)));
    assert_eq!((map.len() as u64, map.weight()), (entries, entries * KIB));
    (map, heap)
}

/// What one pass strips of 100 entries, when so many 64ths of the limit are in use.
fn stripped(law: Law, sensitivity: f64, in_use: u64) -> u64 {
    let (map, heap) = filled(law, sensitivity, 100);
    heap.set(LIMIT / 64 * in_use);
    let report = map.collect();
    assert_eq!((report.reaped, map.len() as u64), (report.stripped, 100 - report.stripped));
    assert_eq!(report.pressure_before, in_use as f64 / 64.0);
    report.stripped
}

#[test]
fn every_pass_takes_a_share_and_one() {
    let _calm = no_pins();
    for (in_use, share) in [(0, 0), (1, 1), (16, 25), (32, 50), (48, 75), (63, 98), (64, 99), (640, 99)] {
        assert_eq!(stripped(Law::EveryPass, 1.0, in_use), share + 1, "at {in_use}/64");
    }
    assert_eq!(stripped(Law::EveryPass, 0.5, 32), 26);
    assert_eq!(stripped(Law::EveryPass, 0.0, 64), 1);
}

#[test]
fn every_pass_counts_the_entries_of_now() {
    let _calm = no_pins();
    let (map, heap) = filled(Law::EveryPass, 1.0, 100);
    heap.set(LIMIT / 2);
    let mut left = 100;
    while left > 0 {
        assert_eq!(map.collect().stripped, left / 2 + 1);
        left -= left / 2 + 1;
        assert_eq!(map.len() as u64, left);
        until_freed(&map);
    }
    assert_eq!(map.collect().stripped, 0);
}

#[test]
fn proportional_takes_nothing_up_to_low_and_all_from_high_on() {
    let _calm = no_pins();
    let law = Law::Proportional { low: 0.25, high: 0.75 };
    for (in_use, share) in [(0, 0), (16, 0), (24, 25), (32, 50), (40, 75), (48, 100), (64, 100), (640, 100)] {
        assert_eq!(stripped(law, 1.0, in_use), share, "at {in_use}/64");
    }
}

#[test]
fn sensitivity_scales_the_law() {
    let _calm = no_pins();
    let law = Law::Proportional { low: 0.25, high: 0.75 };
    for (sensitivity, in_use, share) in
        [(2.0, 24, 50), (2.0, 32, 100), (0.5, 48, 50), (0.0, 48, 0), (2.0, 16, 0)]
    {
        assert_eq!(stripped(law, sensitivity, in_use), share, "{sensitivity} at {in_use}/64");
    }
    assert_eq!(stripped(Law::Pacer, 0.0, 640), 0);
}

#[test]
fn the_pacers_pass_takes_what_is_above_the_goal() {
    let _calm = no_pins();
    let (map, heap) = filled(Law::Pacer, 1.0, 100);
    let goal = map.collector().stats().goal;
    assert!((LIMIT / 100 * 95..LIMIT / 100 * 97).contains(&goal));
    for (above, taken) in [(0, 0), (1, 1), (10 * KIB, 10), (10 * KIB + 1, 11)] {
        heap.set(goal + above);
        let report = map.collect();
        assert_eq!((report.stripped, report.freed), (taken, taken * KIB), "{above} bytes above the goal");
        until_freed(&map);
    }
}

#[test]
fn below_the_trigger_inserts_cost_nothing() {
    let (map, heap) = filled(Law::Pacer, 1.0, 100);
    heap.set(map.collector().stats().next_pass - 1);
    (100..1000).for_each(|n| drop(map.insert(n, n)));
    assert_eq!((map.stats().stripped, map.collector().stats().assists, map.len()), (0, 0, 1000));
}

#[test]
fn at_the_goal_each_inserted_byte_is_paid_with_a_stripped_one() {
    let (map, heap) = filled(Law::Pacer, 1.0, 1000);
    heap.set(map.collector().stats().goal);
    (1000..2000).for_each(|n| drop(map.insert(n, n)));
    let stripped = map.stats().stripped;
    assert!((980..=1010).contains(&stripped), "{stripped} for 1000");
    assert!(map.collector().stats().assists > 0);
}

#[test]
fn halfway_to_the_goal_half_is_paid() {
    let (map, heap) = filled(Law::Pacer, 1.0, 1000);
    let stats = map.collector().stats();
    heap.set((stats.next_pass + stats.goal) / 2);
    (1000..2000).for_each(|n| drop(map.insert(n, n)));
    let stripped = map.stats().stripped;
    assert!((480..=520).contains(&stripped), "{stripped} for 1000");
}

#[test]
fn what_is_used_all_the_time_outlives_what_is_used_once() {
    let _calm = no_pins();
    let (builder, _) = scripted();
    let map = builder.weigher(|_, _| 1).max_weight(200).build().unwrap();
    let mut hits = 0;
    for n in 0..4000u64 {
        map.insert(1000 + n, n);
        let hot = n * 7 % 50;
        hits += u64::from(n >= 2000 && map.contains_key(&hot));
        map.get_or_insert_with(hot, || hot);
    }
    // By chance, a key that comes back after 50 inserts is there in nearly half the cases at best.
    assert!(hits > 1800, "{hits} of 2000");
}

/// What the living values stand for: a heap that falls when a value is dropped.
struct Living(Census);

impl Heap for Living {
    fn sample(&self) -> Sample {
        Sample::exact(self.0.bytes())
    }
}

#[test]
fn a_flood_stays_within_the_limit_and_uses_most_of_it() {
    let _calm = no_pins();
    for law in [Law::Pacer, Law::Proportional { low: 0.8, high: 1.2 }, Law::EveryPass] {
        let (census, limit) = (Census::default(), 1 << 20);
        let builder = WeakMap::builder().limit(limit).law(law).background(false).heap(Living(census.clone()));
        let map = builder.weigher(|_, value: &Counted| value.bytes).build().unwrap();
        let (mut sum, mut random) = (0, Random::new(1));
        for n in 0..8000 {
            map.insert(n, census.sized(n, 256 + random.below(1024)));
            assert!(census.bytes() <= limit, "{law:?}: {} after {n}", census.bytes());
            sum += if n >= 4000 { census.bytes() } else { 0 };
        }
        let mean = sum as f64 / 4000.0 / limit as f64;
        assert!(law != Law::Pacer || mean > 0.9, "{mean}");
        assert_eq!(map.weight(), census.bytes());
        assert_eq!(map.collector().stats().overruns, 0, "{:?}", map.collector().stats());
    }
}

#[test]
fn where_all_is_held_inserts_proceed_and_are_counted() {
    let (census, limit) = (Census::default(), 10 * KIB);
    let builder = WeakMap::builder().limit(limit).background(false).heap(Living(census.clone()));
    let map = builder.weigher(|_, value: &Counted| value.bytes).build().unwrap();
    let held: Vec<_> = (0..30).map(|n| Arc::new(census.sized(n, KIB))).collect();
    held.iter().for_each(|value| drop(map.insert_arc(value.n, value.clone())));
    assert!((0..30).all(|n| Arc::ptr_eq(&map.peek(&n).unwrap(), &held[n as usize])));
    assert!(map.collector().stats().overruns > 0);
}

#[test]
fn tuning_counts_from_now_on() {
    let _calm = no_pins();
    let (map, heap) = filled(Law::Pacer, 1.0, 100);
    heap.set(LIMIT / 2);
    assert_eq!(map.collect().stripped, 0);
    let collector = map.collector();
    collector.tune(|tuning| tuning.law(Law::EveryPass)).unwrap();
    assert_eq!(map.collect().stripped, 51);
    until_freed(&map);
    collector.tune(|tuning| tuning.law(Law::Pacer).limit(LIMIT / 4)).unwrap();
    assert_eq!(collector.stats().limit, LIMIT / 4);
    let other = Scripted::new();
    collector.tune(|tuning| tuning.heap(other.clone())).unwrap();
    assert_eq!(map.collect().stripped, 0, "the other heap is empty");
    let error = collector.tune(|tuning| tuning.limit(0)).unwrap_err();
    assert_eq!((error.field(), collector.stats().limit), ("limit", LIMIT / 4), "the old tuning stays");
    other.set(LIMIT);
    assert_eq!((map.collect().stripped, map.len()), (49, 0));
}

#[test]
fn at_the_goal_what_comes_is_paid_for_a_few_at_a_time() {
    let _calm = no_pins();
    let heap = Scripted::new();
    let builder = WeakMap::builder().limit(LIMIT).background(false).heap(heap.clone());
    let map = builder.weigher(|_: &u64, _: &u64| 100).build().unwrap();
    (0..2_000).for_each(|n| drop(map.insert(n, n)));
    heap.set(map.collector().stats().goal);
    let (mut before, mut most) = (0, 0);
    for n in 2_000..3_000 {
        map.insert(n, n);
        let now = map.stats().stripped;
        (before, most) = (now, most.max(now - before));
        until_freed(&map); // the heap stands still, less what is pending
    }
    assert!(most > 0 && most <= 32, "one insert stripped {most}");
    assert!((960..=1_000).contains(&before), "{before} stripped for 1000");
}

#[test]
fn without_a_heap_the_weights_are_the_signal() {
    let map = WeakMap::builder().limit(100 * KIB).weigher(|_: &u64, _: &u64| KIB).build().unwrap();
    for n in 0..1000 {
        map.insert(n, n);
        assert!(map.weight() <= 100 * KIB, "{}", map.weight());
    }
    assert!(map.weight() >= 90 * KIB, "{}", map.weight());
    let stats = map.collector().stats();
    assert_eq!((stats.live, stats.error, stats.weight), (map.weight(), 0, map.weight()));
}
