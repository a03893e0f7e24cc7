//! jemalloc as the signal: what it says against what is held, and that a map lives by it.

use std::{thread::sleep, time::Duration};
use weakmap::{
    Collector, Tuning, WeakMap,
    heap::{Heap, Jemalloc, Process, Purge, purge},
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const MIB: u64 = 1 << 20;

#[test]
fn jemalloc() {
    let heap = Jemalloc::new().unwrap();
    follows(&heap);
    sees_other_threads(&heap);
    counts_the_thread(&heap);
    costs(&heap);
    holds_a_limit();
    purges();
}

/// Sizes round up: 12.5 % at the most.
fn near(found: u64, expected: u64) -> bool {
    (expected * 97 / 100..=expected * 114 / 100).contains(&found)
}

/// Past the next poll.
fn settle(heap: &Jemalloc) {
    sleep(Duration::from_millis(10));
    (0..32).for_each(|_| assert!(heap.sample().live > 0));
}

fn follows(heap: &Jemalloc) {
    let before = heap.sample().live;
    let mut blocks = Vec::new();
    for _ in 0..40_000 {
        blocks.push(vec![1u8; 1000]);
        heap.sample();
    }
    let full = heap.sample();
    assert!(near(full.live - before, 40_000_000), "{before} {full:?}");
    while blocks.pop().is_some() {
        heap.sample();
    }
    settle(heap);
    let after = heap.sample();
    assert!(after.live < before + 3 * MIB, "{before} {after:?}");
}

fn sees_other_threads(heap: &Jemalloc) {
    let before = heap.sample().live;
    let block = std::thread::spawn(|| vec![1u8; 32 * MIB as usize]).join().unwrap();
    settle(heap);
    let after = heap.sample();
    assert!(near(after.live - before, 32 * MIB), "{before} {after:?}");
    assert!(after.error <= after.live / 16, "{after:?}");
    drop(block);
}

fn counts_the_thread(heap: &Jemalloc) {
    let before = heap.net_of_thread().unwrap();
    let block = std::hint::black_box(vec![1u8; MIB as usize]);
    let taken = heap.net_of_thread().unwrap() - before;
    assert!(near(taken as u64, MIB), "{taken}");
    drop(block);
    assert_eq!(heap.net_of_thread().unwrap(), before);
}

fn costs(heap: &Jemalloc) {
    let rounds = (0..100).map(|_| {
        let begin = std::time::Instant::now();
        (0..1000).for_each(|_| assert!(std::hint::black_box(heap.sample()).live > 0));
        begin.elapsed().as_nanos() / 1000
    });
    println!("Jemalloc::sample: {} ns", rounds.min().unwrap());
}

fn holds_a_limit() {
    const LIMIT: u64 = 64 * MIB;
    let collector = Collector::new(Tuning::new().limit(LIMIT)).unwrap();
    let explained = collector.explain();
    assert!(explained.starts_with("signal: jemalloc's stats.allocated"), "{explained}");
    println!("{explained}");
    let map: WeakMap<u32, Vec<u8>> = WeakMap::builder().collector(collector.clone()).build().unwrap();
    let mut most = 0;
    for key in 0..100_000 {
        map.insert(key, vec![1u8; 4096]);
        most = most.max(collector.stats().live);
    }
    println!("limit {LIMIT}, most {most}, {} entries", map.len());
    assert!(most <= LIMIT + LIMIT / 50, "{most}");
    assert!(map.len() > 10_000, "{}", map.len());
}

fn purges() {
    let process = Process::open().unwrap();
    drop(std::hint::black_box((0..50_000).map(|_| vec![1u8; 2000]).collect::<Vec<_>>()));
    let before = process.read().unwrap().resident;
    purge::Jemalloc.purge();
    let after = process.read().unwrap().resident;
    println!("{}: {} MiB to {} MiB", purge::Jemalloc.name(), before / MIB, after / MIB);
    assert!(after + 50 * MIB < before, "{before} {after}");
}
