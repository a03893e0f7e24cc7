//! Stand-in for `grace`, which has a model of its own: a deferred closure runs at once when the last guard goes that was alive as it was
//! deferred, on the thread that drops that guard.

use std::{
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    sync::{Mutex, MutexGuard, PoisonError},
};

use loom::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release, SeqCst},
    fence,
};

use super::model::in_drop;
use crate::sync::grace::Part;

/// The guards and what waits for them.
///
/// 1. A deferred closure waits for the guards with an earlier ticket.
/// 2. A guard with a later ticket happens after the `defer`: it cannot find what was unlinked
///    before.
/// 3. A closure happens after the drop of every guard that it waited for, hence after its own
///    `defer` too.
///
/// There is no other edge, although the real ones have SeqCst fences there: nobody should lean on
/// those.
pub(super) struct Domain {
    tickets: AtomicUsize,
    drops: AtomicUsize,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// By their tickets; what part each looks at, if it is one.
    alive: BTreeMap<usize, Option<Part>>,
    deferred: Vec<(usize, Box<dyn FnOnce()>)>,
}

impl Domain {
    pub(super) fn new() -> Self {
        let [tickets, drops] = [(); 2].map(|()| AtomicUsize::new(0));
        Domain { tickets, drops, book: Mutex::default() }
    }

    /// No loom operation while this is held: what is done with it is one step with the operation
    /// before.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, part: Option<Part>) -> usize {
        // Acquire: pairs with the Release in `defer` (2).
        let ticket = self.tickets.fetch_add(1, Acquire);
        self.book().alive.insert(ticket, part);
        ticket
    }

    pub(super) fn defer(&self, closure: Box<dyn FnOnce()>) {
        // Release: pairs with the Acquire in `enter` (2).
        let ticket = self.tickets.fetch_add(1, Release);
        self.book().deferred.push((ticket, closure));
    }

    /// The guards of now.
    pub(super) fn note(&self) -> Vec<(usize, Option<Part>)> {
        // Release: as in `defer`.
        let ticket = self.tickets.fetch_add(1, Release);
        // Acquire: pairs with the Release in `leave` (3).
        self.drops.fetch_add(0, Acquire);
        self.book().alive.range(..ticket).map(|(&ticket, &part)| (ticket, part)).collect()
    }

    /// Leaves those that have not gone.
    pub(super) fn forget_gone(&self, noted: &mut Vec<(usize, Option<Part>)>) {
        // Acquire: as in `note`.
        self.drops.fetch_add(0, Acquire);
        let book = self.book();
        noted.retain(|(ticket, _)| book.alive.contains_key(ticket));
    }

    pub(super) fn leave(&self, ticket: usize) {
        // Release: pairs with the fence below (3).
        self.drops.fetch_add(1, Release);
        let mut book = self.book();
        book.alive.remove(&ticket);
        let oldest = book.alive.keys().next().copied().unwrap_or(usize::MAX);
        let ready: Vec<_> = book.deferred.extract_if(.., |(at, _)| *at < oldest).collect();
        drop(book);
        if !ready.is_empty() {
            fence(Acquire);
        }
        ready.into_iter().for_each(|(_, closure)| closure());
    }
}

loom::lazy_static! {
    static ref DOMAIN: Domain = Domain::new();
}

/// Makes the state of this execution, before there are threads that would synchronise by making it.
pub fn reset() {
    let _ = &*DOMAIN;
}

/// See `grace::Guard`.
pub struct Guard {
    ticket: usize,
    not_send: PhantomData<*const ()>,
}

impl Guard {
    pub fn new() -> Self {
        Guard { ticket: DOMAIN.enter(None), not_send: PhantomData }
    }

    pub fn of(part: Part) -> Self {
        Guard { ticket: DOMAIN.enter(Some(part)), not_send: PhantomData }
    }

    pub fn is_about(&self, part: Part) -> bool {
        DOMAIN.book().alive[&self.ticket].is_none_or(|its| its == part)
    }

    /// Fences, for the stand-in does not.
    pub fn fenced(part: Part) -> Self {
        fence(SeqCst);
        Self::of(part)
    }
}

/// See `grace::Readers`.
#[derive(Debug, Default)]
pub struct Readers(Vec<(usize, Option<Part>)>);

impl Readers {
    pub fn now() -> Self {
        Self(DOMAIN.note())
    }

    pub fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    pub fn forget_gone(&mut self) {
        if !self.are_none() {
            DOMAIN.forget_gone(&mut self.0);
        }
    }

    pub fn may_see(&self, part: Part) -> bool {
        self.0.iter().any(|(_, its)| its.is_none_or(|its| its == part))
    }
}

/// See `grace::defer`.
pub fn defer(f: impl FnOnce() + 'static) {
    let guard = Guard::new();
    DOMAIN.defer(Box::new(f));
    drop(guard);
}

/// See `grace::defer_for_pins`; a guard is as a pin here.
pub fn defer_for_pins(f: impl FnOnce() + 'static) {
    defer(f);
}

/// Nothing: what is deferred runs as early as it may in any case.
pub fn flush() {}

/// The same.
pub fn flush_if_any() {}

/// See `grace::PinGuard`.
#[derive(Debug)]
pub struct PinGuard {
    _guard: Guard,
}

impl PinGuard {
    /// Fences, for the stand-in does not.
    pub fn new() -> Self {
        fence(SeqCst);
        Self { _guard: Guard::new() }
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        in_drop(|| DOMAIN.leave(self.ticket));
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard { .. }")
    }
}
