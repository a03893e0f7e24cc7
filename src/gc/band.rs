//! The outer loop's law: numbers in, numbers out. It says what the limit on live bytes is to be, so that what the process takes of
//! its [wall](crate::heap::Limit::wall) stays in a band below it, and knows nobody.
//!
//! Live bytes are not what a wall counts: fragmentation, the allocator's reserve, stacks come on top. So the limit follows what is
//! taken, slowly and with a dead band: down at once by what is too much, up by a small part of what is missing. *Taken* is
//! the most of the last second, so that the band keeps clear of the wall by as much as the use swings.
//!
//! ```text
//! 0 ──────────────────── low ───── aim ───── high ────── wall ──►  taken
//!   up, if live bytes       │   nothing      │ down
//!   fill the limit          │                │
//! ```
//!
//! A cut starts from live bytes where these do not fill the limit: a cut that strips nothing helps nobody. Where it stays high in spite of
//! it (glibc's arenas creep up, each to the most that it ever had), the limit bleeds, by a small part of itself a step, as far as
//! [`BLED`] of the wall.
//!
//! A limit in proportion to the wall over the ratio of taken to live ends in a spiral (live bytes at 46 to 50 %, simulated and
//! seen): the allocator does not give back what was freed, so the ratio grows with each cut. Nor may a reading be cut for twice
//! where nothing purges: what was taken stays taken then, and is no reason for more cuts.
//!
//! Where nobody counts live bytes, the limit is on what the maps [weigh](Band::correct_weights), and a cut is the share of it that is too much of what is taken.
//!
//! Source: CacheLib's memory monitor (two watermarks, steps in proportion).

/// From the wall down to `high`: a share of it, but no less than [`RESERVE`], and no more than [`MOST_MARGIN`].
const MARGIN: f64 = 0.05;
const MOST_MARGIN: f64 = 0.15;
/// Bytes that a flood puts in between two looks, however low the wall. (Four threads over glibc with a wall of 80 MiB: the most
/// resident was 81 MiB with a margin of 5 %.)
const RESERVE: u64 = 8 << 20;
/// `aim` and `low`, in margins below the wall: 93 and 91 % of a high one.
const AIM: f64 = 1.4;
const LOW: f64 = 1.8;
/// The limit goes up only where live bytes fill it to this share: else they say nothing about it.
const FULL: f64 = 0.9;
/// The part of the way that one step up makes; there are a hundred a second at the most. Smaller once the limit was too high: what
/// was found out the hard way is not to be tried again soon.
const STEP: f64 = 0.02;
const LATER_STEP: f64 = 0.004;
/// What was taken at the most is forgotten by one part in so many a step: within a second, about.
const MEMORY: u64 = 64;
/// The part of the limit that goes in each step in which too much is taken.
const BLEED: f64 = 1.0 / 1024.0;
/// As far as this share of the wall.
const BLED: f64 = 3.0 / 8.0;
/// What was taken changed if by more than this share of the wall.
const NOISE: f64 = 1.0 / 256.0;
/// What the maps weigh is cut by so many times the share that is too much: not all that is taken is theirs. With 1, others that took 100 MB a
/// second, up to half of a wall of 1 GiB, led 8 % beyond it; with 2, 1.4 %.
const NOT_ALL: f64 = 2.0;
/// A limit on bytes never falls below this share of the wall: what is taken then is not the maps'.
const LEAST: f64 = 1.0 / 64.0;

/// See the module. Everything in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    high: u64,
    aim: u64,
    low: u64,
    /// The limit never falls below it.
    least: u64,
    /// Nor below it by bleeding.
    bled: u64,
    noise: u64,
    /// The limit never rises above it.
    most: u64,
    /// The most that was taken of late.
    peak: u64,
    /// What the limit was last lowered for.
    answered: u64,
    /// The limit was lowered.
    was_high: bool,
    /// What the maps weighed when that began, where it is on weights.
    top: u64,
}

/// What is seen at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Of the wall.
    pub taken: u64,
    /// Of the limit.
    pub live: u64,
    /// The allocator gave back what it could just before.
    pub purged: bool,
}

