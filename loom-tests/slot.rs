//! The slot against itself: every pair of its operations that meet in the map.

use crate::witness::{Count, Witness, race};
use weakmap::model::{Arc, Displaced, Guard, Mutex, Retired, Slot, State, defer, urn::Urn};

/// A slot with value 1, and a second count on that value where `held`.
struct Scene {
    count: Count,
    slot: Slot<Witness>,
    holder: Mutex<Option<Arc<Witness>>>,
}

fn scene(held: bool, stripped: bool) -> Scene {
    let count = Count::default();
    let value = Arc::new(count.value(1));
    let slot = Slot::vacant();
    slot.fill(value.clone());
    if stripped {
        drop(slot.strip());
    }
    Scene { count, slot, holder: Mutex::new(held.then_some(value)) }
}

fn strong() -> Scene {
    scene(false, false)
}

fn shared() -> Scene {
    scene(true, false)
}

fn stripped() -> Scene {
    scene(true, true)
}

/// As the map retires: through the guard.
fn retire(retired: Retired<Witness>) {
    defer(move || drop(retired));
}

fn get(scene: &Scene) -> Option<usize> {
    let guard = Guard::new();
    scene.slot.get(&guard).map(|found| found.value.read())
}

fn get_and_revive(scene: &Scene) {
    let guard = Guard::new();
    if let Some(found) = scene.slot.get(&guard) {
        if found.weak {
            scene.slot.revive(&found.value);
        }
        assert_eq!(found.value.read(), 1);
    }
}

/// A pass: strip, give back, reap, retire.
fn pass(scene: &Scene) {
    drop(scene.slot.strip());
    let guard = Guard::new();
    if let Some(retired) = scene.slot.reap(&guard) {
        retire(retired);
    }
}

fn replace(scene: &Scene) {
    let guard = Guard::new();
    match scene.slot.replace(Arc::new(scene.count.value(2)), &guard) {
        Ok(Displaced { value, retired, .. }) => {
            retire(retired);
            drop(value);
        }
        Err(value) => drop(value),
    }
}

fn close(scene: &Scene) {
    let guard = Guard::new();
    if let Some(Displaced { value, retired, .. }) = scene.slot.close(&guard) {
        retire(retired);
        drop(value);
    }
}

fn let_go(scene: &Scene) {
    drop(scene.holder.lock().unwrap().take());
}

/// What must hold at the end of every race here: the slot keeps one value if it is strong, and none if nobody else does.
fn whole(scene: &Scene) {
    let held = usize::from(scene.holder.lock().unwrap().is_some());
    let kept = match scene.slot.state() {
        State::Strong => 1,
        _ => 0,
    };
    let living = scene.count.living();
    assert!(living <= held + kept && living >= kept.max(held), "{living} live, {held} held, {kept} kept");
}

#[test]
fn get_strip() {
    // A get in between keeps its value for a moment; nobody has one when all is over.
    race("get ∥ pass", strong, [|s| assert!(matches!(get(s), None | Some(1))), pass], |s| {
        assert_eq!((s.count.living(), get(s)), (0, None));
    });
}

#[test]
fn get_replace() {
    // A replacement never makes the key absent.
    race("get ∥ replace", strong, [|s| assert!(get(s).is_some()), replace], whole);
}

#[test]
fn get_close() {
    race("get ∥ close", strong, [|s| assert!(matches!(get(s), None | Some(1))), close], |s| {
        assert_eq!((s.slot.state(), s.count.living()), (State::Closed, 0));
    });
}

#[test]
fn get_strip_replace() {
    // With a replacement about, a pass may close the slot first: then it does not take; else the new value is there.
    race("get ∥ pass ∥ replace", strong, [|s| assert_ne!(get(s), Some(3)), pass, replace], |s| {
        whole(s);
        let found = get(s);
        assert_eq!(found.is_some(), s.slot.state() == State::Strong);
        assert!(matches!(found, None | Some(2)));
    });
}

#[test]
fn revive_strip() {
    race("revive ∥ pass", shared, [get_and_revive, pass], |s| {
        whole(s);
        assert_ne!(s.slot.state(), State::Closed, "a held value is not lost");
        assert_eq!(get(s), Some(1));
    });
}

#[test]
fn revive_reap() {
    // The holder lets go while one thread reads and another passes.
    race("revive ∥ let go and pass", stripped, [get_and_revive, |s| (let_go(s), pass(s)).1], |s| {
        whole(s);
        assert_eq!(get(s).is_some(), s.slot.state() == State::Strong);
    });
}

#[test]
fn revive_replace() {
    let read = |s: &Scene| {
        let guard = Guard::new();
        let found = s.slot.get(&guard).expect("held, then replaced: never absent");
        if found.weak {
            s.slot.revive(&found.value);
        }
    };
    race("revive ∥ replace", stripped, [read, replace], |s| {
        assert_eq!((get(s), s.slot.state()), (Some(2), State::Strong));
        whole(s);
    });
}

#[test]
fn revive_close() {
    race("revive ∥ close", stripped, [get_and_revive, close], |s| {
        assert_eq!(s.slot.state(), State::Closed);
        whole(s);
    });
}

#[test]
fn strip_strip() {
    race("pass ∥ pass", strong, [pass, pass], |s| {
        assert_eq!((s.slot.state(), s.count.living()), (State::Closed, 0));
    });
}

#[test]
fn strip_close() {
    race("pass ∥ close", strong, [pass, close], |s| {
        assert_eq!((s.slot.state(), s.count.living()), (State::Closed, 0));
    });
}

