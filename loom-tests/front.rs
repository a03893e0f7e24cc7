//! The front: readers, publishers and whoever removes a thing, while its words come and go.
//!
//! The table is a lock here, and holds one count, which goes at once: nothing but the front's own rules protects who found a thing there.

use crate::witness::{Count, Witness, race};
use weakmap::model::{
    AtomicBool, AtomicU8, Guard, Keyed, Mutex,
    Ordering::{AcqRel, Acquire},
    StrongArc, defer,
    front::{Front, PER_WORD, REACH},
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
struct Table(Mutex<Option<StrongArc<Thing>>>);

impl Table {
    fn put(&self, it: StrongArc<Thing>) {
        *self.0.lock().unwrap() = Some(it);
    }

    /// What is there, with a count that stands for the table's own guard.
    fn get(&self) -> Option<StrongArc<Thing>> {
        self.0.lock().unwrap().clone()
    }

    fn take(&self) -> Option<StrongArc<Thing>> {
        self.0.lock().unwrap().take()
    }
}

fn thing(count: &Count, key: u8, number: usize) -> StrongArc<Thing> {
    let (closed, mark) = (AtomicBool::new(false), AtomicU8::new(0));
    StrongArc::new(Thing { key, closed, mark, witness: count.value(number) })
}

/// Two to the power of `size` words, and a thing that is in the table.
fn scene(size: u8) -> Scene {
    let (count, table) = (Count::default(), Table(Mutex::new(None)));
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
    scene.others.iter().for_each(|other| scene.front.publish(other, || 2 * PER_WORD, &guard));
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

/// As a read that had to ask the table.
fn publish(scene: &Scene) {
    let guard = Guard::new();
    if let Some(it) = scene.table.get() {
        scene.front.publish(&it, || 2 * PER_WORD, &guard);
    }
}

/// As a removal: closes, and takes out of the index.
fn withdraw(scene: &Scene) {
    let guard = Guard::new();
    let Some(it) = scene.table.get() else { return };
    if !it.closed.swap(true, AcqRel) {
        let met = scene.front.withdraw(&it, &guard);
        drop(scene.table.take().expect("who closes it takes it out"));
        drop(guard);
        if met {
            defer(move || drop(it));
        }
    }
}

/// The key comes back, with another thing.
fn insert(scene: &Scene) {
    scene.table.put(thing(&scene.count, KEY, 2));
}

fn grow(scene: &Scene) {
    scene.front.grow(4 * PER_WORD);
}

fn shrink(scene: &Scene) {
    scene.front.shrink(0);
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
