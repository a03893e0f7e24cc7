//! What four threads do to a cache.

mod keys;
mod pace;
mod sizes;

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use self::{keys::Keys, pace::Pace, sizes::Sizes};

pub const THREADS: u64 = 4;

/// How much more a burst is.
const BURST: f64 = 10.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// New keys at full speed, 4 KiB each.
    Flood,
    /// New keys at full speed, 100 B to 1 MB each.
    FloodMixed,
    /// Zipf 0.9, get, else insert: as many requests in half a second as entries have room.
    Steady,
    /// As steady, and for 40 ms of every 800 new keys at ten times the rate.
    Bursty,
    /// As steady, and the program itself takes half of the limit within 30 ms, and gives it back.
    Step,
    /// As steady, and a reader holds back what is freed for 30 ms of every 500.
    Stall,
}

/// What else goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disturbance {
    None,
    /// Half of the room, taken and given back, by turns for that long.
    Taken(Duration),
    /// Held back for `span` of each `every`.
    Pinned {
        span: Duration,
        every: Duration,
    },
}

/// At one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// How many times the load's own rate; at full speed where there is none.
    pub rate: Option<f64>,
    /// Only keys that were never asked for.
    pub unseen: bool,
}

impl Load {
    pub fn name(self) -> &'static str {
        match self {
            Self::Flood => "flood, 4 KiB",
            Self::FloodMixed => "flood, 100 B to 1 MB",
            Self::Steady => "steady",
            Self::Bursty => "bursty",
            Self::Step => "step",
            Self::Stall => "stall",
        }
    }

    pub fn sizes(self) -> Sizes {
        match self {
            Self::Flood => Sizes::Page,
            _ => Sizes::Mixed,
        }
    }

    pub fn is_flood(self) -> bool {
        matches!(self, Self::Flood | Self::FloodMixed)
    }

    pub fn at(self, time: Duration) -> Moment {
        let bursts = self == Self::Bursty && time.as_millis() % 800 < 40;
        match (self.is_flood(), bursts) {
            (true, _) => Moment { rate: None, unseen: true },
            (_, true) => Moment { rate: Some(BURST), unseen: true },
            _ => Moment { rate: Some(1.0), unseen: false },
        }
    }

    pub fn disturbance(self) -> Disturbance {
        match self {
            Self::Step => Disturbance::Taken(Duration::from_secs(1)),
            Self::Stall => {
                Disturbance::Pinned { span: Duration::from_millis(30), every: Duration::from_millis(500) }
            }
            _ => Disturbance::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_a_twentieth_of_the_time() {
        let moments = (0..1600).map(|millis| Load::Bursty.at(Duration::from_millis(millis)));
        let (bursts, calm): (Vec<_>, Vec<_>) = moments.partition(|moment| moment.unseen);
        assert_eq!((bursts.len(), calm.len()), (80, 1520));
        assert_eq!((bursts[0].rate, calm[0].rate), (Some(10.0), Some(1.0)));
    }
}
