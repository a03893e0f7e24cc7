//! What single operations cost, side by side: time, memory, pauses.
//!
//! Every subject has the same hasher, keys and values. Rounds of the subjects take turns, so what slows the machine down for a
//! while slows all of them; ratios are taken within a round.

mod bench;
mod cache;
mod cell;
mod crew;
mod label;
mod lineup;
mod peers;
mod plot;
mod record;
mod run;
mod scene;
mod statistics;
mod stream;
mod table;

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clap::Args;

pub use self::bench::Bench;
use self::{crew::Shift, run::Run};

#[derive(Args, Default)]
pub struct Options {
    /// Only these subjects, comma separated; ratios need weakmap among them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Only these cases, comma separated; * is any run of characters.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    case: Vec<String>,

    /// Write a JSON object per line: case and subject.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Draw SVGs: against threads, and against entries.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,

    /// A hundredth of the entries, two threads at the most, short rounds: only shows that it runs.
    #[arg(long)]
    quick: bool,

    /// Rounds of each subject and case, 1 or more [default: 5, or 2 if --quick]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// How many threads, where a benchmark varies them, comma separated [default: the benchmark's own]
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Vec<u32>,

    /// Milliseconds of a timed round, 1 or more [default: 200, or 10 if --quick]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    millis: Option<u64>,
}

impl Options {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 }) as usize
    }

    fn shift(&self) -> Shift {
        let duration = Duration::from_millis(self.millis.unwrap_or(if self.quick { 10 } else { 200 }));
        Shift { warm_up: duration / 8, duration }
    }

    fn threads(&self, usual: &[usize]) -> Vec<usize> {
        match (self.threads.as_slice(), self.quick) {
            ([], true) => usual.iter().copied().filter(|&threads| threads <= 2).collect(),
            ([], false) => usual.to_vec(),
            (given, _) => given.iter().map(|&threads| threads as usize).collect(),
        }
    }

    fn entries(&self, usual: usize) -> usize {
        if self.quick { usual / 100 } else { usual }
    }

    /// The length of a thread's stream of keys.
    fn draws(&self) -> usize {
        if self.quick { 1 << 14 } else { 1 << 20 }
    }
}

pub fn run(bench: Bench, options: &Options) -> Result<()> {
    let mut run = Run::new(bench.name(), options)?;
    let cells = bench.measure(&mut run)?;
    ensure!(!cells.is_empty(), "no case of {} matches {}", bench.name(), options.case.join(" or "));
    print!("{}", table::text(bench.name(), &cells));
    match &options.plot {
        Some(folder) => plot::draw(folder, bench.name(), &cells),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_is_small_unless_told() {
        let quick = Options { quick: true, ..Options::default() };
        assert_eq!(
            (quick.rounds(), quick.entries(2_000_000), quick.threads(&[1, 2, 4])),
            (2, 20_000, vec![1, 2])
        );
        let told = Options { rounds: Some(3), threads: vec![8], millis: Some(7), ..quick };
        assert_eq!((told.rounds(), told.threads(&[1, 2])), (3, vec![8]));
        assert_eq!(told.shift().duration, Duration::from_millis(7));
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_named() {
        let options = Options { quick: true, case: vec!["zipf7*".into()], ..Options::default() };
        let error = run(Bench::Lookup, &options).unwrap_err().to_string();
        assert!(error.contains("lookup") && error.contains("zipf7*"), "{error}");
    }
}
