//! The clock: which entry goes next. A hand walks a ring of entries; single-threaded, the sweeper's own.
//!
//! ```text
//!        hand ─► a(0)  b(2)  c(1)  d(0) ─┐      use counts, bumped by reads
//!          ▲                             │
//!          └───────── the ring ──────────┘      a: Strip.  b, c: Spare, one use less, go to the back
//! ```
//!
//! Two-bit CLOCK: an entry that was used comes round again, at most three times. It knows entries by handle, and neither
//! maps nor threads.

use std::collections::VecDeque;

/// What the clock sees of an entry.
pub trait Handle {
    /// How often it was used since the hand last passed, 0 to 3. Readers may bump it at any time.
    fn uses(&self) -> u8;
    fn set_uses(&self, uses: u8);
    /// Not strong any more: nothing to decide.
    fn is_gone(&self) -> bool;
}

/// What the hand makes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was used: it comes round again.
    Spare,
    /// It was not.
    Strip,
    /// It left the map, or its value did: the ring forgets it.
    Reap,
}

/// See the module.
#[derive(Debug)]
pub struct Clock<H> {
    ring: VecDeque<Place<H>>,
    swept: u64,
}

#[derive(Debug)]
struct Place<H> {
    entry: H,
    /// When it came here, on the clock of whoever admits.
    since: u64,
}

impl<H: Handle> Clock<H> {
    pub fn new() -> Self {
        Self { ring: VecDeque::new(), swept: 0 }
    }

    /// Takes an entry in, behind all others.
    pub fn admit(&mut self, entry: H, now: u64) {
        self.ring.push_back(Place { entry, since: now });
    }

    /// The next entry to strip; it has left the ring. `None` where the ring is empty. Sees each entry four times at the
    /// most, however often readers use it meanwhile.
    pub fn next(&mut self, now: u64) -> Option<H> {
        let mut patience = 4 * self.ring.len();
        loop {
            let entry = self.ring.pop_front()?.entry;
            self.swept += 1;
            patience = patience.saturating_sub(1);
            match judge(&entry, patience) {
                Verdict::Strip => return Some(entry),
                Verdict::Reap => drop(entry),
                Verdict::Spare => {
                    entry.set_uses(entry.uses().saturating_sub(1));
                    self.admit(entry, now);
                }
            }
        }
    }

    /// When the entry under the hand came there.
    pub fn coldest(&self) -> Option<u64> {
        self.ring.front().map(|place| place.since)
    }

    /// Forgets all that has gone. O(n).
    pub fn forget_gone(&mut self) {
        self.ring.retain(|place| !place.entry.is_gone());
        self.ring.shrink_to(2 * self.ring.len());
    }

    /// All that is there, in no order; the ring is empty then.
    pub fn take(&mut self) -> impl Iterator<Item = H> + use<H> {
        std::mem::take(&mut self.ring).into_iter().map(|place| place.entry)
    }

    /// Entries looked at so far.
    pub fn swept(&self) -> u64 {
        self.swept
    }
}

fn judge(entry: &impl Handle, patience: usize) -> Verdict {
    if entry.is_gone() {
        Verdict::Reap
    } else if entry.uses() > 0 && patience > 0 {
        Verdict::Spare
    } else {
        Verdict::Strip
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
