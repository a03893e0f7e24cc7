//! Which keys a thread asks for.

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, Zipf};

use super::{Moment, Sizes};

/// All keys together are this many times as large as the room.
const UNIVERSE: f64 = 4.0;
const SKEW: f64 = 0.9;

/// Zipf draws, and keys that nobody asked for before.
pub struct Keys {
    zipf: Zipf<f64>,
    random: SmallRng,
    unseen: u64,
    step: u64,
}

impl Keys {
    /// Those of one of `threads` threads.
    pub fn new(sizes: Sizes, room: u64, thread: u64, threads: u64) -> Self {
        let universe = (room as f64 * UNIVERSE / sizes.mean()).ceil();
        Self {
            zipf: Zipf::new(universe, SKEW).expect("one key at least"),
            random: SmallRng::seed_from_u64(thread),
            unseen: universe as u64 + 1 + thread,
            step: threads,
        }
    }

    pub fn draw(&mut self, moment: Moment) -> u64 {
        if moment.unseen { self.unseen() } else { self.zipf() }
    }

    pub fn zipf(&mut self) -> u64 {
        self.zipf.sample(&mut self.random) as u64
    }

    fn unseen(&mut self) -> u64 {
        self.unseen += self.step;
        self.unseen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn unseen_keys_are_nobody_elses() {
        let mut threads = [0, 1].map(|thread| Keys::new(Sizes::Page, 1 << 20, thread, 2));
        let drawn: HashSet<_> = (0..1000).map(|_| threads[0].zipf()).collect();
        assert!(drawn.len() > 300 && drawn.iter().all(|key| (1..=1024).contains(key)));
        let unseen: HashSet<_> = threads
            .iter_mut()
            .flat_map(|keys| (0..1000).map(|_| keys.unseen()).collect::<Vec<_>>())
            .collect();
        assert_eq!(unseen.len(), 2000);
        assert!(unseen.is_disjoint(&drawn));
    }
}
