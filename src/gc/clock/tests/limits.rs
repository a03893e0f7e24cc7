//! Weights, limits and entries that change, and work that is bounded.

use crate::gc::clock::{Budget, Clock, Handle, Policy};

use super::cache::{Cache, Dice, Entry, budget, streams};

const POLICIES: [Policy; 2] = [Policy::ThreeHands, Policy::Clock];

#[test]
fn nothing_goes_below_the_target() {
    for policy in POLICIES {
        let mut clock = Clock::new(policy);
        assert!(clock.next(budget(10, 0.0)).is_none());
        (0..10).for_each(|key| clock.admit(Entry::new(key, 1)));
        assert!(clock.next(budget(10, 0.0)).is_none());
        assert_eq!(clock.drain(budget(10, 0.0), 4), 0);
        assert_eq!((clock.len(), clock.weight()), (10, 10));
        let nothing = Budget { capacity: 10, target: 0 };
        let left = std::iter::from_fn(|| clock.next(nothing)).count();
        assert_eq!((left, clock.len(), clock.weight()), (10, 0, 0));
        assert!(clock.next(nothing).is_none());
    }
}

#[test]
fn a_pass_ends_at_its_target() {
    for policy in POLICIES {
        for batch in [0.0, 0.01, 0.05, 0.1] {
            for (name, requests) in streams(1_000, 20_000) {
                let mut cache = Cache::of(Clock::new(policy));
                let budget = budget(200, batch);
                for key in requests {
                    let before = cache.victims.len();
                    cache.request(key, 1, budget);
                    let passed = cache.victims.len() > before;
                    assert!(!passed || cache.weight == budget.target, "{name} {batch}");
                    assert!(cache.weight <= budget.capacity, "{name} {batch}");
                }
            }
        }
    }
}

#[test]
fn byte_weights() {
    for policy in POLICIES {
        for (name, requests) in streams(2_000, 40_000) {
            let mut cache = Cache::of(Clock::new(policy));
            let capacity = 4_000_000;
            for key in requests {
                let weight = 1 + u64::from(key).wrapping_mul(7_919) % 100_000;
                cache.request(key, weight, budget(capacity, 0.02));
                assert_eq!(cache.weight, cache.clock.weight(), "{name}");
                assert!(cache.weight <= capacity, "{name}");
            }
            assert!(cache.hits > 0 || name == "loop", "{name}");
        }
    }
}

#[test]
fn the_limit_moves() {
    let mut dice = Dice(1);
    let mut cache = Cache::new();
    for (_, requests) in streams(3_000, 40_000) {
        for (n, key) in requests.into_iter().enumerate() {
            let teeth = [1_000, 20, 300_000, 1][n / 10_000];
            let capacity = teeth + dice.roll(teeth);
            let target = capacity - dice.roll(capacity / 10 + 1);
            cache.request(key, 1, Budget { capacity, target });
            cache.pass(Budget { capacity, target });
            assert!(cache.weight <= target);
            assert_eq!(cache.weight, cache.clock.weight());
        }
    }
}

/// A capacity of bytes that changes by a factor of a million: stamps and ghosts are rewritten.
#[test]
fn the_unit_of_time_moves() {
    let mut cache = Cache::new();
    for round in 0..6u32 {
        let unit = 1000u64.pow(1 + round % 3);
        let hits = cache.hits;
        for (_, requests) in streams(150, 3_000).into_iter().take(2) {
            for key in requests {
                cache.request(key, unit, budget(100 * unit, 0.0));
            }
        }
        assert!(cache.hits - hits > 3_000, "round {round}");
        cache.pass(Budget { capacity: 100 * unit, target: 0 });
    }
}

#[test]
fn too_heavy_is_not_kept() {
    let mut cache = Cache::new();
    (0..10).for_each(|key| {
        cache.request(key, 10, budget(100, 0.0));
    });
    cache.request(99, 101, budget(100, 0.0));
    assert_eq!(cache.victims, [99]);
    cache.request(99, 60, budget(100, 0.0));
    assert!(cache.weight <= 100);
    assert_eq!(cache.weight, cache.clock.weight());
}

