//! The pacer alone: tables, and simulated cycles as Go tests its own.

use super::{BATCH, BATCH_BYTES, Law, Pacer, Strip, batch};
use std::collections::VecDeque;

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 64 * MIB;

fn pacer(law: Law) -> Pacer {
    Pacer::new(law, LIMIT, 1.0)
}

#[test]
fn debt_starts_at_the_trigger_and_is_one_for_one_at_the_goal() {
    let pacer = pacer(Law::Pacer);
    let (trigger, goal) = (pacer.trigger(), pacer.goal());
    let middle = (trigger + goal) / 2;
    let table = [(0, 0.0), (trigger, 0.0), (middle, 0.5), (goal, 1.0), (LIMIT, 2.0), (u64::MAX, 2.0)];
    for (x, ratio) in table {
        let owed = pacer.owed(x, 1_000_000) as f64 / 1e6;
        assert!((owed - ratio).abs() < 0.001, "at {x}: {owed}, not {ratio}");
    }
}

#[test]
fn an_idle_heap_below_the_goal_loses_nothing() {
    let pacer = pacer(Law::Pacer);
    for x in [0, LIMIT / 2, pacer.trigger(), pacer.goal()] {
        assert_eq!(pacer.pass(x, 1_000), Strip::NOTHING, "{x}");
    }
    assert_eq!(pacer.pass(pacer.goal() + 5, 1_000), Strip::Bytes(5));
}

#[test]
fn debt_is_paid_in_batches_and_never_much_at_once() {
    let pacer = pacer(Law::Pacer);
    for (inserted, most) in [(1, BATCH), (100, 100 * BATCH), (1_000, BATCH_BYTES), (MIB, BATCH_BYTES)] {
        assert_eq!(batch(inserted, LIMIT), most, "of {inserted}");
        // Where threads look at each batch, and owe a little less than they have put in.
        assert_eq!(pacer.due(most / 2 - 1, inserted), 0, "of {inserted}");
        assert_eq!(pacer.due(most / 2, inserted), most / 2, "of {inserted}");
        assert_eq!(pacer.due(1_000 * MIB, inserted), 4 * (inserted + most), "of {inserted}");
    }
    assert_eq!(pacer.due(100 * MIB, u64::MAX), 100 * MIB);
    assert_eq!(batch(100, 6_400), 100, "in a small cache");
}

#[test]
fn what_was_due_and_not_paid_is_forgotten_unless_others_were_at_it() {
    let cases = [
        (100, 100, [0, 0]),
        (100, 130, [-30, -30]), // credit
        (100, 0, [0, 50]),
        (100, 60, [0, 20]),
    ];
    for (due, freed, unpaid) in cases {
        let seen = [false, true].map(|busy| pacer(Law::Pacer).unpaid(due, freed, busy));
        assert_eq!(seen, unpaid, "{freed} of {due}");
    }
}

#[test]
fn sensitivity_scales_every_law() {
    let scaled = |law, sensitivity| Pacer::new(law, LIMIT, sensitivity);
    let middle = (pacer(Law::Pacer).trigger() + pacer(Law::Pacer).goal()) / 2;
    assert_eq!(scaled(Law::Pacer, 0.0).owed(LIMIT, 100), 0);
    assert_eq!(scaled(Law::Pacer, 0.0).pass(LIMIT, 100), Strip::NOTHING);
    assert!(scaled(Law::Pacer, 2.0).owed(middle, 1_000).abs_diff(1_000) < 5);
    let slope = Law::Proportional { low: 0.0, high: 1.0 };
    assert_eq!(scaled(slope, 0.5).pass(LIMIT / 2, 100), Strip::Entries(25));
    assert_eq!(scaled(Law::EveryPass, 0.5).pass(LIMIT, 100), Strip::Entries(51));
}

#[test]
fn every_pass_is_the_go_packages() {
    // floor(pressure × len) + 1, whatever the pressure.
    for (x, entries, strips) in [(0, 100, 1), (LIMIT / 2, 101, 51), (LIMIT, 100, 101), (2 * LIMIT, 100, 101)]
    {
        assert_eq!(pacer(Law::EveryPass).pass(x, entries), Strip::Entries(strips), "at {x}");
    }
}

