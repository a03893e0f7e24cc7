//! Numbers of threads: a counter that only the number's thread writes is exact, whoever has the number next.

use crate::witness::race;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weakmap::model::number::Numbers;

#[derive(Default)]
struct Scene {
    numbers: Numbers,
    /// Of the numbers 0 and 1.
    counters: [AtomicU64; 2],
}

/// A thread's life: takes a number, counts under it with a load and a store, ends.
fn count(scene: &Scene) {
    let number = scene.numbers.take();
    let counter = &scene.counters[number];
    counter.store(counter.load(Relaxed) + 1, Relaxed);
    scene.numbers.give_back(number);
}

fn exact(scene: &Scene) {
    let counted: u64 = scene.counters.iter().map(|counter| counter.load(Relaxed)).sum();
    assert_eq!(counted, 2);
    assert_eq!(scene.numbers.take(), 0, "a number was not given back");
}

#[test]
fn count_count() {
    race("count ∥ count", Scene::default, [count, count], exact);
}
