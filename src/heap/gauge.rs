//! What is taken of a limit's wall.

use super::{Cgroup, Limit, Origin, Process};

/// Reads what the outer loop goes by.
#[derive(Debug)]
pub(crate) enum Gauge {
    /// The cgroup's use, page cache left out: about 60 µs.
    Cgroup(Cgroup),
    /// Resident memory: about 1 µs.
    Resident(Process),
    /// Writable and private: about 1 µs.
    Data(Process),
}

impl Gauge {
    /// `None` where a limit has no wall, or one that says nothing from day to day: half of what the machine has, of what may
    /// be mapped.
    pub fn of(limit: &Limit) -> Option<Self> {
        match limit.origin {
            Origin::Cgroup(_) => Cgroup::find().ok().map(Self::Cgroup),
            Origin::Resident => Process::open().ok().map(Self::Resident),
            Origin::DataSize => Process::open().ok().map(Self::Data),
            Origin::Given if limit.wall.is_some() => Process::open().ok().map(Self::Resident),
            _ => None,
        }
    }

    /// Bytes.
    pub fn read(&self) -> Option<u64> {
        match self {
            Self::Cgroup(cgroup) => cgroup.used().ok(),
            Self::Resident(process) => Some(process.read().ok()?.resident),
            Self::Data(process) => Some(process.read().ok()?.data),
        }
    }
}
