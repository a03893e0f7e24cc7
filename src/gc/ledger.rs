//! The ledger: what all regions of a collector add up.

use crate::sync::{
    flush,
    shared::Arc,
    tally::{AtomicU64, Relaxed},
    yield_now,
};

/// Shared by a collector and its regions. Relaxed throughout: sums that publish nothing.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What the strong values of all regions weigh.
    pub weight: AtomicU64,
    /// Bytes of values that were stripped and wait for a pin.
    pub held_back: AtomicU64,
    /// Bytes of values that are gone, whose counts wait for readers.
    pub retired: AtomicU64,
    /// Bytes of values under construction.
    pub reserved: AtomicU64,
    /// Entries admitted so far: the time by which regions compare ages.
    pub now: AtomicU64,
    /// Bytes in use at the last reading, less those that are pending; 0 where the source does not tell what single threads take.
    pub used: AtomicU64,
    /// Bytes that the heap was below its goal at the last reading.
    pub room: AtomicU64,
    /// `Settings::most_of_one`, for inserts that look at nothing else of the settings.
    pub limit: AtomicU64,
}

/// Stores what changed: a store of the same would take the line from other threads.
pub fn update(sum: &AtomicU64, value: u64) {
    if sum.load(Relaxed) != value {
        sum.store(value, Relaxed);
    }
}

/// Bytes that count as pending until this is dropped.
#[derive(Debug)]
pub struct Pending {
    ledger: Arc<Ledger>,
    bytes: u64,
    cause: Cause,
}

/// What holds stripped bytes back.
#[derive(Clone, Copy, Debug)]
pub enum Cause {
    /// A pin: the whole value.
    Pin,
    /// A reader in the middle of a look: the allocation of a value that is gone.
    Reader,
}

impl Ledger {
    pub fn pend(self: &Arc<Self>, bytes: u64, cause: Cause) -> Pending {
        self.sum(cause).fetch_add(bytes, Relaxed);
        Pending { ledger: Arc::clone(self), bytes, cause }
    }

    /// Frees what waits for pins that have gone; and waits a moment for what other threads have in hand, or readers in the middle of a look.
    pub fn settle(&self) {
        flush();
        for _ in 0..12 {
            if self.pending() == 0 {
                break;
            }
            yield_now();
            flush();
        }
    }

    /// Bytes stripped and not freed yet: G.
    pub fn pending(&self) -> u64 {
        self.held_back.load(Relaxed) + self.retired.load(Relaxed)
    }

    fn sum(&self, cause: Cause) -> &AtomicU64 {
        match cause {
            Cause::Pin => &self.held_back,
            Cause::Reader => &self.retired,
        }
    }

    /// Whether the source tells what a strip frees.
    pub fn is_measured(&self) -> bool {
        self.used.load(Relaxed) > 0
    }

    /// Bytes of a weight, where nothing was learned yet: as if all that is in use were in the maps. Too much, if anything.
    pub fn guess(&self, weight: u64) -> u64 {
        self.guess_of(weight, self.weight.load(Relaxed))
    }

    /// The same for a weight that was taken off the sum already.
    pub fn guess_stripped(&self, weight: u64) -> u64 {
        self.guess_of(weight, self.weight.load(Relaxed).saturating_add(weight))
    }

    fn guess_of(&self, weight: u64, total: u64) -> u64 {
        weight.max((self.used.load(Relaxed) as f64 * (weight as f64 / total.max(1) as f64)) as u64)
    }

    pub fn reserve(&self, bytes: u64) -> Reserved<'_> {
        self.reserved.fetch_add(bytes, Relaxed);
        Reserved { ledger: self, bytes }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.ledger.sum(self.cause).fetch_sub(self.bytes, Relaxed);
    }
}

/// Bytes that count as reserved until this is dropped.
#[derive(Debug)]
pub struct Reserved<'l> {
    ledger: &'l Ledger,
    bytes: u64,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.ledger.reserved.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_a_share_of_what_is_in_use() {
        for (weight, used, asked, guessed, of_stripped) in [
            (100, 5_000, 10, 500, 454), // of 110, then
            (100, 5_000, 100, 5_000, 2_500),
            (0, 5_000, 100, 500_000, 5_000), // the sum is what is left, and all was stripped
            (100, 50, 10, 10, 10),           // no less than itself
        ] {
            let ledger = Ledger { weight: weight.into(), used: used.into(), ..Ledger::default() };
            assert_eq!((ledger.guess(asked), ledger.guess_stripped(asked)), (guessed, of_stripped));
        }
    }
}
