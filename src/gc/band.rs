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
/// second, up to half of a wall of 1 GiB, led 8 % beyond it; with 2, 1.5 %.
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
            let step = share(self.aim - peak, if self.was_high { LATER_STEP } else { STEP }).max(1);
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
            let step = share(limit, missing * if self.was_high { LATER_STEP } else { STEP });
            limit.saturating_add(step.max(share(self.top, LATER_STEP)).max(1)).min(self.most.max(limit))
        } else {
            limit
        }
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
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// Thousandths of a GiB.
    fn mil(bytes: u64) -> u64 {
        (bytes as f64 / GIB as f64 * 1000.0).round() as u64
    }

    fn bytes(mil: u64) -> u64 {
        (mil as f64 / 1000.0 * GIB as f64) as u64
    }

    /// A band below a wall of 1 GiB, in thousandths of it.
    struct Scaled(Band);

    impl Scaled {
        fn new() -> Self {
            Self(Band::new(GIB, None))
        }

        fn correct(&mut self, limit: u64, taken: u64, live: u64, purged: bool) -> u64 {
            mil(self.0.correct(bytes(limit), Reading { taken: bytes(taken), live: bytes(live), purged }))
        }
    }

    #[test]
    fn a_step() {
        for (limit, taken, live, expected, why) in [
            (750, 930, 740, 750, "in the band"),
            (750, 950, 740, 750, "its upper end"),
            (750, 910, 740, 750, "its lower end"),
            (750, 960, 750, 720, "down by what is above 930"),
            (750, 1000, 760, 680, "the wall"),
            (750, 960, 500, 470, "down from what is live"),
            (750, 830, 740, 752, "up by a fiftieth of the 100 that are missing"),
            (750, 830, 600, 750, "live bytes do not fill the limit"),
            (929, 830, 900, 930, "never above the aim"),
            (20, 1000, 10, 16, "never below a 64th"),
            (10, 1000, 10, 10, "nor up to it"),
        ] {
            assert_eq!(Scaled::new().correct(limit, taken, live, true), expected, "{why}");
        }
    }

    #[test]
    fn margins() {
        for (wall, high, aim, low) in [(1000, 950, 930, 910), (80, 72, 68, 65), (20, 17, 15, 14)] {
            let Band { high: h, aim: a, low: l, .. } = Band::new(wall << 20, None);
            assert_eq!([h >> 20, a >> 20, l >> 20], [high, aim, low], "{wall} MiB");
        }
    }

    #[test]
    fn what_was_told_is_never_exceeded() {
        let mut band = Scaled(Band::new(GIB, Some(bytes(600))));
        let limits = (0..100).fold(590, |limit, _| band.correct(limit, 700, 590, false));
        assert_eq!(limits, 600);
    }

    #[test]
    fn what_stays_taken_is_answered_once() {
        let mut band = Scaled::new();
        let mut at = |limit, taken| band.correct(limit, taken, limit, false);
        assert_eq!(at(750, 960), 690, "twice what is above 930");
        assert_eq!(at(690, 960), 689, "no news: it bleeds");
        assert_eq!(at(690, 970), 670, "it still grows");
        assert_eq!(at(670, 955), 669);
        assert_eq!((0..40).map(|_| at(670, 850)).max(), Some(670), "it was high not long ago");
        assert!((0..500).map(|_| at(670, 600)).max() > Some(670), "there is room");
        assert_eq!(at(670, 960), 610, "all over again");
    }

    #[test]
    fn a_purge_that_gives_nothing_back_is_answered_once() {
        let (mut band, mut limit) = (Band::new(GIB, None), bytes(750));
        for step in 0..2000 {
            limit = band.correct(limit, Reading { taken: bytes(970), live: limit, purged: true });
            assert!(step > 0 || mil(limit) == 710);
        }
        assert_eq!(mil(limit), 375, "it bleeds, so far and no further");
    }

    /// Small news, often: each costs what it is, and no part of the limit beside.
    #[test]
    fn many_small_cuts_are_no_large_one() {
        let (mut band, mut limit) = (Band::new(GIB, None), bytes(750));
        for taken in 951..960 {
            limit =
                band.correct(limit, Reading { taken: bytes(taken), live: limit / 100 * 95, purged: false });
        }
        assert!(mil(limit) > 680, "{}", mil(limit));
    }

    /// The map has 300, others take more and more.
    #[test]
    fn cuts_reach_a_map_below_its_limit() {
        let (mut band, mut limit, mut live) = (Scaled::new(), 750, 300);
        for others in 600..700 {
            limit = band.correct(limit, others + live, live, false);
            live = live.min(limit);
        }
        assert!(live < 260, "{live}");
    }

    #[test]
    fn climbs_more_slowly_once_it_was_too_high() {
        let mut band = Scaled::new();
        assert_eq!(band.correct(500, 500, 500, true), 509, "a fiftieth");
        band.correct(500, 1000, 500, true);
        assert_eq!(band.correct(500, 500, 500, true), 502);
    }

    /// An allocator that keeps its reserve: the most that was ever live, and 20 % on top.
    #[test]
    fn no_spiral_without_a_purge() {
        let (mut band, mut limit, mut taken) = (Band::new(GIB, None), bytes(750), 0);
        for _ in 0..10_000 {
            taken = taken.max(limit / 5 * 6);
            limit = band.correct(limit, Reading { taken, live: limit, purged: false });
        }
        assert!(mil(limit) > 700 && taken < GIB, "{limit} {taken}");
    }

    /// Entries that weigh 1 and take 10 kB come all the time, beside what others take. Returns the least and the most that is taken in the end.
    fn weigh_ones(others: impl Fn(u32) -> u64, keeps: bool) -> [u64; 2] {
        let (mut band, mut limit, mut live, mut taken) = (Band::new(GIB, None), GIB / 2, 0, 0);
        let (mut least, mut most) = (u64::MAX, 0);
        for step in 0..10_000 {
            live = (live + 100).min(limit);
            let takes = live * 10_000 + others(step);
            taken = if keeps { takes.max(taken) } else { takes };
            limit = band.correct_weights(limit, Reading { taken, live, purged: !keeps });
            most = most.max(taken);
            if step > 5000 {
                least = least.min(taken);
            }
        }
        [mil(least), mil(most)]
    }

    #[test]
    fn holds_what_is_taken_where_only_weights_are_known() {
        for (keeps, why) in [(false, "given back"), (true, "kept by the allocator")] {
            let [least, most] = weigh_ones(|_| 0, keeps);
            assert!(least > 850 && most < 990, "{why}: {least} to {most}");
        }
        let others =
            |step: u32| if step < 4000 { u64::from(step.saturating_sub(2000)) * 1_000_000 } else { 0 };
        let [least, most] = weigh_ones(|step| others(step).min(GIB / 2), false);
        assert!(least > 800 && most < 1030, "room that was given back is used again: {least} to {most}");
    }

    #[test]
    fn weights_that_are_not_to_blame_are_not_cut_again_and_again() {
        let (mut band, mut limit) = (Band::new(GIB, None), GIB / 2);
        let high = |live| Reading { taken: bytes(990), live, purged: true };
        for _ in 0..20_000 {
            limit = band.correct_weights(limit, high(limit.min(6400)));
        }
        assert!((2400..3000).contains(&limit), "it bleeds, so far and no further: {limit}");
        assert_eq!(band.correct_weights(limit, high(0)), limit);
    }

    #[test]
    fn few_heavy_entries_have_room_again_when_others_gave_it_back() {
        let (mut band, mut limit) = (Band::new(GIB, None), GIB / 2);
        for step in 0..400 {
            let live = limit.min(7500) / 150 * 150;
            limit = band
                .correct_weights(limit, Reading { taken: bytes(970 + step % 2 * 15), live, purged: true });
            assert!(limit > 0);
        }
        assert!(limit < 150, "not one fits: {limit}");
        for _ in 0..500 {
            limit = band.correct_weights(limit, Reading { taken: bytes(100), live: 0, purged: true });
        }
        assert!(limit > 7500, "it grows without any: {limit}");
    }

    /// Many light ones first, then others, in whose units that was much.
    #[test]
    fn holds_what_is_taken_when_entries_weigh_less() {
        let (mut band, mut limit, mut entries) = (Band::new(GIB, None), GIB / 2, 0);
        limit = band.correct_weights(limit, Reading { taken: bytes(970), live: 500_000_000, purged: true });
        for _ in 0..10_000 {
            entries = (entries + 1).min(limit / 150);
            let taken = bytes(10) + (entries << 20);
            assert!(taken < bytes(1000), "{taken}");
            limit = band.correct_weights(limit, Reading { taken, live: entries * 150, purged: true });
        }
        assert!(entries > 800, "{entries}");
    }

    #[test]
    fn many_small_cuts_of_weights_are_no_large_one() {
        let (mut band, mut limit) = (Band::new(GIB, None), 750_000_000);
        for taken in 951..960 {
            limit = band.correct_weights(
                limit,
                Reading { taken: bytes(taken), live: limit / 100 * 95, purged: false },
            );
        }
        assert!(limit > 680_000_000, "{limit}");
    }

    /// The same with purges, and a part of the wall that others take and give back.
    #[test]
    fn settles_where_others_leave_room() {
        let (mut band, mut limit) = (Band::new(GIB, None), bytes(750));
        for (others, least, most) in [(0, 740, 800), (300, 490, 550), (0, 740, 800)] {
            for _ in 0..5000 {
                let taken = limit / 5 * 6 + bytes(others);
                limit = band.correct(limit, Reading { taken, live: limit, purged: true });
            }
            assert!((least..=most).contains(&mil(limit)), "{others}: {}", mil(limit));
        }
    }
}
