//! OPT: Belady with bypass, what a cache that knows the future reaches with entries of one unit.
//!
//! A new key goes in, then whatever is next used last goes out, the new key included. With byte
//! weights that is no bound, so there is none.

use std::collections::BinaryHeap;

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

pub struct Belady;

impl Subject for Belady {
    fn name(&self) -> &'static str {
        "OPT"
    }

    fn build(&self, room: &Room, trace: &Trace) -> Option<Box<dyn Cache>> {
        (!room.sized).then(|| Box::new(Oracle::new(room.capacity as usize, trace)) as _)
    }

    fn is_yardstick(&self) -> bool {
        true
    }
}

const NEVER: u32 = u32::MAX;

struct Oracle {
    capacity: usize,
    /// When the key requested at a position is requested again.
    next: Vec<u32>,
    position: usize,
    cached: Vec<bool>,
    count: usize,
    /// When the cached keys are used next. Positions that have passed stay in: they are below
    /// every other, so they never come out.
    uses: BinaryHeap<(u32, u32)>,
}

impl Oracle {
    fn new(capacity: usize, trace: &Trace) -> Self {
        Self {
            capacity,
            next: next_uses(trace),
            position: 0,
            cached: vec![false; trace.unique],
            count: 0,
            uses: BinaryHeap::new(),
        }
    }

    fn leave(&mut self, key: u32) {
        self.count -= usize::from(self.cached[key as usize]);
        self.cached[key as usize] = false;
    }

    fn enter(&mut self, key: u32, next: u32) {
        self.uses.push((next, key));
        self.cached[key as usize] = true;
        self.count += 1;
    }

    fn evict(&mut self) {
        if let Some((_, key)) = self.uses.pop() {
            self.leave(key);
        }
    }
}

impl Cache for Oracle {
    fn access(&mut self, key: u32, _: u32) -> bool {
        let hit = self.cached[key as usize];
        let next = self.next[self.position];
        self.position += 1;
        self.leave(key);
        if next != NEVER {
            self.enter(key, next);
        }
        if self.count > self.capacity {
            self.evict();
        }
        hit
    }
}

fn next_uses(trace: &Trace) -> Vec<u32> {
    let mut later = vec![NEVER; trace.unique];
    let mut next = vec![NEVER; trace.keys.len()];
    for (position, &key) in trace.keys.iter().enumerate().rev() {
        next[position] = std::mem::replace(&mut later[key as usize], position as u32);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opt(capacity: usize, keys: &[u32]) -> usize {
        let trace = Trace::new("t", keys.to_vec(), None).unwrap();
        let mut oracle = Oracle::new(capacity, &trace);
        keys.iter().filter(|&&key| oracle.access(key, 1)).count()
    }

    /// The most hits of any choice: a miss may replace any cached key or be let through.
    fn brute_force(capacity: usize, keys: &[u32], cached: &[u32]) -> usize {
        let Some((&key, rest)) = keys.split_first() else {
            return 0;
        };
        if cached.contains(&key) {
            return 1 + brute_force(capacity, rest, cached);
        }
        if cached.len() < capacity {
            return brute_force(capacity, rest, &[cached, &[key]].concat());
        }
        let bypass = brute_force(capacity, rest, cached);
        let replaced = (0..cached.len()).map(|place| {
            let mut cached = cached.to_vec();
            cached[place] = key;
            brute_force(capacity, rest, &cached)
        });
        replaced.fold(bypass, usize::max)
    }

    #[test]
    fn by_hand() {
        assert_eq!(opt(1, &[0, 1, 0, 2, 0]), 2);
        assert_eq!(opt(2, &[0, 1, 2, 0, 1, 2]), 2);
        assert_eq!(opt(3, &[0, 1, 2, 0, 1, 2]), 3);
    }

    /// Every dense trace of nine requests for up to four keys.
    #[test]
    fn as_brute_force() {
        let mut traces = vec![vec![0]];
        for _ in 1..9 {
            traces = traces.iter().flat_map(|keys| longer(keys)).collect();
        }
        for keys in traces {
            for capacity in 1..=3 {
                assert_eq!(opt(capacity, &keys), brute_force(capacity, &keys, &[]), "{keys:?}");
            }
        }
    }

    fn longer(keys: &[u32]) -> Vec<Vec<u32>> {
        let unseen = keys.iter().max().unwrap() + 1;
        (0..=unseen.min(3)).map(|key| [keys, &[key]].concat()).collect()
    }
}
