//! What an entry costs in memory beyond its key and value, as the counting allocator of this program tells.
//!
//! A value is 80 bytes, the two counts of the `Arc` among them; a key is what it owns, too. All keys are read three times before anything
//! is weighed: weakmap then keeps pointers to what was read.

use std::{alloc::System, hint::black_box, marker::PhantomData, ops::Range};

use anyhow::{Result, ensure};
use weakmap::heap::Counting;

use super::SPARE;
use crate::ops::{
    cache::{Cache, Key, Payload, value},
    cell::Cell,
    label::Label,
    lineup::{self, Entrant},
    peers::std::Std,
    run::Run,
    scene::{self, Scene, Stage},
};

struct Bytes<K> {
    keys: &'static str,
    entries: usize,
    key: PhantomData<K>,
}

#[derive(Clone, Copy)]
enum Case {
    Empty,
    Filled,
    /// Filled, with room for no more; then ten times as many new keys.
    Churned,
    /// Filled, then nine tenths given up.
    Shed,
    /// Filled with a tenth: what `Shed` is to be compared with.
    Tenth,
}

const VALUE: usize = 2 * size_of::<usize>() + size_of::<Payload>();

pub fn measure(run: &mut Run) -> Result<Vec<Cell>> {
    let entries = run.options.entries(100_000);
    let mut cells = weigh::<u64>(run, "u64", entries)?;
    cells.extend(weigh::<String>(run, "string", entries)?);
    Ok(cells)
}

fn weigh<K: Key>(run: &mut Run, keys: &'static str, entries: usize) -> Result<Vec<Cell>> {
    let scene = Bytes::<K> { keys, entries, key: PhantomData };
    let mut lineup = lineup::maps();
    lineup.insert(1, Entrant { name: <Std<K> as Cache<K>>::NAME, stage: Bytes::weigh::<Std<K>> });
    scene::play(run, &[scene], lineup)
}

impl<K: Key> Scene for Bytes<K> {
    type Key = K;
    type Case = Case;
    type Script = Case;

    fn cases(&self) -> Vec<Case> {
        vec![Case::Empty, Case::Filled, Case::Churned, Case::Shed, Case::Tenth]
    }

    fn labels(&self, case: &Case) -> Vec<Label> {
        let (what, unit) = match case {
            Case::Empty => ("empty", "B"),
            Case::Filled => ("filled", "B an entry"),
            Case::Churned => ("churned", "B an entry"),
            Case::Shed => ("shed-90%", "B an entry"),
            Case::Tenth => ("tenth", "B an entry"),
        };
        vec![Label::new(format!("{}/{what}", self.keys), unit).entries(self.entries)]
    }

    fn script(&self, case: &Case) -> Case {
        *case
    }

    fn stage<C: Cache<K> + Sync>(&self) -> Result<Stage<Case>> {
        self.weigh::<C>()
    }
}

impl<K: Key> Bytes<K> {
    fn weigh<C: Cache<K>>(&self) -> Result<Stage<Case>> {
        let entries = self.entries;
        Ok(Box::new(move |&case| Ok(vec![held::<K, C>(case, entries)?])))
    }
}

/// For an empty map all its bytes; else those of an entry, less key and value.
fn held<K: Key, C: Cache<K>>(case: Case, entries: usize) -> Result<f64> {
    let before = live();
    let cache: C = made(case, entries);
    let bytes = (live() - before) as f64;
    if matches!(case, Case::Empty) {
        return Ok(bytes);
    }
    let kept = cache.len();
    ensure!(kept > 0, "nothing is left of {entries} entries");
    Ok(bytes / kept as f64 - (K::BYTES + VALUE) as f64)
}

/// Exact: the block is so large that the allocator passes on what it has counted for this thread alone.
fn live() -> i64 {
    drop(black_box(Vec::<u8>::with_capacity(1 << 20)));
    Counting::<System>::live() as i64
}

fn made<K: Key, C: Cache<K>>(case: Case, entries: usize) -> C {
    match case {
        Case::Empty => C::with_room(SPARE * entries),
        Case::Filled => filled(SPARE * entries, entries),
        Case::Churned => churned(entries),
        Case::Shed => shed(entries),
        Case::Tenth => filled(SPARE * entries / 10, entries / 10),
    }
}

fn filled<K: Key, C: Cache<K>>(room: usize, entries: usize) -> C {
    let cache = C::with_room(room);
    (0..entries as u64).for_each(|number| cache.insert(K::nth(number), value(number)));
    cache.settle();
    read(&cache, 0..entries as u64);
    cache
}

/// As far as they are there, three times each, as in use.
fn read<K: Key, C: Cache<K>>(cache: &C, numbers: Range<u64>) {
    for number in numbers {
        (0..3).for_each(|_| _ = black_box(cache.read(&K::nth(number))));
    }
}

/// From maps that evict nothing, the oldest is removed for each new one.
fn churned<K: Key, C: Cache<K>>(entries: usize) -> C {
    let cache: C = filled(entries, entries);
    for number in (entries as u64..).take(10 * entries) {
        if !C::EVICTS {
            cache.remove(&K::nth(number - entries as u64));
        }
        cache.insert(K::nth(number), value(number));
    }
    cache.settle();
    read(&cache, 0..11 * entries as u64);
    cache
}

fn shed<K: Key, C: Cache<K>>(entries: usize) -> C {
    let cache: C = filled(SPARE * entries, entries);
    cache.shed((0..entries as u64 * 9 / 10).map(K::nth));
    cache.settle();
    read(&cache, 0..entries as u64);
    cache
}
