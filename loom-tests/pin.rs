//! Pins: a reference read through one stays good while the slot's count leaves.

use crate::witness::{Count, Witness, race};
use weakmap::model::{Arc, Displaced, Guard, Slot, State, defer, defer_for_pins, pin};

struct Scene {
    count: Count,
    slot: Slot<Witness>,
}

fn scene() -> Scene {
    let count = Count::default();
    let slot = Slot::vacant();
    slot.fill(Arc::new(count.value(1)));
    Scene { count, slot }
}

/// As a pinned `get` of a strong entry: the reference is used after the look.
fn read(scene: &Scene) {
    let pin = pin::Pin::new();
    let value = scene.slot.strong(&pin);
    assert!(matches!(value.map(Witness::read), None | Some(1 | 2)));
}

/// As the map gives a strong count back.
fn give_back(value: Option<Arc<Witness>>) {
    if pin::pinned() {
        defer_for_pins(move || drop(value));
    }
}

/// Under the second of two pins, when the first has gone.
fn read_nested(scene: &Scene) {
    let first = pin::Pin::new();
    let second = pin::Pin::new();
    drop(first);
    let value = scene.slot.strong(&second);
    assert!(matches!(value.map(Witness::read), None | Some(1)));
}

fn strip(scene: &Scene) {
    give_back(scene.slot.strip());
}

fn replace(scene: &Scene) {
    let guard = Guard::new();
    let new = Arc::new(scene.count.value(2));
    if let Ok(Displaced { value, retired, .. }) = scene.slot.replace(new, &guard) {
        defer(move || drop(retired));
        give_back(value);
    }
}

#[test]
fn read_strip() {
    race("pinned read ∥ strip", scene, [read, strip], |s| {
        // Nobody flushes: what the pin held back went with it.
        assert_eq!((s.slot.state(), s.count.living()), (State::Weak, 0));
    });
}

#[test]
fn nested_read_strip() {
    race("nested pinned read ∥ strip", scene, [read_nested, strip], |s| assert_eq!(s.count.living(), 0));
}

#[test]
fn read_replace() {
    race("pinned read ∥ replace", scene, [read, replace], |s| {
        assert_eq!((s.slot.state(), s.count.living()), (State::Strong, 1));
    });
}

#[test]
fn two_reads_strip() {
    race("pinned read ∥ pinned read ∥ strip", scene, [read, read, strip], |s| {
        assert_eq!(s.count.living(), 0);
    });
}
