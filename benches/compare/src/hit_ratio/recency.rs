//! LRU computed here, over arrays: the yardstick, and a check of the rest of the program.

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

pub struct Recency;

impl Subject for Recency {
    fn name(&self) -> &'static str {
        "LRU"
    }

    fn build(&self, room: &Room, trace: &Trace) -> Option<Box<dyn Cache>> {
        Some(Box::new(Ring::new(room.capacity, trace.unique)))
    }

    fn is_yardstick(&self) -> bool {
        true
    }
}

const ABSENT: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
    weight: u32,
}

/// A ring of the keys in the cache; the link after the last key is its start and end.
struct Ring {
    links: Vec<Link>,
    ends: u32,
    capacity: u64,
    used: u64,
}

impl Ring {
    fn new(capacity: u64, unique: usize) -> Self {
        let ends = unique as u32;
        let mut links = vec![Link { older: ABSENT, newer: ABSENT, weight: 0 }; unique];
        links.push(Link { older: ends, newer: ends, weight: 0 });
        Self { links, ends, capacity, used: 0 }
    }

    fn unlink(&mut self, key: u32) {
        let Link { older, newer, weight } = self.links[key as usize];
        self.links[older as usize].newer = newer;
        self.links[newer as usize].older = older;
        self.links[key as usize].older = ABSENT;
        self.used -= u64::from(weight);
    }

    fn link_newest(&mut self, key: u32, weight: u32) {
        let older = self.links[self.ends as usize].older;
        self.links[older as usize].newer = key;
        self.links[self.ends as usize].older = key;
        self.links[key as usize] = Link { older, newer: self.ends, weight };
        self.used += u64::from(weight);
    }

    fn evict_for(&mut self, weight: u32) {
        while self.used + u64::from(weight) > self.capacity {
            self.unlink(self.links[self.ends as usize].newer);
        }
    }
}

impl Cache for Ring {
    fn access(&mut self, key: u32, weight: u32) -> bool {
        let hit = self.links[key as usize].older != ABSENT;
        if hit {
            self.unlink(key);
        } else if u64::from(weight) > self.capacity {
            return false;
        }
        self.evict_for(weight);
        self.link_newest(key, weight);
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(capacity: u64, keys: &[u32], weights: &[u32]) -> Vec<bool> {
        let mut ring = Ring::new(capacity, weights.len());
        keys.iter().map(|&key| ring.access(key, weights[key as usize])).collect()
    }

    #[test]
    fn the_oldest_goes() {
        let hits = hits(2, &[0, 1, 0, 2, 0, 1], &[1; 3]);
        assert_eq!(hits, [false, false, true, false, true, false]);
    }

    #[test]
    fn a_heavy_one_pushes_several_out_and_a_giant_none() {
        let hits = hits(3, &[0, 1, 2, 1, 0, 3, 0], &[1, 1, 3, 4]);
        assert_eq!(hits, [false, false, false, false, false, false, true]);
    }
}
