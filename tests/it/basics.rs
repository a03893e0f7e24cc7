//! Each method does what it says, without pressure.

use crate::support::{CALM, FULL, no_pins, scripted, scripted_map, settle, with_pins};
use std::{collections::BTreeMap, sync::Arc};
use weakmap::{Equivalent, WeakMap};

#[test]
fn a_new_map_is_empty() {
    let _pins = with_pins();
    let map = WeakMap::<u64, u64>::new();
    assert!(map.is_empty() && map.weight() == 0);
    assert!(
        map.get(&1).is_none()
            && map.peek(&1).is_none()
            && map.get_weak(&1).is_none()
            && map.remove(&1).is_none()
    );
    assert!(!map.contains_key(&1) && map.pin().get(&1).is_none());
    map.for_each(|_, _| panic!("nothing to visit"));
}

#[test]
fn what_was_inserted_is_found_by_every_look_up() {
    let _pins = with_pins();
    let map = WeakMap::new();
    for n in 0..1000u64 {
        assert!(map.insert(n, n * n).is_none());
    }
    for n in 0..1000 {
        let got = map.get(&n).unwrap();
        assert_eq!(*got, n * n);
        assert!(Arc::ptr_eq(&got, &map.peek(&n).unwrap()));
        assert!(Arc::ptr_eq(&got, &map.get_weak(&n).unwrap().upgrade().unwrap()));
        assert!(std::ptr::eq(&*got, map.pin().get(&n).unwrap()));
        assert!(map.contains_key(&n));
    }
    assert!(!map.contains_key(&1000));
    assert_eq!((map.len(), map.is_empty()), (1000, false));
}

#[test]
fn an_insert_hands_back_what_it_replaced() {
    let _calm = no_pins();
    let map = WeakMap::new();
    let old = Arc::new("old");
    assert!(map.insert_arc(1, old.clone()).is_none());
    assert!(Arc::ptr_eq(&map.insert(1, "new").unwrap(), &old));
    assert_eq!((map.get(&1).as_deref(), map.len()), (Some(&"new"), 1));
    assert_eq!(Arc::strong_count(&old), 1, "the map has let go of it");
    assert_eq!(Arc::weak_count(&map.get(&1).unwrap()), 1, "one weak count for the map itself");
}

#[test]
fn a_shared_value_is_kept_as_it_is() {
    let _calm = no_pins();
    let map = WeakMap::new();
    let value = Arc::new(1);
    for key in [1, 2, 2] {
        map.insert_arc(key, value.clone());
    }
    assert!(Arc::ptr_eq(&value, &map.get(&1).unwrap()) && Arc::ptr_eq(&value, &map.get(&2).unwrap()));
    assert_eq!((Arc::strong_count(&value), map.len()), (3, 2), "ours and one for each key");
    map.clear();
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_removed_value_is_handed_back_and_found_no_more() {
    let _pins = with_pins();
    let map: WeakMap<_, _> = (0..100).map(|n| (n, n)).collect();
    let weak = map.get_weak(&7).unwrap();
    let taken = map.remove(&7).unwrap();
    assert_eq!((*taken, Arc::strong_count(&taken)), (7, 1));
    assert!(
        map.get(&7).is_none() && map.peek(&7).is_none() && !map.contains_key(&7),
        "though we still hold it"
    );
    assert!(map.get_weak(&7).is_none() && map.pin().get(&7).is_none() && map.remove(&7).is_none());
    assert!(weak.upgrade().is_some(), "we hold it");
    drop(taken);
    assert!(weak.upgrade().is_none());
    assert_eq!(map.len(), 99);
    assert!(map.insert(7, 70).is_none(), "it was absent");
    assert_eq!(map.get(&7).as_deref(), Some(&70));
}

#[test]
fn a_value_goes_if_it_is_told_to_and_is_still_the_same() {
    let _calm = no_pins();
    let map: WeakMap<u64, u64> = (0..100).map(|n| (n, n)).collect();
    assert!(map.remove_if(&7, |value| **value > 7).is_none() && map.contains_key(&7));
    assert!(map.remove_if(&100, |_| unreachable!("it has no value")).is_none());
    let replace = |value: &Arc<u64>| map.insert(7, 70).is_some_and(|older| Arc::ptr_eq(&older, value));
    assert!(map.remove_if(&7, replace).is_none(), "it is another's value by then");
    let remove = |_: &Arc<u64>| map.remove(&8).is_some();
    assert!(map.remove_if(&8, remove).is_none(), "it is gone by then");
    let taken = map.remove_if(&7, |value| **value == 70).unwrap();
    assert_eq!((*taken, Arc::strong_count(&taken), map.get(&7)), (70, 1, None));
    assert_eq!((map.len(), map.stats().removed, map.stats().hits), (98, 2, 0));
}

#[test]
fn clear_removes_all() {
    let _calm = no_pins();
    let map: WeakMap<_, _> = (0..500).map(|n| (n, Arc::new(n))).collect();
    let held = map.get(&3).unwrap();
    map.clear();
    assert!(map.is_empty() && map.weight() == 0 && map.get(&3).is_none());
    assert_eq!(Arc::strong_count(&held), 1);
    map.insert(3, Arc::new(33));
    assert_eq!(map.len(), 1);
}

#[test]
fn clear_gives_back_keys_in_whatever_place_they_were() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Key(Arc<()>, u64);

    let _calm = no_pins();
    // Few, as many as a sweep takes in, more. A third is stripped, and held in part, a third has its places, a third is new; some of these were removed.
    for many in [1, 5, 63, 64, 65, 200, 1000] {
        let (census, (map, heap)) = (Arc::new(()), scripted_map());
        let key = |number| Key(census.clone(), number);
        (0..many).for_each(|number| drop(map.insert(key(number), number)));
        let held: Vec<_> = (0..many).step_by(3).map(|number| map.get(&key(number))).collect();
        heap.set(FULL);
        map.collect();
        heap.set(CALM);
        (many..2 * many).for_each(|number| drop(map.insert(key(number), number)));
        map.collect();
        (2 * many..3 * many).for_each(|number| drop(map.insert(key(number), number)));
        (many..3 * many).step_by(2).for_each(|number| drop(map.remove(&key(number))));
        map.clear();
        settle(&map);
        assert_eq!(Arc::strong_count(&census), 1, "keys of {many}");
        drop(held);
    }
}

