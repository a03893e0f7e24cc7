//! A flood in a real cgroup whose limit nobody tells: the child must live, and use most of it.

use crate::{
    alone,
    flood::{flood, mixed, page},
    real::{Group, command},
};
use std::{
    io::Write,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};
use weakmap::{Collector, Tuning, WeakMap, heap::Cgroup};

const MIB: u64 = 1 << 20;
const WALL: u64 = 80 * MIB;

#[test]
#[ignore = "killed over glibc: its heap grows by the headroom between two looks at the wall"]
fn a_flood_in_a_real_cgroup() {
    let _alone = alone();
    for task in ["flood of pages", "flood of mixed values"] {
        let group = match Group::make(WALL) {
            Ok(group) => group,
            Err(why) => return println!("skipped: no v1 memory cgroup can be made here: {why}"),
        };
        let mut child = command(task).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        group.add(&child);
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        println!("{told}");
        assert!(output.status.success() && told.contains("\ndone\n"), "{task}: {}\n{told}", output.status);
    }
}

/// The child's part: as much as fills the cgroup sixty times.
fn withstand(size: fn(u64) -> usize) {
    let collector = Collector::new(Tuning::new()).unwrap();
    println!("{}", collector.explain());
    let map: WeakMap<u64, Vec<u8>> = WeakMap::builder().collector(collector).build().unwrap();
    let insert = |key| {
        map.insert(key, vec![1; size(key)]);
        size(key)
    };
    flood(2 * WALL, 0, insert);
    let over = AtomicBool::new(false);
    let used = thread::scope(|scope| {
        let sampler = scope.spawn(|| mean_use(&over));
        flood(60 * WALL, 1 << 32, insert);
        over.store(true, Relaxed);
        sampler.join().unwrap()
    });
    println!("{} MiB in use, {} entries", used / MIB, map.len());
    assert!(used >= WALL / 4 * 3, "{used} of {WALL}: {:?}", map.collector().stats());
}

pub fn pages() {
    withstand(page);
}

pub fn mixed_values() {
    withstand(mixed);
}

/// Until it is over.
fn mean_use(over: &AtomicBool) -> u64 {
    let cgroup = Cgroup::find().unwrap();
    let (mut sum, mut count) = (0, 0);
    while !over.load(Relaxed) {
        sum += cgroup.used().unwrap();
        count += 1;
        thread::sleep(Duration::from_millis(5));
    }
    sum / count
}
