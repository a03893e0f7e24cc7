//! Ages: when, on the collector's time, the entries of one clock came.
//!
//! A clock counts its own time, the weight that it admitted; the collector compares regions by entries admitted anywhere. Marks
//! tie the two together: a few dozen pairs, and what lies between two marks is as old as the earlier one.

use std::collections::VecDeque;

/// Marks that are kept. When there are so many, every other one goes.
const MOST: usize = 128;

/// See the module.
#[derive(Debug, Default)]
pub struct Ages {
    /// Own time and collector's time, both rising.
    marks: VecDeque<(u64, u64)>,
}

impl Ages {
    /// The first mark, if there is none: `global` where it can be told.
    pub fn begin(&mut self, own: u64, global: u64) {
        if self.marks.is_empty() && global != u64::MAX {
            self.marks.push_back((own, global));
        }
    }

    /// Now it is `own` here and `global` there.
    pub fn mark(&mut self, own: u64, global: u64) {
        if self.marks.back().is_some_and(|&(last, _)| last == own) {
            return;
        }
        if self.marks.len() == MOST {
            let mut odd = false;
            self.marks.retain(|_| {
                odd = !odd;
                odd
            });
        }
        self.marks.push_back((own, global));
    }

    /// The collector's time when it was `own` here, or somewhat earlier.
    pub fn since(&self, own: u64) -> u64 {
        let after = self.marks.partition_point(|&(mark, _)| mark <= own);
        after.checked_sub(1).map_or(0, |before| self.marks[before].1)
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_marks_is_as_old_as_the_earlier() {
        let mut ages = Ages::default();
        for (own, global) in [(10, 1), (20, 50), (30, 51)] {
            ages.mark(own, global);
        }
        for (own, global) in [(0, 0), (9, 0), (10, 1), (19, 1), (20, 50), (30, 51), (99, 51)] {
            assert_eq!(ages.since(own), global, "at {own}");
        }
    }

    #[test]
    fn old_marks_thin_out() {
        let mut ages = Ages::default();
        (0..100_000).for_each(|now| ages.mark(now, 2 * now));
        assert!(ages.marks.len() <= MOST);
        assert_eq!(ages.since(99_999), 199_998);
        for own in [100, 5_000, 60_000] {
            assert!(ages.since(own) <= 2 * own);
        }
    }
}
