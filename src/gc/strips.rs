//! Strips over all regions of a collector: whose turn it is, how far a thread goes, and when to let it be.

use super::{
    Collector, Load, log,
    pacer::Strip,
    pass::{Order, Sweep, Swept, Want},
    settings::Settings,
};
use crate::sync::{
    shared::{Arc, Weak},
    tally::Relaxed,
};
use std::time::{Duration, Instant};

/// How long an inserting thread strips at the gate: where callers hold everything, there may be much that frees nothing.
const LONGEST_GATE: Duration = Duration::from_millis(5);

/// The part of the limit that comes in before a rest is over.
const ENOUGH: u64 = 256;

/// How far a thread goes to get what it is after.
#[derive(Clone, Copy, PartialEq)]
pub enum Effort {
    /// A few batches, and none where another thread sweeps: what callers hold all of could be swept for long.
    Assist,
    /// To the end, but for maps that another thread sweeps.
    Gate,
    /// To the end.
    Whole,
}

impl Effort {
    fn batches(self) -> usize {
        match self {
            Self::Assist => 8,
            Self::Gate | Self::Whole => usize::MAX,
        }
    }
}

impl Collector {
    /// Strips to the end, unless that freed nothing a while ago.
    pub(super) fn strip_whole(&self, strip: Strip, load: Load, settings: &Settings) -> Swept {
        self.strip_unless_resting(strip, Effort::Whole, load, settings).0
    }

    /// What was done, and whether another thread was in the way.
    pub(super) fn strip_unless_resting(
        &self,
        strip: Strip,
        effort: Effort,
        load: Load,
        settings: &Settings,
    ) -> (Swept, bool) {
        if strip == Strip::NOTHING || self.0.rest.lasts(load.live) {
            return Default::default();
        }
        let start = Instant::now();
        let (done, busy) = self.strip(strip, effort, settings);
        if done.freed > 0 {
            if self.0.rest.succeed() {
                log::recovered();
            }
        } else if !busy && left(strip, &done).is_some() {
            let level = load.live.saturating_add(settings.bytes / ENOUGH);
            if self.0.rest.fail(start.elapsed(), level) {
                log::exhausted();
            }
        }
        (done, busy)
    }

    /// Steps 3 and 4 of a pass. Whether another thread was in the way, too.
    pub(super) fn strip(&self, strip: Strip, effort: Effort, settings: &Settings) -> (Swept, bool) {
        let (mut done, mut busy) = (Swept::default(), false);
        let regions = self.0.regions.load();
        let mut tired = Vec::new();
        let mut batches = 0;
        let end = (effort == Effort::Gate).then(|| Instant::now() + LONGEST_GATE);
        while batches < effort.batches() && end.is_none_or(|end| Instant::now() < end) {
            let Some(want) = left(strip, &done) else { break };
            let Some((which, region)) = self.coldest(&regions, &tired) else { break };
            let order = Order { want, stripped: done.weight };
            let swept = region.sweep(order, effort == Effort::Whole, &|| settings.source.net());
            busy |= swept.is_none();
            match swept {
                Some(swept) if swept.stripped > 0 => batches += 1,
                _ => {
                    tired.resize(regions.len(), false);
                    tired[which] = true;
                }
            }
            done.add(swept.unwrap_or_default());
        }
        if effort == Effort::Whole && done.reaped > 0 {
            self.regions().for_each(|region| region.trim());
        }
        (done, busy)
    }

    /// The region whose next candidate has been idle for longest, by its priority, of those that are not tired.
    fn coldest(&self, regions: &[Weak<dyn Sweep>], tired: &[bool]) -> Option<(usize, Arc<dyn Sweep>)> {
        let now = self.0.ledger.now.load(Relaxed);
        let warmth = |region: &dyn Sweep| match region.idle_since() {
            Some(since) => -(now.saturating_sub(since) as f64 / region.priority()),
            None => f64::INFINITY,
        };
        let awake =
            regions.iter().enumerate().filter(|(which, _)| !tired.get(*which).is_some_and(|&tired| tired));
        let alive = awake.filter_map(|(which, region)| Some((which, region.upgrade()?)));
        alive.min_by(|(_, one), (_, other)| warmth(&**one).total_cmp(&warmth(&**other)))
    }
}

/// What is left of an order.
fn left(strip: Strip, done: &Swept) -> Option<Want> {
    let left = |most: u64, done: u64| most.checked_sub(done).filter(|&left| left > 0);
    match strip {
        Strip::Bytes(most) => left(most, done.freed).map(Want::Bytes),
        Strip::Entries(most) => left(most, done.stripped).map(Want::Entries),
    }
}
