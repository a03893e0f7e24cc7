//! Single flight: one loader at a time, and nothing that was cancelled lands.

use crate::witness::{Count, Step, Witness, race_within as run};
use loom::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release, SeqCst},
};
use weakmap::{
    Collector, Tuning, WeakMap,
    heap::Scripted,
    model::{Arc, PREEMPTIONS},
};

struct Scene {
    count: Count,
    map: WeakMap<u32, Witness, Fixed>,
    loads: AtomicUsize,
    loading: AtomicUsize,
    heap: Scripted,
}

/// As `witness::race`; at the end no flight is left in the table.
fn race<const N: usize>(name: &str, make: fn() -> Scene, steps: [Step<Scene>; N], check: fn(&Scene)) {
    race_within(PREEMPTIONS, name, make, steps, check);
}

fn race_within<const N: usize>(
    preemptions: usize,
    name: &str,
    make: fn() -> Scene,
    steps: [Step<Scene>; N],
    check: fn(&Scene),
) {
    run(preemptions, name, make, steps, move |scene| {
        check(scene);
        assert!(scene.map.has_landed_all(), "a flight never ended");
    });
}

type Fixed = std::hash::BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

fn scene() -> Scene {
    scene_with(|builder| builder)
}

type Builder = weakmap::Builder<u32, Witness, Fixed>;

fn scene_with(set: fn(Builder) -> Builder) -> Scene {
    let heap = Scripted::new();
    let collector = Collector::new(Tuning::new().limit(1 << 20).heap(heap.clone())).unwrap();
    Scene {
        count: Count::default(),
        map: set(WeakMap::builder().collector(collector).hasher(Fixed::default())).build().unwrap(),
        loads: AtomicUsize::new(0),
        loading: AtomicUsize::new(0),
        heap,
    }
}

fn load(scene: &Scene) -> Witness {
    assert_eq!(scene.loading.fetch_add(1, SeqCst), 0, "two loaders at a time");
    scene.loads.fetch_add(1, SeqCst);
    scene.loading.fetch_sub(1, SeqCst);
    scene.count.value(1)
}

/// Loads what the source says: 0, or 1 once it was changed.
fn load_source(scene: &Scene) {
    // Acquire and Release: no more than a user's source may do.
    scene.map.get_or_insert_with(7, || scene.count.value(scene.loads.load(Acquire)));
}

fn change(scene: &Scene) {
    scene.loads.fetch_add(1, Release);
}

fn get(scene: &Scene) -> Arc<Witness> {
    scene.map.get_or_insert_with(7, || load(scene))
}

fn get_one(scene: &Scene) {
    assert_eq!(get(scene).read(), 1);
}

#[test]
fn two_callers() {
    race("load ∥ load", scene, [get_one, get_one], |s| {
        assert_eq!(s.loads.load(SeqCst), 1);
        assert_eq!((s.map.len(), s.count.living()), (1, 1));
    });
}

#[test]
fn load_fails() {
    fn fail(scene: &Scene) {
        let failed = scene.map.get_or_try_insert_with(7, || {
            assert_eq!(scene.loading.fetch_add(1, SeqCst), 0, "two loaders at a time");
            scene.loading.fetch_sub(1, SeqCst);
            Err::<Witness, _>(())
        });
        assert!(failed.is_err() || failed.unwrap().read() == 1);
    }
    race("failing load ∥ load", scene, [fail, get_one], |s| {
        assert_eq!((s.map.len(), s.count.living()), (1, 1));
    });
}

#[test]
fn load_insert() {
    // What is inserted wins over what is loaded, whenever that lands.
    fn insert(scene: &Scene) {
        scene.map.insert(7, scene.count.value(2));
    }
    race("load ∥ insert", scene, [|s| assert!(matches!(get(s).read(), 1 | 2)), insert], |s| {
        assert_eq!(s.map.peek(&7).map(|value| value.read()), Some(2));
        assert_eq!((s.map.len(), s.count.living()), (1, 1));
    });
}

#[test]
fn load_remove() {
    // A load that began before the removal does not bring back what it removed. The source says 1 until the remover
    // changes it, and then removes: what the map has at the end must not be older.
    fn change_and_remove(scene: &Scene) {
        change(scene);
        scene.map.remove(&7);
    }
    race("load ∥ remove", scene, [load_source, change_and_remove], |s| {
        let found = s.map.peek(&7).map(|value| value.read());
        assert!(matches!(found, None | Some(1)), "{found:?} is older than the removal");
        assert_eq!(s.map.len(), s.count.living());
    });
}

#[test]
fn load_clear() {
    // As with `remove`: the source changes, then all is cleared.
    fn change_and_clear(scene: &Scene) {
        change(scene);
        scene.map.clear();
    }
    race("load ∥ clear", scene, [load_source, change_and_clear], |s| {
        let found = s.map.peek(&7).map(|value| value.read());
        assert!(matches!(found, None | Some(1)), "{found:?} is older than the clearing");
        assert_eq!(s.map.len(), s.count.living());
    });
}

#[test]
fn load_remove_if_load() {
    // Who finds in the map what another landed gives it to none that come later: it may have been taken out in between.
    fn load_and_remove(scene: &Scene) {
        get(scene);
        let taken = scene.map.remove_if(&7, |_| true);
        let value = get(scene);
        assert!(taken.is_none_or(|taken| !Arc::ptr_eq(&taken, &value)), "what was taken out is back");
    }
    // Three of them are 380,000 executions: passed, in four minutes. Two are enough for the mutant.
    race_within(2, "load ∥ load, remove_if, load", scene, [get_one, load_and_remove], |s| {
        assert_eq!((s.map.len(), s.count.living()), (1, 1));
    });
}

#[test]
fn load_collect() {
    // A load meets a stripped entry whose value is dead, while a pass reaps it.
    fn dead() -> Scene {
        let scene = scene();
        let held = scene.map.get_or_insert_with(7, || scene.count.value(9));
        scene.heap.set(4 << 20);
        scene.map.collect();
        scene.heap.set(0);
        drop(held);
        scene
    }
    fn pass(scene: &Scene) {
        scene.map.collect();
    }
    race("load over a dead value ∥ pass", dead, [get_one, pass], |s| {
        assert_eq!(s.loads.load(SeqCst), 1);
        assert_eq!((s.map.len(), s.count.living()), (1, 1));
    });
}

#[test]
fn load_insert_too_heavy() {
    // An insert that leaves nothing (its value is too heavy) wins over an older load all the same.
    fn picky() -> Scene {
        scene_with(|builder| {
            builder.max_weight(10).weigher(|_, value: &Witness| if value.read() == 2 { 100 } else { 1 })
        })
    }
    fn change_and_insert(scene: &Scene) {
        change(scene);
        scene.map.insert(7, scene.count.value(2));
    }
    race("load ∥ insert of too much", picky, [load_source, change_and_insert], |s| {
        let found = s.map.peek(&7).map(|value| value.read());
        assert!(matches!(found, None | Some(1)), "{found:?} is older than the insert");
        assert_eq!(s.map.len(), s.count.living());
    });
}
