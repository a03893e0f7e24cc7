//! The benchmarks, a file each.

mod bytes;
mod churn;
mod growth;
mod loads;
pub mod lookup;
mod mixed;
mod pauses;

use anyhow::{Result, ensure};

use super::{
    cache::{Cache, value},
    cell::Cell,
    crew::Tally,
    run::Run,
};

#[derive(Clone, Copy, Debug)]
pub enum Bench {
    Lookup,
    Churn,
    Mixed,
    Bytes,
    Pauses,
    Growth,
    Loads,
}

impl Bench {
    pub fn name(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Churn => "churn",
            Self::Mixed => "mixed",
            Self::Bytes => "bytes",
            Self::Pauses => "pauses",
            Self::Growth => "growth",
            Self::Loads => "loads",
        }
    }

    pub fn measure(self, run: &mut Run) -> Result<Vec<Cell>> {
        match self {
            Self::Lookup => lookup::measure(run),
            Self::Churn => churn::measure(run),
            Self::Mixed => mixed::measure(run),
            Self::Bytes => bytes::measure(run),
            Self::Pauses => pauses::measure(run),
            Self::Growth => growth::measure(run),
            Self::Loads => loads::measure(run),
        }
    }
}

/// How much room a map gets that must not evict: caches in shards need more than there are entries.
const SPARE: usize = 2;

/// Holds 0 to `entries`, with room to spare.
fn filled<C: Cache<u64>>(entries: usize) -> C {
    let cache = C::with_room(entries * SPARE);
    (0..entries as u64).for_each(|key| cache.insert(key, value(key)));
    cache.settle();
    cache
}

/// An error if the keys were not all but present: another thing would have been measured.
fn check_present(tally: &Tally) -> Result<()> {
    const LEAST: f64 = 99.0;
    let found = tally.hit_ratio();
    ensure!(found >= LEAST, "found {found:.1} % of the keys, not {LEAST} % at least");
    Ok(())
}
