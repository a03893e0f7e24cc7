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
//! 2. enter crossbeam's epoch          2. full fence
//!    (a full fence)                   3. any pins?  no:  drop the value now
//! 3. read the slot, use the &V                      yes: defer it through the epoch
//! 4. leave the epoch; pins -= 1
//! ```
//!
//! `pins` has a row for each thread, of those with a number of their own (see `number`): nobody else writes it, so it takes no locked
//! instruction. What stays pinned while its thread ends keeps the number from being given to another.
//!
//! What the index's front points to is held in the same way, for reads that find it under a pin and nothing else.
//!
//! # Invariants
//!
//! 1. Of the two fences one comes first. If the reader's: step 3 on the right sees its pin, unless the pin has gone
//!    already. If the other: the reader's step 3 sees the slot without the count.
//! 2. A count deferred through the epoch is given back after every pin that was in the epoch then; a pin that enters
//!    later reads the slot after it was changed (crossbeam's own argument, with the fences above).
//!
//! # Orderings
//!
//! `pins -= 1` is a Release, the look at `pins` an Acquire: reads through a pin that has gone happen before the drop.
//! Without a pin nothing is deferred and the epoch is not touched: no guard, no delay.

use super::{
    Ordering::*, Shelter, add_and_fence, enter, enter_and_fence, epoch, fence, fence_after_exchange, lock,
    number, pin_rows, store_and_fence, tally, used_rows, waiting, waiting_room,
};
use std::mem;

/// Threads with a row of their own.
pub const OWN: usize = if cfg!(weakmap_loom) { 4 } else { 16 };
/// Own rows, and those of all other threads.
pub const ROWS: usize = OWN + if cfg!(weakmap_loom) { 1 } else { 4 };

/// So many deferred functions go to the epoch together.
const FULL: usize = 64;

/// What waits for pins to go, before it is handed to the epoch.
pub type Guest = Box<dyn FnOnce() + Send>;

/// A pin: see the module.
#[derive(Debug)]
pub struct Pin {
    guard: Option<epoch::Guard>,
    row: usize,
}

impl Shelter for Pin {}

impl Pin {
    #[inline]
    pub fn new() -> Self {
        let row = row_of(number());
        let pins = &pin_rows()[row];
        // Relaxed: the fence orders it before the reads of slots; partner: the fence in `pinned`.
        if row < OWN {
            pins.store(pins.load(Relaxed) + 1, Relaxed);
        } else {
            pins.fetch_add(1, Relaxed);
        }
        // Relaxed, for the same reason.
        if used_rows().load(Relaxed) <= row {
            used_rows().fetch_max(row + 1, Relaxed);
        }
        Self { guard: Some(enter_and_fence()), row }
    }
}

impl Drop for Pin {
    #[inline]
    fn drop(&mut self) {
        self.guard = None;
        let pins = &pin_rows()[self.row];
        // Release: pairs with the Acquire in `pinned`; what was read through this pin is done. The fence's partner: the one in
        // `pinned`, as `defer` uses it.
        if self.row < OWN {
            store_and_fence(pins, pins.load(Relaxed) - 1, Release);
        } else {
            add_and_fence(pins, usize::MAX, Release);
        }
        if waiting().load(tally::Relaxed) > 0 {
            flush();
        }
    }
}

/// Whether the calling thread holds pins, which it counts in the row of that number, its own.
#[cfg(not(weakmap_loom))]
pub fn is_pinned_by(number: usize) -> bool {
    // Relaxed: nobody else writes it.
    number < OWN && pin_rows()[number].load(Relaxed) > 0
}

/// The row of the thread with that number.
#[inline]
pub fn row_of(number: usize) -> usize {
    if number < OWN { number } else { OWN + number % (ROWS - OWN) }
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

fn any() -> bool {
    // Relaxed: ordered by the fences, as the pins are.
    let used = used_rows().load(Relaxed);
    // Acquire: pairs with the Release of a pin that went.
    pin_rows()[..used].iter().any(|pins| pins.load(Acquire) != 0)
}

/// Runs `f` once every pin of now has gone: at once, if they went meanwhile. It must not panic.
pub fn defer(f: impl FnOnce() + Send + 'static) {
    let full = {
        let mut room = lock(waiting_room());
        room.push(Box::new(f));
        waiting().fetch_add(1, tally::Relaxed);
        room.len() >= FULL
    };
    if full {
        seal();
    }
    // The last pin may have gone since the look at the counters. Partner: the fence in `Pin::drop`: one of the two flushes.
    if !pinned() {
        flush();
    }
}

/// Hands what waits to the epoch. Later than it was deferred, which does no harm; in bulk, for a bag of the epoch takes 2 KiB.
fn seal() {
    let guests = mem::take(&mut *lock(waiting_room()));
    if guests.is_empty() {
        return;
    }
    let guard = enter();
    guard.defer(move || {
        for guest in guests {
            waiting().fetch_sub(1, tally::Relaxed);
            guest();
        }
    });
    // Out of this thread's own bag: any thread may run it.
    guard.flush();
}

/// Runs what can run of the deferred; what no pin holds back is done when this returns.
pub fn flush() {
    seal();
    // A bag sealed in epoch e runs in e + 2, and each flush advances by one at the most and runs a few.
    let mut idle = 0;
    while idle < 4 {
        let before = waiting().load(tally::Relaxed);
        if before == 0 {
            return;
        }
        enter().flush();
        idle = if waiting().load(tally::Relaxed) < before { 0 } else { idle + 1 };
    }
}