#[test]
fn replace_replace() {
    race("replace ∥ replace", strong, [replace, replace], |s| {
        assert_eq!((s.slot.state(), s.count.living()), (State::Strong, 1));
    });
}

#[test]
fn replace_close() {
    race("replace ∥ close", strong, [replace, close], |s| {
        whole(s);
        assert_eq!(s.slot.state(), State::Closed);
    });
}

#[test]
fn downgrade_reap() {
    let hold = |s: &Scene| {
        let guard = Guard::new();
        let weak = s.slot.downgrade(&guard);
        drop(guard);
        if let Some(value) = weak.and_then(|weak| weak.upgrade()) {
            assert_eq!(value.read(), 1);
        }
    };
    race("downgrade ∥ pass", strong, [hold, pass], whole);
}

#[test]
fn downgrade_replace() {
    let hold = |s: &Scene| {
        let guard = Guard::new();
        let weak = s.slot.downgrade(&guard).expect("replaced, never absent");
        drop(guard);
        assert!(weak.upgrade().is_none_or(|value| matches!(value.read(), 1 | 2)));
    };
    race("downgrade ∥ replace", strong, [hold, replace], whole);
}

#[test]
fn replaced_and_stripped_reap() {
    // A reaper meets a value that another thread put in and stripped.
    let replace_and_strip = |s: &Scene| {
        replace(s);
        drop(s.slot.strip());
    };
    let reap = |s: &Scene| {
        let guard = Guard::new();
        if let Some(retired) = s.slot.reap(&guard) {
            retire(retired);
        }
    };
    race("replace and strip ∥ reap", strong, [replace_and_strip, reap], whole);
}

/// As `retain`: looks at the value, and closes the slot if it is still that.
fn close_if(scene: &Scene) {
    let guard = Guard::new();
    let Some(found) = scene.slot.get(&guard) else { return };
    if let Some(Displaced { value, retired, .. }) = scene.slot.close_if(&found.value, &guard) {
        retire(retired);
        assert_eq!(value.map(|value| value.read()), Some(found.value.read()));
    }
}

#[test]
fn close_if_strip() {
    // A pass makes it weak or closes it meanwhile: still the same value, so it goes.
    race("close_if ∥ pass", shared, [close_if, pass], |s| {
        whole(s);
        assert_eq!(s.slot.state(), State::Closed);
    });
}

#[test]
fn close_if_revive() {
    race("close_if ∥ revive", stripped, [close_if, get_and_revive], |s| {
        whole(s);
        assert_eq!(s.slot.state(), State::Closed);
    });
}

#[test]
fn close_if_replace() {
    // Either the old value goes and the replacement finds the slot closed, or the new one stays.
    race("close_if ∥ replace", strong, [close_if, replace], |s| {
        whole(s);
        assert!(matches!(get(s), None | Some(2)));
    });
    let close_one = |s: &Scene| {
        let guard = Guard::new();
        let value = s.holder.lock().unwrap().clone().unwrap();
        if let Some(Displaced { value, retired, .. }) = s.slot.close_if(&value, &guard) {
            retire(retired);
            drop(value);
        }
    };
    race("close_if 1 ∥ replace", shared, [close_one, replace], |s| {
        whole(s);
        // The replacement is lost only where it was told so: then value 2 is dropped, by `replace` above.
        assert_eq!(get(s).is_some(), s.slot.state() == State::Strong);
        assert_ne!(get(s), Some(1));
    });
}

#[test]
fn close_if_close() {
    race("close_if ∥ close", strong, [close_if, close], |s| {
        assert_eq!((s.slot.state(), s.count.living()), (State::Closed, 0));
    });
}

/// A strong slot, and an urn that one thread fills.
struct Burial {
    scene: Scene,
    urn: Urn<Retired<Witness>>,
}

fn burial() -> Burial {
    Burial { scene: strong(), urn: Urn::new() }
}

fn replace_strong(burial: &Burial) {
    let guard = Guard::new();
    let value = Arc::new(burial.scene.count.value(2));
    let Ok((displaced, retired)) = burial.scene.slot.replace_strong(value, &guard) else { return };
    burial.urn.put(retired).map(retire);
    displaced.read();
}

fn take(burial: &Burial) {
    if let Some(retired) = burial.urn.take() {
        retire(retired);
    }
}

/// The urn is full.
fn buried() -> Burial {
    let burial = burial();
    replace_strong(&burial);
    burial
}

#[test]
fn put_take() {
    // Who puts one in takes the one before out, or another does.
    race("put ∥ take, of a full urn", buried, [replace_strong, take], |b| {
        take(b);
        assert_eq!(b.scene.count.living(), 1);
    });
}

#[test]
fn put_take_take() {
    // A thread retires into its urn, two others empty it: one of them, or none, has the count.
    race("put ∥ take ∥ take", burial, [replace_strong, take, take], |b| {
        take(b);
        assert_eq!(b.scene.count.living(), 1);
    });
}

#[test]
fn replace_strong_strip() {
    // Replaced, or stripped first: then it is given back.
    race("replace of a strong one ∥ pass", burial, [replace_strong, |b| pass(&b.scene)], |b| {
        take(b);
        whole(&b.scene);
    });
}

#[test]
fn get_replace_strong() {
    let read = |b: &Burial| assert!(get(&b.scene).is_some());
    race("get ∥ replace of a strong one", burial, [read, replace_strong], take);
}
