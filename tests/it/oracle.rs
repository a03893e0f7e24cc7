//! Random operations, one after another, held against the naive map.

use crate::{
    naive::{Key, Naive},
    support::*,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use std::sync::Arc;
use weakmap::{Builder, WeakMap, heap::Scripted};

#[derive(Clone, Debug)]
enum Op {
    Insert(Key, u64),
    InsertHeld(Key),
    Get(Key),
    GetAndHold(Key),
    GetWeak(Key),
    Peek(Key),
    ContainsKey(Key),
    Load(Key, u64),
    FailToLoad(Key),
    Remove(Key),
    RemoveIf(Key, u64),
    Release(usize),
    Retain(Key),
    Clear,
    Collect,
    /// A pass at so much more than the goal.
    Press(u64),
    /// Reads all keys under a pin that lives for so many of the next operations.
    Pin(usize),
}

const MOST: u64 = 50;
const KEYS: Key = 6;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = || 0..KEYS;
    let op = prop_oneof![
        6 => (key(), 0..20u64).prop_map(|(key, weight)| Op::Insert(key, weight)),
        1 => (key(), MOST..2 * MOST).prop_map(|(key, weight)| Op::Insert(key, weight)),
        2 => key().prop_map(Op::InsertHeld),
        4 => key().prop_map(Op::Get),
        4 => key().prop_map(Op::GetAndHold),
        1 => key().prop_map(Op::GetWeak),
        1 => key().prop_map(Op::Peek),
        1 => key().prop_map(Op::ContainsKey),
        3 => (key(), 0..20u64).prop_map(|(key, weight)| Op::Load(key, weight)),
        1 => key().prop_map(Op::FailToLoad),
        2 => key().prop_map(Op::Remove),
        1 => (key(), 0..2u64).prop_map(|(key, bit)| Op::RemoveIf(key, bit)),
        4 => (0..8usize).prop_map(Op::Release),
        1 => key().prop_map(Op::Retain),
        1 => Just(Op::Clear),
        2 => Just(Op::Collect),
        3 => prop_oneof![1..60u64, Just(FULL)].prop_map(Op::Press),
        1 => (1..8usize).prop_map(Op::Pin),
    ];
    prop::collection::vec(op, 1..80)
}

struct Run<'m> {
    map: &'m WeakMap<Key, Counted>,
    heap: Scripted,
    census: Census,
    naive: Naive,
    held: Vec<Arc<Counted>>,
    most: Option<u64>,
    weighed: bool,
}

