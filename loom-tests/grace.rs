//! Guards: what a reader has found is given back after it has left, and given back it is.

use crate::witness::{Count, Step, Witness, race};
use std::{ptr, thread};
use weakmap::model::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire},
    end,
    grace::{Guard, Part, PinGuard, Readers, defer, defer_for_pins, flush},
    yield_now,
};

struct Scene {
    count: Count,
    places: [AtomicPtr<Witness>; 2],
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.places.iter().for_each(|place| drop(take(place)));
        }
    }
}

fn scene() -> Scene {
    let count = Count::default();
    let place = |number| AtomicPtr::new(Box::into_raw(Box::new(count.value(number))));
    let places = [place(0), place(1)];
    Scene { count, places }
}

/// What is there, for as long as a guard lives.
#[allow(unsafe_code)]
fn look<'g>(place: &AtomicPtr<Witness>, _guard: &'g Guard) -> Option<&'g Witness> {
    // SAFETY: it is given back after the guards of then: that is what the model checks.
    unsafe { place.load(Acquire).as_ref() }
}

#[allow(unsafe_code)]
fn look_pinned<'p>(place: &AtomicPtr<Witness>, _pin: &'p PinGuard) -> Option<&'p Witness> {
    // SAFETY: as above, after the pins of then.
    unsafe { place.load(Acquire).as_ref() }
}

#[allow(unsafe_code)]
fn take(place: &AtomicPtr<Witness>) -> Option<Box<Witness>> {
    let pointer = place.swap(ptr::null_mut(), AcqRel);
    // SAFETY: whoever takes the pointer out owns it.
    (!pointer.is_null()).then(|| unsafe { Box::from_raw(pointer) })
}

fn read(scene: &Scene) {
    let guard = Guard::new();
    look(&scene.places[0], &guard).map(Witness::read);
}

/// One after the other: a row's next turn.
fn read_twice(scene: &Scene) {
    read(scene);
    let guard = Guard::new();
    look(&scene.places[1], &guard).map(Witness::read);
}

/// The first guard goes first.
fn read_nested(scene: &Scene) {
    let first = Guard::new();
    let second = Guard::new();
    drop(first);
    look(&scene.places[0], &second).map(Witness::read);
}

/// In the second of two turns, under two guards.
fn read_and_nest(scene: &Scene) {
    read(scene);
    let first = Guard::new();
    let second = Guard::new();
    drop((first, second));
}

/// Under a pin, within a guard that is none and goes first.
fn read_pinned(scene: &Scene) {
    let guard = Guard::new();
    let pin = PinGuard::new();
    drop(guard);
    look_pinned(&scene.places[0], &pin).map(Witness::read);
}

/// Of a thread whose row another may take then.
fn read_and_end(scene: &Scene) {
    read(scene);
    end();
}

fn remove(scene: &Scene) {
    let taken = take(&scene.places[0]);
    defer(move || drop(taken));
}

/// Notes who reads, and gives it back when these have gone.
fn remove_and_wait(scene: &Scene) {
    let taken = take(&scene.places[0]);
    let mut readers = Readers::now();
    while !readers.are_none() {
        yield_now();
        readers.forget_gone();
    }
    drop(taken);
}

/// Of the first's part.
fn read_part(scene: &Scene) {
    let guard = Guard::of(Part::of(0));
    look(&scene.places[0], &guard).map(Witness::read);
}

/// Both, the first under a guard within that of the other's part.
fn read_parts(scene: &Scene) {
    let guard = Guard::of(Part::of(1));
    look(&scene.places[1], &guard).map(Witness::read);
    let other = Guard::of(Part::of(0));
    drop(guard);
    look(&scene.places[0], &other).map(Witness::read);
}

/// Waits for those that may see it: its number is its part.
fn remove_part_and_wait(scene: &Scene, part: usize) {
    let taken = take(&scene.places[part]);
    let mut readers = Readers::now();
    while readers.may_see(Part::of(part)) {
        yield_now();
        readers.forget_gone();
    }
    drop(taken);
}

