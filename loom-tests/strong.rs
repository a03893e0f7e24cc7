//! Handles with a count inside: what they point to is dropped once, by the last, after all that was done through others.

use crate::witness::{Count, Witness, race};
use loom::sync::atomic::AtomicU16;
use weakmap::model::{
    Mutex,
    strong::{Counted, StrongArc},
};

struct Thing {
    handles: AtomicU16,
    witness: Witness,
}

impl Counted for Thing {
    fn count(&self) -> &AtomicU16 {
        &self.handles
    }
}

struct Scene {
    count: Count,
    /// Each taken by one thread.
    handles: Mutex<Vec<StrongArc<Thing>>>,
}

fn one() -> Scene {
    let count = Count::default();
    let thing = StrongArc::new(Thing { handles: AtomicU16::new(1), witness: count.value(1) });
    Scene { count, handles: Mutex::new(vec![thing]) }
}

fn two() -> Scene {
    let scene = one();
    let (this, other) = take(&scene).split();
    scene.handles.lock().unwrap().extend([this, other]);
    scene
}

fn take(scene: &Scene) -> StrongArc<Thing> {
    scene.handles.lock().unwrap().pop().expect("there is one for each")
}

/// Reads, and goes; or is the last.
fn read_and_drop(scene: &Scene) {
    let handle = take(scene);
    assert_eq!(handle.witness.read(), 1);
    drop(handle);
}

fn clone_and_drop(scene: &Scene) {
    let handle = take(scene);
    let other = handle.clone();
    drop(handle);
    assert_eq!(other.witness.read(), 1);
    drop(other);
}

fn split_and_drop(scene: &Scene) {
    let (handle, other) = take(scene).split();
    drop(handle);
    assert_eq!(other.witness.read(), 1);
    drop(other);
}

/// The value, if it is the only one left; else it goes.
fn unwrap(scene: &Scene) {
    if let Ok(thing) = StrongArc::try_unwrap(take(scene)) {
        assert_eq!(thing.witness.read(), 1);
    }
}

fn gone(scene: &Scene) {
    assert_eq!(scene.count.living(), 0);
}

#[test]
fn drop_drop() {
    race("read, drop ∥ read, drop", two, [read_and_drop, read_and_drop], gone);
}

#[test]
fn clone_drop() {
    race("clone, drop both ∥ read, drop", two, [clone_and_drop, read_and_drop], gone);
}

#[test]
fn split_drop() {
    race("split, drop both ∥ read, drop", two, [split_and_drop, read_and_drop], gone);
}

#[test]
fn unwrap_drop() {
    race("unwrap ∥ read, drop", two, [unwrap, read_and_drop], gone);
    race("unwrap ∥ clone, drop both", two, [unwrap, clone_and_drop], gone);
}
