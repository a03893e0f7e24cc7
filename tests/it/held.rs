//! Values that callers hold: found again, the same allocation, as long as somebody holds them.

use crate::support::*;
use std::sync::Arc;
use weakmap::{WeakMap, heap::Scripted};

fn full_pass<K, V>(map: &WeakMap<K, V>, heap: &Scripted) -> weakmap::PassReport
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    heap.set(FULL);
    let report = map.collect();
    heap.set(CALM);
    report
}

#[test]
fn a_pass_at_full_pressure_takes_all_that_nobody_holds() {
    let _calm = no_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map());
    (0..1000).for_each(|n| drop(map.insert(n, census.value(n))));
    let report = full_pass(&map, &heap);
    assert_eq!((report.stripped, report.reaped), (1000, 1000));
    assert_eq!((census.living(), map.len(), map.weight()), (0, 0, 0), "gone when the pass returns");
    assert!((0..1000).all(|n| map.get(&n).is_none() && map.peek(&n).is_none() && !map.contains_key(&n)));
}

#[test]
fn a_pass_at_full_pressure_takes_all_whatever_was_removed_and_replaced() {
    let _calm = no_pins();
    for (entries, collects) in [2, 3, 4, 10, 100].into_iter().flat_map(|entries| [(entries, 0), (entries, 1)])
    {
        let (census, (map, heap)) = (Census::default(), scripted_map());
        (0..entries).for_each(|n| drop(map.insert(n, census.value(n))));
        (0..collects).for_each(|_| _ = map.collect());
        (0..entries).step_by(2).for_each(|n| drop(map.remove(&n)));
        (1..entries).step_by(4).for_each(|n| drop(map.insert(n, census.value(n))));
        let report = full_pass(&map, &heap);
        let left = (report.stripped, map.len(), census.living());
        assert_eq!(left, (entries / 2, 0, 0), "of {entries}, {collects} passes before");
    }
}

#[test]
fn a_pass_without_pressure_takes_nothing() {
    let (map, heap) = scripted_map();
    (0..1000u64).for_each(|n| drop(map.insert(n, n)));
    heap.set(LIMIT / 2);
    for _ in 0..10 {
        let report = map.collect();
        assert_eq!((report.stripped, report.reaped, report.freed), (0, 0, 0));
    }
    assert!((0..1000).all(|n| map.contains_key(&n)));
}

#[test]
fn a_held_value_survives_any_number_of_passes() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held = Arc::new(5);
    map.insert_arc(1, held.clone());
    for _ in 0..20 {
        full_pass(&map, &heap);
        assert!(Arc::ptr_eq(&held, &map.peek(&1).unwrap()));
    }
    assert_eq!((Arc::strong_count(&held), map.len(), map.weight()), (1, 1, 0), "the map holds it weakly");
    assert!(Arc::ptr_eq(&held, &map.get_weak(&1).unwrap().upgrade().unwrap()) && map.contains_key(&1));
    assert!(Arc::ptr_eq(&held, &map.get(&1).unwrap()));
}

#[test]
fn a_hit_makes_a_held_value_strong_again() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held = Arc::new(5);
    map.insert_arc(1, held.clone());
    let weight = map.weight();
    full_pass(&map, &heap);
    drop(map.get(&1).unwrap());
    assert_eq!((Arc::strong_count(&held), map.weight()), (2, weight));
    assert_eq!((map.stats().revivals, map.stats().weak), (1, 0));
    drop(held);
    map.collect();
    assert_eq!(map.get(&1).as_deref(), Some(&5), "the map holds it");
}

#[test]
fn a_pinned_hit_makes_a_held_value_strong_again() {
    let _pins = with_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held = Arc::new(5);
    map.insert_arc(1, held.clone());
    full_pass(&map, &heap);
    assert!(std::ptr::eq(map.pin().get(&1).unwrap(), &*held));
    assert_eq!((Arc::strong_count(&held), map.stats().revivals), (2, 1));
}

#[test]
fn looking_without_touching_leaves_a_stripped_value_weak() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held = Arc::new(5);
    map.insert_arc(1, held.clone());
    full_pass(&map, &heap);
    assert!(map.peek(&1).is_some() && map.contains_key(&1));
    map.for_each(|_, value| assert!(Arc::ptr_eq(value, &held)));
    map.collect();
    assert_eq!((Arc::strong_count(&held), map.stats().weak, map.stats().revivals), (1, 1, 0));
}

#[test]
fn a_weak_handle_does_not_make_a_value_strong() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held = Arc::new(5);
    map.insert_arc(1, held.clone());
    full_pass(&map, &heap);
    assert!(map.get_weak(&1).is_some());
    map.collect();
    assert_eq!((Arc::strong_count(&held), map.stats().revivals), (1, 0), "not by the next pass either");
}

