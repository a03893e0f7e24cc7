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
//! 2. full fence                       2. full fence
//! 3. enter crossbeam's epoch          3. any pins?  no:  drop the value now
//! 4. read the slot, use the &V                      yes: defer it through the epoch
//! 5. leave the epoch; pins -= 1
//! ```
//!
//! # Invariants
//!
//! 1. Of the two fences one comes first. If the reader's: step 3 on the right sees its pin, unless the pin has gone
//!    already. If the other: the reader's step 4 sees the slot without the count.
//! 2. A count deferred through the epoch is given back after every pin that was in the epoch then; a pin that enters
//!    later reads the slot after it was changed (crossbeam's own argument, with the fences above).
//!
//! # Orderings
//!
//! `pins -= 1` is a Release, the look at `pins` an Acquire: reads through a pin that has gone happen before the drop.
//! Without a pin nothing is deferred and the epoch is not touched: no guard, no delay.

use super::{
    Guard, Ordering::*, add_and_fence, epoch, fence, fence_after_exchange, lock, pins, stripe, tally,
    waiting, waiting_room,
};
use std::mem;

pub const STRIPES: usize = 8;

/// So many deferred functions go to the epoch together.
const FULL: usize = 64;

/// What waits for pins to go, before it is handed to the epoch.
pub type Guest = Box<dyn FnOnce() + Send>;

/// A pin: see the module.
#[derive(Debug)]
pub struct Pin {
    guard: Option<epoch::Guard>,
    /// scc's guard, so that the reads under the pin enter its epoch once, not each for itself.
    look: Option<Guard>,
    stripe: usize,
}

impl Pin {
    #[inline]
    pub fn new() -> Self {
        let stripe = stripe(STRIPES);
        // Relaxed: the fence orders it before the reads of slots; partner: the fence in `pinned`.
        add_and_fence(&pins()[stripe], 1, Relaxed);
        Self { guard: Some(epoch::pin()), look: Some(Guard::new()), stripe }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.guard = None;
        self.look = None;
        // Release: pairs with the Acquire in `pinned`; what was read through this pin is done. The fence's partner: the one in
        // `pinned`, as `defer` uses it.
        add_and_fence(&pins()[self.stripe], usize::MAX, Release);
        if waiting().load(tally::Relaxed) > 0 {
            flush();
        }
    }
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
    // Acquire: pairs with the Release of a pin that went.
    pins().iter().any(|pins| pins.load(Acquire) != 0)
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
    let guard = epoch::pin();
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
        epoch::pin().flush();
        idle = if waiting().load(tally::Relaxed) < before { 0 } else { idle + 1 };
    }
}
