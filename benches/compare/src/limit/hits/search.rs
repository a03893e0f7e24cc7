//! The capacity at which a peer uses so much memory.

use anyhow::Result;

use super::replay::Kept;

/// Close enough, as a share of the target.
const TOLERANCE: f64 = 0.003;
const MOST_TRIES: usize = 14;

/// By halving.
pub struct Search {
    /// Bytes in use.
    pub target: u64,
    /// A capacity that is about right.
    pub from: u64,
}

impl Search {
    /// The closest that was found.
    pub fn run(&self, mut try_out: impl FnMut(u64) -> Result<Kept>) -> Result<(u64, Kept)> {
        let (mut low, mut high) = (self.from / 4, self.from * 2);
        let mut best: Option<(u64, Kept)> = None;
        for _ in 0..MOST_TRIES {
            let capacity = low.midpoint(high);
            let kept = try_out(capacity)?;
            if best.is_none_or(|(_, best)| self.distance(kept) < self.distance(best)) {
                best = Some((capacity, kept));
            }
            if self.distance(kept) <= TOLERANCE {
                break;
            }
            if kept.live < self.target { low = capacity } else { high = capacity }
        }
        Ok(best.expect("one try at least"))
    }

    fn distance(&self, kept: Kept) -> f64 {
        kept.live.abs_diff(self.target) as f64 / self.target as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_uses_as_much() {
        // A fifth of overhead, and something besides.
        let uses = |capacity| Ok(Kept { live: capacity * 6 / 5 + 1000, hit_ratio: 0.0, byte_hit_ratio: 0.0 });
        let search = Search { target: 1_000_000, from: 1_000_000 };
        let (capacity, kept) = search.run(uses).unwrap();
        assert!(search.distance(kept) <= TOLERANCE, "{capacity} {kept:?}");
        assert!((828_000..837_000).contains(&capacity), "{capacity}");
    }

    #[test]
    fn the_closest_where_there_is_no_match() {
        let steps =
            |capacity: u64| Ok(Kept { live: capacity / 400 * 400, hit_ratio: 0.0, byte_hit_ratio: 0.0 });
        let (_, kept) = Search { target: 1000, from: 1000 }.run(steps).unwrap();
        assert!([800, 1200].contains(&kept.live), "{kept:?}");
    }
}