#[test]
fn an_entry_goes_at_the_pass_after_its_holder_let_go() {
    let _calm = no_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map());
    let held: Vec<_> = (0..100).map(|n| Arc::new(census.value(n))).collect();
    held.iter().for_each(|value| drop(map.insert_arc(value.n, value.clone())));
    let report = full_pass(&map, &heap);
    assert_eq!((report.stripped, report.reaped, report.freed), (100, 0, 0));
    assert!(report.shared > 0);
    drop(held);
    assert_eq!((census.living(), map.len()), (0, 100), "no value left, the entries wait for a pass");
    assert!((0..100).all(|n| map.get(&n).is_none()), "and nobody finds one");
    assert_eq!((map.collect().reaped, map.len()), (100, 0), "no pressure is needed for that");
}

#[test]
fn one_pass_finds_every_dead_entry_among_revived_ones() {
    let _calm = no_pins();
    for (passes, revived) in [(0, 0..5), (0, 5..10), (1, 0..5), (1, 5..10), (2, 0..5), (2, 5..10)] {
        let (map, heap) = scripted_map::<u64, u64>();
        let held: Vec<_> = (0..10).map(Arc::new).collect();
        held.iter().for_each(|value| drop(map.insert_arc(**value, value.clone())));
        full_pass(&map, &heap);
        (0..passes).for_each(|_| assert_eq!(map.collect().reaped, 0));
        revived.clone().for_each(|n| drop(map.get(&n).unwrap()));
        drop(held);
        assert_eq!(
            (map.collect().reaped, map.len()),
            (5, 5),
            "after {passes} more passes, revived: {revived:?}"
        );
    }
}

#[test]
fn a_revived_value_goes_at_the_next_full_pass() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held: Vec<_> = (0..10).map(Arc::new).collect();
    held.iter().for_each(|value| drop(map.insert_arc(**value, value.clone())));
    full_pass(&map, &heap);
    held.iter().for_each(|value| assert!(map.get(&**value).is_some()));
    drop(held);
    assert_eq!(map.stats().weak, 0);
    let report = full_pass(&map, &heap);
    assert_eq!((report.stripped, map.len()), (10, 0));
}

#[test]
fn a_value_put_in_the_place_of_a_stripped_one_goes_at_the_next_full_pass() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let held: Vec<_> = (0..10).map(Arc::new).collect();
    held.iter().for_each(|value| drop(map.insert_arc(**value, value.clone())));
    full_pass(&map, &heap);
    held.iter().for_each(|value| assert!(Arc::ptr_eq(&map.insert(**value, 0).unwrap(), value)));
    let report = full_pass(&map, &heap);
    assert_eq!((report.stripped, map.len()), (10, 0));
}

#[test]
fn callers_weak_handles_upgrade_as_long_as_somebody_holds_the_value() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    map.insert(1, 1);
    let weak = map.get_weak(&1).unwrap();
    map.collect();
    let held = weak.upgrade().expect("the map holds it");
    full_pass(&map, &heap);
    assert!(weak.upgrade().is_some(), "we hold it");
    drop(held);
    assert!(weak.upgrade().is_none() && map.get(&1).is_none() && map.get_weak(&1).is_none());
    map.insert(1, 2);
    assert!(weak.upgrade().is_none(), "of the older value");
    let weak = map.get_weak(&1).unwrap();
    full_pass(&map, &heap);
    assert!(weak.upgrade().is_none(), "nobody held it");
}

#[test]
fn a_stripped_and_held_value_can_be_replaced_and_removed() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let (one, two) = (Arc::new(1), Arc::new(2));
    map.insert_arc(1, one.clone());
    map.insert_arc(2, two.clone());
    full_pass(&map, &heap);
    assert!(Arc::ptr_eq(&map.insert(1, 10).unwrap(), &one));
    assert!(Arc::ptr_eq(&map.remove(&2).unwrap(), &two));
    assert_eq!((map.get(&1).as_deref(), map.get(&2), map.len(), map.stats().weak), (Some(&10), None, 1, 0));
    assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1));
}

#[test]
fn a_dead_entry_is_filled_again() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    let weight = |map: &WeakMap<u64, u64>| (map.len(), map.weight(), map.stats().weak);
    map.insert(0, 0);
    let one = map.weight();
    map.clear();
    for load in [false, true] {
        let held = Arc::new(1);
        map.insert_arc(1, held.clone());
        full_pass(&map, &heap);
        drop(held);
        assert_eq!(weight(&map), (1, 0, 1), "dead, not reaped");
        if load {
            assert_eq!(*map.get_or_insert_with(1, || 3), 3);
        } else {
            assert!(map.insert(1, 3).is_none(), "there was no value");
        }
        assert_eq!((map.get(&1).as_deref(), weight(&map)), (Some(&3), (1, one, 0)));
        map.clear();
    }
}
