//! Steps by a table, and simulated floods.

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
        limit = band.correct(limit, Reading { taken: bytes(taken), live: limit / 100 * 95, purged: false });
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
    let others = |step: u32| if step < 4000 { u64::from(step.saturating_sub(2000)) * 1_000_000 } else { 0 };
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
        limit =
            band.correct_weights(limit, Reading { taken: bytes(970 + step % 2 * 15), live, purged: true });
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
        limit = band
            .correct_weights(limit, Reading { taken: bytes(taken), live: limit / 100 * 95, purged: false });
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
