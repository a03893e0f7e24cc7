//! Maps that share a collector: one budget, and the coldest goes first, whose ever it is.

use crate::support::*;
use std::sync::Arc;
use weakmap::{Collector, Law, Policy, Tuning, WeakMap, heap::Scripted};

const KIB: u64 = 1 << 10;

fn shared() -> (Collector, Scripted) {
    let heap = Scripted::new();
    (Collector::new(Tuning::new().limit(LIMIT).background(false).heap(heap.clone())).unwrap(), heap)
}

fn member(collector: &Collector) -> WeakMap<u64, u64> {
    WeakMap::builder().collector(collector.clone()).weigher(|_, _| KIB).build().unwrap()
}

#[test]
fn members_are_counted_and_a_dropped_map_is_forgotten() {
    let _calm = no_pins();
    let (collector, _) = shared();
    let (one, two) = (member(&collector), member(&collector));
    one.insert(1, 1);
    two.extend_by(10..13);
    assert_eq!((collector.stats().maps, collector.stats().weight), (2, 4 * KIB));
    drop(two);
    assert_eq!((collector.stats().maps, collector.stats().weight), (1, KIB));
    drop(one);
    assert_eq!((collector.stats().maps, collector.stats().weight), (0, 0));
    assert_eq!(collector.collect().stripped, 0);
}

trait ExtendBy {
    fn extend_by(&self, keys: std::ops::Range<u64>);
}

impl ExtendBy for WeakMap<u64, u64> {
    fn extend_by(&self, keys: std::ops::Range<u64>) {
        keys.for_each(|key| drop(self.insert(key, key)));
    }
}

#[test]
fn a_pass_goes_over_all_maps_of_the_collector_and_no_other() {
    let _calm = no_pins();
    let (collector, heap) = shared();
    let (one, two, (apart, _)) = (member(&collector), member(&collector), scripted_map::<u64, u64>());
    [&one, &two, &apart].into_iter().for_each(|map| map.extend_by(0..50));
    heap.set(FULL);
    assert_eq!(one.collect().stripped, 100);
    assert_eq!([one.len(), two.len(), apart.len()], [0, 0, 50]);
}

#[test]
fn the_idle_maps_entries_go_before_the_busy_ones() {
    let _calm = no_pins();
    // Whichever was attached first.
    for idle in [0, 1] {
        let (collector, heap) = shared();
        let maps = [member(&collector), member(&collector)];
        maps[idle].extend_by(0..640);
        maps[1 - idle].extend_by(0..640);
        heap.set(collector.stats().goal + 500 * KIB);
        assert_eq!(collector.collect().stripped, 500);
        assert_eq!((maps[idle].len(), maps[1 - idle].len()), (140, 640), "idle is map {idle}");
    }
}

#[test]
fn the_idle_maps_entries_go_first_in_small_maps_too() {
    let _calm = no_pins();
    for idle in [0, 1] {
        let (collector, heap) = shared();
        let maps = [member(&collector), member(&collector)];
        maps[idle].extend_by(0..10);
        maps[1 - idle].extend_by(0..10);
        heap.set(collector.stats().goal + 8 * KIB);
        assert_eq!(collector.collect().stripped, 8);
        assert_eq!((maps[idle].len(), maps[1 - idle].len()), (2, 10), "idle is map {idle}");
    }
}

#[test]
fn an_inserting_map_pays_with_the_idle_maps_entries() {
    let _calm = no_pins();
    let (collector, heap) = shared();
    let (busy, idle) = (member(&collector), member(&collector));
    idle.extend_by(0..640);
    heap.set(collector.stats().goal);
    busy.extend_by(0..500);
    assert!(busy.len() >= 490, "{}", busy.len());
    assert!(idle.len() <= 160, "{}", idle.len());
}

#[test]
fn maps_may_come_and_go_while_passes_run() {
    let _calm = no_pins();
    let (collector, heap) = shared();
    heap.set(FULL);
    let census = Census::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let map = WeakMap::builder().collector(collector.clone()).build().unwrap();
                    (0..20).for_each(|n| drop(map.insert(n, census.value(n))));
                }
            });
        }
        scope.spawn(|| (0..300).for_each(|_| _ = collector.collect()));
    });
    assert_eq!((collector.stats().maps, collector.stats().weight, collector.stats().pending), (0, 0, 0));
    census.assert_all_gone();
}

#[test]
fn clones_are_the_same_collector_and_outlive_the_maps() {
    let (collector, _) = shared();
    let clone = collector.clone();
    clone.tune(|tuning| tuning.limit(7 << 20).law(Law::EveryPass)).unwrap();
    assert_eq!(collector.stats().limit, 7 << 20);
    let held = {
        let map = member(&collector);
        map.insert(1, 11);
        map.get(&1).unwrap()
    };
    assert_eq!(
        (*held, Arc::strong_count(&held), Arc::weak_count(&held)),
        (11, 1, 0),
        "nothing of the map is left"
    );
}

