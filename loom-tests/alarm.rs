//! The alarm: no total that reaches the level goes unanswered, no wake is lost. A sleeper that nobody wakes is a deadlock, which
//! loom reports.

use crate::witness::race;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use weakmap::model::alarm::Alarm;

const LEVEL: u64 = 10;

struct Scene {
    alarm: Alarm,
    total: AtomicU64,
    told: AtomicBool,
}

fn scene() -> Scene {
    Scene { alarm: Alarm::new(), total: AtomicU64::new(0), told: AtomicBool::new(false) }
}

/// As the background thread: it looks at the total again when it wakes up.
fn sleep(scene: &Scene) {
    scene.alarm.settle();
    scene.alarm.sleep(LEVEL, || scene.total.load(Relaxed), None);
    assert!(scene.total.load(Relaxed) >= LEVEL, "woken too early");
}

/// As the counting allocator.
fn raise(scene: &Scene, bytes: u64) {
    let total = scene.total.fetch_add(bytes, Relaxed) + bytes;
    scene.alarm.raised(total);
}

#[test]
fn sleep_raise() {
    race("sleep ∥ raise", scene, [sleep, |scene| raise(scene, LEVEL)], |_| ());
}

#[test]
fn sleep_raise_raise() {
    let half: fn(&Scene) = |scene| raise(scene, LEVEL / 2);
    race("sleep ∥ half ∥ half", scene, [sleep, half, half], |_| ());
}

#[test]
fn sleeps_raise_raise() {
    let often: fn(&Scene) = |scene| {
        scene.alarm.settle();
        for level in [LEVEL, 2 * LEVEL] {
            while scene.total.load(Relaxed) < level {
                scene.alarm.sleep(level, || scene.total.load(Relaxed), None);
            }
        }
    };
    let twice: fn(&Scene) = |scene| (0..2).for_each(|_| raise(scene, LEVEL));
    race("sleep, sleep ∥ raise, raise", scene, [often, twice], |_| ());
}

#[test]
fn sleep_tell() {
    let listen: fn(&Scene) = |scene| {
        scene.alarm.settle();
        while !scene.told.load(Relaxed) {
            scene.alarm.sleep(LEVEL, || 0, None);
        }
    };
    let tell: fn(&Scene) = |scene| {
        scene.told.store(true, Relaxed);
        scene.alarm.wake();
    };
    race("sleep ∥ tell", scene, [listen, tell], |_| ());
}
