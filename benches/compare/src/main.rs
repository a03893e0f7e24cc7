//! Compares weakmap with other caches: `compare hit-ratio --help`, `compare lookup --help`, …

mod allocator;
mod columns;
mod hit_ratio;
mod limit;
mod names;
mod ops;
mod palette;
mod pattern;
mod progress;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use weakmap::heap::Counting;

use crate::ops::Bench;

/// `bytes`, `pauses` and `limit` go by it. All subjects pay for it alike: two additions, a load and a branch an allocation, a small
/// part of what the allocator takes, which is `System`, but in the children of `limit`.
#[global_allocator]
static ALLOCATOR: Counting<allocator::Chosen> = Counting::new(allocator::Chosen);

/// Compares weakmap with other caches.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    comparison: Comparison,
}

#[derive(Subcommand)]
enum Comparison {
    /// Hit ratios on access traces, each cache driven by one thread.
    HitRatio(hit_ratio::Options),
    /// Get of present keys, by threads, entries and skew.
    Lookup(ops::Options),
    /// Get, else insert, in a cache that is too small; and new keys only.
    Churn(ops::Options),
    /// Get and insert of present keys.
    Mixed(ops::Options),
    /// Memory per entry beyond key and value.
    Bytes(ops::Options),
    /// Quantiles of single operations, with and without evictions going on.
    Pauses(ops::Options),
    /// Time per operation from small to large, beside std's HashMap.
    Growth(ops::Options),
    /// Get or insert with a loader: hits, and many threads on an absent key.
    Loads(ops::Options),
    /// Heap in use under load against a limit, in a cgroup, and what is found in the same memory.
    Limit(limit::Options),
}

impl Comparison {
    fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::HitRatio(options) => hit_ratio::run(options),
            Self::Lookup(options) => ops::run(Bench::Lookup, options),
            Self::Churn(options) => ops::run(Bench::Churn, options),
            Self::Mixed(options) => ops::run(Bench::Mixed, options),
            Self::Bytes(options) => ops::run(Bench::Bytes, options),
            Self::Pauses(options) => ops::run(Bench::Pauses, options),
            Self::Growth(options) => ops::run(Bench::Growth, options),
            Self::Loads(options) => ops::run(Bench::Loads, options),
            Self::Limit(options) => limit::run(options),
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().comparison.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
