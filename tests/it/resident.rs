//! What the process takes of a wall, where nobody counts the heap and no weigher tells: the limit is on weights that stand for any number of bytes.

use crate::support::*;
use weakmap::{Builder, Collector, Tuning, WeakMap, heap::Process};

const MIB: u64 = 1 << 20;
const WALL: u64 = 160 * MIB;

#[test]
#[cfg(target_os = "linux")]
fn a_wall_is_held_by_weights_alone() {
    for child in ["resident::child_floods", "resident::child_floods_by_number"] {
        let (passed, said) = in_child(child, &[]);
        assert!(passed, "{said}");
    }
}

#[test]
fn child_floods() {
    if is_child() {
        flood(WeakMap::builder());
    }
}

#[test]
fn child_floods_by_number() {
    if is_child() {
        flood(WeakMap::builder().weigher(|_, _| 1));
    }
}

/// With ten times what the wall has room for.
fn flood(builder: Builder<u64, Vec<u8>>) {
    let collector = Collector::new(Tuning::new().resident_limit(WALL)).unwrap();
    let map = builder.collector(collector.clone()).build().unwrap();
    let process = Process::open().unwrap();
    let mut most = 0;
    for key in 0..400_000 {
        map.insert(key, vec![1; 4096]);
        if key % 100 == 0 {
            most = most.max(process.read().unwrap().resident);
        }
    }
    let (kept, stats) = (map.len() as u64 * 4096, collector.stats());
    assert!(most < WALL / 100 * 110, "{most} of {WALL}: {stats:?}");
    // What was taken once stays taken here, where nothing purges: then the limit bleeds.
    assert!(kept > WALL / 5, "{kept} of {WALL}: {stats:?}");
}
