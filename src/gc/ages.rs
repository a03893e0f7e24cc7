//! Ages: when, on the collector's time, the entries of one clock came.
//!
//! A clock counts its own time, the weight that it admitted; the collector compares regions by entries admitted anywhere. Marks
//! tie the two together: a few dozen pairs, and what lies between two marks is as old as the earlier one. The marks reach back to the oldest
//! entry, and no two neighbours are further apart than a fourteenth of that, on either time, or than two sweeps: so the oldest
//! entries of two regions are compared to 7 %.

use std::collections::VecDeque;

/// Marks that are kept. When there are so many, half of them go.
const MOST: usize = 128;
/// Into so many parts the marks divide each time, then.
const PARTS: u64 = MOST as u64 / 4;

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

    /// Now it is `own` here and `global` there, and the oldest entry came when it was `oldest` here.
    pub fn mark(&mut self, own: u64, global: u64, oldest: u64) {
        // Of two, for a clock tells ages in units.
        while self.marks.get(2).is_some_and(|&(mark, _)| mark <= oldest) {
            self.marks.pop_front();
        }
        if self.marks.back().is_some_and(|&(last, _)| last == own) {
            return;
        }
        if self.marks.len() == MOST {
            self.thin_out(own, global);
        }
        self.marks.push_back((own, global));
    }

    /// Marks go whose neighbours are close to each other, on both times.
    fn thin_out(&mut self, own: u64, global: u64) {
        let first = self.marks[0];
        let far = (2 * own.saturating_sub(first.0) / PARTS, 2 * global.saturating_sub(first.1) / PARTS);
        let mut kept: VecDeque<(u64, u64)> = VecDeque::with_capacity(MOST);
        for (at, &mark) in self.marks.iter().enumerate() {
            let close = |(&last, &next): (&(u64, u64), &(u64, u64))| {
                next.0 - last.0 <= far.0 && next.1.saturating_sub(last.1) <= far.1
            };
            if !kept.back().zip(self.marks.get(at + 1)).is_some_and(close) {
                kept.push_back(mark);
            }
        }
        self.marks = kept;
    }

    /// The collector's time when it was `own` here, or somewhat earlier; of what came before the first mark, that of the mark.
    pub fn since(&self, own: u64) -> u64 {
        let after = self.marks.partition_point(|&(mark, _)| mark <= own);
        self.marks.get(after.saturating_sub(1)).map_or(0, |&(_, at)| at)
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_marks_is_as_old_as_the_earlier() {
        let mut ages = Ages::default();
        for (own, global) in [(10, 1), (20, 50), (30, 51)] {
            ages.mark(own, global, 0);
        }
        for (own, global) in [(0, 1), (9, 1), (10, 1), (19, 1), (20, 50), (30, 51), (99, 51)] {
            assert_eq!(ages.since(own), global, "at {own}");
        }
    }

    /// Marks at each sweep of a region whose oldest entry is `span` old, while all others admit what `others` says in the meantime.
    fn run(span: u64, others: impl Fn(u64) -> u64) {
        let (mut ages, mut global, mut truth) = (Ages::default(), 0, Vec::new());
        for own in 0..20 * span {
            global += 1 + others(own);
            truth.push(global);
            let oldest = own.saturating_sub(span);
            ages.mark(own, global, oldest);
            assert!(ages.marks.len() <= MOST);
            for own in (oldest..=own).step_by(span as usize / 7) {
                let (told, was) = (ages.since(own), truth[own as usize]);
                let error = (global - truth[oldest as usize]) / 14 + 2 * (5 + others(own));
                assert!(told <= was && was - told <= error, "at {own} of {oldest}: {told}, not {was}");
            }
        }
    }

    #[test]
    fn however_long_it_runs_ages_are_told_to_a_fourteenth_of_the_oldest() {
        run(100, |_| 0);
        run(1_000, |_| 3);
        run(3_000, |own| own % 5);
    }

    #[test]
    fn what_came_after_an_idle_time_is_not_taken_for_what_came_before() {
        let mut ages = Ages::default();
        (0..5_000).for_each(|own| ages.mark(own, own, 0));
        (5_000..10_000).for_each(|own| ages.mark(own, 1_000_000 + own, 0));
        assert!(ages.since(4_999) < 5_000 && ages.since(5_000) > 1_000_000);
        assert!(ages.marks.len() <= MOST);
    }

    #[test]
    fn what_is_older_than_the_oldest_entry_is_forgotten() {
        let mut ages = Ages::default();
        (0..100).for_each(|own| ages.mark(own, own, own.saturating_sub(3)));
        assert_eq!(ages.marks, [(95, 95), (96, 96), (97, 97), (98, 98), (99, 99)]);
    }
}
