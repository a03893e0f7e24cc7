//! A case, measured: the rounds of every subject, and the rows that they make.

use serde::Serialize;

use super::{
    label::Label,
    statistics::{median, ratio, spread},
};

/// The subject that the others are compared with.
pub const OURS: &str = "weakmap";

#[derive(Clone, Debug)]
pub struct Cell {
    pub label: Label,
    /// By subject, in the order of the line-up; a sample a round.
    pub samples: Vec<(&'static str, Vec<f64>)>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub bench: &'static str,
    pub case: String,
    pub subject: &'static str,
    pub median: f64,
    /// From the least to the most round, as a share of the median.
    pub spread: f64,
    pub unit: &'static str,
    /// Us by them, if we took part.
    pub ratio: Option<f64>,
}

impl Cell {
    pub fn of(&self, subject: &str) -> Option<&[f64]> {
        let found = self.samples.iter().find(|(name, _)| *name == subject)?;
        Some(&found.1)
    }

    pub fn median(&self, subject: &str) -> Option<f64> {
        median(self.of(subject)?)
    }

    pub fn rows(&self, bench: &'static str) -> Vec<Row> {
        let ours = self.of(OURS);
        let row = |(subject, samples): &(&'static str, Vec<f64>)| {
            Some(Row {
                bench,
                case: self.label.to_string(),
                subject,
                median: median(samples)?,
                spread: spread(samples),
                unit: self.label.unit,
                ratio: ours.and_then(|ours| ratio(ours, samples)),
            })
        };
        self.samples.iter().filter_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(samples: &[(&'static str, [f64; 3])]) -> Cell {
        let samples = samples.iter().map(|(name, rounds)| (*name, rounds.to_vec())).collect();
        Cell { label: Label::new("uniform", "ops/s").threads(2), samples }
    }

    #[test]
    fn the_ratio_is_us_by_them() {
        let rows = cell(&[(OURS, [20.0, 10.0, 30.0]), ("moka", [5.0, 4.0, 6.0])]).rows("lookup");
        assert_eq!((rows[0].median, rows[0].ratio), (20.0, Some(1.0)));
        assert_eq!((rows[1].median, rows[1].ratio, rows[1].spread), (5.0, Some(4.0), 0.4));
        assert_eq!(rows[1].case, "uniform/t2");
    }

    #[test]
    fn without_us_there_is_no_ratio() {
        assert_eq!(cell(&[("moka", [1.0; 3])]).rows("lookup")[0].ratio, None);
    }
}
