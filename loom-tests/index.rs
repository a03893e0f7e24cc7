//! The index: readers and writers of one shard, while its buckets come and go.

use crate::witness::{Count, Witness, race};
use weakmap::model::{Guard, Index, Keyed, StrongArc, defer};

/// Of all things: they share a way and a tag. A bucket has two places.
const HASH: u64 = u64::MAX;

struct Thing {
    key: u8,
    witness: Witness,
}

impl Keyed for Thing {
    type Key = u8;

    fn key(&self) -> &u8 {
        self.witness.read();
        &self.key
    }

    fn hash(&self) -> u64 {
        HASH
    }

    fn may_be(&self, hash: u64) -> bool {
        hash == HASH
    }
}

struct Scene {
    count: Count,
    index: Index<Thing>,
}

fn with<const N: usize>(keys: [u8; N]) -> Scene {
    let scene = Scene { count: Count::default(), index: Index::new() };
    keys.into_iter().for_each(|key| insert(&scene, key));
    scene
}

fn none() -> Scene {
    with([])
}

fn one() -> Scene {
    with([1])
}

/// The bucket is full: one more, and the shard grows.
fn two() -> Scene {
    with([1, 2])
}

/// The third lies in the second bucket.
fn three() -> Scene {
    with([1, 2, 3])
}

fn insert(scene: &Scene, key: u8) {
    drop(scene.index.insert(StrongArc::new(Thing { key, witness: scene.count.value(key.into()) })));
}

/// Whether it was this caller who took it out.
fn remove(scene: &Scene, key: u8) -> bool {
    let Some(it) = scene.index.get(HASH, &key) else { return false };
    let removed = scene.index.remove(&it);
    drop(it);
    let mine = removed.is_some();
    defer(move || drop(removed));
    mine
}

fn finds(scene: &Scene, key: u8) -> bool {
    let guard = Guard::new();
    let found = scene.index.find(HASH, &key, &guard);
    found.is_some_and(|it| {
        assert_eq!(it.witness.read(), usize::from(key), "another's place");
        true
    })
}

fn find_first(scene: &Scene) {
    finds(scene, 1);
}

/// For a key that is there throughout.
fn find_present<const KEY: u8>(scene: &Scene) {
    assert!(finds(scene, KEY), "{KEY} was there all the time");
}

/// At the end: these keys are there, nothing else lives.
fn left<const N: usize>(keys: [u8; N]) -> impl Fn(&Scene) + Copy + Send + Sync + 'static {
    move |scene| {
        let mut seen = Vec::new();
        scene.index.for_each(|it| seen.push(it.key));
        seen.sort_unstable();
        assert_eq!(seen, keys);
        assert_eq!(scene.count.living(), N);
        assert!((0..5).all(|key| finds(scene, key) == keys.contains(&key)));
    }
}

#[test]
fn find_insert() {
    race("find ∥ insert", none, [find_first, |s| insert(s, 1)], left([1]));
}

#[test]
fn find_remove() {
    race("find ∥ remove", one, [find_first, |s| assert!(remove(s, 1))], left([]));
}

#[test]
fn find_remove_insert() {
    // The other lies where the first one did, and has its tag.
    race("find ∥ remove, insert another", one, [find_first, |s| (remove(s, 1), insert(s, 2)).1], left([2]));
    race(
        "find the other ∥ the same",
        one,
        [|s| _ = finds(s, 2), |s| (remove(s, 1), insert(s, 2)).1],
        left([2]),
    );
    let three_times = |s: &Scene| {
        remove(s, 1);
        insert(s, 2);
        remove(s, 2);
        insert(s, 3);
    };
    race("find the second of three ∥ them", one, [|s| _ = finds(s, 2), three_times], left([3]));
}

#[test]
fn insert_insert() {
    race("insert ∥ insert", none, [|s| insert(s, 1), |s| insert(s, 1)], left([1]));
    race("insert ∥ insert another", none, [|s| insert(s, 1), |s| insert(s, 2)], left([1, 2]));
    race("insert ∥ insert another, and grow", one, [|s| insert(s, 2), |s| insert(s, 3)], left([1, 2, 3]));
}

#[test]
fn remove_remove() {
    // The one who takes it out has its count.
    race("remove ∥ remove", one, [|s| _ = remove(s, 1), |s| _ = remove(s, 1)], left([]));
}

#[test]
fn find_grow() {
    race("find ∥ grow", two, [find_present::<2>, |s| insert(s, 3)], left([1, 2, 3]));
    race("find what makes it grow", two, [|s| _ = finds(s, 3), |s| insert(s, 3)], left([1, 2, 3]));
    // A reader of the old buckets finds there what was removed since.
    race("find ∥ grow and remove", two, [find_first, |s| (insert(s, 3), remove(s, 1)).0], left([2, 3]));
    race("find ∥ grow ∥ remove", two, [find_first, |s| insert(s, 3), |s| _ = remove(s, 1)], left([2, 3]));
}

#[test]
fn find_further() {
    // What lies further on is found while that before it comes and goes.
    race("find further ∥ remove", three, [find_present::<3>, |s| _ = remove(s, 1)], left([2, 3]));
    let change = |s: &Scene| {
        remove(s, 1);
        insert(s, 4);
    };
    race("find further ∥ remove and insert", three, [find_present::<3>, change], left([2, 3, 4]));
    race("find further ∥ remove it", three, [|s| _ = finds(s, 3), |s| _ = remove(s, 3)], left([1, 2]));
}

#[test]
fn find_shrink() {
    fn large() -> Scene {
        let scene = three();
        remove(&scene, 3);
        remove(&scene, 2);
        scene
    }
    race("find ∥ shrink", large, [find_present::<1>, |s| s.index.trim()], left([1]));
    race("find ∥ shrink and remove", large, [find_first, |s| (s.index.trim(), _ = remove(s, 1)).0], left([]));
}

#[test]
fn visit_change() {
    fn visit(scene: &Scene) {
        let mut seen = false;
        scene.index.for_each(|it| seen |= it.witness.read() == 2);
        assert!(seen, "2 was there all the time");
    }
    race("visit ∥ remove and insert", two, [visit, |s| (remove(s, 1), insert(s, 3)).1], left([2, 3]));
    race("visit ∥ grow", two, [visit, |s| insert(s, 3)], left([1, 2, 3]));
    race("visit ∥ shrink", three, [visit, |s| (remove(s, 3), remove(s, 1), s.index.trim()).2], left([2]));
}
