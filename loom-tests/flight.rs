//! Single flight: one loader at a time, and nothing that was cancelled lands.

use crate::witness::{Count, Witness, race};
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use weakmap::{Collector, Tuning, WeakMap, heap::Scripted, model::Arc};

struct Scene {
    count: Count,
    map: WeakMap<u32, Witness, Fixed>,
    loads: AtomicUsize,
    loading: AtomicUsize,
}

type Fixed = std::hash::BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

fn scene() -> Scene {
    let collector = Collector::new(Tuning::new().limit(1 << 20).heap(Scripted::new())).unwrap();
    Scene {
        count: Count::default(),
        map: WeakMap::builder().collector(collector).hasher(Fixed::default()).build().unwrap(),
        loads: AtomicUsize::new(0),
        loading: AtomicUsize::new(0),
    }
}

fn load(scene: &Scene) -> Witness {
    assert_eq!(scene.loading.fetch_add(1, SeqCst), 0, "two loaders at a time");
    scene.loads.fetch_add(1, SeqCst);
    scene.loading.fetch_sub(1, SeqCst);
    scene.count.value(1)
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
    fn load_source(scene: &Scene) {
        scene.map.get_or_insert_with(7, || scene.count.value(scene.loads.load(SeqCst)));
    }
    fn change_and_remove(scene: &Scene) {
        scene.loads.fetch_add(1, SeqCst);
        scene.map.remove(&7);
    }
    race("load ∥ remove", scene, [load_source, change_and_remove], |s| {
        let found = s.map.peek(&7).map(|value| value.read());
        assert!(matches!(found, None | Some(1)), "{found:?} is older than the removal");
        assert_eq!(s.map.len(), s.count.living());
    });
}
