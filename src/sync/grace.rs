//! Guards, and what waits for them: whatever a read may still look at is given back after the guards of now have gone.
//!
//! A guard costs its thread one exchange in a row that nobody else writes. There is no epoch, so nothing has to move on: whoever takes
//! things out notes which rows are inside, and each of these has moved on when its turn is another. (Grace periods by a counter for each
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
//!                                         some?  when each of them has another turn
//! ```
//!
//! # Invariants
//!
//! 1. Of the two fences one comes first. If the reader's: step 3 on the right sees its row inside, unless it has left already. If the other:
//!    the reader's step 3 does not find the thing.
//! 2. A row is written by one thread at a time: from when that takes it until it gives it back, under the registry's lock. A row that is
//!    not in the registry yet at step 3 is of a thread that takes the lock later, and so finds what was changed before.
//! 3. A row never goes: the registry only grows, to as many rows as threads were reading at once.
//!
//! # Orderings
//!
//! Leaving is a Release, each look at another's row an Acquire: what was read under a guard happens before what waited for it is given
//! back. So is every later store to the row, for it may be the one that is seen.

use super::{
    AtomicUsize, CachePadded, Mutex, Ordering::*, deferred, fence, keep_row, lock, own_row, registry,
    store_and_fence, tally,
};
use std::{collections::VecDeque, fmt, marker::PhantomData};

/// In a row, above how many guards there are: one of them has deferred something.
const DEFERRED: usize = 1 << 22;
/// The row is of one guard alone, of a thread that is ending.
const LATE: usize = 1 << 23;
/// Above these: how often its thread has left.
const TURN: usize = 1 << 24;

/// What a thread says of itself.
#[derive(Debug, Default)]
pub struct Row(AtomicUsize);

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
    row: &'static CachePadded<Row>,
    /// The row is its thread's.
    not_send: PhantomData<*const ()>,
}

/// What waits, and the rows it waits for.
pub struct Waiting {
    inside: Vec<(&'static CachePadded<Row>, usize)>,
    run: Box<dyn FnOnce() + Send>,
}

/// What waits, in the order in which it came.
#[derive(Debug, Default)]
pub struct Deferred {
    queue: Mutex<VecDeque<Waiting>>,
    /// How many: a hint that spares the lock.
    count: tally::AtomicUsize,
}

impl Guard {
    /// Enters. Guards of a thread may be nested, and dropped in any order.
    #[inline]
    pub fn new() -> Self {
        match own_row() {
            Some(row) => Self::enter(row, || ()),
            None => Self::enter_first(),
        }
    }

    /// Enters, and fences where another guard of the thread had entered before.
    #[inline]
    pub fn fenced() -> Self {
        match own_row() {
            Some(row) => Self::enter(row, || fence(SeqCst)),
            None => Self::enter_first(),
        }
    }

    #[inline]
    fn enter(row: &'static CachePadded<Row>, again: impl FnOnce()) -> Self {
        // Relaxed, as every look at a thread's own row.
        let state = row.0.load(Relaxed);
        if state % TURN == 0 {
            // The fence orders it before the reads to come. Partner: the fence in `defer` (invariant 1).
            store_and_fence(&row.0, state + 1, Release);
        } else {
            row.0.store(state + 1, Release);
            again();
        }
        Self { row, not_send: PhantomData }
    }

    #[cold]
    #[inline(never)]
    fn enter_first() -> Self {
        let row = lock(registry()).take();
        let kept = keep_row(row);
        let guard = Self::enter(row, || ());
        if !kept {
            row.0.fetch_add(LATE, Release);
        }
        guard
    }

    /// Where there are other guards, or more to do.
    #[cold]
    #[inline(never)]
    fn leave(row: &'static CachePadded<Row>, state: usize) {
        if state % DEFERRED > 0 {
            row.0.store(state, Release);
            return;
        }
        row.turn(state - state % TURN);
        if state & LATE > 0 {
            lock(registry()).free.push(row);
        }
        if state & DEFERRED > 0 {
            flush();
        }
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        let state = self.row.0.load(Relaxed) - 1;
        if state % TURN == 0 {
            self.row.turn(state);
        } else {
            Self::leave(self.row, state);
        }
    }
}

impl Row {
    /// The last guard goes.
    #[inline]
    fn turn(&self, state: usize) {
        // Release: pairs with the Acquire in `is_over` and `inside`.
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

    /// The rows that are inside, and their turns.
    fn inside(&self) -> Vec<(&'static CachePadded<Row>, usize)> {
        // Acquire: pairs with the Release in `turn`.
        let states = self.all.iter().map(|&row| (row, row.0.load(Acquire)));
        let inside = states.filter(|(_, state)| state % TURN > 0);
        inside.map(|(row, state)| (row, state / TURN)).collect()
    }
}

impl Deferred {
    #[cfg(not(weakmap_loom))]
    pub const fn new() -> Self {
        Self { queue: Mutex::new(VecDeque::new()), count: tally::AtomicUsize::new(0) }
    }
}

impl Waiting {
    /// Whether all that it waits for have gone.
    fn is_over(&self) -> bool {
        // Acquire: pairs with the Release in `turn`.
        self.inside.iter().all(|(row, turn)| row.0.load(Acquire) / TURN != *turn)
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("inside", &self.inside).finish_non_exhaustive()
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

/// Runs `f` when every guard of now has gone: at once, if there is none. Call it after the thing was taken out, and without a guard, or
/// `f` waits for that one, too. It must not panic.
pub fn defer(f: impl FnOnce() + Send + 'static) {
    // Partner: the fence in `Guard::enter` (invariant 1).
    fence(SeqCst);
    let inside = lock(registry()).inside();
    if inside.is_empty() {
        f();
    } else {
        deferred().count.fetch_add(1, Relaxed);
        lock(&deferred().queue).push_back(Waiting { inside, run: Box::new(f) });
        own_row().inspect(|row| row.defer());
    }
    flush();
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

/// As `flush_if_any`, but for a look.
#[cold]
pub fn flush() {
    while deferred().count.load(Relaxed) > 0 {
        let over = take_over();
        if over.is_empty() {
            return;
        }
        deferred().count.fetch_sub(over.len(), Relaxed);
        over.into_iter().for_each(|waiting| (waiting.run)());
    }
}

/// The first of those that wait, as long as they need not.
fn take_over() -> Vec<Waiting> {
    let mut queue = lock(&deferred().queue);
    let over = queue.iter().take_while(|waiting| waiting.is_over()).count();
    queue.drain(..over).collect()
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
