//! Ghosts that forget nothing and confuse nobody.

use std::collections::HashMap;

use crate::gc::clock::{Clock, Policy};
use crate::gc::ghost::Ghosts;

use super::cache::{Cache, Entry};

#[derive(Debug)]
pub struct Exact {
    /// Hash to stamp and the number of the put.
    ghosts: HashMap<u64, (u64, u64)>,
    puts: u64,
    /// How many puts a ghost outlives.
    span: u64,
}

impl Exact {
    pub fn new(span: u64) -> Self {
        let ghosts = HashMap::new();
        Self { ghosts, puts: 0, span }
    }
}

impl Ghosts for Exact {
    fn put(&mut self, hash: u64, stamp: u64, _: u64) {
        self.ghosts.insert(hash, (stamp, self.puts));
        self.puts += 1;
    }
    fn take(&mut self, hash: u64, now: u64) -> Option<u64> {
        let (stamp, put) = self.ghosts.remove(&hash)?;
        (self.puts - put <= self.span).then_some(now - stamp)
    }
    fn fit(&mut self, _: usize, _: u64, _: u64) {}
    fn bytes(&self) -> usize {
        0
    }
}

pub fn exact_cache(capacity: u64) -> Cache<Exact> {
    let (window, main) = (Exact::new(u64::MAX), Exact::new(capacity / 4));
    let clock: Clock<Entry, Exact> = Clock::with_ghosts(Policy::ThreeHands, window, main);
    Cache::of(clock)
}
