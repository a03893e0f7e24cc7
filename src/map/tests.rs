//! What cannot be seen from outside: reads while the bucket is locked.

use super::WeakMap;
use crate::heap::Scripted;
use std::{
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
    let map = builder.limit(1 << 20).heap(heap.clone()).build().unwrap();
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
