//! Stand-ins for what loom has not or cannot see, and loom's own where it has. `loom-tests/README.md` says what each
//! promises, and what no model here can find.
#![allow(unsafe_code, missing_docs, clippy::disallowed_types)]

pub mod arc;
mod cell;
pub mod epoch;
pub mod guard;
pub mod model;

pub use self::{
    arc::{Arc, Arc as StrongArc, Weak},
    cell::OnceCell,
};
pub use ::loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::{Thread, current, yield_now},
};
pub use std::sync::TryLockError;

use super::{
    CachePadded,
    number::{EXCLUSIVE, Numbers},
    pin::ROWS,
};
use ::loom::sync::atomic::Ordering::{Acquire, Release};
use std::{cell::Cell, io, ops::Deref, time::Duration};

/// The stand-in, and a real guard for the real index.
#[derive(Debug)]
pub struct Guard {
    model: guard::Guard,
    real: scc::Guard,
}

impl Guard {
    pub fn new() -> Self {
        Self { model: guard::Guard::new(), real: scc::Guard::new() }
    }

    pub fn defer_execute<F: FnOnce() + 'static>(&self, f: F) {
        self.model.defer_execute(f);
    }

    pub fn accelerate(&self) {
        self.model.accelerate();
    }
}

impl Deref for Guard {
    type Target = scc::Guard;

    fn deref(&self) -> &scc::Guard {
        &self.real
    }
}

/// The happens-before edge from an insert to a read that finds the entry: scc makes it with std's atomics, which loom does
/// not see.
#[derive(Debug)]
pub struct Edge(AtomicUsize);

impl Edge {
    pub fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub fn release(&self) {
        self.0.fetch_add(1, Release);
    }

    pub fn acquire(&self) {
        // Not a load: loom may show that an older count than the insert's whose entry was found.
        self.0.fetch_add(0, Acquire);
    }
}

::loom::lazy_static! {
    static ref PINS: [CachePadded<AtomicUsize>; ROWS] =
        std::array::from_fn(|_| CachePadded::new(AtomicUsize::new(0)));
    static ref ROOM: Mutex<Vec<super::pin::Guest>> = Mutex::new(Vec::new());
    static ref USED: AtomicUsize = AtomicUsize::new(0);
    static ref WAITING: AtomicUsize = AtomicUsize::new(0);
    static ref ALARM: super::alarm::Alarm = super::alarm::Alarm::new();
}

/// Models do not wait.
pub fn is_pinned_here() -> bool {
    true
}

/// The one alarm of this execution.
pub fn alarm() -> &'static super::alarm::Alarm {
    &ALARM
}

/// Waits for `unpark`: time does not pass in a model.
pub fn park(_most: Option<Duration>) {
    ::loom::thread::park();
}

/// Models start their threads themselves: a collector has none in the background.
pub fn spawn(_name: &str, _f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Time does not pass in a model.
pub fn sleep(_most: Duration) {
    yield_now();
}

/// Closures that wait in the epoch for pins, this execution's.
pub fn waiting() -> &'static AtomicUsize {
    &WAITING
}

/// Adds, then fences.
pub fn add_and_fence(counter: &AtomicUsize, summand: usize, order: Ordering) {
    counter.fetch_add(summand, order);
    fence(Ordering::SeqCst);
}

/// A fence.
pub fn fence_after_exchange() {
    fence(Ordering::SeqCst);
}

/// The counters of live pins, this execution's.
pub fn pin_rows() -> &'static [CachePadded<AtomicUsize>; ROWS] {
    &PINS
}

/// How many of these any thread has used so far, in this execution.
pub fn used_rows() -> &'static AtomicUsize {
    &USED
}

/// Enters the epoch of pins.
pub fn enter() -> epoch::Guard {
    epoch::pin()
}

/// Fences, for the stand-in does not, and enters.
pub fn enter_and_fence() -> epoch::Guard {
    fence(Ordering::SeqCst);
    epoch::pin()
}

/// Stores, then fences.
pub fn store_and_fence(counter: &AtomicUsize, value: usize, order: Ordering) {
    counter.store(value, order);
    fence(Ordering::SeqCst);
}

/// What waits for pins, before it is handed to the epoch: this execution's.
pub fn waiting_room() -> &'static Mutex<Vec<super::pin::Guest>> {
    &ROOM
}

::loom::lazy_static! {
    static ref NUMBERS: Numbers = Numbers::default();
}

::loom::thread_local! {
    static NUMBER: Cell<usize> = Cell::new(Numbers::NONE);
}

pub fn number_if_any() -> usize {
    number()
}

/// The model thread's number: the system's would be the same for all. Not given back: a model has few threads.
pub fn number() -> usize {
    NUMBER.with(|number| {
        if number.get() == Numbers::NONE {
            number.set(NUMBERS.share() - EXCLUSIVE);
        }
        number.get()
    })
}
