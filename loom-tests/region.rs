//! Regions on the real index: entries come, are stripped, reaped and removed, and the sums follow.

use crate::witness::{Count, Step, Witness, race as run};
use weakmap::model::{Arc, Bounds, Guard, Mutex, Region, State, Want, flush, part_of, pin, shared};

struct Scene {
    count: Count,
    region: Region<u32, Witness>,
    holder: Mutex<Option<Arc<Witness>>>,
}

/// As `witness::race`; at the end no entry is lost to the passes, or in two of their places (invariant 1).
fn race<const N: usize>(name: &str, make: fn() -> Scene, steps: [Step<Scene>; N], check: fn(&Scene)) {
    run(name, make, steps, move |scene| {
        check(scene);
        assert!(scene.region.placed_once(), "an entry is in no sweeper's place, or in two");
    });
}

const KEY: u32 = 7;
const WEIGHT: u64 = 10;

/// A region with KEY = 1 in it.
fn filled(bounds: Bounds) -> Scene {
    let scene = Scene {
        count: Count::default(),
        region: Region::new(bounds, shared::Arc::default()),
        holder: Mutex::new(None),
    };
    insert(&scene, 1, WEIGHT);
    scene
}

fn plain() -> Scene {
    filled(Bounds::default())
}

fn weighed() -> Scene {
    filled(Bounds { weighed: true, ..Bounds::default() })
}

/// The value is held outside and was stripped.
fn stripped() -> Scene {
    let scene = plain();
    *scene.holder.lock().unwrap() = get(&scene);
    pass(&scene);
    scene
}

fn get(scene: &Scene) -> Option<Arc<Witness>> {
    scene.region.get(hash(KEY), &KEY)
}

fn read(scene: &Scene) -> Option<usize> {
    get(scene).map(|value| value.read())
}

fn fenced(key: u32) -> Guard {
    Guard::fenced(part_of(hash(key)))
}

fn hash(key: u32) -> u64 {
    u64::from(key) << 57 | u64::from(key)
}

fn insert(scene: &Scene, number: usize, weight: u64) {
    let value = Arc::new(scene.count.value(number));
    drop(scene.region.insert(hash(KEY), KEY, value, weight, fenced(KEY)));
}

/// By a thread that takes the key for a new one: it does not look first.
fn insert_blindly(scene: &Scene, number: usize) {
    let row = scene.region.counters.row().expect("a thread of few");
    while !row.is_long() {
        row.go_on();
    }
    insert(scene, number, WEIGHT);
}

fn pass(scene: &Scene) {
    scene.region.pass(Want::Entries(1));
}

fn remove(scene: &Scene) {
    drop(scene.region.remove(hash(KEY), &KEY, fenced(KEY)));
}

/// The sums agree with what a look finds, after everything pending was settled.
fn whole(scene: &Scene) {
    scene.region.settle_all();
    let sums = &scene.region.sums;
    let (mut strong, mut weak) = (0, 0);
    scene.region.for_each(|entry, _| match entry.slot.state() {
        State::Strong => strong += 1,
        _ => weak += 1,
    });
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    assert_eq!(sums.entries.load(relaxed), strong + weak);
    assert_eq!(sums.weak(), weak);
    assert_eq!(scene.count.living() as u64, strong + weak);
    assert_eq!(scene.region.indexed() as u64, strong + weak, "closed entries left in the index");
}

