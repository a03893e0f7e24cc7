//! The policy written down once more, without care for time or memory: unit weights, exact ghosts,
//! one list of keys a ring. `Terms::PAPER` is research/policy_reference.py to the letter.

use std::collections::{HashMap, VecDeque};

/// What the module does that the paper does not.
#[derive(Clone, Copy)]
pub struct Terms {
    /// A search spares nobody after so many looks.
    pub patience: u64,
    /// A near ghost widens the window only if a window as large as the cache had kept it.
    pub in_reach: bool,
}

impl Terms {
    pub const PAPER: Self = Self { patience: u64::MAX, in_reach: false };
    pub const OURS: Self = Self { patience: 256, in_reach: true };
}

enum Ghost {
    Window { gone: u64 },
    Main { strip: u64, stamp: u64 },
}

pub struct Reference {
    terms: Terms,
    capacity: f64,
    target: f64,
    young: VecDeque<u32>,
    old: VecDeque<u32>,
    main: VecDeque<(u32, u64)>,
    incoming: Vec<u32>,
    uses: HashMap<u32, u8>,
    ghosts: HashMap<u32, Ghost>,
    now: u64,
    main_strips: u64,
    share: f64,
    cold: f64,
    tick: u32,
    credit: f64,
    looks: u64,
    pub hits: u64,
    pub victims: Vec<u32>,
}

impl Reference {
    pub fn new(terms: Terms, capacity: u64, target: u64) -> Self {
        Self {
            terms,
            capacity: capacity as f64,
            target: target as f64,
            young: VecDeque::new(),
            old: VecDeque::new(),
            main: VecDeque::new(),
            incoming: Vec::new(),
            uses: HashMap::new(),
            ghosts: HashMap::new(),
            now: 0,
            main_strips: 0,
            share: 0.05,
            cold: 0.5,
            tick: 0,
            credit: capacity as f64,
            looks: 0,
            hits: 0,
            victims: Vec::new(),
        }
    }

    pub fn request(&mut self, key: u32) {
        if let Some(uses) = self.uses.get_mut(&key) {
            self.hits += 1;
            *uses = (*uses + 1).min(3);
            return;
        }
        self.uses.insert(key, 0);
        self.incoming.push(key);
        if self.uses.len() as f64 > self.capacity {
            std::mem::take(&mut self.incoming).into_iter().for_each(|key| self.take_in(key));
            while self.young.len() as f64 > self.window() * 0.5 {
                let key = self.young.pop_front().unwrap();
                self.uses.insert(key, 0);
                self.old.push_back(key);
            }
            while self.uses.len() as f64 > self.target {
                self.step();
            }
        }
    }

    fn window(&self) -> f64 {
        (self.share * self.capacity).max(1.0)
    }

    fn window_len(&self) -> f64 {
        (self.young.len() + self.old.len()) as f64
    }

    fn room(&self) -> bool {
        self.main.len() as f64 + 1.0 <= self.target - self.window().floor()
    }

    fn take_in(&mut self, key: u32) {
        self.now += 1;
        let (room, len, c) = (self.room(), self.window_len(), self.capacity);
        let enters = match self.ghosts.remove(&key) {
            Some(Ghost::Window { gone }) if (self.now - gone) as f64 <= 3.0 * c => {
                let age = (self.now - gone) as f64;
                let in_reach = age + len <= c || !self.terms.in_reach;
                if age <= 0.35 * c && in_reach {
                    let dead = ((self.cold - 0.9) / (1.0 - 0.9)).max(0.0);
                    self.share += 3.0 / c * (1.0 - age / (0.35 * c + 1.0)) * (1.0 + 3.0 * dead);
                    self.share = self.share.min(0.99);
                }
                room || self.duel(age + len)
            }
            Some(Ghost::Main { strip, stamp }) if (self.main_strips - strip) as f64 <= 0.25 * c => {
                self.share = (self.share - 3.0 / c).max(0.01);
                room || self.duel((self.now - stamp) as f64)
            }
            _ => false,
        };
        if enters {
            self.enter_main(key);
        } else {
            self.young.push_back(key);
        }
    }

    fn enter_main(&mut self, key: u32) {
        self.uses.insert(key, 0);
        self.main.push_back((key, self.now));
    }

    fn duel(&mut self, distance: f64) -> bool {
        for _ in 0..2 {
            let Some(&(key, stamp)) = self.main.front() else {
                return true;
            };
            if self.uses[&key] > 0 {
                self.spare_main();
                continue;
            }
            self.cold += (1.0 - self.cold) * 0.02;
            let loses = (self.now - stamp) as f64 > distance * 1.25;
            if loses {
                self.strip_main();
            }
            return loses;
        }
        false
    }

    fn spare_main(&mut self) {
        let (key, _) = self.main.pop_front().unwrap();
        self.cold -= self.cold * 0.02;
        *self.uses.get_mut(&key).unwrap() -= 1;
        self.main.push_back((key, self.now));
    }

    fn strip_main(&mut self) {
        let (key, stamp) = self.main.pop_front().unwrap();
        let strip = self.main_strips;
        self.main_strips += 1;
        self.strip(key, Ghost::Main { strip, stamp });
    }

    fn strip(&mut self, key: u32, ghost: Ghost) {
        self.looks = 0;
        self.uses.remove(&key);
        self.ghosts.insert(key, ghost);
        self.victims.push(key);
    }

    fn step(&mut self) {
        let spares = self.looks < self.terms.patience;
        self.looks += 1;
        if self.window_len() > self.window().floor() || self.main.is_empty() {
            let key = self.old.pop_front().or_else(|| self.young.pop_front()).unwrap();
            if spares && self.earns_main(key) {
                return self.enter_main(key);
            }
            return self.strip(key, Ghost::Window { gone: self.now });
        }
        if spares && self.uses[&self.main[0].0] > 0 {
            return self.spare_main();
        }
        self.cold += (1.0 - self.cold) * 0.02;
        self.strip_main();
    }

    fn earns_main(&mut self, key: u32) -> bool {
        let room = self.room();
        if self.uses[&key] > 0 {
            return room || self.duel(0.0);
        }
        if self.credit >= 1.0 && room {
            self.credit -= 1.0;
            return true;
        }
        if !room {
            self.credit = 0.0;
        }
        self.tick += 1;
        if self.tick < 128 {
            return false;
        }
        self.tick = 0;
        room || self.duel(0.0)
    }
}
