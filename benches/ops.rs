//! What one operation costs, on one thread and on two: `cargo bench --bench ops`. Against peers: `benches/compare`.

use divan::{Bencher, black_box, counter::ItemsCount};
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use weakmap::{WeakMap, heap::Scripted};

const ENTRIES: u64 = 100_000;
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

/// A map with a heap that never presses, and keys 0 to ENTRIES in it.
fn filled() -> WeakMap<u64, [u64; 8]> {
    let map = WeakMap::builder().limit(u64::MAX).heap(Scripted::new()).build().expect("a limit above 0");
    (0..ENTRIES).for_each(|key| drop(map.insert(key, [key; 8])));
    map
}

/// A number below ENTRIES, in an order that caches cannot foresee; each thread has its own.
fn key() -> u64 {
    thread_local!(static NEXT: Cell<u64> = const { Cell::new(1) });
    NEXT.with(|next| {
        next.set(next.get().wrapping_add(1));
        next.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) % ENTRIES
    })
}

#[divan::bench(threads = THREADS)]
fn get_hit(bencher: Bencher) {
    let map = filled();
    bencher.counter(ItemsCount::new(1u32)).bench(|| map.get(black_box(&key())));
}

#[divan::bench(threads = THREADS)]
fn get_miss(bencher: Bencher) {
    let map = filled();
    bencher.counter(ItemsCount::new(1u32)).bench(|| map.get(black_box(&(key() + ENTRIES))));
}

#[divan::bench(threads = THREADS)]
fn get_pinned(bencher: Bencher) {
    let map = filled();
    bencher.counter(ItemsCount::new(1u32)).bench(|| map.pin().get(black_box(&key())).copied());
}

#[divan::bench(threads = THREADS)]
fn insert_new(bencher: Bencher) {
    let map = WeakMap::builder().limit(u64::MAX).heap(Scripted::new()).max_weight(ENTRIES).weigher(|_, _| 1);
    let (map, next) = (map.build().expect("bounds above 0"), AtomicU64::new(0));
    bencher.counter(ItemsCount::new(1u32)).bench(|| map.insert(next.fetch_add(1, Relaxed), [0u64; 8]));
}

#[divan::bench(threads = THREADS)]
fn insert_replace(bencher: Bencher) {
    let map = filled();
    bencher.counter(ItemsCount::new(1u32)).bench(|| map.insert(key(), [0; 8]));
}

#[divan::bench(threads = THREADS)]
fn get_or_insert(bencher: Bencher) {
    let map = filled();
    bencher.counter(ItemsCount::new(1u32)).bench(|| map.get_or_insert_with(key(), || [0; 8]));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn collect_everything(bencher: Bencher) {
    let heap = Scripted::new();
    let fill = || {
        let map = WeakMap::builder().limit(1 << 30).heap(heap.clone()).build().expect("a limit above 0");
        heap.set(0);
        (0..ENTRIES).for_each(|key| drop(map.insert(key, [key; 8])));
        heap.set(u64::MAX / 2);
        map
    };
    bencher.counter(ItemsCount::new(ENTRIES)).with_inputs(fill).bench_refs(|map| map.collect());
}
