//! How much a cache may hold.

use std::str::FromStr;

use anyhow::{Error, ensure};

use super::trace::Trace;

/// Smaller caches tell more of rounding than of policy.
const FEWEST_ENTRIES: u64 = 10;

/// The part of a trace's keys, or bytes, that a cache may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub f64);

impl Percent {
    pub fn list(numbers: &[f64]) -> Vec<Self> {
        numbers.iter().copied().map(Self).collect()
    }
}

impl FromStr for Percent {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number: f64 = text.trim().parse()?;
        ensure!(number > 0.0 && number <= 100.0, "not above 0 and at most 100");
        Ok(Self(number))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    pub percent: Percent,
    /// Bytes if `sized`, else entries.
    pub capacity: u64,
    /// About how many entries that makes.
    pub entries: usize,
    pub sized: bool,
}

impl Room {
    /// Half an entry counts as one.
    fn of_entries(percent: Percent, unique: usize) -> Self {
        let entries = (unique as f64 * percent.0 / 100.0).round() as u64;
        let capacity = entries.max(FEWEST_ENTRIES);
        Self { percent, capacity, entries: capacity as usize, sized: false }
    }

    fn of_bytes(percent: Percent, unique: usize, bytes: u64) -> Self {
        let entries = Self::of_entries(percent, unique).entries;
        let capacity = (bytes as f64 * percent.0 / 100.0) as u64;
        Self { percent, capacity, entries, sized: true }
    }

    fn of(trace: &Trace, percent: Percent) -> Self {
        match trace.bytes() {
            Some(bytes) => Self::of_bytes(percent, trace.unique, bytes),
            None => Self::of_entries(percent, trace.unique),
        }
    }
}

/// One room per percentage; those that come out alike are taken once.
pub fn rooms(trace: &Trace, percents: &[Percent]) -> Vec<Room> {
    let mut rooms: Vec<Room> = Vec::new();
    for &percent in percents {
        let room = Room::of(trace, percent);
        if rooms.iter().all(|other| other.capacity != room.capacity) {
            rooms.push(room);
        }
    }
    rooms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(unique: usize) -> Vec<u64> {
        let percents = Percent::list(&[0.1, 1.0, 5.0, 10.0, 25.0]);
        percents.iter().map(|&percent| Room::of_entries(percent, unique).capacity).collect()
    }

    #[test]
    fn halves_round_up() {
        assert_eq!(entries(16_970), [17, 170, 849, 1_697, 4_243]);
        assert_eq!(entries(44_698), [45, 447, 2_235, 4_470, 11_175]);
    }

    #[test]
    fn ten_entries_at_least() {
        assert_eq!(entries(1_223), [10, 12, 61, 122, 306]);
    }

    #[test]
    fn equal_sizes_are_taken_once() {
        let trace = Trace::new("loop", (0..1_011).collect(), None).unwrap();
        let rooms = rooms(&trace, &Percent::list(&[0.1, 1.0, 5.0]));
        assert_eq!(rooms.iter().map(|room| room.capacity).collect::<Vec<_>>(), [10, 51]);
    }

    #[test]
    fn bytes_round_down() {
        let room = Room::of_bytes(Percent(5.0), 1_486, 561_346_166);
        assert_eq!((room.capacity, room.entries), (28_067_308, 74));
    }

    #[test]
    fn percents_are_checked() {
        assert_eq!("0.1".parse::<Percent>().unwrap(), Percent(0.1));
        assert!(["0", "-1", "101", "NaN", "x"].iter().all(|text| text.parse::<Percent>().is_err()));
    }
}
