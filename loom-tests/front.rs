//! The front: readers, publishers and whoever removes a thing, while its words come and go.
//!
//! The table is a pointer here, with one count, which is given back after the guards of then.

use crate::witness::{Count, Witness, race};
use std::{mem::ManuallyDrop, ptr, thread};
use weakmap::model::{
    AtomicBool, AtomicPtr, AtomicU8, Guard, Keyed,
    Ordering::{AcqRel, Acquire, Release},
    StrongArc,
    front::{Front, REACH, SLOTS},
    pin,
};

/// Of all things: it says the second of two words, the last of four.
const HASH: u64 = u64::MAX;
const KEY: u8 = 1;

struct Thing {
    key: u8,
    closed: AtomicBool,
    mark: AtomicU8,
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

    fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }

    fn is_in_use(&self) -> bool {
        true
    }

    fn mark(&self) -> &AtomicU8 {
        &self.mark
    }
}

struct Scene {
    count: Count,
    front: Front<Thing>,
    table: Table,
    /// What lies where the thing would.
    others: Vec<StrongArc<Thing>>,
}

/// The place of one thing.
struct Table(AtomicPtr<Thing>);

impl Table {
    fn put(&self, it: StrongArc<Thing>) {
        self.0.store(StrongArc::into_raw(it).cast_mut(), Release);
    }

    /// What is there, for as long as the guard lives.
    #[allow(unsafe_code)]
    fn get(&self, _guard: &Guard) -> Option<ManuallyDrop<StrongArc<Thing>>> {
        let pointer = self.0.load(Acquire);
        // SAFETY: the table's count is given back after the guard.
        (!pointer.is_null()).then(|| ManuallyDrop::new(unsafe { StrongArc::from_raw(pointer) }))
    }

    #[allow(unsafe_code)]
    fn take(&self) -> Option<StrongArc<Thing>> {
        let pointer = self.0.swap(ptr::null_mut(), AcqRel);
        // SAFETY: whoever takes the pointer out has its count.
        (!pointer.is_null()).then(|| unsafe { StrongArc::from_raw(pointer) })
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !thread::panicking() {
            drop(self.take());
        }
    }
}

fn thing(count: &Count, key: u8, number: usize) -> StrongArc<Thing> {
    let (closed, mark) = (AtomicBool::new(false), AtomicU8::new(0));
    StrongArc::new(Thing { key, closed, mark, witness: count.value(number) })
}

/// Two to the power of `size` words, and a thing that is in the table.
fn scene(size: u8) -> Scene {
    let (count, table) = (Count::default(), Table(AtomicPtr::new(ptr::null_mut())));
    table.put(thing(&count, KEY, 1));
    Scene { front: Front::with_size(size), table, count, others: Vec::new() }
}

fn unpublished() -> Scene {
    scene(1)
}

fn published() -> Scene {
    let scene = scene(1);
    publish(&scene);
    scene
}

/// The thing will lie in the last word of its reach.
fn crowded() -> Scene {
    let mut scene = scene(1);
    scene.others = (0..REACH - 1).map(|other| thing(&scene.count, KEY + 1 + other as u8, 0)).collect();
    let guard = Guard::new();
    scene.others.iter().for_each(|other| scene.front.publish(other, || 2 * SLOTS, &guard));
    drop(guard);
    scene
}

fn without_words() -> Scene {
    scene(0)
}

fn find(scene: &Scene) {
    let guard = Guard::new();
    if let Some(it) = scene.front.find(HASH, &KEY, &guard) {
        assert!(matches!(it.witness.read(), 1 | 2));
    }
}

/// Under a pin alone.
fn find_pinned(scene: &Scene) {
    let pin = pin::Pin::new();
    if let Some(it) = scene.front.find(HASH, &KEY, &pin) {
        assert!(matches!(it.witness.read(), 1 | 2));
    }
}

/// As a read that had to ask the table.
fn publish(scene: &Scene) {
    let guard = Guard::new();
    if let Some(it) = scene.table.get(&guard) {
        scene.front.publish(&it, || 2 * SLOTS, &guard);
    }
}

/// As a removal: closes, and takes out of the index.
fn withdraw(scene: &Scene) {
    let guard = Guard::new();
    let Some(it) = scene.table.get(&guard) else { return };
    if !it.closed.swap(true, AcqRel) {
        scene.front.withdraw(&it, &guard);
        let removed = scene.table.take().expect("who closes it takes it out");
        guard.defer_execute(move || drop(removed));
    }
}

/// The key comes back, with another thing.
fn insert(scene: &Scene) {
    scene.table.put(thing(&scene.count, KEY, 2));
}

fn grow(scene: &Scene) {
    scene.front.grow(4 * SLOTS, &Guard::new());
}

fn shrink(scene: &Scene) {
    scene.front.shrink(0, &Guard::new());
}

