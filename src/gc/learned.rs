//! How many bytes a unit of weight stands for. Tallies: they tell, and publish nothing.

use crate::sync::tally::{AtomicU64, Relaxed};

/// How many bytes a unit of weight stands for, learned from what passes freed.
#[derive(Debug, Default)]
pub struct Learned {
    weight: AtomicU64,
    bytes: AtomicU64,
    entries: AtomicU64,
}

impl Learned {
    /// Older lessons count half after so many entries.
    const HORIZON: u64 = 1024;

    /// What so much weight stands for; itself, as long as nothing was learned.
    pub fn bytes(&self, weight: u64) -> u64 {
        self.lesson(weight).unwrap_or(weight)
    }

    /// What so much weight stands for, if anything was learned.
    pub fn lesson(&self, weight: u64) -> Option<u64> {
        let (learned, bytes) = (self.weight.load(Relaxed), self.bytes.load(Relaxed));
        (learned > 0).then(|| (weight as f64 * (bytes as f64 / learned as f64)) as u64)
    }

    /// Strips that may be decided on at once: few while little was learned.
    pub fn batch(&self, most: usize) -> usize {
        (self.entries.load(Relaxed) as usize + 1).min(most)
    }

    pub fn add(&self, weight: u64, bytes: u64, entries: u64) {
        self.weight.fetch_add(weight, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        if self.entries.fetch_add(entries, Relaxed) > Self::HORIZON {
            for sum in [&self.weight, &self.bytes, &self.entries] {
                sum.store(sum.load(Relaxed) / 2, Relaxed);
            }
        }
    }
}
