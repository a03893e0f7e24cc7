//! What a clock gives up: an entry, and where it was.

use std::num::NonZeroU64;

/// Which ring an entry left, and its stamp there. To be given back if the entry is revived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(NonZeroU64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Window,
    Main,
}

impl Origin {
    /// Stamp, ring, and a one: never zero, so that an `Option` takes no more.
    #[inline]
    pub(super) fn new(left: Left, stamp: u64) -> Self {
        Self(NonZeroU64::MIN | stamp << 2 | u64::from(left == Left::Main) << 1)
    }

    pub(super) fn left(self) -> Left {
        [Left::Window, Left::Main][(self.0.get() >> 1 & 1) as usize]
    }

    pub(super) fn stamp(self) -> u64 {
        self.0.get() >> 2
    }
}

/// An entry to be stripped. The clock has let go of it.
#[derive(Debug)]
#[must_use = "strip it or put it back"]
pub struct Victim<H> {
    /// The entry.
    pub entry: H,
    /// What the clock counts for it.
    pub weight: u64,
    /// What to keep if the entry stays findable.
    pub origin: Origin,
}
