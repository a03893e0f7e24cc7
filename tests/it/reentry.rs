//! User code that uses the map it is called from: no deadlock, no loss.

use crate::support::*;
use std::{
    cell::RefCell,
    sync::{Arc, Weak},
    thread,
};
use weakmap::WeakMap;

/// A value whose destructor uses the map.
struct Busy {
    counted: Counted,
    map: Weak<WeakMap<u64, Busy>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Some(map) = self.map.upgrade() else { return };
        let n = self.counted.n;
        assert!(map.get(&(n + 1_000_000)).is_none());
        map.contains_key(&(n + 1));
        map.pin().get(&(n + 2));
        map.for_each(|_, _| ());
        map.remove(&(n + 3));
        map.stats();
        if n % 7 == 0 {
            map.collect();
        }
    }
}

fn busy() -> (Arc<WeakMap<u64, Busy>>, weakmap::heap::Scripted, Census) {
    let (census, (map, heap)) = (Census::default(), scripted_map());
    let map = Arc::new(map);
    for n in 0..100 {
        map.insert(n, Busy { counted: census.value(n), map: Arc::downgrade(&map) });
    }
    (map, heap, census)
}

#[test]
fn destructors_may_use_the_map_however_they_come_to_run() {
    let _pins = with_pins();
    type Way = fn(&WeakMap<u64, Busy>, &weakmap::heap::Scripted);
    let ways: [Way; 6] = [
        |map, _| map.clear(),
        |map, _| map.retain(|_, _| false),
        |map, _| (0..100).for_each(|n| drop(map.remove(&n))),
        |map, _| (0..100).for_each(|n| drop(map.remove_if(&n, |busy| busy.counted.read() == n))),
        |map, heap| {
            heap.set(FULL);
            map.collect();
        },
        |map, _| {
            let pin = map.pin();
            map.clear();
            drop(pin);
        },
    ];
    for way in ways {
        let (map, heap, census) = busy();
        way(&map, &heap);
        heap.set(FULL);
        settle(&map);
        assert_eq!((map.len(), census.living()), (0, 0));
        drop(map);
        census.assert_all_gone();
    }
}

#[test]
fn a_destructor_may_insert_during_a_pass() {
    struct Phoenix(u64, Weak<WeakMap<u64, Phoenix>>, Census, #[allow(dead_code)] Counted);
    impl Drop for Phoenix {
        fn drop(&mut self) {
            if let (Some(map), 1..) = (self.1.upgrade(), self.0) {
                let value = Phoenix(self.0 - 1, self.1.clone(), self.2.clone(), self.2.value(0));
                map.insert(self.0 - 1, value);
            }
        }
    }
    let _calm = no_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map());
    let map = Arc::new(map);
    map.insert(5, Phoenix(5, Arc::downgrade(&map), census.clone(), census.value(0)));
    heap.set(FULL);
    (0..8).for_each(|_| _ = map.collect());
    assert_eq!((map.len(), census.living(), census.made()), (0, 0, 6));
}

#[test]
fn the_last_handle_on_a_map_may_be_dropped_by_one_of_its_values() {
    struct Holder(#[allow(dead_code)] Arc<WeakMap<u64, Holder>>, #[allow(dead_code)] Counted);
    let _calm = no_pins();
    let (census, (map, heap)) = (Census::default(), scripted_map());
    let map = Arc::new(map);
    let collector = map.collector().clone();
    map.insert(1, Holder(map.clone(), census.value(1)));
    drop(map);
    heap.set(FULL);
    assert_eq!(collector.collect().stripped, 1, "the map goes while it is swept");
    census.assert_all_gone();
    assert_eq!(collector.stats().maps, 0);
}

#[test]
fn weighers_and_closures_may_use_the_map() {
    let (builder, _) = scripted::<u64, u64>();
    let inner = Arc::new(WeakMap::<u64, u64>::new());
    let weights = inner.clone();
    let map = builder.weigher(move |key, _| *weights.get_or_insert_with(*key, || 3)).build().unwrap();
    (0..10).for_each(|n| drop(map.insert(n, n)));
    map.retain(|key, _| {
        map.insert(100 + key, 0);
        map.remove(&(key + 1));
        true
    });
    map.for_each(|key, _| drop(map.insert(key + 1000, 1)));
    let mut entries = 0;
    map.for_each(|_, _| entries += 1);
    assert_eq!((map.len(), map.weight()), (entries, 3 * entries as u64));
}

#[test]
fn a_thread_local_map_goes_with_its_thread() {
    let (passed, said) = in_child("reentry::child_with_a_thread_local_map", &[]);
    assert!(passed, "{said}");
}

#[test]
fn child_with_a_thread_local_map() {
    thread_local!(static MAP: WeakMap<u64, Counted> = scripted_map().0);
    if is_child() {
        let census = Census::default();
        let made = census.clone();
        thread::spawn(move || MAP.with(|map| (0..100).for_each(|n| drop(map.insert(n, made.value(n))))))
            .join()
            .unwrap();
        census.assert_all_gone();
    }
}

#[test]
fn a_map_may_be_used_while_its_thread_ends() {
    let (passed, said) = in_child("reentry::child_uses_a_map_while_its_thread_ends", &[]);
    assert!(passed, "{said}");
}

#[test]
fn child_uses_a_map_while_its_thread_ends() {
    struct Last(Arc<WeakMap<u64, Counted>>, Census);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.insert(2, self.1.value(2));
            assert!(self.0.get(&1).is_some());
            self.0.pin().get(&1);
            self.0.remove(&1);
            self.0.collect();
        }
    }
    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });
    if !is_child() {
        return;
    }
    let census = Census::default();
    let (map, made) = (Arc::new(scripted_map().0), census.clone());
    thread::spawn(move || {
        // First used before `LAST` is set: thread-locals go in the opposite order (README, limits).
        map.insert(1, made.value(1));
        LAST.with(|last| *last.borrow_mut() = Some(Last(map.clone(), made.clone())));
    })
    .join()
    .unwrap();
    census.assert_all_gone();
}
