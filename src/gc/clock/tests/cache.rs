//! A cache without values: what is cached, and a clock that says what goes.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::gc::clock::{Budget, Clock, Handle, Policy, Victim};
use crate::gc::ghost::{GhostTable, Ghosts};

#[derive(Debug)]
pub struct Item {
    pub key: u32,
    pub weight: Cell<u64>,
    pub uses: Cell<u8>,
    pub gone: Cell<bool>,
    /// A reader that uses the entry again whenever it is looked at.
    pub hot: Cell<bool>,
}

#[derive(Clone, Debug)]
pub struct Entry(pub Rc<Item>);

impl Entry {
    pub fn new(key: u32, weight: u64) -> Self {
        Self(Rc::new(Item {
            key,
            weight: Cell::new(weight),
            uses: Cell::new(0),
            gone: Cell::new(false),
            hot: Cell::new(false),
        }))
    }

    pub fn touch(&self) {
        self.0.uses.set((self.0.uses.get() + 1).min(3));
    }
}

impl Handle for Entry {
    fn uses(&self) -> u8 {
        if self.0.hot.get() { 3 } else { self.0.uses.get() }
    }
    fn set_uses(&self, uses: u8) {
        self.0.uses.set(uses);
    }
    fn weight(&self) -> u64 {
        self.0.weight.get()
    }
    fn hash(&self) -> u64 {
        u64::from(self.0.key)
    }
    fn is_gone(&self) -> bool {
        self.0.gone.get()
    }
}

pub struct Cache<G = GhostTable> {
    pub clock: Clock<Entry, G>,
    pub entries: HashMap<u32, Entry>,
    pub weight: u64,
    pub hits: u64,
    /// The keys that went, in order.
    pub victims: Vec<u32>,
}

impl Cache {
    pub fn new() -> Self {
        Self::of(Clock::new(Policy::ThreeHands))
    }
}

impl<G: Ghosts> Cache<G> {
    pub fn of(clock: Clock<Entry, G>) -> Self {
        Self { clock, entries: HashMap::new(), weight: 0, hits: 0, victims: Vec::new() }
    }

    /// A look-up, and on a miss an insert and a pass if one is due. Tells whether it was a hit.
    pub fn request(&mut self, key: u32, weight: u64, budget: Budget) -> bool {
        if let Some(entry) = self.entries.get(&key) {
            entry.touch();
            self.hits += 1;
            return true;
        }
        let entry = Entry::new(key, weight);
        self.clock.admit(entry.clone());
        self.weight += weight;
        self.entries.insert(key, entry);
        if self.weight > budget.capacity {
            self.pass(budget);
        }
        false
    }

    pub fn pass(&mut self, budget: Budget) {
        while let Some(victim) = self.clock.next(budget) {
            self.strip(&victim);
        }
    }

    pub fn strip(&mut self, victim: &Victim<Entry>) {
        let item = &victim.entry.0;
        assert!(self.entries.remove(&item.key).is_some(), "{item:?} went twice");
        self.weight -= item.weight.get();
        self.victims.push(item.key);
    }

    pub fn remove(&mut self, key: u32) {
        if let Some(entry) = self.entries.remove(&key) {
            entry.0.gone.set(true);
            self.weight -= entry.0.weight.get();
        }
    }
}

pub fn budget(capacity: u64, batch: f64) -> Budget {
    let target = ((capacity as f64 * (1.0 - batch)) as u64).max(1);
    Budget { capacity, target }
}

/// Numbers that look random, the same on every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % sides
    }
}

/// Kinds of request streams, by name, of `count` requests to about `keys` keys.
pub fn streams(keys: u64, count: u64) -> Vec<(&'static str, Vec<u32>)> {
    let mut dice = Dice(keys);
    let skewed = |dice: &mut Dice| {
        let span = 1 + dice.roll(keys);
        let span = 1 + dice.roll(span);
        dice.roll(span)
    };
    let mut stream = |next: &mut dyn FnMut(&mut Dice, u64) -> u64| {
        (0..count).map(|n| next(&mut dice, n) as u32).collect::<Vec<_>>()
    };
    let uniform = stream(&mut |dice, _| dice.roll(keys));
    let zipf = stream(&mut |dice, _| skewed(dice));
    let cycle = stream(&mut |_, n| n % keys);
    let scans = stream(&mut |dice, n| match n / keys % 3 {
        0 => keys + n,
        _ => skewed(dice),
    });
    let phases = stream(&mut |dice, n| match n / (2 * keys) % 3 {
        0 => n % (keys / 2 + 1),
        1 => skewed(dice) + 5 * keys,
        _ => n.saturating_sub(dice.roll(keys / 4 + 1)) + 10 * keys,
    });
    vec![("uniform", uniform), ("zipf", zipf), ("loop", cycle), ("scans", scans), ("phases", phases)]
}
