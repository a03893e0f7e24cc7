//! One hot path a run, so often, for valgrind to count: `.ci/instructions` runs them all and compares with what is recorded.
//!
//! Counted is what [`counted`] runs, and the program prints how many operations that were. Everything is the same at each run: keys, hashes, seeds.

use foldhash::fast::FixedState;
use std::{env, hint::black_box, sync::Arc};
use weakmap::{WeakMap, heap};

type Value = [u64; 8];
type Map = WeakMap<u64, Value, FixedState>;

/// Entries that the map has room for.
const ROOM: u64 = 16_000;
const ROUNDS: u64 = 50_000;

/// What a path does with the n-th key.
type Path = fn(&Map, u64);

/// Name, what is done before, what is counted.
const PATHS: &[(&str, Path, Path)] = &[
    ("get_hit", nothing, |map, n| drop(black_box(map.get(&(n % 500))))),
    ("get_miss", nothing, |map, n| drop(black_box(map.get(&(n + ROOM))))),
    ("pin_get", nothing, |map, n| _ = black_box(map.pin().get(&(n % 500)))),
    ("pinned_gets", nothing, pinned_gets),
    ("replace", nothing, |map, n| drop(black_box(map.insert_arc(n % 500, value())))),
    ("insert_new", nothing, |map, n| drop(black_box(map.insert_arc(n + ROOM, value())))),
    ("insert_strip", fill, |map, n| drop(black_box(map.insert_arc(n + 2 * ROOM, value())))),
    ("insert_paid", fill, |map, n| drop(black_box(map.insert_arc(n + 2 * ROOM, value())))),
    ("churn", fill, churn),
    ("insert_remove", nothing, insert_remove),
];

fn nothing(_: &Map, _: u64) {}

fn value() -> Arc<Value> {
    Arc::new([0; 8])
}

/// 64 gets under one pin, as one operation.
fn pinned_gets(map: &Map, n: u64) {
    let pin = map.pin();
    (n..n + 64).for_each(|key| _ = black_box(pin.get(&(key % 500))));
}

fn fill(map: &Map, n: u64) {
    map.insert_arc(n, value());
}

/// Get, else insert, of keys of which every other one is present, about: half of them low, so used often.
fn churn(map: &Map, n: u64) {
    let bits =
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32;
    let key = if n.is_multiple_of(2) { bits % (ROOM / 2) } else { bits % (8 * ROOM) };
    if map.get(&key).is_none() {
        map.insert_arc(key, value());
    }
}

fn insert_remove(map: &Map, n: u64) {
    map.insert_arc(n + ROOM, value());
    black_box(map.remove(&(n + ROOM)));
}

/// The only part that valgrind counts.
#[inline(never)]
fn counted(map: &Map, path: Path, rounds: u64) {
    (0..rounds).for_each(|n| path(map, n));
}

/// Full at that many entries.
fn map(room: u64) -> Map {
    let builder = WeakMap::builder().limit(u64::MAX).heap(heap::Scripted::new());
    builder
        .max_weight(room)
        .weigher(|_, _| 1)
        .hasher(FixedState::with_seed(1))
        .build()
        .expect("it is allowed")
}

/// At its limit with about as many as `ROOM`: each insert pays, by what the map weighs.
fn limited() -> Map {
    let build = |limit| {
        let builder = WeakMap::builder().limit(limit).background(false).hasher(FixedState::with_seed(1));
        builder.build().expect("it is allowed")
    };
    let one: Map = build(u64::MAX);
    one.insert_arc(0, value());
    build(ROOM * one.weight())
}

fn main() {
    let name = env::args().nth(1).unwrap_or_default();
    let Some((_, before, path)) = PATHS.iter().find(|path| path.0 == name) else {
        return PATHS.iter().for_each(|path| println!("{}", path.0));
    };
    let map = match name.as_str() {
        "insert_new" => map(u64::MAX),
        "insert_paid" => limited(),
        _ => map(ROOM),
    };
    (0..ROOM / 2).for_each(|key| drop(map.insert_arc(key, value())));
    // What is made at a thread's first use is not counted; nor what the map grows by to its room.
    (0..2 * ROOM).for_each(|n| before(&map, n));
    path(&map, 0);
    counted(&map, *path, ROUNDS);
    println!("{ROUNDS}");
}
