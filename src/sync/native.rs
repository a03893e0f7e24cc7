//! What the crate runs on: std, scc's guard, crossbeam's epoch.

use super::{
    CachePadded, Lazy,
    number::Numbers,
    pin::{ROWS, is_pinned_by},
};
pub use crossbeam_epoch as epoch;
pub use once_cell::sync::OnceCell;
pub use scc::Guard;
use std::{cell::Cell, io, thread, time::Duration};
pub use std::{
    sync::{
        Arc, Mutex, MutexGuard, TryLockError, Weak,
        atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, compiler_fence, fence},
    },
    thread::{Thread, current, sleep, yield_now},
};
pub use triomphe::Arc as StrongArc;

/// The happens-before edge from an insert to a read that finds the entry. scc's own atomics make it; this is
/// for loom, which does not see them.
#[derive(Debug)]
pub struct Edge;

impl Edge {
    pub fn new() -> Self {
        Self
    }

    #[inline]
    pub fn release(&self) {}
    #[inline]
    pub fn acquire(&self) {}
}

/// Adds (`usize::MAX` takes one off), then fences. On x86 the locked addition is a full fence, and a second one would cost more than it: as
/// crossbeam's epoch and scc's have it in their pins.
#[inline]
pub fn add_and_fence(counter: &AtomicUsize, summand: usize, order: Ordering) {
    if cfg!(all(any(target_arch = "x86", target_arch = "x86_64"), not(miri))) {
        counter.fetch_add(summand, Ordering::SeqCst);
        compiler_fence(Ordering::SeqCst);
    } else {
        counter.fetch_add(summand, order);
        fence(Ordering::SeqCst);
    }
}

/// A full fence for whoever exchanged or added something just before: on x86 that was one, as in [`add_and_fence`].
#[inline]
pub fn fence_after_exchange() {
    if cfg!(all(any(target_arch = "x86", target_arch = "x86_64"), not(miri))) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Stores, then fences: on x86 by one locked exchange.
#[inline]
pub fn store_and_fence(counter: &AtomicUsize, value: usize, order: Ordering) {
    if cfg!(all(any(target_arch = "x86", target_arch = "x86_64"), not(miri))) {
        counter.swap(value, Ordering::SeqCst);
        compiler_fence(Ordering::SeqCst);
    } else {
        counter.store(value, order);
        fence(Ordering::SeqCst);
    }
}

/// The counters of live pins (see `pin`).
#[inline]
pub fn pin_rows() -> &'static [CachePadded<AtomicUsize>; ROWS] {
    static PINS: [CachePadded<AtomicUsize>; ROWS] = [const { CachePadded::new(AtomicUsize::new(0)) }; ROWS];
    &PINS
}

/// How many of these any thread has used so far.
#[inline]
pub fn used_rows() -> &'static AtomicUsize {
    static USED: AtomicUsize = AtomicUsize::new(0);
    &USED
}

/// The epoch of pins, and of nobody else.
static EPOCH: Lazy<epoch::Collector> = Lazy::new(epoch::Collector::new);

thread_local! {
    static PARTICIPANT: epoch::LocalHandle = EPOCH.register();
}

/// Enters the epoch of pins.
#[inline]
pub fn enter() -> epoch::Guard {
    // At the end of a thread its handle may be gone: then one for this guard alone.
    PARTICIPANT.try_with(epoch::LocalHandle::pin).unwrap_or_else(|_| EPOCH.register().pin())
}

/// Enters the epoch of pins, and fences. An epoch needs a full fence between what announces a participant and its first read (crossbeam's
/// is a SeqCst one, or an exchange on x86): so there is one, but where the thread was in it already, for a pin or for a flush whose
/// deferred destructors pin.
#[inline]
pub fn enter_and_fence() -> epoch::Guard {
    let enter = |participant: &epoch::LocalHandle| {
        if participant.is_pinned() {
            fence(Ordering::SeqCst);
        }
        participant.pin()
    };
    PARTICIPANT.try_with(enter).unwrap_or_else(|_| EPOCH.register().pin())
}

/// Closures that wait in the epoch for pins; only tells whether a flush is worth it.
pub fn waiting() -> &'static AtomicUsize {
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    &WAITING
}

/// What waits for pins, before it is handed to the epoch.
pub fn waiting_room() -> &'static Mutex<Vec<super::pin::Guest>> {
    static ROOM: Mutex<Vec<super::pin::Guest>> = Mutex::new(Vec::new());
    &ROOM
}

thread_local! {
    /// Without a destructor: it can be used to the very end of the thread.
    static NUMBER: Cell<usize> = const { Cell::new(Numbers::NONE) };
    static LAST: Last = const { Last };
}

static NUMBERS: Numbers = Numbers::new();

/// The calling thread's number, or [`Numbers::NONE`], which is higher than any.
#[inline]
pub fn number_if_any() -> usize {
    NUMBER.get()
}

/// The calling thread's number (see `number`).
#[inline]
pub fn number() -> usize {
    match NUMBER.get() {
        Numbers::NONE => take_number(),
        number => number,
    }
}

#[cold]
fn take_number() -> usize {
    // Registers the destructor that gives it back; where the thread is ending already, nothing would.
    let number = if LAST.try_with(|_| ()).is_ok() { NUMBERS.take() } else { NUMBERS.share() };
    NUMBER.set(number);
    number
}

/// Gives the thread's number back.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        let number = NUMBER.replace(NUMBERS.share());
        // A pin that outlives this goes on writing its row.
        if !is_pinned_by(number) {
            NUMBERS.give_back(number);
        }
    }
}

/// Whether the calling thread holds a pin.
pub fn is_pinned_here() -> bool {
    PARTICIPANT.try_with(epoch::LocalHandle::is_pinned).unwrap_or(false)
}

/// The one alarm that the counting allocator raises.
pub fn alarm() -> &'static super::alarm::Alarm {
    static ALARM: super::alarm::Alarm = super::alarm::Alarm::new();
    &ALARM
}

/// Waits for `unpark`, or so long.
pub fn park(most: Option<Duration>) {
    match most {
        Some(most) => thread::park_timeout(most),
        None => thread::park(),
    }
}

/// Starts a thread that nobody waits for.
///
/// # Errors
///
/// Where the system has no more threads.
pub fn spawn(name: &str, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(f).map(drop)
}