impl Run<'_> {
    fn value(&self, weight: u64) -> Counted {
        self.census.sized(self.census.made() + 1, weight)
    }

    fn inserted(&mut self, key: Key, version: u64, weight: u64) {
        if self.most.is_some_and(|most| weight > most) {
            return self.naive.remove(key);
        }
        self.naive.insert(key, version, weight);
        let all: u64 = self.naive.keys.values().map(|known| known.weight).sum();
        if self.most.is_some_and(|most| all > most) {
            self.naive.doubt_all();
        }
    }

    fn observe(&mut self, key: Key, found: Option<u64>) -> TestCaseResult {
        self.naive.observe(key, found).map_err(TestCaseError::fail)
    }

    fn hold(&mut self, value: Arc<Counted>) {
        self.naive.held.push(value.n);
        self.held.push(value);
    }

    fn step(&mut self, op: &Op) -> TestCaseResult {
        match *op {
            Op::Insert(key, weight) => {
                let value = self.value(weight);
                let version = value.n;
                let older = self.map.insert(key, value).map(|value| value.read());
                self.observe(key, older)?;
                self.inserted(key, version, weight);
            }
            Op::InsertHeld(key) => {
                let value = Arc::new(self.value(3));
                let older = self.map.insert_arc(key, value.clone()).map(|value| value.read());
                self.observe(key, older)?;
                self.inserted(key, value.n, 3);
                self.hold(value);
            }
            Op::Get(key) => self.observe(key, self.map.get(&key).map(|value| value.read()))?,
            Op::GetAndHold(key) => {
                let found = self.map.get(&key);
                self.observe(key, found.as_ref().map(|value| value.read()))?;
                if let Some(value) = found {
                    self.hold(value);
                }
            }
            Op::GetWeak(key) => {
                let weak = self.map.get_weak(&key);
                self.observe(key, weak.map(|weak| weak.upgrade().expect("nothing runs").read()))?;
            }
            Op::Peek(key) => self.observe(key, self.map.peek(&key).map(|value| value.read()))?,
            Op::ContainsKey(key) => {
                let found = self.map.contains_key(&key);
                prop_assert_eq!(found, self.map.peek(&key).is_some());
            }
            Op::Load(key, weight) => {
                let value = self.value(weight);
                let (version, mut loaded) = (value.n, false);
                let got = self.map.get_or_insert_with(key, || {
                    loaded = true;
                    value
                });
                self.observe(key, (!loaded).then(|| got.read()))?;
                if loaded {
                    prop_assert_eq!(got.read(), version);
                    self.inserted(key, version, weight);
                }
            }
            Op::FailToLoad(key) => {
                let got = self.map.get_or_try_insert_with(key, || Err(()));
                self.observe(key, got.ok().map(|value| value.read()))?;
            }
            Op::Remove(key) => {
                let removed = self.map.remove(&key).map(|value| value.read());
                self.observe(key, removed)?;
                self.naive.remove(key);
            }
            Op::RemoveIf(key, bit) => {
                let mut seen = None;
                let goes = |value: &Arc<Counted>| {
                    seen = Some(value.read());
                    value.n & 1 == bit
                };
                let removed = self.map.remove_if(&key, goes).map(|value| value.read());
                prop_assert_eq!(removed, seen.filter(|version| version & 1 == bit));
                self.observe(key, seen)?;
                if removed.is_some() {
                    self.naive.remove(key);
                }
            }
            Op::Release(which) if which < self.held.len() => {
                self.naive.held.swap_remove(which);
                self.held.swap_remove(which);
            }
            Op::Release(_) => {}
            Op::Retain(bit) => {
                self.map.retain(|key, _| key & 1 == bit & 1);
                self.naive.keys.retain(|key, _| key & 1 == bit & 1);
            }
            Op::Clear => {
                self.map.clear();
                self.naive.keys.clear();
                prop_assert_eq!((self.map.len(), self.map.weight()), (0, 0));
            }
            Op::Collect => self.pass()?,
            Op::Press(above) => {
                self.heap.set(self.map.collector().stats().goal + above);
                self.naive.doubt_all();
                self.pass()?;
                if above >= FULL {
                    prop_assert_eq!(self.map.weight(), 0, "all is stripped");
                }
                self.heap.set(CALM);
            }
            Op::Pin(_) => unreachable!("see `run`"),
        }
        self.check()
    }

    fn pass(&mut self) -> TestCaseResult {
        let report = self.map.collect();
        prop_assert!(report.reaped <= self.census.made() && report.stripped <= u64::from(KEYS));
        if self.naive.pinned.is_empty() {
            // Whatever is left is there: every dead entry was reaped.
            let mut alive = 0;
            self.map.for_each(|_, _| alive += 1);
            prop_assert_eq!(self.map.len(), alive, "{:?}", self.map.stats());
        }
        Ok(())
    }

    /// What holds after every step.
    fn check(&mut self) -> TestCaseResult {
        let mut there = Vec::new();
        self.map.for_each(|key, value| there.push((*key, value.read(), value.bytes)));
        for &(key, version, _) in &there {
            let known = self.naive.keys.get(&key).map(|known| known.version);
            prop_assert_eq!(known, Some(version), "key {}", key);
        }
        for (key, known) in &self.naive.keys {
            let must = !known.doubtful || self.naive.held.contains(&known.version);
            prop_assert!(!must || there.iter().any(|it| it.0 == *key), "key {} lost: {:?}", key, known);
        }
        let stats = self.map.stats();
        prop_assert!(there.len() <= self.map.len() && self.map.len() <= usize::from(KEYS));
        prop_assert!(self.most.is_none_or(|most| self.map.weight() <= most), "weighs {}", self.map.weight());
        if self.weighed {
            let all: u64 = there.iter().map(|it| it.2).sum();
            let certain: u64 = self.naive.certain().map(|known| known.weight).sum();
            prop_assert!((certain..=all).contains(&self.map.weight()), "{} {} {:?}", certain, all, stats);
            prop_assert!(stats.weak > 0 || self.map.weight() == all, "{} {:?}", all, stats);
        }
        prop_assert_eq!(stats.weight, self.map.collector().stats().weight);
        // Alive is what the map shows, what is held, and what pins hold back.
        if self.naive.pinned.is_empty() {
            let mut alive: Vec<_> =
                there.iter().map(|it| it.1).chain(self.naive.held.iter().copied()).collect();
            alive.sort();
            alive.dedup();
            prop_assert_eq!(self.census.living(), alive.len() as i64, "{:?}", stats);
        }
        Ok(())
    }
}

