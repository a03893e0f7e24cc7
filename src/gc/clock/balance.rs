//! The numbers that say how the capacity is split: share, cold, credit.

/// The window's share of the capacity at the start. 0.3 costs 0.2 points (research/policy.md).
const START: f64 = 0.05;
const SHARE: std::ops::RangeInclusive<f64> = 0.01..=0.99;
/// A ghost moves the share by so many times its weight. 1.5 and 6 cost 0.04 points.
const STEP: f64 = 3.0;
/// Ghosts of the window are near up to this age, in capacities. 0.2 and 0.5 cost 0.1 points.
const NEAR: f64 = 0.35;
/// How fast `cold` forgets: 50 looks.
const FADE: f64 = 0.02;
/// Main is dead wood when more than so much of it is met unused.
const DEAD: f64 = 0.9;
/// One in so many of the unused that leave the window may try for main all the same.
const LUCKY: u32 = 128;

/// The split of the capacity between window and main.
#[derive(Debug)]
pub struct Balance {
    /// The window's share of the capacity.
    share: f64,
    /// How often, lately, main's hand has met an unused entry.
    cold: f64,
    /// Unused entries that have left the window since the last lucky one.
    tick: u32,
    /// What main may still take in unused, to be filled once.
    credit: u64,
    /// The highest capacity so far.
    high: u64,
    capacity: u64,
    /// The weight the window should have, and half of it, rounded down once for everybody: with
    /// two roundings a loop's hit ratio falls from 23.8 to 6.6 %.
    window: u64,
    half: u64,
}

impl Balance {
    pub fn new() -> Self {
        Self { share: START, cold: 0.5, tick: 0, credit: 0, high: 0, capacity: 0, window: 1, half: 0 }
    }

    /// The weight the window should have. Main gets the rest.
    #[inline]
    pub fn window(&self) -> u64 {
        self.window
    }

    /// The weight of the window's young half.
    #[inline]
    pub fn half(&self) -> u64 {
        self.half
    }

    /// Follows the capacity. Room that was never there before may be filled without proof of use.
    pub fn resize(&mut self, capacity: u64) {
        self.credit += capacity.saturating_sub(self.high);
        self.high = self.high.max(capacity);
        self.capacity = capacity;
        self.set_share(self.share);
    }

    fn set_share(&mut self, share: f64) {
        self.share = share.clamp(*SHARE.start(), *SHARE.end());
        let window = (self.share * self.capacity as f64).max(1.0);
        (self.window, self.half) = (window as u64, (window * 0.5) as u64);
    }

    /// How far so much weight moves the share.
    fn step(&self, weight: u64) -> f64 {
        STEP * weight as f64 / self.capacity.max(1) as f64
    }

    /// The window, of weight `held`, has given up an entry that came back after `age`: a larger one
    /// had kept it. If not even one as large as the cache had, the ghost has no say: else a loop
    /// a little longer than the cache drives the share to 0.99 and keeps it there (arc_p3@76254
    /// in batches of 10 %: 20.5 %, so 31.0 %; the mean of the other rows is the same).
    pub fn widen(&mut self, weight: u64, age: u64, held: u64) {
        let near = NEAR * self.capacity as f64;
        if age as f64 <= near && age + held <= self.capacity {
            let nearness = 1.0 - age as f64 / (near + 1.0);
            let dead = ((self.cold - DEAD) / (1.0 - DEAD)).max(0.0);
            self.set_share(self.share + self.step(weight) * nearness * (1.0 + 3.0 * dead));
        }
    }

    /// Main has given up an entry that came back.
    pub fn narrow(&mut self, weight: u64) {
        self.set_share(self.share - self.step(weight));
    }

    /// Main's hand has met an entry that was used.
    #[inline]
    pub fn met_used(&mut self) {
        self.cold -= self.cold * FADE;
    }

    /// Main's hand has met an entry that was not used.
    #[inline]
    pub fn met_cold(&mut self) {
        self.cold += (1.0 - self.cold) * FADE;
    }

    /// Whether the first filling of main pays for this one. It ends for good when main is full.
    #[inline]
    pub fn spend(&mut self, weight: u64, room: bool) -> bool {
        let paid = room && self.credit >= weight;
        self.credit = match (paid, room) {
            (true, _) => self.credit - weight,
            (false, true) => self.credit,
            (false, false) => 0,
        };
        paid
    }

    /// Whether this unused entry is the one in many that may try.
    #[inline]
    pub fn lucky(&mut self) -> bool {
        self.tick = (self.tick + 1) % LUCKY;
        self.tick == 0
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    fn balance(capacity: u64) -> Balance {
        let mut balance = Balance::new();
        balance.resize(capacity);
        balance
    }

    #[test]
    fn the_window_is_a_share() {
        for (capacity, window, half) in [(0, 1, 0), (1, 1, 0), (10, 1, 0), (100, 5, 2), (10_000, 500, 250)] {
            let balance = balance(capacity);
            assert_eq!((balance.window(), balance.half()), (window, half), "of {capacity}");
        }
    }

    #[test]
    fn ghosts_move_the_share() {
        type Ghost = fn(&mut Balance);
        let cases: [(&str, Ghost, u64); 7] = [
            ("just gone", |b| b.widen(10, 0, 500), 530),
            ("half as near", |b| b.widen(10, 1_750, 500), 515),
            ("far", |b| b.widen(10, 3_501, 500), 500),
            ("out of reach", |b| b.widen(10, 100, 9_901), 500),
            ("as much as there is", |b| b.widen(10_000, 0, 0), 9_900),
            ("of main", |b| b.narrow(10), 470),
            ("of main, heavy", |b| b.narrow(10_000), 100),
        ];
        for (name, ghost, window) in cases {
            let mut balance = balance(10_000);
            ghost(&mut balance);
            assert_eq!(balance.window(), window, "{name}");
        }
    }

    #[test]
    fn dead_wood_gives_way_faster() {
        let mut balance = balance(10_000);
        (0..1_000).for_each(|_| balance.met_cold());
        balance.widen(10, 0, 500);
        assert!(balance.window().abs_diff(620) <= 1, "four times 30");
    }

    #[test]
    fn the_first_filling() {
        let mut balance = balance(10);
        assert!(balance.spend(6, true));
        assert!(!balance.spend(6, true), "4 are left");
        assert!(balance.spend(4, true));
        balance.resize(5);
        balance.resize(10);
        assert!(!balance.spend(1, true), "there were ten before");
        balance.resize(12);
        assert!(!balance.spend(1, false), "main is full");
        assert!(!balance.spend(1, true), "it was full");
    }

    #[test]
    fn one_in_128_is_lucky() {
        let mut balance = balance(10);
        assert_eq!((0..1_280).filter(|_| balance.lucky()).count(), 10);
    }
}