/// Heavier than the window: it goes, and takes the window along, but main stays.
#[test]
fn heavier_than_the_window() {
    let mut cache = Cache::new();
    let budget = budget(1_000, 0.0);
    for round in 0..20 {
        for key in 0..900 {
            cache.request(key, 1, budget);
        }
        cache.request(10_000 + round, 200, budget);
    }
    let kept = (0..900).filter(|key| cache.entries.contains_key(key)).count();
    assert!(kept > 700, "{kept} of 900 are left");
}

#[test]
fn removed_entries_leave_without_a_word() {
    for policy in POLICIES {
        let mut cache = Cache::of(Clock::new(policy));
        let mut dice = Dice(2);
        for (_, requests) in streams(500, 20_000) {
            for key in requests {
                cache.request(key, 1, budget(100, 0.05));
                cache.remove(dice.roll(500) as u32);
                assert!(cache.clock.len() >= cache.entries.len());
                assert!(cache.clock.len() <= 101);
                cache.pass(budget(cache.clock.weight().min(100), 0.0));
            }
        }
        cache.clock.remove_gone();
        assert_eq!(cache.clock.len(), cache.entries.len());
        assert_eq!(cache.clock.weight(), cache.weight);
    }
}

#[test]
fn all_removed() {
    let mut cache = Cache::new();
    (0..1_000).for_each(|key| {
        cache.request(key, 3, budget(1_500, 0.1));
    });
    (0..1_000).for_each(|key| cache.remove(key));
    let nothing = Budget { capacity: 1_500, target: 0 };
    assert!(cache.clock.next(nothing).is_none());
    assert_eq!((cache.clock.len(), cache.clock.weight()), (0, 0));
}

#[test]
fn replaced_by_other_weights() {
    let mut dice = Dice(3);
    let mut cache = Cache::new();
    for (_, requests) in streams(500, 20_000) {
        for key in requests {
            cache.request(key, 100, budget(10_000, 0.05));
            let weight = 50 + dice.roll(100);
            if let Some(entry) = cache.entries.get(&(dice.roll(500) as u32)) {
                cache.weight = cache.weight - entry.weight() + weight;
                entry.0.weight.set(weight);
            }
            // The cache knows better than the clock what it holds, so it asks for a difference.
            let over = cache.weight.saturating_sub(10_000);
            let target = cache.clock.weight().saturating_sub(over);
            cache.pass(Budget { capacity: 10_000, target: target.min(10_000) });
        }
    }
    cache.pass(Budget { capacity: 10_000, target: 0 });
    assert_eq!((cache.clock.len(), cache.clock.weight(), cache.weight), (0, 0, 0));
}

#[test]
fn weights_of_one_kind_are_exact() {
    for weight in [1, 3, 5_001, (1 << 27) - 1, 3 << 40] {
        let mut cache = Cache::new();
        for key in 0..2_000 {
            cache.request(key % 700, weight, budget(500 * weight, 0.01));
            assert_eq!(cache.clock.weight(), weight * cache.clock.len() as u64);
        }
    }
}

#[test]
fn weightless_entries() {
    let mut cache = Cache::new();
    for key in 0..1_000 {
        cache.request(key, u64::from(key % 2), budget(100, 0.0));
    }
    assert_eq!(cache.weight, cache.clock.weight());
    let mut clock = Clock::new(Policy::ThreeHands);
    (0..100).for_each(|key| clock.admit(Entry::new(key, 1)));
    let gone = std::iter::from_fn(|| clock.next(Budget::default())).count();
    assert_eq!(gone, 100, "without capacity nothing stays");
}