fn remove_for_pins(scene: &Scene) {
    let taken = take(&scene.places[0]);
    defer_for_pins(move || drop(taken));
}

fn remove_both(scene: &Scene) {
    remove(scene);
    let taken = take(&scene.places[1]);
    defer(move || drop(taken));
}

/// Under a guard, which goes on reading.
fn remove_inside(scene: &Scene) {
    let guard = Guard::new();
    let found = look(&scene.places[0], &guard);
    remove(scene);
    found.map(Witness::read);
}

/// Puts another in its place first.
fn replace(scene: &Scene) {
    let new = Box::into_raw(Box::new(scene.count.value(2)));
    let old = scene.places[0].swap(new, AcqRel);
    #[allow(unsafe_code)]
    // SAFETY: whoever swaps the pointer out owns it.
    let old = (!old.is_null()).then(|| unsafe { Box::from_raw(old) });
    defer(move || drop(old));
}

/// So many are left, when nobody reads any more.
fn left(count: usize) -> impl Fn(&Scene) + Copy + Send + Sync {
    move |scene| {
        flush();
        assert_eq!(scene.count.living(), count);
    }
}

#[test]
fn read_remove() {
    race("read ∥ remove", scene, [read, remove], left(1));
    race("read twice ∥ remove both", scene, [read_twice, remove_both], left(0));
    race("nested read ∥ remove", scene, [read_nested, remove], left(1));
    race("read and nest ∥ remove", scene, [read_and_nest, remove], left(1));
}

#[test]
fn pinned_read_remove() {
    race("pinned read ∥ remove", scene, [read_pinned, remove], left(1));
    race("pinned read ∥ remove for pins", scene, [read_pinned, remove_for_pins], left(1));
    // A guard that is no pin holds it not back.
    race("guard ∥ remove for pins", scene, [|_| drop(Guard::new()), remove_for_pins], |s| {
        assert_eq!(s.count.living(), 1);
    });
}

#[test]
fn two_reads_remove() {
    race("read ∥ read ∥ remove", scene, [read, read, remove], left(1));
}

#[test]
fn read_replace() {
    race("read twice ∥ replace", scene, [read_twice, replace], left(2));
    race("read ∥ replace ∥ remove", scene, [read, replace, remove], |s| {
        flush();
        assert!((1..=2).contains(&s.count.living()));
    });
}

#[test]
fn read_remove_and_wait() {
    race("read ∥ remove and wait", scene, [read, remove_and_wait], left(1));
    race("read twice ∥ remove and wait", scene, [read_twice, remove_and_wait], left(1));
    race("read ∥ read ∥ remove and wait", scene, [read, read, remove_and_wait], left(1));
}

#[test]
fn read_part_remove() {
    let [first, other]: [Step<Scene>; 2] = [|s| remove_part_and_wait(s, 0), |s| remove_part_and_wait(s, 1)];
    race("read a part ∥ remove and wait", scene, [read_part, first], left(1));
    race("read all ∥ remove and wait", scene, [read, first], left(1));
    race("read two parts ∥ remove of the inner and wait", scene, [read_parts, first], left(1));
    race("read two parts ∥ remove of the outer and wait", scene, [read_parts, other], left(1));
    race("read two parts ∥ remove both", scene, [read_parts, remove_both], left(0));
}

#[test]
fn read_end_remove() {
    race("read and end ∥ read and end ∥ remove", scene, [read_and_end, read_and_end, remove], left(1));
}

#[test]
fn remove_remove() {
    race("remove under a guard ∥ remove", scene, [remove_inside, remove], left(1));
    race("remove under a guard ∥ read", scene, [remove_inside, read], left(1));
}

/// A deferral under a guard is run when that goes, if nobody else is in its way.
#[test]
fn nobody_need_flush() {
    race("remove under a guard", scene, [remove_inside], |s| assert_eq!(s.count.living(), 1));
}
