//! What is taken of a limit's wall.

use super::{Cgroup, Limit, Origin, Process};
use std::time::{Duration, Instant};

/// Reads what the outer loop goes by.
#[derive(Debug)]
pub(crate) enum Gauge {
    /// The cgroup's use, page cache left out.
    Cgroup(Cgroup, Process, Option<Known>),
    /// Resident memory: about 1 µs.
    Resident(Process),
    /// Writable and private: about 1 µs.
    Data(Process),
}

/// How much of a cgroup was in use, and how much of that was resident memory of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    when: Instant,
    used: u64,
    resident: u64,
}

/// A cgroup's use costs 60 µs to read, so that is done ten times a second at the most. In between it moves with what is resident.
const GOOD_FOR: Duration = Duration::from_millis(100);

impl Gauge {
    /// `None` where a limit has no wall, or one that says nothing from day to day: half of what the machine has, of what may
    /// be mapped.
    pub fn of(limit: &Limit) -> Option<Self> {
        let process = Process::open().ok()?;
        match limit.origin {
            Origin::Cgroup(_) => Some(Self::Cgroup(Cgroup::find().ok()?, process, None)),
            Origin::Resident => Some(Self::Resident(process)),
            Origin::DataSize => Some(Self::Data(process)),
            Origin::Given if limit.wall.is_some() => Some(Self::Resident(process)),
            _ => None,
        }
    }

    /// Bytes.
    pub fn read(&mut self) -> Option<u64> {
        match self {
            Self::Cgroup(cgroup, process, known) => read_cgroup(cgroup, process, known),
            Self::Resident(process) => Some(process.read().ok()?.resident),
            Self::Data(process) => Some(process.read().ok()?.data),
        }
    }
}

fn read_cgroup(cgroup: &Cgroup, process: &Process, known: &mut Option<Known>) -> Option<u64> {
    let resident = process.read().ok()?.resident;
    match known {
        Some(known) if known.when.elapsed() < GOOD_FOR => {
            Some((known.used + resident).saturating_sub(known.resident))
        }
        _ => {
            let used = cgroup.used().ok()?;
            *known = Some(Known { when: Instant::now(), used, resident });
            Some(used)
        }
    }
}
