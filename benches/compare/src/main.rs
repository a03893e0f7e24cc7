//! Compares weakmap with other caches: `compare hit-ratio --help`.

mod allocator;
mod hit_ratio;
mod limit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use weakmap::heap::Counting;

/// `limit` goes by the count, over the allocator that it chooses for a child.
#[global_allocator]
static ALLOCATOR: Counting<allocator::Chosen> = Counting::new(allocator::Chosen);

/// Compares weakmap with other caches.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    comparison: Comparison,
}

/// One module each.
#[derive(Subcommand)]
enum Comparison {
    /// Hit ratios on access traces, each cache driven by one thread.
    HitRatio(hit_ratio::Options),
    /// Heap in use under load against a limit, in a cgroup, and what is found in the same memory.
    Limit(limit::Options),
}

impl Comparison {
    fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::HitRatio(options) => hit_ratio::run(options),
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
