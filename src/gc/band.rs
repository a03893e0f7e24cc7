//! The outer loop's law: numbers in, numbers out. It says what the limit on live bytes is to be, so that what the process takes of
//! its [wall](crate::heap::Limit::wall) stays in a band below it, and knows nobody.
//!
//! Live bytes are not what a wall counts: fragmentation, the allocator's reserve, stacks come on top. So the limit follows what is
//! taken, slowly and with a dead band: down at once by what is too much, up by a tenth of what is missing.
//!
//! ```text
//! 0 ──────────────────── low ───── aim ───── high ────── wall ──►  taken
//!   up, if live bytes       │   nothing      │ down
//!   fill the limit          │                │
//! ```
//!
//! A limit in proportion to the wall over the ratio of taken to live ends in a spiral (live bytes at 46 to 50 %, simulated and
//! seen): the allocator does not give back what was freed, so the ratio grows with each cut. Nor may a reading be cut for twice
//! where nothing purges: what was taken stays taken then, and is no reason for more cuts.
//!
//! Source: CacheLib's memory monitor (two watermarks, steps in proportion).

/// Above it the limit goes down; a share of the wall.
const HIGH: f64 = 0.95;
/// Where the limit leads.
const AIM: f64 = 0.93;
/// Below it the limit goes up.
const LOW: f64 = 0.91;
/// The limit goes up only where live bytes fill it to this share: else they say nothing about it.
const FULL: f64 = 0.9;
/// The part of the way that one step up makes.
const STEP: f64 = 0.1;
/// The limit never falls below this share of the wall: what is taken then is not the maps'.
const LEAST: f64 = 1.0 / 64.0;

/// See the module. Everything in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    wall: u64,
    /// The limit never rises above it.
    most: u64,
    /// The most that was taken when the limit was last lowered without a purge.
    answered: u64,
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
        let aim = share(wall, AIM);
        Self { wall, most: most.map_or(aim, |most| most.min(aim)), answered: 0 }
    }

    /// Whether so much taken asks for a purge first.
    pub fn is_high(&self, taken: u64) -> bool {
        taken > share(self.wall, HIGH)
    }

    /// The limit from now on.
    pub fn correct(&mut self, limit: u64, reading: Reading) -> u64 {
        if self.is_high(reading.taken) {
            let cut = self.cut(reading);
            limit.saturating_sub(cut).max(share(self.wall, LEAST).min(limit))
        } else if reading.taken < share(self.wall, LOW) {
            self.answered = 0;
            let fills = reading.live > share(limit, FULL);
            let step = share(share(self.wall, AIM) - reading.taken, STEP);
            if fills { (limit + step).min(self.most.max(limit)) } else { limit }
        } else {
            limit
        }
    }

    fn cut(&mut self, Reading { taken, purged, .. }: Reading) -> u64 {
        let aim = share(self.wall, AIM);
        if purged {
            return taken - aim;
        }
        let new = taken.saturating_sub(self.answered.max(aim));
        self.answered = self.answered.max(taken);
        2 * new
    }
}

fn share(of: u64, share: f64) -> u64 {
    (of as f64 * share) as u64
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    /// With a wall of 1000.
    fn corrected(limit: u64, taken: u64, live: u64, purged: bool) -> u64 {
        Band::new(1000, None).correct(limit, Reading { taken, live, purged })
    }

    #[test]
    fn a_step() {
        for (limit, taken, live, expected, why) in [
            (750, 930, 740, 750, "in the band"),
            (750, 950, 740, 750, "its upper end"),
            (750, 910, 740, 750, "its lower end"),
            (750, 960, 740, 720, "down by what is above 930"),
            (750, 1000, 740, 680, "the wall"),
            (750, 830, 740, 760, "up by a tenth of the 100 that are missing"),
            (750, 830, 600, 750, "live bytes do not fill the limit"),
            (925, 830, 900, 930, "never above the aim"),
            (20, 1000, 10, 15, "never below a 64th"),
            (10, 1000, 10, 10, "nor up to it"),
        ] {
            assert_eq!(corrected(limit, taken, live, true), expected, "{why}");
        }
    }

    #[test]
    fn what_was_told_is_never_exceeded() {
        let mut band = Band::new(1000, Some(600));
        assert_eq!(band.correct(595, Reading { taken: 700, live: 590, purged: false }), 600);
        assert_eq!(band.correct(600, Reading { taken: 700, live: 590, purged: false }), 600);
    }

    #[test]
    fn what_stays_taken_is_answered_once() {
        let mut band = Band::new(1000, None);
        let mut at = |limit, taken| band.correct(limit, Reading { taken, live: 700, purged: false });
        assert_eq!(at(750, 960), 690, "twice what is above 930");
        assert_eq!(at(690, 960), 690, "no news");
        assert_eq!(at(690, 970), 670, "it still grows");
        assert_eq!(at(670, 955), 670);
        assert_eq!(at(670, 900), 673, "it fell, and there is room");
        assert_eq!(at(673, 960), 613, "all over again");
    }

    /// An allocator that keeps its reserve: the most that was ever live, and 20 % on top.
    #[test]
    fn no_spiral_without_a_purge() {
        let (mut band, mut limit, mut taken) = (Band::new(1000, None), 750u64, 0);
        for _ in 0..1000 {
            taken = taken.max(limit * 6 / 5);
            limit = band.correct(limit, Reading { taken, live: limit, purged: false });
        }
        assert!(limit > 700 && taken < 1000, "{limit} {taken}");
    }

    /// The same with purges, and a part of the wall that others take and give back.
    #[test]
    fn settles_where_others_leave_room() {
        let (mut band, mut limit) = (Band::new(1000, None), 750u64);
        for (others, least, most) in [(0, 755, 800), (300, 500, 550), (0, 755, 800)] {
            for _ in 0..200 {
                let taken = limit * 6 / 5 + others;
                limit = band.correct(limit, Reading { taken, live: limit, purged: true });
            }
            assert!((least..=most).contains(&limit), "{others}: {limit}");
        }
    }
}
