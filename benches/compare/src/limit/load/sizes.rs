//! How large values are: the same for a key in every run.

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, LogNormal};

/// Bytes, the middle of both.
const MEDIAN: f64 = 4096.0;
/// Of the logarithm: so the bounds cut off less than 1 % below, and 0.02 % above.
const DEVIATION: f64 = 1.5;
const LEAST: f64 = 100.0;
const MOST: f64 = 1e6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All of 4 KiB.
    Page,
    /// Lognormal around 4 KiB, 100 B to 1 MB.
    Mixed,
}

impl Sizes {
    pub fn of(self, key: u64) -> usize {
        match self {
            Self::Page => MEDIAN as usize,
            Self::Mixed => {
                let shape = LogNormal::new(MEDIAN.ln(), DEVIATION).expect("finite");
                shape.sample(&mut SmallRng::seed_from_u64(key)).clamp(LEAST, MOST) as usize
            }
        }
    }

    /// Over many keys.
    pub fn mean(self) -> f64 {
        const SAMPLE: u64 = 50_000;
        (0..SAMPLE).map(|key| self.of(key) as f64).sum::<f64>() / SAMPLE as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_sizes_lie_around_the_median() {
        let sizes: Vec<_> = (0..10_000).map(|key| Sizes::Mixed.of(key)).collect();
        let below = sizes.iter().filter(|&&size| size < 4096).count();
        assert!((4_800..5_200).contains(&below), "{below}");
        assert!(sizes.iter().all(|size| (100..=1_000_000).contains(size)));
        assert_eq!(sizes[7], Sizes::Mixed.of(7));
        assert!((11_000.0..14_000.0).contains(&Sizes::Mixed.mean()), "{}", Sizes::Mixed.mean());
    }
}
