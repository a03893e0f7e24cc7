//! A measurement: one subject, one trace, one size.

use super::{
    room::{Percent, Room},
    subject::Cache,
    trace::Trace,
};

#[derive(Clone, Debug)]
pub struct Row {
    pub trace: String,
    pub percent: Percent,
    /// Bytes if sized, else entries.
    pub capacity: u64,
    pub subject: &'static str,
    pub hit_ratio: f64,
    /// Of the bytes asked for; only if sized.
    pub byte_hit_ratio: Option<f64>,
}

impl Row {
    /// Replays the trace.
    pub fn measure(trace: &Trace, room: &Room, subject: &'static str, cache: &mut dyn Cache) -> Self {
        let tally = Tally::replay(trace, cache);
        Self {
            trace: trace.name.clone(),
            percent: room.percent,
            capacity: room.capacity,
            subject,
            hit_ratio: tally.hits as f64 / trace.keys.len() as f64,
            byte_hit_ratio: room.sized.then_some(tally.hit_bytes as f64 / tally.bytes as f64),
        }
    }
}

#[derive(Default)]
struct Tally {
    hits: u64,
    bytes: u64,
    hit_bytes: u64,
}

impl Tally {
    fn replay(trace: &Trace, cache: &mut dyn Cache) -> Self {
        let mut tally = Self::default();
        for &key in &trace.keys {
            let weight = trace.weight(key);
            let hit = u64::from(cache.access(key, weight));
            tally.hits += hit;
            tally.bytes += u64::from(weight);
            tally.hit_bytes += hit * u64::from(weight);
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hits every key but the first.
    struct Odd;

    impl Cache for Odd {
        fn access(&mut self, key: u32, _: u32) -> bool {
            key != 0
        }
    }

    #[test]
    fn objects_and_bytes_are_told_apart() {
        let trace = Trace::new("t", vec![0, 1, 1, 0], Some(vec![30, 10])).unwrap();
        let room = Room { percent: Percent(50.0), capacity: 20, entries: 1, sized: true };
        let row = Row::measure(&trace, &room, "odd", &mut Odd);
        assert_eq!((row.hit_ratio, row.byte_hit_ratio), (0.5, Some(0.25)));
    }
}