#[test]
fn retain_keeps_what_it_is_told_to() {
    let map: WeakMap<u64, u64> = (0..300).map(|n| (n, n * 10)).collect();
    map.retain(|key, value| {
        assert_eq!(**value, key * 10);
        key % 3 == 0
    });
    assert_eq!(map.len(), 100);
    assert!((0..300).all(|n| map.contains_key(&n) == (n % 3 == 0)));
    assert_eq!(map.stats().removed, 200);
}

#[test]
fn retain_spares_a_value_that_came_meanwhile() {
    let map: WeakMap<u64, u64> = [(1, 1)].into_iter().collect();
    map.retain(|_, _| {
        map.insert(1, 2);
        false
    });
    assert_eq!(map.get(&1).as_deref(), Some(&2));
}

#[test]
fn iter_meets_all_once_while_the_map_changes() {
    let _calm = no_pins();
    let (map, heap) = scripted_map::<u64, u64>();
    (0..300).for_each(|n| drop(map.insert(n, n)));
    let held = map.get(&7).unwrap();
    let mut met = BTreeMap::<u64, Arc<u64>>::new();
    for (key, value) in &map {
        assert_eq!(key, *value);
        map.insert(1_000 + key, 1_000 + key); // may come, too
        assert!(met.insert(key, value).is_none(), "{key} twice");
    }
    assert!((0..300).all(|n| met.contains_key(&n)));
    met.clear();
    heap.set(FULL);
    map.collect();
    assert!(map.iter().eq([(7, held)]), "stripped, but held");
    assert_eq!(map.stats().hits, 1, "it touches nothing");
    map.clear();
    let mut none = map.iter();
    map.insert(1, 1);
    assert!(none.by_ref().count() <= 1 && none.next().is_none());
}

/// More than an entry could have handles.
#[test]
fn any_number_of_iters_may_be_under_way() {
    let map: WeakMap<u64, u64> = [(1, 1)].into_iter().collect();
    let mut many: Vec<_> = (0..40_000).map(|_| map.iter().peekable()).collect();
    assert!(many.iter_mut().all(|iter| iter.peek().is_some()));
}

#[test]
fn for_each_visits_all_once_and_may_use_the_map() {
    let map: WeakMap<u64, u64> = (0..300).map(|n| (n, n)).collect();
    let mut visits = BTreeMap::<u64, u32>::new();
    map.for_each(|&key, value| {
        *visits.entry(key).or_default() += 1;
        assert_eq!((map.get(&key).as_deref(), **value), (Some(&key), key));
    });
    assert!(visits.len() == 300 && visits.values().all(|&times| times == 1));
    map.for_each(|key, _| drop(map.remove(key)));
    assert!(map.is_empty());
}

#[test]
fn it_collects_extends_and_has_a_default() {
    let mut map: WeakMap<u8, &str> = [(1, "a"), (2, "b"), (1, "c")].into_iter().collect();
    map.extend([(3, "d"), (2, "e")]);
    assert_eq!([1, 2, 3].map(|key| *map.get(&key).unwrap()), ["c", "e", "d"], "the last one wins");
    assert_eq!(map.len(), 3);
    assert!(WeakMap::<u8, u8>::default().is_empty());
}