#[test]
fn a_report_tells_what_a_pass_did() {
    let _calm = no_pins();
    let (collector, heap) = shared();
    let map = member(&collector);
    let held: Vec<_> = (0..10).map(Arc::new).collect();
    held.iter().for_each(|value| drop(map.insert_arc(**value, value.clone())));
    map.extend_by(10..40);
    heap.set(2 * LIMIT);
    let report = map.collect();
    assert_eq!((report.stripped, report.reaped, report.revived), (40, 30, 0));
    assert!(report.swept >= 40, "{}", report.swept);
    assert_eq!((report.freed, report.shared), (30 * KIB, 10 * KIB));
    assert_eq!((report.pressure_before, report.pressure_after), (2.0, 2.0));
    assert!(report.duration.as_nanos() > 0);
    let stats = map.stats();
    assert_eq!((stats.stripped, stats.reaped, stats.weak, stats.entries, stats.weight), (40, 30, 10, 10, 0));
    assert!(stats.passes > 0 && collector.stats().passes == 1);
    heap.set(CALM);
    held[..4].iter().for_each(|value| drop(map.get(&**value).unwrap()));
    let report = map.collect();
    assert_eq!((report.stripped, report.reaped, report.revived, report.freed), (0, 0, 4, 0));
    assert_eq!((map.stats().revivals, map.stats().weak, map.weight()), (4, 6, 4 * KIB));
}

#[test]
fn an_entry_of_a_map_with_priority_must_be_so_much_older() {
    let _calm = no_pins();
    // The ages a and b up to which the two are stripped: a = priority * b, and of 1280 ticks 500 entries, a + b = 1560.
    for (priority, others) in [(1.0, 250), (3.0, 445), (1.0 / 3.0, 55)] {
        let (collector, heap) = shared();
        let builder = WeakMap::builder().collector(collector.clone()).weigher(|_: &u64, _: &u64| KIB);
        let (scaled, other) = (builder.priority(priority).build().unwrap(), member(&collector));
        // In turn, in batches as large as those of a pass.
        for from in (0..640).step_by(32) {
            scaled.extend_by(from..from + 32);
            other.extend_by(from..from + 32);
        }
        heap.set(collector.stats().goal + 500 * KIB);
        assert_eq!(collector.collect().stripped, 500);
        let gone = 640 - other.len();
        assert!(gone.abs_diff(others) <= 64, "priority {priority}: {gone} of the other's, not {others}");
    }
}

/// What each of two maps holds after inserts in turn, many times as many as there is room for, and as sweeps tell ages by.
fn shares(priority: f64) -> [f64; 2] {
    let collector = Collector::new(Tuning::new().limit(16_000 * KIB).background(false)).unwrap();
    let member = |priority| {
        let builder = WeakMap::builder().collector(collector.clone()).weigher(|_: &u64, _: &u64| KIB);
        builder.policy(Policy::Clock).priority(priority).build().unwrap()
    };
    let maps = [member(priority), member(1.0)];
    for key in 0..60_000 {
        maps.iter().for_each(|map| drop(map.insert(key, key)));
    }
    maps.map(|map| map.len() as f64)
}

#[test]
fn maps_used_alike_share_alike_however_long_it_goes_on() {
    let _calm = no_pins();
    for (priority, least, most) in [(1.0, 0.9, 1.1), (3.0, 2.7, 3.4), (1.0 / 3.0, 0.29, 0.37)] {
        let [scaled, other] = shares(priority);
        let ratio = scaled / other;
        assert!(ratio > least && ratio < most, "priority {priority}: {scaled} and {other}");
    }
}

/// Requests that hit, of 200,000 to two key spaces, of which the first goes idle half way.
fn hits(maps: [&WeakMap<u64, u64>; 2]) -> u64 {
    let mut random = Random::new(7);
    let mut hits = 0;
    for n in 0..200_000 {
        let space = if n < 100_000 { random.below(2) } else { 1 };
        // Of 20,000 keys, each double range of ranks as popular as the one before.
        let rank = 20_000f64.powf(random.below(1 << 20) as f64 / (1 << 20) as f64) as u64;
        let (map, key) = (maps[space as usize], space << 32 | rank);
        hits += u64::from(map.get(&key).is_some());
        map.get_or_insert_with(key, || key);
    }
    hits
}

#[test]
fn two_maps_do_as_well_as_one_that_holds_both_key_spaces() {
    let _calm = no_pins();
    let collector = || Collector::new(Tuning::new().limit(1500 * KIB)).unwrap();
    let (one, two) = (collector(), collector());
    let [shared, first, second] = [&one, &two, &two].map(member);
    let [together, apart] = [hits([&shared, &shared]), hits([&first, &second])];
    let points = 100.0 * (together as f64 - apart as f64) / 200_000.0;
    assert!(points < 1.0, "{together} hits together, {apart} apart: {points} points");
    assert!(second.len() > 10 * first.len(), "the idle map gave way: {} {}", first.len(), second.len());
}
