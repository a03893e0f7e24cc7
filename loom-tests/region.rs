//! Regions on the real index: entries come, are stripped, reaped and removed, and the sums follow.

use crate::witness::{Count, Witness, race};
use weakmap::model::{Arc, Bounds, Mutex, Region, State, Want, shared};

struct Scene {
    count: Count,
    region: Region<u32, Witness>,
    holder: Mutex<Option<Arc<Witness>>>,
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
    scene.region.get(hash(KEY), &KEY).map(|found| found.value)
}

fn read(scene: &Scene) -> Option<usize> {
    get(scene).map(|value| value.read())
}

fn hash(key: u32) -> u64 {
    u64::from(key) << 57 | u64::from(key)
}

fn insert(scene: &Scene, number: usize, weight: u64) {
    let value = Arc::new(scene.count.value(number));
    drop(scene.region.insert(hash(KEY), KEY, value, weight));
}

fn pass(scene: &Scene) {
    scene.region.pass(Want::Entries(1));
}

fn remove(scene: &Scene) {
    drop(scene.region.remove(hash(KEY), &KEY));
}

/// The sums agree with what a look finds, after everything pending was settled.
fn whole(scene: &Scene) {
    scene.region.settle_all();
    let sums = &scene.region.sums;
    let (mut strong, mut weak) = (0, 0);
    scene.region.for_each(|entry, _, _| match entry.slot.state() {
        State::Strong => strong += 1,
        _ => weak += 1,
    });
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    assert_eq!(sums.entries.load(relaxed), strong + weak);
    assert_eq!(sums.weak.load(relaxed), weak);
    assert_eq!(scene.count.living() as u64, strong + weak);
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
        drop(scene.region.insert(hash(key), key, value, WEIGHT));
        scene.region.fit();
    }
    race("insert and fit ∥ insert and fit", full, [|s| put(s, 2), |s| put(s, 3)], |s| {
        whole(s);
        assert!(weight(s) <= WEIGHT, "{}", weight(s));
    });
}