#[test]
fn debug_shows_keys_and_values() {
    let _pins = with_pins();
    let map: WeakMap<_, _> = [("pi", 3)].into_iter().collect();
    assert_eq!(format!("{map:?}"), r#"{"pi": 3}"#);
    assert_eq!(format!("{:?}", WeakMap::<u8, u8>::new()), "{}");
    assert!(!format!("{:?} {:?}", map.pin(), map.collector()).is_empty());
}

#[test]
fn borrowed_forms_find_owned_keys() {
    let _pins = with_pins();
    let map: WeakMap<String, u8> = [("one".to_string(), 1)].into_iter().collect();
    assert!(map.get("one").is_some() && map.peek("one").is_some() && map.contains_key("one"));
    assert!(map.get_weak("one").is_some() && map.pin().get("one").is_some() && map.get("two").is_none());
    assert_eq!(map.remove("one").as_deref(), Some(&1));
    let bytes: WeakMap<Vec<u8>, u8> = [(vec![1, 2], 3)].into_iter().collect();
    assert!(bytes.contains_key(&[1u8, 2][..]));
}

#[test]
fn equivalent_forms_find_keys_that_borrow_cannot() {
    #[derive(Hash)]
    struct Pair<'a>(&'a str, u8);
    impl Equivalent<(String, u8)> for Pair<'_> {
        fn equivalent(&self, key: &(String, u8)) -> bool {
            self.0 == key.0 && self.1 == key.1
        }
    }
    let map: WeakMap<(String, u8), u8> = [(("a".to_string(), 1), 5)].into_iter().collect();
    assert_eq!(map.get(&Pair("a", 1)).as_deref(), Some(&5));
    assert!(map.get(&Pair("a", 2)).is_none());
    assert!(map.remove(&Pair("a", 1)).is_some());
}

#[test]
fn values_of_any_size_and_alignment_do() {
    fn round<V: PartialEq + std::fmt::Debug + Clone + Send + Sync + 'static>(value: V) {
        let (map, heap) = scripted_map();
        map.insert((), value.clone());
        assert_eq!(map.get(&()).as_deref(), Some(&value));
        assert_eq!(map.pin().get(&()), Some(&value));
        heap.set(FULL);
        assert_eq!(map.collect().reaped, 1);
    }
    #[repr(align(256))]
    #[derive(PartialEq, Debug, Clone)]
    struct Wide(u8);
    let _pins = with_pins();
    round(());
    round(1u8);
    round([7u8; 3]);
    round(Wide(1));
    round([1u64; 4096]);
    round(String::from("on the heap"));
}

#[test]
fn weight_is_the_sum_of_what_the_weigher_says() {
    let (builder, _) = scripted();
    let map = builder.weigher(|key: &u64, value: &Vec<u8>| key + value.len() as u64).build().unwrap();
    map.insert(1, vec![0; 100]);
    map.insert(2, vec![0; 200]);
    assert_eq!(map.weight(), 303);
    map.insert(1, vec![0; 5]);
    assert_eq!(map.weight(), 208);
    map.remove(&2);
    assert_eq!((map.weight(), map.stats().weight, map.collector().stats().weight), (6, 6, 6));
    map.retain(|_, _| false);
    assert_eq!((map.weight(), map.collector().stats().weight), (0, 0));
}

#[test]
fn without_a_weigher_each_entry_weighs_its_own_bytes() {
    let (map, _) = scripted_map::<u64, [u64; 100]>();
    map.insert(1, [0; 100]);
    let one = map.weight();
    assert!((800..1000).contains(&one), "{one}");
    map.insert(1, [1; 100]);
    assert_eq!(map.weight(), one);
    map.insert(2, [0; 100]);
    assert_eq!(map.weight(), 2 * one);
}

#[test]
fn stats_count_what_happened() {
    let _pins = with_pins();
    let (map, _) = scripted_map::<u64, u64>();
    map.insert(1, 1);
    map.insert(1, 2);
    map.insert(2, 2);
    map.get(&1);
    map.get(&3);
    map.get_weak(&1);
    map.pin().get(&1);
    map.pin().get(&9);
    map.peek(&1);
    map.contains_key(&3);
    map.get_or_insert_with(4, || 4);
    map.get_or_insert_with(4, || 5);
    let _ = map.get_or_try_insert_with(5, || Err::<u64, _>(()));
    map.remove(&2);
    map.remove(&2);
    let stats = map.stats();
    assert_eq!((stats.inserts, stats.replaced, stats.removed), (4, 1, 1), "{stats:?}");
    assert_eq!((stats.hits, stats.misses), (4, 4), "{stats:?}");
    assert_eq!((stats.loads, stats.too_heavy, stats.panicked), (2, 0, 0), "{stats:?}");
    assert_eq!(
        (stats.entries, stats.weak, stats.stripped, stats.reaped, stats.pending),
        (2, 0, 0, 0, 0),
        "{stats:?}"
    );
    assert_eq!(stats.weight, map.weight());
}

#[test]
fn a_map_is_shared_by_reference_and_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let (builder, _) = scripted::<u64, u64>();
    let map = builder.name("squares").build().unwrap();
    shared(&map);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let map = &map;
            scope.spawn(move || (0..100).for_each(|n| drop(map.insert(thread * 100 + n, n))));
        }
    });
    assert_eq!((map.len(), map.name()), (400, Some("squares")));
    assert!((0..400).all(|key| map.get(&key).as_deref() == Some(&(key % 100))));
}
