//! Guards, and what waits for them: whatever a read may still look at is given back after the guards of now have gone.
//!
//! A guard costs its thread one exchange in a row that nobody else writes. There is no epoch, so nothing has to move on: whoever takes
//! things out notes which rows are inside, and each of these has moved on when it is outside or its turn is another. (Grace periods by a counter for each
//! reader, as in userspace RCU: Desnoyers et al., "User-Level Implementations of Read-Copy Update", 2012.)
//!
//! # Protocol
//!
//! ```text
//! reader                               whoever takes a thing out
//! 1. its row: inside                   1. takes it out
//! 2. full fence                        2. full fence
//! 3. finds the thing, looks at it      3. notes the rows that are inside, and their turns
//! 4. its row: outside, the next turn   4. none?  gives the thing back now
//!                                         some?  when each of them is outside, or has another turn
//! ```
//!
//! # Invariants
//!
//! 1. Of the two fences one comes first. If the reader's: step 3 on the right sees its row inside, unless it has left already. If the other:
//!    the reader's step 3 does not find the thing.
//! 2. A row is written by one thread at a time: from when that takes it until it gives it back, under the registry's lock. A row that is
//!    not in the registry yet at step 3 is of a thread that takes the lock later, and so finds what was changed before.
//! 3. A row never goes: the registry only grows, to as many rows as threads that have read were alive at once (and one for each that ended
//!    with a guard forgotten).
//!
//! # Orderings
//!
//! Leaving is a Release, each look at another's row an Acquire: what was read under a guard happens before what waited for it is given
//! back. So is every later store to the row, for it may be the one that is seen.

mod deferred;

mod readers;

pub use self::{deferred::Deferred, readers::Readers};

use self::deferred::{Queue, Waiting};
use super::{
    AtomicU64, CachePadded, Ordering::*, deferred, fence, keep_row, lock, own_row, registry, store_and_fence,
};
use std::{marker::PhantomData, process};

/// What a guard adds to its row's state.
const GUARD: u64 = 1;
/// What a pin's adds beside.
const PIN: u64 = 1 << 24;
/// Above the counts of both: a guard has deferred something.
const DEFERRED: u64 = 1 << 48;
/// The row is of one guard alone, of a thread that is ending.
const LATE: u64 = 1 << 49;
/// The rest: how often its thread has left. It may come round; who takes a row for one that has not left yet, since it is inside at the
/// same turn again, waits until it leaves.
const TURN: u64 = 1 << 50;

/// What a thread says of itself.
#[derive(Debug, Default)]
pub struct Row(AtomicU64);

/// All rows, and those of no thread.
#[derive(Debug, Default)]
pub struct Registry {
    all: Vec<&'static CachePadded<Row>>,
    free: Vec<&'static CachePadded<Row>>,
}

/// While it lives, nothing is given back that its thread may have found since.
#[derive(Debug)]
#[must_use = "it protects nothing once it is dropped"]
pub struct Guard {
    _inside: Inside<GUARD>,
}

/// A guard that `defer_for_pins` waits for, too.
#[derive(Debug)]
#[must_use = "it protects nothing once it is dropped"]
pub struct PinGuard {
    _inside: Inside<{ GUARD + PIN }>,
}

/// That its thread's row says so.
#[derive(Debug)]
struct Inside<const STEP: u64> {
    row: &'static CachePadded<Row>,
    /// The row is its thread's.
    not_send: PhantomData<*const ()>,
}

impl Guard {
    /// Enters. Guards of a thread may be nested, and dropped in any order.
    #[inline]
    pub fn new() -> Self {
        // No fence where the thread is inside: for the row, this guard is one with those before.
        Self { _inside: Inside::enter(|| ()) }
    }

    /// Enters, and is a full fence in any case.
    #[inline]
    pub fn fenced() -> Self {
        Self { _inside: Inside::enter(|| fence(SeqCst)) }
    }
}

impl PinGuard {
    /// Enters. A fence in any case: those before may be no pins.
    #[inline]
    pub fn new() -> Self {
        Self { _inside: Inside::enter(|| fence(SeqCst)) }
    }
}

impl<const STEP: u64> Inside<STEP> {
    #[inline]
    fn enter(again: impl FnOnce()) -> Self {
        match own_row() {
            Some(row) => Self::enter_row(row, again),
            None => Self::enter_first(),
        }
    }