#[test]
fn proportional_has_a_dead_zone_and_a_slope() {
    let pacer = pacer(Law::Proportional { low: 0.5, high: 1.0 });
    for (x, strips) in [(0, 0), (LIMIT / 2, 0), (LIMIT / 4 * 3, 50), (LIMIT, 100), (2 * LIMIT, 100)] {
        assert_eq!(pacer.pass(x, 100), Strip::Entries(strips), "at {x}");
    }
}

#[test]
fn limits_of_a_few_bytes_and_of_all_bytes() {
    for limit in [1, 2, 100, u64::MAX] {
        let pacer = Pacer::new(Law::Pacer, limit, 1.0);
        assert!(pacer.goal() <= limit && pacer.trigger() <= pacer.goal(), "{limit}");
        assert!(pacer.owed(u64::MAX, 10) <= 20, "{limit}");
        assert_eq!(pacer.over(limit, 0), 0);
    }
}

/// A heap with a cache in it. Time goes in milliseconds; strips free the oldest.
struct Plant {
    pacer: Pacer,
    base: u64,
    cached: VecDeque<u64>,
    live: u64,
    /// Stripped, and when it is freed.
    garbage: VecDeque<(u64, u64)>,
    pending: u64,
    debt: i64,
    next_pass: u64,
    inserted: u64,
    stripped: u64,
}

/// What happens to a plant.
struct Scenario {
    name: &'static str,
    /// Bytes inserted in a millisecond.
    rate: fn(u64) -> u64,
    /// What the program itself has in use.
    base: fn(u64) -> u64,
    /// Whether a reader holds back what is stripped.
    stalled: fn(u64) -> bool,
}

/// What was seen from the first fill on.
struct Seen {
    mean: f64,
    most: f64,
    least: f64,
    /// Strips beyond those that a heap kept exactly at its limit would have needed.
    beyond: f64,
}

const SCENARIOS: [Scenario; 6] = [
    Scenario { name: "steady", rate: |_| MIB / 4, base: |_| LIMIT / 4, stalled: |_| false },
    Scenario {
        name: "bursty",
        rate: |t| if t % 800 < 40 { 2 * MIB } else { MIB / 8 },
        base: |_| LIMIT / 4,
        stalled: |_| false,
    },
    Scenario { name: "flood", rate: |_| 4 * MIB, base: |_| LIMIT / 4, stalled: |_| false },
    Scenario {
        name: "step",
        rate: |_| MIB,
        base: |t| LIMIT / 4 + LIMIT / 4 * (t.saturating_sub(1000).min(32)) / 32 * u64::from(t < 2200),
        stalled: |_| false,
    },
    Scenario { name: "stall", rate: |_| MIB / 4, base: |_| LIMIT / 4, stalled: |t| t % 500 < 30 },
    Scenario {
        name: "jitter",
        rate: |t| (t * 7919 % 13) * MIB / 16,
        base: |_| LIMIT / 4,
        stalled: |_| false,
    },
];

impl Plant {
    fn new(law: Law) -> Self {
        let pacer = pacer(law);
        Self {
            pacer,
            base: 0,
            cached: VecDeque::new(),
            live: 0,
            garbage: VecDeque::new(),
            pending: 0,
            debt: 0,
            next_pass: pacer.next_pass(0),
            inserted: 0,
            stripped: 0,
        }
    }

    fn heap(&self) -> u64 {
        self.base + self.live + self.pending
    }

    fn strip(&mut self, now: u64, strip: Strip) {
        let (mut bytes, mut entries) = (0, 0);
        while match strip {
            Strip::Bytes(most) => bytes < most,
            Strip::Entries(most) => entries < most,
        } {
            let Some(size) = self.cached.pop_front() else { return };
            bytes += size;
            entries += 1;
            self.live -= size;
            self.pending += size;
            self.stripped += size;
            self.garbage.push_back((now, size));
        }
    }

