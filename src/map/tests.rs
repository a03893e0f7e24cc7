//! What cannot be seen from outside: reads while a shard is locked, destructors under guards.

use super::WeakMap;
use crate::{heap::Scripted, sync::is_inside};
use std::{
    cell::Cell,
    hash::{BuildHasherDefault, Hasher},
    sync::mpsc,
    thread,
    time::Duration,
};

/// One hash for all: every key lies in the same bucket.
#[derive(Default)]
struct Same;

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        42
    }
}

#[test]
fn reads_wait_for_nobody() {
    let heap = Scripted::new();
    let builder = WeakMap::builder().hasher(BuildHasherDefault::<Same>::default());
    // Passes are asked for: while another thread's is under way, what it strips is counted nowhere.
    let map = builder.limit(1 << 20).heap(heap.clone()).background(false).build().unwrap();
    let map = &map;
    map.insert("strong", 1);
    let held = map.insert_arc("weak", std::sync::Arc::new(2)).map_or_else(|| map.get("weak"), Some);
    heap.set(2 << 20);
    map.collect();
    heap.set(0);
    map.insert("strong", 1);
    assert_eq!(map.stats().weak, 1);

    let read_all = || {
        assert_eq!(map.get("weak"), held, "and revives it");
        assert_eq!(map.get("strong").as_deref(), Some(&1));
        assert_eq!(map.peek("strong").as_deref(), Some(&1));
        assert_eq!(map.pin().get("strong"), Some(&1));
        assert!(map.get_weak("strong").is_some() && map.contains_key("strong"));
        assert!(map.get("absent").is_none() && map.peek("absent").is_none());
    };
    map.region().while_shard_is_locked(map.hash("strong"), "strong", || {
        thread::scope(|scope| {
            let (done, finished) = mpsc::channel();
            scope.spawn(move || {
                read_all();
                done.send(()).unwrap();
            });
            let read = finished.recv_timeout(Duration::from_secs(20));
            // A reader that waits would wait for ever: end the process rather than the test.
            if read.is_err() {
                eprintln!("a read waits for the bucket's lock");
                std::process::abort();
            }
        });
    });
}

thread_local! {
    /// Keys that this thread dropped, and how many of them under a guard.
    static DROPPED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

#[derive(PartialEq, Eq, Hash)]
struct Key(u64);

impl Drop for Key {
    fn drop(&mut self) {
        let (all, inside) = DROPPED.get();
        DROPPED.set((all + 1, inside + usize::from(is_inside())));
    }
}

/// A guard is a lock to others: memory waits for it. And who holds one may hold more: the table of loads, an entry's `Writing`.
#[test]
fn keys_are_dropped_under_no_guard() {
    let heap = Scripted::new();
    let builder = WeakMap::builder().limit(1 << 20).heap(heap.clone()).background(false);
    let builder = builder.weigher(|_, _| 1).max_weight(5_000);
    let map = builder.build().unwrap();
    for round in 0..20 {
        let first = round * 1_000;
        (first..first + 1_000).for_each(|key| drop(map.insert(Key(key), key)));
        let held: Vec<_> = (first..first + 30).map(|key| map.get(&Key(key))).collect();
        heap.set(2 << 20);
        map.collect();
        heap.set(0);
        drop(held);
        // Rows of graves go round, and the sweeper forgets what was removed.
        (first + 1_000..first + 1_600).for_each(|key| {
            map.insert(Key(key), key);
            map.remove(&Key(key));
        });
        // Dead ones make way for what is loaded and inserted.
        (first..first + 15).for_each(|key| drop(map.get_or_insert_with(Key(key), || key)));
        (first + 15..first + 30).for_each(|key| drop(map.insert(Key(key), key)));
        map.retain(|key, _| key.0 % 3 > 0);
    }
    map.clear();
    let (all, inside) = DROPPED.get();
    assert!(all > 20_000, "{all} keys were dropped");
    assert_eq!(inside, 0, "of {all}");
}