    #[inline]
    fn enter_row(row: &'static CachePadded<Row>, again: impl FnOnce()) -> Self {
        // Relaxed, as every look at a thread's own row.
        let state = row.0.load(Relaxed);
        if state % TURN == 0 {
            // The fence orders it before the reads to come. Partner: the fence in `Readers::inside` (invariant 1).
            store_and_fence(&row.0, state + STEP, Release);
        } else {
            add(row, state, STEP);
            again();
        }
        Self { row, not_send: PhantomData }
    }

    #[cold]
    #[inline(never)]
    fn enter_first() -> Self {
        let row = lock(registry()).take();
        let kept = keep_row(row);
        let inside = Self::enter_row(row, || ());
        if !kept {
            row.0.fetch_add(LATE, Release);
        }
        inside
    }
}

impl<const STEP: u64> Drop for Inside<STEP> {
    #[inline]
    fn drop(&mut self) {
        let state = self.row.0.load(Relaxed) - STEP;
        if state % TURN == 0 {
            self.row.turn(state);
        } else {
            leave(self.row, state);
        }
    }
}

/// One more guard.
#[cold]
#[inline(never)]
fn add(row: &Row, state: u64, step: u64) {
    if state % PIN == PIN - 1 {
        // As `Arc` does: safe code can forget guards, and a count that overflowed would free what is in use.
        process::abort();
    }
    row.0.store(state + step, Release);
}

/// Where there are other guards, or more to do.
#[cold]
#[inline(never)]
fn leave(row: &'static CachePadded<Row>, state: u64) {
    if state % DEFERRED > 0 {
        row.0.store(state, Release);
        return;
    }
    row.turn(state - state % TURN);
    if state & LATE > 0 {
        lock(registry()).free.push(row);
    }
    if state & DEFERRED > 0 {
        // Not what waits for pins: values, whose destructors are not to run in a read.
        deferred().run(&deferred().for_guards);
    }
}

impl Row {
    /// The last guard goes.
    #[inline]
    fn turn(&self, state: u64) {
        // Release: pairs with the Acquire in `Readers`.
        self.0.store(state.wrapping_add(TURN), Release);
    }

    /// The last of its guards is to flush, if there is any.
    fn defer(&self) {
        let state = self.0.load(Relaxed);
        if state % TURN > 0 {
            self.0.store(state | DEFERRED, Release);
        }
    }
}

impl Registry {
    #[cfg(not(weakmap_loom))]
    pub const fn new() -> Self {
        Self { all: Vec::new(), free: Vec::new() }
    }

    /// A row for a thread that has none.
    fn take(&mut self) -> &'static CachePadded<Row> {
        self.free.pop().unwrap_or_else(|| {
            let row: &'static _ = Box::leak(Box::default());
            self.all.push(row);
            row
        })
    }
}

/// Takes back the row of a thread that ends; under a guard that outlives this, when that goes.
pub fn give_back(row: &'static CachePadded<Row>) {
    let state = row.0.load(Relaxed);
    if state % TURN == 0 {
        lock(registry()).free.push(row);
    } else {
        row.0.store(state | LATE, Release);
    }
}

/// Runs `f` when every guard of now has gone: at once, if there is none. Call it after the thing was taken out. It must not panic. Who calls
/// it under a guard, maybe with locks, runs nothing that waits before the guard goes. [`Readers`] are for who does without a closure.
pub fn defer(f: impl FnOnce() + Send + 'static) {
    run_after(GUARD, &deferred().for_guards, f);
}

/// The same for what is found under a pin alone.
pub fn defer_for_pins(f: impl FnOnce() + Send + 'static) {
    run_after(PIN, &deferred().for_pins, f);
}

fn run_after(step: u64, queue: &Queue, f: impl FnOnce() + Send + 'static) {
    let readers = Readers::inside(step);
    if readers.are_none() {
        f();
    } else {
        deferred().count.fetch_add(1, Relaxed);
        lock(&queue.0).push_back(Waiting { readers, run: Box::new(f) });
        if let Some(row) = own_row() {
            row.defer();
        }
    }
    if !is_inside() {
        deferred().run(queue);
    }
}

/// Whether the calling thread has a guard.
pub fn is_inside() -> bool {
    own_row().is_some_and(|row| row.0.load(Relaxed) % TURN > 0)
}

/// Runs what waited for guards that have gone.
#[inline]
pub fn flush_if_any() {
    if deferred().count.load(Relaxed) > 0 {
        flush();
    }
}

/// The same, for who knows that something waits.
#[cold]
pub fn flush() {
    deferred().run(&deferred().for_pins);
    deferred().run(&deferred().for_guards);
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