    fn insert(&mut self, now: u64, size: u64) {
        let x = self.heap() - self.pending;
        self.debt += self.pacer.owed(x, size) as i64;
        let due = self.pacer.due(self.debt.max(0) as u64, size);
        let before = self.stripped;
        self.strip(now, Strip::Bytes(due));
        self.debt += self.pacer.unpaid(due, self.stripped - before, false) - due as i64;
        if self.pacer.cycles() && x >= self.next_pass {
            self.strip(now, self.pacer.pass(x, self.cached.len() as u64));
            self.next_pass = self.pacer.next_pass(self.heap() - self.pending);
        }
        let over = self.pacer.over(self.heap() + size, LIMIT / 256);
        self.strip(now, Strip::Bytes(over.saturating_sub(self.pending)));
        self.cached.push_back(size);
        self.live += size;
        self.inserted += size;
    }

    fn free(&mut self, now: u64) {
        while self.garbage.front().is_some_and(|&(when, _)| when <= now) {
            self.pending -= self.garbage.pop_front().expect("just seen").1;
        }
    }
}

fn run(law: Law, scenario: &Scenario) -> Seen {
    let mut plant = Plant::new(law);
    let mut uses = Vec::new();
    for now in 0..4000 {
        plant.base = (scenario.base)(now);
        if !(scenario.stalled)(now) {
            plant.free(now);
        }
        let mut left = (scenario.rate)(now);
        while left > 0 {
            let size = (1024 + plant.inserted % 7 * 1024).min(left);
            plant.insert(now, size);
            if !(scenario.stalled)(now) {
                plant.free(now);
            }
            left -= size;
        }
        if now > 700 {
            uses.push(plant.heap() as f64 / LIMIT as f64);
        }
    }
    let needed = plant.inserted.saturating_sub(LIMIT - plant.base);
    Seen {
        mean: uses.iter().sum::<f64>() / uses.len() as f64,
        most: uses.iter().copied().fold(0.0, f64::max),
        least: uses.iter().copied().fold(9.0, f64::min),
        beyond: (plant.stripped as f64 - needed as f64) / needed as f64,
    }
}

#[test]
fn the_pacer_holds_the_heap_just_below_the_limit_whatever_comes() {
    for scenario in &SCENARIOS {
        let Seen { mean, most, least, beyond } = run(Law::Pacer, scenario);
        let name = scenario.name;
        assert!((0.93..0.98).contains(&mean), "{name}: mean {mean:.3}");
        // What the program takes itself, or a pin holds back, no law can free.
        assert!(most <= 1.0 || name == "step" || name == "stall", "{name}: most {most:.3}");
        assert!(beyond < 0.06, "{name}: beyond need {beyond:.3}");
        if name != "step" && name != "stall" {
            assert!(least > 0.90 && most < 0.99, "{name}: from {least:.3} to {most:.3}");
        }
    }
}

#[test]
fn every_pass_swings_and_leaves_half_of_the_memory_idle() {
    for scenario in &SCENARIOS[..3] {
        let Seen { mean, most, least, beyond } = run(Law::EveryPass, scenario);
        let name = scenario.name;
        assert!(mean < 0.75, "{name}: mean {mean:.3}");
        assert!(most - least > 0.2, "{name}: from {least:.3} to {most:.3}");
        assert!(beyond > run(Law::Pacer, scenario).beyond, "{name}: beyond need {beyond:.3}");
        assert!(most <= 1.0, "{name}: most {most:.3}");
    }
}

#[test]
fn proportional_settles_on_its_slope() {
    let law = Law::Proportional { low: 0.8, high: 1.0 };
    for scenario in &SCENARIOS[..3] {
        let Seen { mean, most, .. } = run(law, scenario);
        assert!((0.78..0.95).contains(&mean), "{}: mean {mean:.3}", scenario.name);
        assert!(most <= 1.0, "{}: most {most:.3}", scenario.name);
    }
}
