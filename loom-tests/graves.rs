//! Graves: what a row gives back, nobody can see any more.

use crate::witness::{Count, Step, Witness, race};
use std::{mem::ManuallyDrop, ptr};
use weakmap::model::{
    AtomicPtr, Graves, Guard,
    Ordering::{AcqRel, Acquire},
    Part, StrongArc, defer,
};

struct Scene {
    count: Count,
    /// The number of each is its part.
    places: [AtomicPtr<Witness>; 2],
    graves: Graves<StrongArc<Witness>>,
}

fn scene() -> Scene {
    let count = Count::default();
    let place = |number| AtomicPtr::new(new(&count, number));
    Scene { places: [place(0), place(1)], graves: Graves::new(), count }
}

fn new(count: &Count, number: usize) -> *mut Witness {
    StrongArc::into_raw(StrongArc::new(count.value(number))).cast_mut()
}

/// The count of what is taken out.
#[allow(unsafe_code)]
fn own(pointer: *mut Witness) -> Option<StrongArc<Witness>> {
    // SAFETY: it came from `into_raw`, and who took it out asks this once.
    (!pointer.is_null()).then(|| unsafe { StrongArc::from_raw(pointer) })
}

fn read(scene: &Scene, part: usize) {
    let _guard = Guard::of(Part::of(part));
    let found = own(scene.places[part].load(Acquire)).map(ManuallyDrop::new); // lent
    found.map(|it| it.read());
}

/// As many as fill a row more than once.
fn replace(scene: &Scene, parts: [usize; 5]) {
    for part in parts {
        let old = scene.places[part].swap(new(&scene.count, part), AcqRel);
        old.is_null().then(|| unreachable!("nobody else replaces"));
        own(old).map(|count| scene.graves.put(count, Part::of(part)));
        if scene.graves.is_full() {
            let graves = scene.graves.make_room();
            defer(move || drop(graves));
        }
    }
}

/// When nobody reads any more, all but the last two go.
fn all_go(scene: &Scene) {
    drop(scene.graves.take_all());
    assert_eq!(scene.count.living(), 2);
    scene.places.iter().for_each(|place| drop(own(place.swap(ptr::null_mut(), AcqRel))));
    assert_eq!(scene.count.living(), 0);
}

#[test]
fn read_put() {
    let in_turn: Step<Scene> = |s| replace(s, [0, 1, 0, 1, 0]);
    let one: Step<Scene> = |s| replace(s, [0, 0, 0, 0, 0]);
    race("read ∥ put of its part", scene, [|s| read(s, 0), one], all_go);
    race("read ∥ put of another", scene, [|s| read(s, 1), one], all_go);
    race("read ∥ put in turn", scene, [|s| read(s, 1), in_turn], all_go);
    race(
        "read, read ∥ put in turn",
        scene,
        [|s| [0, 1].iter().for_each(|&part| read(s, part)), in_turn],
        all_go,
    );
}
