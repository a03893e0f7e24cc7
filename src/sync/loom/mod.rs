//! Stand-ins for what loom has not or cannot see, and loom's own where it has. `loom-tests/README.md` says what each
//! promises, and what no model here can find.
#![allow(unsafe_code, missing_docs, clippy::disallowed_types)]

pub mod allocation;
pub mod arc;
mod cell;
pub mod guard;
pub mod model;

pub use self::{
    arc::{Arc, Arc as StrongArc, Weak},
    cell::OnceCell,
    guard::{Guard, PinGuard, Readers, defer, defer_for_pins, flush, flush_if_any},
};
pub use super::grace::Part;
pub use ::loom::lazy_static;
pub use ::loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::{Thread, current, yield_now, yield_now as spin},
};
pub use std::sync::TryLockError;

use super::{
    CachePadded,
    grace::{Deferred, Registry, Row},
    number::{EXCLUSIVE, Numbers},
    pin::ROWS,
};
use std::{cell::Cell, io, time::Duration};

::loom::lazy_static! {
    static ref PINS: [CachePadded<AtomicUsize>; ROWS] =
        std::array::from_fn(|_| CachePadded::new(AtomicUsize::new(0)));
    static ref USED: AtomicUsize = AtomicUsize::new(0);
    static ref REGISTRY: Mutex<Registry> = Mutex::default();
    static ref DEFERRED: Deferred = Deferred::default();
    static ref ALARM: super::alarm::Alarm = super::alarm::Alarm::new();
}

/// The stand-in's count lies beside what it points to.
pub trait Counted {}

impl<T> Counted for T {}

/// Models do not wait.
pub fn is_inside() -> bool {
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

/// Stores, then fences.
pub fn store_and_fence(counter: &AtomicU64, value: u64, order: Ordering) {
    counter.store(value, order);
    fence(Ordering::SeqCst);
}

/// The rows of the real guards, this execution's; the model of `grace` alone has any.
pub fn registry() -> &'static Mutex<Registry> {
    &REGISTRY
}

/// What waits for real guards.
pub fn deferred() -> &'static Deferred {
    &DEFERRED
}

/// The model thread's row, if it has one.
pub fn own_row() -> Option<&'static CachePadded<Row>> {
    ROW.with(Cell::get)
}

/// Makes it the model thread's row.
pub fn keep_row(row: &'static CachePadded<Row>) -> bool {
    ROW.with(|own| own.set(Some(row)));
    true
}

/// What happens as a thread ends.
pub fn end() {
    ROW.with(Cell::take).map(super::grace::give_back);
}

::loom::lazy_static! {
    static ref NUMBERS: Numbers = Numbers::default();
}

::loom::thread_local! {
    static NUMBER: Cell<usize> = Cell::new(Numbers::NONE);
    static ROW: Cell<Option<&'static CachePadded<Row>>> = Cell::new(None);
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