impl Band {
    pub fn new(wall: u64, most: Option<u64>) -> Self {
        let margin = share(wall, MARGIN).max(RESERVE).min(share(wall, MOST_MARGIN));
        let below = |margins: f64| wall - share(margin, margins);
        let (high, aim, low) = (below(1.0), below(AIM), below(LOW));
        let most = most.map_or(aim, |most| most.min(aim));
        let (least, bled, noise) = (share(wall, LEAST), share(wall, BLED), share(wall, NOISE));
        Self { high, aim, low, least, bled, noise, most, peak: 0, answered: 0, was_high: false, top: 0 }
    }

    /// Whether so much taken asks for a purge first.
    pub fn is_high(&self, taken: u64) -> bool {
        taken > self.high
    }

    /// The limit from now on.
    pub fn correct(&mut self, limit: u64, reading: Reading) -> u64 {
        let peak = self.see(reading);
        if self.is_high(peak) {
            let cut = self.cut(reading.purged);
            self.lower(limit, reading.live, cut)
        } else if peak < self.low {
            self.answered = 0;
            let fills = reading.live > share(limit, FULL);
            let step = share(self.aim - peak, self.step()).max(1);
            if fills { (limit + step).min(self.most.max(limit)) } else { limit }
        } else {
            limit
        }
    }

    /// The same where `live` is what the maps weigh, in a unit that may stand for any number of bytes: as if all that is taken were theirs. The limit may fall to where
    /// they keep nothing, and rises again when there is room, whether they weigh anything or not: the next cut starts from what they weigh.
    pub fn correct_weights(&mut self, limit: u64, reading: Reading) -> u64 {
        let peak = self.see(reading);
        if self.is_high(peak) {
            self.lower_weights(limit, reading)
        } else if peak < self.low {
            self.answered = 0;
            let missing = (self.aim - peak) as f64 / peak.max(1) as f64;
            let step = share(limit, missing * self.step());
            limit.saturating_add(step.max(share(self.top, LATER_STEP)).max(1)).min(self.most.max(limit))
        } else {
            limit
        }
    }

    /// The part of the way up that one step makes.
    fn step(&self) -> f64 {
        if self.was_high { LATER_STEP } else { STEP }
    }

    fn see(&mut self, Reading { taken, purged, .. }: Reading) -> u64 {
        let faded = self.peak - self.peak.saturating_sub(taken) / MEMORY;
        self.peak = if purged { taken } else { taken.max(faded) };
        self.peak
    }

    fn cut(&mut self, purged: bool) -> u64 {
        self.was_high = true;
        let excess = self.peak - self.aim;
        if purged && self.answered.abs_diff(self.peak) > self.noise {
            self.answered = self.peak;
            return excess;
        }
        let new = self.peak.saturating_sub(self.answered.max(self.aim));
        self.answered = self.answered.max(self.peak);
        2 * new
    }

    fn lower(&self, limit: u64, live: u64, cut: u64) -> u64 {
        let bled = limit - share(limit, BLEED).min(limit.saturating_sub(self.bled));
        let from = if live > share(limit, FULL) { limit } else { live };
        let cut = if cut > 0 { from.saturating_sub(cut) } else { limit };
        bled.min(cut).max(self.least.min(limit))
    }

    /// By a share of what they weigh, or of the limit.
    fn lower_weights(&mut self, limit: u64, Reading { live, purged, .. }: Reading) -> u64 {
        if live == 0 {
            return limit; // nothing to cut
        }
        if self.answered == 0 {
            self.top = live;
        }
        // Where nothing purges it is twice what is too much already.
        let times = if purged { NOT_ALL } else { 1.0 };
        let cut = times * self.cut(purged) as f64 / self.peak as f64;
        if cut > 0.0 {
            let from = if live > share(limit, FULL) { limit } else { live };
            from.saturating_sub(share(from, cut.min(1.0))).max(1)
        } else {
            limit - share(limit, BLEED).min(limit.saturating_sub(share(self.top, BLED)))
        }
    }
}

fn share(of: u64, share: f64) -> u64 {
    (of as f64 * share) as u64
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
