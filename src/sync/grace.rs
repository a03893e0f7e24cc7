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
//! A reader whose thread waits for a processor may stay inside for milliseconds, and with more threads than processors one mostly does. So things are of
//! [parts](PARTS), and a guard may be [of one](Guard::of): its row says so, and what is of another part need not wait for it. (Hazard pointers, which name
//! the very thing, go further: Michael, "Hazard Pointers", 2004. They cost a fence for each thing, or a second look at it.)
//!
//! # Invariants
//!
//! 1. Of the two fences one comes first. If the reader's: step 3 on the right sees its row inside, unless it has left already. If the other:
//!    the reader's step 3 does not find the thing.
//! 2. A row is written by one thread at a time: from when that takes it until it gives it back, under the registry's lock. A row that is
//!    not in the registry yet at step 3 is of a thread that takes the lock later, and so finds what was changed before.
//! 3. Under a guard of a part nothing of another is looked at. A guard inside it that is of another makes the row one of all, and fences: so it is one that
//!    enters then, for all that it finds beyond the first part.
//! 4. A row never goes: the registry only grows, to as many rows as threads that have read were alive at once (and one for each that ended
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

/// Things are of so many parts.
pub const PARTS: usize = 64;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part(u8);

impl Part {
    #[inline]
    pub fn of(number: usize) -> Self {
        const { assert!(PARTS <= 1 << u8::BITS) };
        Self((number % PARTS) as u8)
    }

    #[inline]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// A row's state, from its lowest bits on. How often its thread has left: this may come round, and who takes a row for one that has not left yet,
/// since it is inside at the same turn again, waits until it leaves.
const TURNS: u64 = 1 << 12;
/// The part whose things the guards look at.
const PART: u64 = TURNS;
/// They look at those of all.
const ALL: u64 = PART * PARTS as u64;
/// A guard has deferred something.
const DEFERRED: u64 = ALL << 1;
/// The row is of one guard alone, of a thread that is ending.
const LATE: u64 = DEFERRED << 1;
/// What a guard adds.
const GUARD: u64 = LATE << 1;
/// What a pin's adds beside.
const PIN: u64 = GUARD << 21;

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
    inside: Inside<GUARD>,
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
        Self { inside: Inside::enter(ALL, || ()) }
    }

    /// Enters, to look at things of that part alone. Others that were retired one by one go, however long it stays.
    #[inline]
    pub fn of(part: Part) -> Self {
        Self { inside: Inside::enter(about(part), || ()) }
    }

    /// The same, and is a full fence in any case.
    #[inline]
    pub fn fenced(part: Part) -> Self {
        Self { inside: Inside::enter(about(part), || fence(SeqCst)) }
    }

    /// Whether things of that part may be looked at under it.
    pub fn is_about(&self, part: Part) -> bool {
        is_about(self.inside.row.0.load(Relaxed), about(part))
    }
}

impl PinGuard {
    /// Enters. A fence in any case: those before may be no pins.
    #[inline]
    pub fn new() -> Self {
        Self { _inside: Inside::enter(ALL, || fence(SeqCst)) }
    }
}

/// What the row says of who looks at things of that part alone.
#[inline]
fn about(part: Part) -> u64 {
    u64::from(part.0) * PART
}

/// Whether who is inside in such a state may look at what that says.
#[inline]
fn is_about(state: u64, about: u64) -> bool {
    state & ALL > 0 || state & (ALL - PART) == about
}

impl<const STEP: u64> Inside<STEP> {
    #[inline]
    fn enter(about: u64, again: impl FnOnce()) -> Self {
        match own_row() {
            Some(row) => Self::enter_row(row, about, again),
            None => Self::enter_first(about),
        }
    }

    #[inline]
    fn enter_row(row: &'static CachePadded<Row>, about: u64, again: impl FnOnce()) -> Self {
        // Relaxed, as every look at a thread's own row.
        let state = row.0.load(Relaxed);
        if state < TURNS {
            // The fence orders it before the reads to come. Partner: the fence in `Readers::inside` (invariant 1).
            store_and_fence(&row.0, state + about + STEP, Release);
        } else {
            add(row, state, about, STEP);
            again();
        }
        Self { row, not_send: PhantomData }
    }

    #[cold]
    #[inline(never)]
    fn enter_first(about: u64) -> Self {
        let row = lock(registry()).take();
        let kept = keep_row(row);
        let inside = Self::enter_row(row, about, || ());
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
        if state < DEFERRED {
            self.row.turn(state);
        } else {
            leave(self.row, state);
        }
    }
}

/// One more guard.
#[cold]
#[inline(never)]
fn add(row: &Row, state: u64, about: u64, step: u64) {
    if state % PIN >= PIN - GUARD {
        // As `Arc` does: safe code can forget guards, and a count that overflowed would free what is in use.
        process::abort();
    }
    if is_about(state, about) {
        // No fence: for the row, this guard is one with those before.
        row.0.store(state + step, Release);
    } else {
        // Invariant 3. Partner: as in `enter_row`.
        store_and_fence(&row.0, (state | ALL) + step, Release);
    }
}

/// Where there are other guards, or more to do.
#[cold]
#[inline(never)]
fn leave(row: &'static CachePadded<Row>, state: u64) {
    if state >= GUARD {
        row.0.store(state, Release);
        return;
    }
    row.turn(state);
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
        self.0.store((state + 1) % TURNS, Release);
    }

    /// The last of its guards is to flush, if there is any.
    fn defer(&self) {
        let state = self.0.load(Relaxed);
        if state >= GUARD {
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
    if state < GUARD {
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
    own_row().is_some_and(|row| row.0.load(Relaxed) >= GUARD)
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