fn weight(scene: &Scene) -> u64 {
    scene.region.sums.weight.load(std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn insert_reap() {
    // What is inserted while the old value is stripped and reaped is not lost.
    race("insert ∥ pass", plain, [|s| insert(s, 2, WEIGHT), pass], |s| {
        whole(s);
        let found = read(s);
        assert!(matches!(found, None | Some(2)));
        assert_eq!(weight(s), if found.is_some() { WEIGHT } else { 0 });
    });
}

#[test]
fn insert_insert_of_an_absent_key() {
    fn empty() -> Scene {
        let scene = plain();
        remove(&scene);
        scene
    }
    race("insert ∥ insert", empty, [|s| insert(s, 2, WEIGHT), |s| insert(s, 3, WEIGHT)], |s| {
        whole(s);
        assert!(matches!(read(s), Some(2 | 3)));
        assert_eq!((weight(s), s.count.living()), (WEIGHT, 1));
    });
}

#[test]
fn blind_insert_pass() {
    race("blind insert ∥ pass", plain, [|s| insert_blindly(s, 2), pass], |s| {
        whole(s);
        let found = read(s);
        assert!(matches!(found, None | Some(2)));
        assert_eq!(weight(s), if found.is_some() { WEIGHT } else { 0 });
    });
}

#[test]
fn blind_insert_remove() {
    race("blind insert ∥ remove", plain, [|s| insert_blindly(s, 2), remove], |s| {
        whole(s);
        let found = read(s);
        assert!(matches!(found, None | Some(2)));
        assert_eq!(weight(s), if found.is_some() { WEIGHT } else { 0 });
    });
}

#[test]
fn blind_insert_insert() {
    race("blind insert ∥ insert", plain, [|s| insert_blindly(s, 2), |s| insert(s, 3, WEIGHT)], |s| {
        whole(s);
        assert!(matches!(read(s), Some(2 | 3)));
        assert_eq!((weight(s), s.count.living()), (WEIGHT, 1));
    });
}

#[test]
fn get_pass() {
    race("get ∥ pass", plain, [|s| assert!(matches!(read(s), None | Some(1))), pass], |s| {
        whole(s);
        assert_eq!(weight(s), if read(s).is_some() { WEIGHT } else { 0 });
    });
}

#[test]
fn remove_pass() {
    race("remove ∥ pass", plain, [remove, pass], |s| {
        whole(s);
        assert_eq!((weight(s), s.count.living(), read(s)), (0, 0, None));
    });
}

#[test]
fn two_sweepers() {
    race("pass ∥ pass", plain, [pass, pass], |s| {
        assert_eq!(s.region.indexed(), 0, "what nobody holds is reaped by the pass that strips it");
        whole(s);
        assert_eq!((weight(s), s.count.living()), (0, 0));
    });
}

#[test]
fn revive_review() {
    // A held value: read while the holder lets go and a pass looks at the weak entries.
    fn let_go_and_review(scene: &Scene) {
        drop(scene.holder.lock().unwrap().take());
        scene.region.settle_all();
    }
    race(
        "revive ∥ review",
        stripped,
        [|s| assert!(matches!(read(s), None | Some(1))), let_go_and_review],
        |s| {
            whole(s);
            assert_eq!(weight(s), if read(s).is_some() { WEIGHT } else { 0 });
        },
    );
}

#[test]
fn revive_strip() {
    fn held(scene: &Scene) {
        assert_eq!(read(scene), Some(1), "a held value is always found");
    }
    race("revive ∥ pass", stripped, [held, pass], |s| {
        whole(s);
        assert_eq!(read(s), Some(1));
        assert_eq!(weight(s), WEIGHT);
    });
}

#[test]
fn replace_replace_weighed() {
    // With a weigher the sum is the weight of the value that won.
    race("replace ∥ replace", weighed, [|s| insert(s, 2, 20), |s| insert(s, 3, 30)], |s| {
        whole(s);
        assert_eq!(weight(s), 10 * read(s).unwrap() as u64);
    });
}

#[test]
fn replace_pass_weighed() {
    race("replace ∥ pass", weighed, [|s| insert(s, 2, 20), pass], |s| {
        whole(s);
        assert_eq!(weight(s), 10 * read(s).unwrap_or(0) as u64);
    });
}

#[test]
fn insert_fit() {
    // A region with room for one.
    fn full() -> Scene {
        filled(Bounds { max_weight: Some(WEIGHT), ..Bounds::default() })
    }
    fn put(scene: &Scene, key: u32) {
        let value = Arc::new(scene.count.value(key as usize));
        drop(scene.region.insert(hash(key), key, value, WEIGHT, fenced(key)));
        scene.region.fit();
    }
    race("insert and fit ∥ insert and fit", full, [|s| put(s, 2), |s| put(s, 3)], |s| {
        whole(s);
        assert!(weight(s) <= WEIGHT, "{}", weight(s));
    });
}

/// Strong, and held outside.
fn held() -> Scene {
    let scene = plain();
    *scene.holder.lock().unwrap() = get(&scene);
    scene
}

fn stripped_weighed() -> Scene {
    let scene = weighed();
    *scene.holder.lock().unwrap() = get(&scene);
    pass(&scene);
    scene
}

fn let_go(scene: &Scene) {
    drop(scene.holder.lock().unwrap().take());
}

fn look(scene: &Scene) {
    read(scene);
}

fn none_below_zero(scene: &Scene) {
    assert!(weight(scene) < u64::MAX / 2, "the weight went below zero: {}", weight(scene));
}

#[test]
fn pass_get_pass() {
    // A get revives a victim while its batch is being released, and another pass comes by.
    fn read_and_pass(scene: &Scene) {
        assert_eq!(read(scene), Some(1), "a held value is always found");
        pass(scene);
    }
    race("pass ∥ get and pass", held, [pass, read_and_pass], |s| {
        whole(s);
        assert_eq!(read(s), Some(1));
        assert_eq!(weight(s), WEIGHT);
    });
}

#[test]
fn retain_replace() {
    // What replaced the condemned value stays.
    fn condemn(scene: &Scene) {
        scene.region.retain(|_, value| value.read() != 1);
    }
    race("retain ∥ insert", plain, [condemn, |s| insert(s, 2, WEIGHT)], |s| {
        whole(s);
        assert_eq!((read(s), weight(s)), (Some(2), WEIGHT));
    });
}

#[test]
fn retain_pass() {
    race("retain ∥ pass", held, [|s| s.region.retain(|_, _| false), pass], |s| {
        assert_eq!((read(s), weight(s), s.count.living()), (None, 0, 1));
        let_go(s);
        whole(s);
    });
}

#[test]
fn clear_insert() {
    race("clear ∥ insert", plain, [|s| s.region.clear(), |s| insert(s, 2, WEIGHT)], |s| {
        whole(s);
        assert!(matches!(read(s), None | Some(2)));
        assert_eq!(weight(s), if read(s).is_some() { WEIGHT } else { 0 });
    });
}

#[test]
fn weak_insert_remove() {
    // A weak entry weighs nothing: who puts a value in charges before another can take it out.
    fn remove_and_look(scene: &Scene) {
        remove(scene);
        none_below_zero(scene);
    }
    race("insert over a weak one ∥ remove", stripped, [|s| insert(s, 2, WEIGHT), remove_and_look], |s| {
        let_go(s);
        whole(s);
    });
}

#[test]
fn revive_replace_weighed() {
    race("revive ∥ insert", stripped_weighed, [look, |s| insert(s, 2, 20)], |s| {
        let_go(s);
        whole(s);
        assert_eq!((read(s), weight(s)), (Some(2), 20));
    });
}

#[test]
fn revive_remove_weighed() {
    race("revive ∥ remove", stripped_weighed, [look, remove], |s| {
        let_go(s);
        whole(s);
        assert_eq!((read(s), weight(s)), (None, 0));
    });
}

#[test]
fn replace_remove_weighed() {
    race("insert ∥ remove", weighed, [|s| insert(s, 2, 20), remove], |s| {
        whole(s);
        assert_eq!(weight(s), if read(s).is_some() { 20 } else { 0 });
    });
}

#[test]
fn revive_revive_with_room_for_one() {
    // Two entries whose value is held (the same), stripped, and room for one.
    fn two() -> Scene {
        let scene = filled(Bounds { max_weight: Some(WEIGHT), ..Bounds::default() });
        let value = get(&scene).unwrap();
        drop(scene.region.insert(hash(8), 8, value.clone(), WEIGHT, fenced(8)));
        *scene.holder.lock().unwrap() = Some(value);
        pass(&scene);
        pass(&scene);
        assert_eq!(weight(&scene), 0);
        scene
    }
    race("revive ∥ revive, room for one", two, [look, |s| drop(s.region.get(hash(8), &8))], |s| {
        assert_eq!(weight(s), WEIGHT);
    });
}

/// As a pinned `get`.
fn pinned_read(scene: &Scene) {
    let pin = pin::Pin::new();
    let mut kept = None;
    let found = scene.region.read(hash(KEY), &KEY, |entry, guard| {
        entry.touch();
        if let Some(value) = entry.slot.strong(&pin) {
            return Some(value as *const Witness);
        }
        let found = entry.slot.get(guard)?;
        if found.weak {
            scene.region.revive(entry, &found.value);
        }
        match entry.slot.strong(&pin) {
            Some(value) => Some(value as *const Witness),
            None => Some(Arc::as_ptr(kept.insert(found.value))),
        }
    });
    if let Some(value) = found.flatten() {
        // SAFETY: the pin lives, or `kept`: that is what the model checks.
        #[allow(unsafe_code)]
        let value = unsafe { &*value };
        assert!(matches!(value.read(), 1 | 2));
    }
}

fn all_freed(scene: &Scene) {
    assert!(!pin::pinned(), "a pin left its count");
    flush();
    whole(scene);
}

#[test]
fn pinned_pass() {
    race("pinned get ∥ pass", plain, [pinned_read, pass], |s| {
        all_freed(s);
        pass(s);
        all_freed(s);
        assert_eq!((weight(s), s.count.living()), (0, 0));
    });
}

#[test]
fn replace_flush() {
    // A thread fills its row of graves and empties it, while another empties all.
    fn replace_twice(scene: &Scene) {
        insert(scene, 2, WEIGHT);
        insert(scene, 3, WEIGHT);
    }
    race("replace, replace ∥ flush", plain, [replace_twice, |s| s.region.flush()], |s| {
        whole(s);
        assert_eq!((read(s), weight(s)), (Some(3), WEIGHT));
    });
}

#[test]
fn get_replace_round() {
    // A thread fills its row of graves more than once: what it finds there is given back, while another reads.
    fn replace_often(scene: &Scene) {
        (2..=5).for_each(|number| insert(scene, number, WEIGHT));
    }
    race("get ∥ replace four times", plain, [|s| _ = read(s), replace_often], |s| {
        whole(s);
        assert_eq!((read(s), weight(s)), (Some(5), WEIGHT));
    });
}

#[test]
fn pinned_replace() {
    race("pinned get ∥ insert", plain, [pinned_read, |s| insert(s, 2, WEIGHT)], |s| {
        all_freed(s);
        assert_eq!((read(s), weight(s)), (Some(2), WEIGHT));
    });
}

#[test]
fn pinned_remove() {
    race("pinned get ∥ remove", plain, [pinned_read, remove], |s| {
        all_freed(s);
        assert_eq!((read(s), weight(s)), (None, 0));
    });
}

#[test]
fn pinned_weak_pass() {
    // A weak entry, whose holder lets go while it is read under a pin and a pass comes by.
    fn let_go_and_pass(scene: &Scene) {
        let_go(scene);
        pass(scene);
    }
    race("pinned get of a weak one ∥ let go and pass", stripped, [pinned_read, let_go_and_pass], |s| {
        all_freed(s);
        assert_eq!(weight(s), if read(s).is_some() { WEIGHT } else { 0 });
    });
}
