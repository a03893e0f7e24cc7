//! Numbers of several rounds, as one.

/// The middle one, or the mean of the middle two; none of none.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (half, odd) = (sorted.len() / 2, sorted.len() % 2 == 1);
    match sorted.get(half)? {
        middle if odd => Some(*middle),
        upper => Some((sorted[half - 1] + upper) / 2.0),
    }
}

/// From the least to the most, as a share of the median; nothing if that is zero.
pub fn spread(samples: &[f64]) -> f64 {
    let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let most = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match median(samples) {
        Some(median) if median != 0.0 => (most - least) / median.abs(),
        _ => 0.0,
    }
}

/// The median of the rounds' ratios: what slows a whole round down slows both. None where they do not divide.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Option<f64> {
    let ratios: Vec<_> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    median(&ratios).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }

    #[test]
    fn a_spread_is_a_share_of_the_median() {
        assert_eq!(spread(&[90.0, 100.0, 120.0]), 0.3);
        assert_eq!(spread(&[0.0, 0.0]), 0.0);
        assert_eq!(spread(&[]), 0.0);
    }

    #[test]
    fn rounds_are_compared_with_themselves() {
        let (ours, theirs) = ([10.0, 1.0, 30.0], [5.0, 0.5, 10.0]);
        assert_eq!(ratio(&ours, &theirs), Some(2.0));
        assert_eq!(ratio(&ours, &[0.0; 3]), None);
        assert_eq!(ratio(&[], &theirs), None);
    }
}
