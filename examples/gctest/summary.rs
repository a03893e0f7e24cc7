//! What is left of a run, for people and as JSON.

use crate::{flags::Flags, recording::Recording};
use serde::Serialize;
use std::fmt;
use weakmap::{CollectorStats, Stats};

#[derive(Serialize)]
pub struct Summary {
    /// Shares of the limit.
    mean_use: f64,
    max_use: f64,
    sets: u64,
    stripped: u64,
    strips_beyond_need: u64,
    mean_entries: f64,
    revived: u64,
    passes: u64,
}

impl Summary {
    pub fn new(flags: &Flags, recording: &Recording, map: &Stats, heap: &CollectorStats) -> Self {
        let tally = recording.tally();
        // What an ideal cache, all of whose memory is values, would have had to strip.
        let needed = map.inserts.saturating_sub(flags.memlimit / flags.allocsize);
        Self {
            mean_use: tally.mean_live() / flags.memlimit as f64,
            max_use: tally.most as f64 / flags.memlimit as f64,
            sets: map.inserts,
            stripped: map.stripped,
            strips_beyond_need: map.stripped.saturating_sub(needed),
            mean_entries: tally.mean_entries(),
            revived: map.revivals,
            passes: passes(heap),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mean, max) = (self.mean_use * 100.0, self.max_use * 100.0);
        writeln!(f, "\nsince the first fill: {mean:.1}% of the limit in use on average, {max:.1}% at most")?;
        writeln!(
            f,
            "{} sets, {} strips, {} of them beyond need",
            self.sets, self.stripped, self.strips_beyond_need
        )?;
        write!(
            f,
            "{:.1} entries on average, {} revived, {} passes",
            self.mean_entries, self.revived, self.passes
        )
    }
}

/// Cycles and, under the pacer, which has none, the payments of setting threads: each is a small pass.
pub fn passes(heap: &CollectorStats) -> u64 {
    heap.passes + heap.assists
}
