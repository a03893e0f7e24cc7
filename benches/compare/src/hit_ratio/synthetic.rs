//! Traces made by the program, for runs without data: always the same ones.

use std::collections::HashMap;

use anyhow::Result;

use super::trace::Trace;

#[derive(Clone, Copy, Debug)]
pub enum Synthetic {
    /// Some keys are asked for far more often than others.
    Zipf,
    /// The same keys in the same order, again and again.
    Loop,
    /// Zipf, with scans over keys that never come back.
    ScanMix,
}

impl Synthetic {
    pub const ALL: [Self; 3] = [Self::Zipf, Self::Loop, Self::ScanMix];

    pub fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::Loop => "loop",
            Self::ScanMix => "scan-mix",
        }
    }

    pub fn trace(self, sized: bool) -> Result<Trace> {
        let keys = dense(&self.keys());
        let unique = keys.iter().max().map_or(0, |&last| last + 1);
        Trace::new(self.name(), keys, sized.then(|| sizes(unique)))
    }

    fn keys(self) -> Vec<u32> {
        match self {
            Self::Zipf => zipf(60_000, 10_000),
            Self::Loop => (0..40_000).map(|position| position % 1_000).collect(),
            Self::ScanMix => scan_mix(),
        }
    }
}

/// 4,000 draws, then a scan of 1,000, in turn.
fn scan_mix() -> Vec<u32> {
    let draws = zipf(48_000, 5_000);
    let mut keys = Vec::new();
    for (round, burst) in (0..).zip(draws.chunks(4_000)) {
        keys.extend(burst);
        keys.extend((0..1_000).map(|step| 1_000_000 + round * 1_000 + step));
    }
    keys
}

/// Draws of `0..universe`, the k-th as likely as 1/k^0.9.
fn zipf(draws: usize, universe: u32) -> Vec<u32> {
    let mut total = 0.0;
    let mut marks = Vec::new();
    for rank in 1..=universe {
        total += f64::from(rank).powf(-0.9);
        marks.push(total);
    }
    let mut dice = Dice(42);
    let rolls = (0..draws).map(|_| dice.roll() * total);
    rolls.map(|roll| marks.partition_point(|&mark| mark < roll) as u32).collect()
}

/// Renames the keys to 0, 1, … in the order of first appearance.
fn dense(keys: &[u32]) -> Vec<u32> {
    let mut ids = HashMap::new();
    keys.iter()
        .map(|key| {
            let next = ids.len() as u32;
            *ids.entry(key).or_insert(next)
        })
        .collect()
}

/// 64 bytes to 64 KiB, small ones as often as large ones on a logarithmic scale.
fn sizes(unique: u32) -> Vec<u32> {
    let mut dice = Dice(7);
    (0..unique).map(|_| (6.0 + 10.0 * dice.roll()).exp2() as u32).collect()
}

/// Splitmix64: a seed gives the same rolls everywhere.
struct Dice(u64);

impl Dice {
    /// In 0..1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_every_time() {
        for synthetic in Synthetic::ALL {
            let trace = synthetic.trace(true).unwrap();
            assert_eq!(trace.keys, synthetic.trace(true).unwrap().keys);
            assert!(trace.bytes().is_some() && trace.unique >= 1_000);
        }
    }

    #[test]
    fn zipf_prefers_the_first() {
        let draws = zipf(10_000, 1_000);
        let first = draws.iter().filter(|&&key| key == 0).count();
        assert!((800..1_400).contains(&first), "{first}");
    }
}
