//! Pins: while one lives, strong counts that leave a slot wait instead of being given back.
//!
//! A pinned read hands out `&V` without touching the value's count. What keeps the value alive is that the slot owned
//! a strong count when it was read, and that nobody gives such a count back before the pin goes.
//!
//! # Protocol
//!
//! ```text
//! reader                              whoever takes a count out of a slot
//! 1. pins += 1                        1. slot := something else
//! 2. enters a guard (a full fence)    2. full fence
//! 3. reads the slot, uses the &V      3. any pins?  no:  drops the value now
//! 4. pins -= 1; leaves                              yes: when the pins of now have gone
//! ```
//!
//! `pins` has a row for each thread, of those with a number of their own (see `number`): nobody else writes it, so it takes no locked
//! instruction. What stays pinned while its thread ends keeps the number from being given to another.
//!
//! # Invariants
//!
//! 1. Of the two fences one comes first. If the reader's: step 3 on the right sees its pin, unless the pin has gone
//!    already. If the other: the reader's step 3 sees the slot without the count.
//! 2. A pin is a guard (`sync::grace`), so a count deferred there for pins is given back after every pin of then; a pin that enters later reads the
//!    slot after it was changed.
//!
//! # Orderings
//!
//! `pins -= 1` is a Release, the look at `pins` an Acquire: reads through a pin that has gone happen before the drop.
//!
//! A pin that goes gives back what waited for it, if it finds that something waits. It need not: no fence is between its going and its look,
//! which would be half of what a pin costs. Then whoever deferred it finds that the pin has gone, or else the next flush does: that of the
//! next pin that goes, of the next sweep, of the thread in the background.

use super::{
    Ordering::*, Part, PinGuard, Shelter, fence, fence_after_exchange, flush_if_any, number, pin_rows,
    used_rows,
};

/// Threads with a row of their own.
pub const OWN: usize = if cfg!(weakmap_loom) { 4 } else { 16 };
/// Own rows, and those of all other threads.
pub const ROWS: usize = OWN + if cfg!(weakmap_loom) { 1 } else { 4 };

/// A pin: see the module. It goes in the order of its fields.
#[derive(Debug)]
pub struct Pin {
    counted: Counted,
    _guard: PinGuard,
    _flush: Flush,
}

/// Counted in that row.
#[derive(Debug)]
struct Counted(usize);

/// Gives back what waited, as far as nobody else holds it.
#[derive(Debug)]
struct Flush;

impl Shelter for Pin {
    fn covers(&self, _: Part) -> bool {
        true
    }
}

impl Pin {
    #[inline(always)] // a call is a tenth of what it costs
    pub fn new() -> Self {
        Self { counted: Counted::new(number()), _guard: PinGuard::new(), _flush: Flush }
    }
}

impl Pin {
    /// Its thread's number, if that is below [`OWN`]; else one that is not.
    #[inline]
    pub fn number(&self) -> usize {
        self.counted.0
    }
}

impl Counted {
    /// By the thread of that number.
    #[inline]
    fn new(number: usize) -> Self {
        // Relaxed, as all that follows: the fence orders it before the reads of slots; partner: the fence in `pinned`.
        if let Some(pins) = pin_rows()[..OWN].get(number) {
            pins.store(pins.load(Relaxed) + 1, Relaxed);
            announce(number);
            Self(number)
        } else {
            Self::in_shared_row(OWN + number % (ROWS - OWN))
        }
    }

    #[cold]
    fn in_shared_row(row: usize) -> Self {
        pin_rows()[row].fetch_add(1, Relaxed);
        announce(row);
        Self(row)
    }
}

impl Drop for Counted {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `pinned`; what was read through this pin is done.
        if let Some(pins) = pin_rows()[..OWN].get(self.0) {
            pins.store(pins.load(Relaxed) - 1, Release);
        } else {
            pin_rows()[self.0].fetch_sub(1, Release);
        }
    }
}

impl Drop for Flush {
    #[inline]
    fn drop(&mut self) {
        flush_if_any();
    }
}

/// So that the row is looked at.
#[inline]
fn announce(row: usize) {
    if used_rows().load(Relaxed) <= row {
        used_rows().fetch_max(row + 1, Relaxed);
    }
}

/// Whether the calling thread holds pins, which it counts in the row of that number, its own.
#[cfg(not(weakmap_loom))]
pub fn is_pinned_by(number: usize) -> bool {
    // Relaxed: nobody else writes it.
    number < OWN && pin_rows()[number].load(Relaxed) > 0
}

/// Whether a pin may have seen what just left a slot. Call it after the slot was changed.
pub fn pinned() -> bool {
    // Partner: the fence in `Pin::new` (invariant 1).
    fence(SeqCst);
    any()
}

/// The same, where this thread changed the slot by an exchange.
#[inline]
pub fn pinned_since_exchange() -> bool {
    // Partner: as in `pinned`.
    fence_after_exchange();
    any()
}

#[inline]
fn any() -> bool {
    // Relaxed: ordered by the fences, as the pins are.
    let used = used_rows().load(Relaxed);
    used > 0 && any_in(used)
}

#[inline(never)]
fn any_in(used: usize) -> bool {
    // Acquire: pairs with the Release of a pin that went.
    pin_rows()[..used].iter().any(|pins| pins.load(Acquire) != 0)
}
