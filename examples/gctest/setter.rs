//! A thread that sets: a new key and a new value at each tick.

use crate::{Cache, span::Ticks};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

pub struct Setter<'c> {
    cache: &'c Cache,
    keys: &'c AtomicU64,
    size: u64,
    /// The last ones, oldest first.
    held: VecDeque<(u64, Arc<Vec<u8>>)>,
    hold: u64,
}

impl<'c> Setter<'c> {
    pub fn new(cache: &'c Cache, keys: &'c AtomicU64, size: u64, hold: u64) -> Self {
        Self { cache, keys, size, held: VecDeque::new(), hold }
    }

    pub fn run(&mut self, ticks: Ticks) {
        for _ in ticks {
            let key = self.keys.fetch_add(1, Relaxed);
            // Not zero, or the system would hand out pages that are none yet.
            let value = Arc::new(vec![key as u8 | 1; self.size as usize]);
            if self.hold == 0 {
                self.cache.insert_arc(key, value);
            } else {
                self.cache.insert_arc(key, Arc::clone(&value));
                self.keep(key, value);
            }
        }
    }

    /// Holds the value, and asks for the one that was held longest before it is let go: it is the likeliest to have been
    /// stripped meanwhile.
    fn keep(&mut self, key: u64, value: Arc<Vec<u8>>) {
        self.held.push_back((key, value));
        if self.held.len() as u64 > self.hold
            && let Some((oldest, _held)) = self.held.pop_front()
        {
            self.cache.get(&oldest);
        }
    }
}
