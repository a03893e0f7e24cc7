//! The time, and how it is written in four bytes.

/// The time, counted in weight admitted.
///
/// Ring slots hold stamps of four bytes, in units of a power of two, at most a millionth of the
/// capacity (exact with less than a million units of capacity). A stamp comes round after 4096
/// capacities, and its entry looks young once more: harmless.
#[derive(Debug, Default)]
pub struct Time {
    /// What was admitted so far.
    pub now: u64,
    /// A stamp counts units of `1 << shift`.
    shift: u32,
}

impl Time {
    /// Units of a capacity, in bits.
    const FINE: u32 = 20;
    /// The capacity may grow or shrink by so many bits before the stamps are rewritten.
    const SLACK: u32 = 6;

    pub fn stamp(&self) -> u32 {
        (self.now >> self.shift) as u32
    }

    /// The stamp of something so old, or of the oldest there is.
    pub fn stamp_of(&self, age: u64) -> u32 {
        let age = (age >> self.shift).min(u64::from(u32::MAX));
        self.stamp().wrapping_sub(age as u32)
    }

    pub fn age(&self, stamp: u32) -> u64 {
        u64::from(self.stamp().wrapping_sub(stamp)) << self.shift
    }

    /// Another unit, if the capacity calls for it.
    pub fn suit(&self, capacity: u64) -> Option<Self> {
        let shift = capacity.max(1).ilog2().saturating_sub(Self::FINE);
        let (now, far) = (self.now, shift.abs_diff(self.shift) >= Self::SLACK);
        far.then_some(Self { now, shift })
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn units_follow_the_capacity() {
        for (shift, capacity, then) in [
            (0, 0, None),
            (0, 1 << 20, None),
            (0, 1 << 25, None),
            (0, 1 << 26, Some(6)),
            (0, 1 << 40, Some(20)),
            (20, 1 << 40, None),
            (20, 1 << 35, None),
            (20, 1 << 34, Some(14)),
            (20, 10, Some(0)),
        ] {
            let time = Time { now: 9, shift }.suit(capacity);
            assert_eq!(time.map(|time| time.shift), then, "{shift} {capacity}");
        }
    }

    #[test]
    fn ages() {
        for (shift, now, age) in [(0, 7, 7), (0, 1 << 32, 5), (6, 1 << 38, 640), (6, 1 << 20, 0)] {
            let time = Time { now, shift };
            assert_eq!(time.age(time.stamp_of(age)), age, "{shift} {now}");
        }
        let time = Time { now: 1 << 40, shift: 0 };
        assert_eq!(time.age(time.stamp_of(1 << 39)), u64::from(u32::MAX));
    }
}
