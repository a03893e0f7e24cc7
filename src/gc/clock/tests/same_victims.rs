//! The module and the reference, request by request.

use super::cache::{Dice, budget, streams};
use super::exact::exact_cache;
use super::reference::{Reference, Terms};

/// Both take the same victims in the same order.
pub fn agree(name: &str, requests: &[u32], capacity: u64, batch: f64) {
    let budget = budget(capacity, batch);
    let mut cache = exact_cache(capacity);
    let mut reference = Reference::new(Terms::OURS, capacity, budget.target);
    for (n, &key) in requests.iter().enumerate() {
        cache.request(key, 1, budget);
        reference.request(key);
        let same = cache.victims == reference.victims;
        assert!(same, "{name}, {capacity} entries, batch {batch}, request {n}");
        cache.victims.clear();
        reference.victims.clear();
        assert_eq!(cache.weight, cache.clock.weight());
        assert_eq!(cache.entries.len(), cache.clock.len());
    }
    assert_eq!(cache.hits, reference.hits);
}

/// Requests of a stream; an unoptimised build takes five times as long for each.
const MOST: u64 = if cfg!(debug_assertions) { 6_000 } else { 30_000 };

#[test]
fn on_streams_of_every_kind() {
    for capacity in [1, 2, 5, 10, 33, 100, 400] {
        for keys in [capacity + 1, capacity * 5 / 4 + 1, 3 * capacity, 10 * capacity] {
            for (name, requests) in streams(keys, (keys * 60).min(MOST)) {
                for batch in [0.0, 0.01, 0.05, 0.1] {
                    agree(name, &requests, capacity, batch);
                }
            }
        }
    }
}

/// The hit counts of policy_reference.py on the streams of [`dice`].
#[test]
fn the_reference_is_the_papers() {
    for (capacity, batch, hits) in PAPER {
        let target = budget(capacity, batch).target;
        let mut reference = Reference::new(Terms::PAPER, capacity, target);
        dice(capacity).into_iter().for_each(|key| reference.request(key));
        assert_eq!(reference.hits, hits, "{capacity} entries, batch {batch}");
    }
}

/// Skewed look-ups, a loop and a scan in turn.
fn dice(capacity: u64) -> Vec<u32> {
    let mut dice = Dice(capacity);
    let mut key = |n: u64| match n / (4 * capacity) % 4 {
        0 | 2 => {
            let span = 1 + dice.roll(6 * capacity);
            dice.roll(span)
        }
        1 => 10 * capacity + n % (capacity * 5 / 4),
        _ => 100 * capacity + n,
    };
    (0..20_000).map(|n| key(n) as u32).collect()
}

const PAPER: [(u64, f64, u64); 16] = [
    (10, 0.0, 3495),
    (10, 0.01, 3421),
    (10, 0.05, 3421),
    (10, 0.1, 3421),
    (40, 0.0, 3712),
    (40, 0.01, 3685),
    (40, 0.05, 3658),
    (40, 0.1, 3569),
    (150, 0.0, 3849),
    (150, 0.01, 3881),
    (150, 0.05, 3772),
    (150, 0.1, 3701),
    (400, 0.0, 3928),
    (400, 0.01, 3889),
    (400, 0.05, 3823),
    (400, 0.1, 3715),
];
