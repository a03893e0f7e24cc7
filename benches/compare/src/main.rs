//! Compares weakmap with other caches: `compare hit-ratio --help`.

mod hit_ratio;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

impl Comparison {
    fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::HitRatio(options) => hit_ratio::run(options),
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
