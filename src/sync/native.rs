//! What the crate runs on: std, scc's guard, crossbeam's epoch.

use super::{CachePadded, tally};
pub use crossbeam_epoch as epoch;
pub use once_cell::sync::OnceCell;
pub use scc::Guard;
use std::{cell::Cell, io, thread, time::Duration};
pub use std::{
    sync::{
        Arc, Mutex, MutexGuard, TryLockError, Weak,
        atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::{sleep, yield_now},
};

/// The happens-before edge from an insert to a read that finds the entry. scc's own atomics make it; this is
/// for loom, which does not see them.
#[derive(Debug)]
pub struct Edge;

impl Edge {
    pub fn new() -> Self {
        Self
    }

    pub fn release(&self) {}
    pub fn acquire(&self) {}
}

/// The counters of live pins (see `pin`).
pub fn pins() -> &'static [CachePadded<AtomicUsize>; super::pin::STRIPES] {
    static PINS: [CachePadded<AtomicUsize>; super::pin::STRIPES] =
        [const { CachePadded::new(AtomicUsize::new(0)) }; super::pin::STRIPES];
    &PINS
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

/// How many threads have a number.
pub fn threads() -> &'static tally::AtomicUsize {
    static THREADS: tally::AtomicUsize = tally::AtomicUsize::new(0);
    &THREADS
}

/// The calling thread's number, `usize::MAX` before it has one.
pub fn with_number<R>(f: impl FnOnce(&Cell<usize>) -> R) -> R {
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) });
    NUMBER.with(f)
}

/// Whether the calling thread holds a pin.
pub fn is_pinned_here() -> bool {
    epoch::is_pinned()
}

/// The one alarm that the counting allocator raises.
pub fn alarm() -> &'static super::alarm::Alarm {
    static ALARM: super::alarm::Alarm = super::alarm::Alarm::new();
    &ALARM
}

/// A place for one thread to sleep in. Waking it allocates nothing.
#[derive(Debug)]
pub struct Sleeper(Mutex<Option<thread::Thread>>);

impl Sleeper {
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The calling thread is the one that sleeps here.
    pub fn settle(&self) {
        let before = super::lock(&self.0).replace(thread::current());
        drop(before); // not under the lock: it may give memory back
    }

    pub fn sleep(&self, most: Option<Duration>) {
        match most {
            Some(most) => thread::park_timeout(most),
            None => thread::park(),
        }
    }

    pub fn wake(&self) {
        if let Some(thread) = &*super::lock(&self.0) {
            thread.unpark();
        }
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