/// Runs the operations; at a pin, reads all keys and looks again at what it read when the pin's time is over.
fn run(state: &mut Run<'_>, mut ops: &[Op], pins: usize) -> TestCaseResult {
    while let Some((op, rest)) = ops.split_first() {
        ops = rest;
        let &Op::Pin(time) = op else {
            state.step(op)?;
            continue;
        };
        let (now, later) = rest.split_at(time.min(rest.len()));
        ops = later;
        pinned(state, now, pins)?;
    }
    Ok(())
}

fn pinned(state: &mut Run<'_>, ops: &[Op], pins: usize) -> TestCaseResult {
    let before = state.naive.pinned.len();
    let pin = state.map.pin();
    let mut seen = Vec::new();
    for key in 0..KEYS {
        let found = pin.get(&key);
        state.observe(key, found.map(Counted::read))?;
        seen.extend(found);
    }
    state.naive.pinned.push(u64::MAX); // a pin lives, if it has read nothing
    state.naive.pinned.extend(seen.iter().map(|value| value.n));
    run(state, ops, pins + 1)?;
    for (value, version) in seen.iter().zip(&state.naive.pinned[before + 1..]) {
        prop_assert_eq!(value.read(), *version);
    }
    drop(pin);
    state.naive.pinned.truncate(before);
    if pins == 0 {
        settle(state.map);
        state.check()?;
    }
    Ok(())
}

fn agrees(
    ops: &[Op],
    set: fn(Builder<Key, Counted>) -> Builder<Key, Counted>,
    most: Option<u64>,
    weighed: bool,
) -> TestCaseResult {
    let _pins = with_pins();
    let ((builder, heap), census) = (scripted(), Census::default());
    let map = set(builder).build().unwrap();
    let (naive, held) = (Naive::default(), Vec::new());
    let mut state = Run { map: &map, heap, census: census.clone(), naive, held, most, weighed };
    run(&mut state, ops, 0)?;
    drop(state);
    drop(map);
    census.assert_all_gone();
    Ok(())
}

fn weigh(_: &Key, value: &Counted) -> u64 {
    value.bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_map_agrees_with_the_naive_one(ops in ops()) {
        agrees(&ops, |builder| builder, None, false)?;
    }

    #[test]
    fn a_weighed_map_agrees_with_the_naive_one(ops in ops()) {
        agrees(&ops, |builder| builder.weigher(weigh), None, true)?;
    }

    #[test]
    fn a_map_with_a_greatest_weight_agrees_with_the_naive_one(ops in ops()) {
        agrees(&ops, |builder| builder.weigher(weigh).max_weight(MOST), Some(MOST), true)?;
    }
}
