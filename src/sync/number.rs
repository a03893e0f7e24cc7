//! Numbers for threads: low ones, which no two running threads share, for what a thread writes without a locked instruction.
//!
//! # Protocol
//!
//! 1. A thread takes the lowest free number below [`EXCLUSIVE`]; where there is none, one beyond, which others may have, too.
//! 2. It gives the number back when it ends; what runs on it after that (destructors of other thread-locals) has a shared one.
//!
//! # Invariant
//!
//! What a thread did under an exclusive number happens before what the next thread does under it: so a plain load and a plain store
//! make an exact counter.

use super::{AtomicU64, Ordering::*, tally};

/// Numbers below this are of one running thread each.
pub const EXCLUSIVE: usize = 64;

/// Which numbers are taken.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Bit n: a running thread has the number n.
    taken: AtomicU64,
    /// Shared numbers that were given so far.
    shared: tally::AtomicUsize,
}

impl Numbers {
    /// No number.
    pub const NONE: usize = usize::MAX;

    #[cfg(not(weakmap_loom))]
    pub const fn new() -> Self {
        Self { taken: AtomicU64::new(0), shared: tally::AtomicUsize::new(0) }
    }

    /// A number for a thread.
    pub fn take(&self) -> usize {
        let lowest = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        // Acquire: pairs with the Release in `give_back` of the thread that had the number before.
        match self.taken.fetch_update(Acquire, Relaxed, lowest) {
            Ok(before) => before.trailing_ones() as usize,
            Err(_) => self.share(),
        }
    }

    /// A number that others may have, too.
    pub fn share(&self) -> usize {
        EXCLUSIVE + self.shared.fetch_add(1, tally::Relaxed) % EXCLUSIVE
    }

    /// The thread that took it has ended.
    pub fn give_back(&self, number: usize) {
        if number < EXCLUSIVE {
            // Release: pairs with the Acquire in `take`.
            self.taken.fetch_and(!(1 << number), Release);
        }
    }
}