/// Readers that use every entry again at once do not keep the hands turning.
#[test]
fn hot_entries_do_not_hold_a_hand_up() {
    for policy in POLICIES {
        let mut clock = Clock::new(policy);
        let budget = budget(10_000, 0.01);
        for key in 0..10_001 {
            let entry = Entry::new(key, 1);
            entry.0.hot.set(true);
            clock.admit(entry);
            clock.drain(budget, 2);
        }
        for _ in 0..100 {
            let before = clock.steps();
            assert!(clock.next(budget).is_some());
            assert!(clock.steps() - before < 1_000, "{} steps", clock.steps() - before);
        }
    }
}

/// A miss costs a few steps, also when the cache is filled first.
#[test]
fn steps_a_miss() {
    for (name, requests) in streams(3_000, 60_000) {
        let mut cache = Cache::new();
        for key in requests {
            let before = cache.clock.steps();
            cache.request(key, 1, budget(1_000, 0.0));
            cache.clock.drain(budget(1_000, 0.0), 2);
            assert!(cache.clock.steps() - before < 300, "{name}");
        }
        let misses = cache.victims.len() + cache.entries.len();
        let steps = cache.clock.steps() as f64 / misses as f64;
        assert!(steps < 5.0, "{name}: {steps} steps");
    }
}

#[test]
fn drains_no_more_than_asked() {
    let mut clock = Clock::new(Policy::ThreeHands);
    (0..100).for_each(|key| clock.admit(Entry::new(key, 1)));
    let drained = [30, 30, 30, 30].map(|most| clock.drain(budget(1_000, 0.0), most));
    assert_eq!(drained, [30, 30, 30, 10]);
    assert_eq!((clock.len(), clock.weight()), (100, 100));
}

/// A victim that is revived is a ghost hit: it enters main while there is room.
#[test]
fn revival() {
    let mut clock = Clock::new(Policy::ThreeHands);
    let budget = budget(100, 0.0);
    let mut stripped = Vec::new();
    for key in 0..1_000 {
        clock.admit(Entry::new(key, 1));
        while let Some(victim) = clock.next(budget) {
            stripped.push(victim);
        }
        if key % 3 == 0
            && let Some(victim) = stripped.pop()
        {
            clock.readmit(victim.entry, victim.origin);
        }
        assert!(clock.len() <= 101);
        assert_eq!(clock.len() as u64, clock.weight());
    }
    assert_eq!(clock.len() + stripped.len(), 1_000);
}

#[test]
fn put_back() {
    for policy in POLICIES {
        let mut clock = Clock::new(policy);
        let budget = budget(50, 0.0);
        let mut kept = 0;
        for key in 0..500 {
            clock.admit(Entry::new(key, 1));
            while let Some(victim) = clock.next(budget) {
                if victim.entry.0.key % 10 == 0 {
                    kept += 1;
                    clock.put_back(victim);
                }
            }
            assert_eq!((clock.len(), clock.weight()), (50.min(key as usize + 1), 50.min(u64::from(key) + 1)));
        }
        assert!(kept > 10);
    }
}

#[test]
fn the_coldest_grows_older() {
    let mut clock = Clock::new(Policy::ThreeHands);
    let wide = budget(100, 0.0);
    assert_eq!(clock.coldest(), None);
    (0..100).for_each(|key| clock.admit(Entry::new(key, 2)));
    clock.drain(budget(1_000, 0.0), usize::MAX);
    assert_eq!(clock.coldest(), Some(198), "the first of 100 of weight 2");
    let _ = clock.next(wide).expect("a victim");
    assert!(clock.coldest().is_some_and(|age| age <= 198));
}

#[test]
fn memory_an_entry() {
    let mut cache = Cache::new();
    (0..60_000).for_each(|key| {
        cache.request(key, 1, budget(20_000, 0.0));
    });
    let bytes = cache.clock.bytes() as f64 / cache.clock.len() as f64;
    assert!(bytes < 32.0, "{bytes:.1} bytes an entry");
    cache.pass(budget(10, 0.0));
    (0..1_000).for_each(|key| {
        cache.request(key, 1, budget(10, 0.0));
    });
    cache.clock.remove_gone();
    let bytes = cache.clock.bytes();
    assert!(bytes < 16_000, "{bytes} bytes for ten entries after many");
}
