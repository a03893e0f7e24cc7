//! How far one batch of strips goes.

use super::{
    pass::{Sweep, Want},
    region::Region,
};
use crate::sync::tally::Relaxed;

/// Entries stripped under one hold of the rings' lock.
pub const BATCH: usize = 64;
/// A sweep that makes room under `max_weight` goes below it, so that not each insert sweeps: by this part of it and so many entries at the
/// most, and only as long as the hands have made few steps. (An insert pays for one sweep, so neither may be large.) Where threads have met at the rings,
/// by more: the next sweep will be another thread's, and the rings must come to its processor first. In turn with 16 there, two threads, two runs: new
/// keys 1.08 and .99 times as fast, `get`, else `insert` 1.04 and 1.03 (zipf 0.99), 1.08 (0.8); with 32 on one thread .93 and .98.
const SLACK: u64 = 128;
const AHEAD: usize = 16;
const AHEAD_OF_OTHERS: usize = 32;

/// What a batch is after, with what is looked up once for all of it.
#[derive(Debug)]
pub struct Quota {
    want: Want,
    /// Strips that the floor leaves room for, and how many of these may be ahead.
    spare: usize,
    ahead: usize,
    /// For [`Want::Fit`]: the weight beyond which strips must be, the one beyond which they may begin, and the one that they may go down to.
    most: u64,
    full: u64,
    goal: u64,
}

/// How far below `max_weight` a sweep may go.
pub fn slack(most: u64) -> u64 {
    most / SLACK
}

impl Quota {
    /// The weight that is still to be stripped, after so many strips of so much weight (which are not taken off the sums yet).
    #[inline(always)] // at one place
    pub fn left<K, V>(
        &self,
        region: &Region<K, V>,
        strips: usize,
        weight: u64,
        few_steps: bool,
    ) -> Option<u64>
    where
        K: Eq + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        if let Want::Fit = self.want {
            let weight = region.sums.weight.load(Relaxed).saturating_sub(weight);
            let begun = strips > 0 || weight > self.full;
            let ahead = begun && strips < self.ahead && few_steps;
            let more = weight > self.most || weight > self.goal && ahead;
            return (more && strips < BATCH).then(|| weight - self.goal);
        }
        if strips >= BATCH.min(self.spare) {
            return None;
        }
        match self.want {
            Want::Bytes(most) => {
                let bytes = region.learned.bytes(weight);
                (bytes < most && strips < region.sure_of()).then(|| region.weight_of(most - bytes))
            }
            Want::Entries(most) => {
                let left = most.saturating_sub(strips as u64);
                (left > 0).then(|| left.saturating_mul(region.average_weight()))
            }
            Want::Fit => None,
        }
    }
}

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(super) fn quota(&self, want: Want) -> Quota {
        let spare = Sweep::entries(self).saturating_sub(self.bounds.floor) as usize;
        let most = self.bounds.max_weight.unwrap_or(u64::MAX);
        let ahead = self.ahead().min(spare);
        Quota { want, spare, ahead, most, full: self.full(most), goal: most - slack(most) }
    }

    /// How many strips a sweep under `max_weight` goes ahead.
    pub(super) fn ahead(&self) -> usize {
        if self.sums.crowded.load(Relaxed) > 0 { AHEAD_OF_OTHERS } else { AHEAD }
    }

    /// Strips that may be decided on at once: few while little was learned of what they free.
    fn sure_of(&self) -> usize {
        if self.ledger.is_measured() { self.learned.batch(BATCH) } else { BATCH }
    }
}