/// What must hold at the end where the thing was removed: it is dropped, and nothing of it is left.
fn gone(scene: &Scene) {
    assert_eq!(scene.count.living(), scene.others.len());
    assert!(scene.front.filled(&Guard::new()) <= scene.others.len(), "something freed is left");
    find(scene);
}

/// The same, where another thing has its key.
fn changed(scene: &Scene) {
    assert_eq!(scene.count.living(), 1);
    let guard = Guard::new();
    assert!(scene.front.filled(&guard) <= 1, "something freed is left");
    if let Some(it) = scene.front.find(HASH, &KEY, &guard) {
        assert_eq!(it.witness.read(), 2);
    }
}

#[test]
fn find_withdraw() {
    race("find ∥ withdraw", published, [find, withdraw], gone);
}

#[test]
fn find_publish() {
    // What a reader finds was made by another thread.
    let publish = |s: &Scene| {
        withdraw(s);
        insert(s);
        publish(s);
    };
    race("find ∥ insert and publish", unpublished, [find, publish], |s| {
        changed(s);
        assert!(s.front.find(HASH, &KEY, &Guard::new()).is_some());
    });
}

#[test]
fn publish_withdraw() {
    race("publish ∥ withdraw", unpublished, [publish, withdraw], gone);
    race("publish ∥ withdraw, another in its way", crowded, [publish, withdraw], gone);
}

#[test]
fn publish_withdraw_find() {
    // What a late publisher puts in is found by who no longer holds the thing back.
    race("publish ∥ withdraw and find", unpublished, [publish, |s| (withdraw(s), find(s)).1], gone);
    race("publish and find ∥ withdraw", unpublished, [|s| (publish(s), find(s)).1, withdraw], gone);
    race("find ∥ publish ∥ withdraw", unpublished, [find, publish, withdraw], gone);
}

#[test]
fn publish_publish_withdraw() {
    race("publish ∥ publish and withdraw", unpublished, [publish, |s| (publish(s), withdraw(s)).1], gone);
}

#[test]
fn publish_replace() {
    // The other thing may lie where the first one did.
    let replace = |s: &Scene| {
        withdraw(s);
        insert(s);
        publish(s);
    };
    race("publish ∥ withdraw, insert and publish", unpublished, [publish, replace], changed);
    race("find ∥ withdraw, insert and publish", published, [find, replace], changed);
}

#[test]
fn publish_grow_withdraw() {
    // The publisher's words are newer than the remover's.
    race("publish with the first words ∥ withdraw", without_words, [publish, withdraw], gone);
    race("grow and publish ∥ withdraw", unpublished, [|s| (grow(s), publish(s)).1, withdraw], gone);
    // They are older.
    race("publish ∥ grow and withdraw", unpublished, [publish, |s| (grow(s), withdraw(s)).1], gone);
    race("publish ∥ grow ∥ withdraw", unpublished, [publish, grow, withdraw], gone);
    // They are older than another's, and so is the mark.
    let again = |s: &Scene| (grow(s), publish(s), withdraw(s)).2;
    race("publish ∥ grow, publish and withdraw", unpublished, [publish, again], gone);
}

#[test]
fn publish_shrink_withdraw() {
    race("publish ∥ shrink and withdraw", unpublished, [publish, |s| (shrink(s), withdraw(s)).1], gone);
    race("publish ∥ shrink ∥ withdraw", unpublished, [publish, shrink, withdraw], gone);
}

#[test]
fn grow_grow() {
    race("first words ∥ first words", without_words, [publish, publish], |s| {
        assert_eq!(s.front.filled(&Guard::new()), 1);
    });
    race("grow ∥ shrink", published, [grow, shrink], |s| assert_eq!(s.front.filled(&Guard::new()), 0));
}

#[test]
fn find_exchange() {
    race("find ∥ grow", published, [find, grow], find);
    race("find ∥ shrink", published, [find, shrink], find);
    // A reader of old words finds there what was removed since.
    race("find ∥ grow and withdraw", published, [find, |s| (grow(s), withdraw(s)).1], gone);
    race("find ∥ grow ∥ withdraw", published, [find, grow, withdraw], gone);
}

#[test]
fn pinned_find_withdraw() {
    race("pinned find ∥ withdraw", published, [find_pinned, withdraw], gone);
    race(
        "pinned find ∥ publish and withdraw",
        unpublished,
        [find_pinned, |s| (publish(s), withdraw(s)).1],
        gone,
    );
}

#[test]
fn pinned_find_publish_withdraw() {
    race("pinned find ∥ publish ∥ withdraw", unpublished, [find_pinned, publish, withdraw], gone);
}

#[test]
fn pinned_find_exchange() {
    race("pinned find ∥ shrink", published, [find_pinned, shrink], find);
    race("pinned find ∥ grow and withdraw", published, [find_pinned, |s| (grow(s), withdraw(s)).1], gone);
}
