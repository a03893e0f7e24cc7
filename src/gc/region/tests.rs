//! What one insert may cost, and what runs under the rings' lock.

use super::{Bounds, Region};
use crate::sync::{Arc, Guard, Weak, is_inside, lock, shared};
use std::cell::{Cell, RefCell};

/// Steps that the hands make in the costliest of `count` inserts of new keys, and in all of them.
fn steps_of(region: &Region<u64, u64>, keys: std::ops::Range<u64>) -> (u64, u64) {
    let steps = || lock(&region.rings).clock.steps();
    let (mut longest, first) = (0, steps());
    for key in keys {
        let before = steps();
        region.insert(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), key, Arc::new(key), 1, Guard::new());
        region.fit();
        longest = longest.max(steps() - before);
    }
    (longest, steps() - first)
}

#[test]
fn no_insert_pays_for_a_first_full_pass() {
    const ROOM: u64 = 20_000;
    let bounds = Bounds { max_weight: Some(ROOM), weighed: true, ..Bounds::default() };
    let region = Region::new(bounds, shared::Arc::default());
    let (longest_of_filling, filling) = steps_of(&region, 0..ROOM);
    let (longest_of_first, _) = steps_of(&region, ROOM..ROOM + 100);
    let (longest, rest) = steps_of(&region, ROOM + 100..3 * ROOM);
    println!(
        "steps: {longest_of_filling} at most while it fills, {longest_of_first} in the first inserts beyond, {longest} later"
    );
    // 64 that came, placed and moved by the middle hand, and one search of 256 at the most.
    for longest in [longest_of_filling, longest_of_first, longest] {
        assert!(longest <= 2 * 64 * 2 + 264, "{longest} steps in one insert");
    }
    let mean = (filling + rest) as f64 / (3 * ROOM) as f64;
    assert!(mean < 5.0, "{mean} steps an insert");
}

#[test]
fn entries_that_have_gone_do_not_stand_for_strips() {
    let bounds = Bounds { max_weight: Some(10), weighed: true, ..Bounds::default() };
    let region = Region::new(bounds, shared::Arc::default());
    let insert = |key: u64, weight| drop(region.insert(key << 40, key, Arc::new(key), weight, Guard::new()));
    (0..5).for_each(|key| insert(key, 1));
    region.tidy();
    (0..4).for_each(|key| drop(region.remove(key << 40, &key, Guard::new())));
    // Heavier than when the clock counted it: its weight lags, and four that have gone lie before it.
    insert(4, 11);
    region.fit();
    assert_eq!(region.sums.weight.load(crate::sync::tally::Relaxed), 0);
}

thread_local! {
    static REGION: RefCell<Weak<Region<Key, Value>>> = const { RefCell::new(Weak::new()) };
    /// Keys that were dropped, and how many of them under the rings' lock or a guard.
    static DROPPED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

#[derive(PartialEq, Eq)]
struct Key(u64);

impl Drop for Key {
    fn drop(&mut self) {
        let Some(region) = REGION.with_borrow(Weak::upgrade) else { return };
        let (all, held) = DROPPED.get();
        let is_held = region.rings.try_lock().is_err() || is_inside();
        DROPPED.set((all + 1, held + usize::from(is_held)));
    }
}

impl Key {
    fn hash(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Some take their own key out as they go.
struct Value(u64);

impl Drop for Value {
    fn drop(&mut self) {
        let Some(region) = REGION.with_borrow(Weak::upgrade).filter(|_| self.0 % 7 == 0) else { return };
        let key = Key(self.0);
        region.remove(key.hash(), &key, Guard::new());
        region.flush();
    }
}

#[test]
fn keys_of_entries_that_went_are_dropped_under_no_lock_and_no_guard() {
    let region = Arc::new(Region::new(
        Bounds { max_weight: Some(1_000), ..Bounds::default() },
        shared::Arc::default(),
    ));
    REGION.set(Arc::downgrade(&region));
    for number in 0..20_000 {
        let key = Key(number);
        region.insert(key.hash(), key, Arc::new(Value(number)), 1, Guard::new());
        region.fit();
        // Met in every ring: while they are new, a little later, and by hands alone.
        for ago in [1, 7, 300, 900] {
            let key = Key(u64::saturating_sub(number, ago));
            if key.0 % 5 == ago % 5 {
                region.remove(key.hash(), &key, Guard::new());
                region.tidy_if_worth_it();
            }
        }
    }
    region.clear();
    let (all, held) = DROPPED.get();
    assert!(all > 20_000, "{all} keys were dropped");
    assert_eq!(held, 0, "of {all}");
}
