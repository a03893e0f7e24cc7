//! What one insert may cost.

use super::{Bounds, Region};
use crate::sync::{Arc, Guard, lock, shared};

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
