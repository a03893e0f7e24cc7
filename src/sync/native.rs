//! What the crate runs on: std, and who is who.

pub use super::grace::{
    Guard, Part, PinGuard, Readers, defer, defer_for_pins, flush, flush_if_any, is_inside,
};
pub use super::strong::{Counted, StrongArc};
use super::{
    CachePadded,
    grace::{self, Deferred, Registry, Row},
    number::Numbers,
    pin::{ROWS, is_pinned_by},
};
pub use once_cell::sync::OnceCell;
use std::{cell::Cell, hint, io, thread, time::Duration};
pub use std::{
    sync::{
        Arc, Mutex, MutexGuard, TryLockError, Weak,
        atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering, compiler_fence,
            fence,
        },
    },
    thread::{Thread, current, sleep, yield_now},
};

/// A full fence for whoever exchanged something just before: on x86 a locked instruction is one, and a second would cost more than it (so
/// crossbeam's epoch has it, and scc's).
#[inline]
pub fn fence_after_exchange() {
    if cfg!(all(any(target_arch = "x86", target_arch = "x86_64"), not(miri))) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Waits for half a microsecond or so, for who will not wait long.
pub fn spin() {
    (0..32).for_each(|_| hint::spin_loop());
}

/// Stores, then fences: on x86 by one locked exchange.
#[inline]
pub fn store_and_fence(counter: &AtomicU64, value: u64, order: Ordering) {
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

/// The guards' rows.
pub fn registry() -> &'static Mutex<Registry> {
    static REGISTRY: Mutex<Registry> = Mutex::new(Registry::new());
    &REGISTRY
}

/// What waits for guards.
pub fn deferred() -> &'static Deferred {
    static DEFERRED: Deferred = Deferred::new();
    &DEFERRED
}

/// The calling thread's row, if it has one.
#[inline]
pub fn own_row() -> Option<&'static CachePadded<Row>> {
    ROW.get()
}

/// Makes it the calling thread's row; false, if nothing would give it back: the thread is ending.
pub fn keep_row(row: &'static CachePadded<Row>) -> bool {
    let kept = LAST.try_with(|_| ()).is_ok();
    if kept {
        ROW.set(Some(row));
    }
    kept
}

thread_local! {
    /// Without a destructor: it can be used to the very end of the thread.
    static NUMBER: Cell<usize> = const { Cell::new(Numbers::NONE) };
    /// As this.
    static ROW: Cell<Option<&'static CachePadded<Row>>> = const { Cell::new(None) };
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

/// Gives the thread's number and row back.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        let number = NUMBER.replace(NUMBERS.share());
        // A pin that outlives this goes on writing its row.
        if !is_pinned_by(number) {
            NUMBERS.give_back(number);
        }
        if let Some(row) = ROW.take() {
            grace::give_back(row);
        }
    }
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
