//! Stand-in for `crossbeam_epoch`'s default collector: what is deferred runs at once when the last
//! guard goes that was pinned as it was deferred, on the thread that drops that guard.

use std::{fmt, marker::PhantomData, mem::transmute};

use super::{guard::Domain, model::in_drop};

loom::lazy_static! {
    static ref DOMAIN: Domain = Domain::new();
}

/// Makes the state of this execution, before there are threads that would synchronise by making it.
pub fn reset() {
    let _ = &*DOMAIN;
}

/// See `crossbeam_epoch::pin`.
pub fn pin() -> Guard {
    Guard { ticket: DOMAIN.enter(), not_send: PhantomData }
}

/// See `crossbeam_epoch::Guard`.
pub struct Guard {
    ticket: usize,
    not_send: PhantomData<*const ()>,
}

#[allow(missing_docs, clippy::missing_safety_doc, reason = "they are those of crossbeam")]
impl Guard {
    pub fn defer<F: FnOnce() -> R + Send + 'static, R>(&self, f: F) {
        // SAFETY: the function may be sent and borrows nothing.
        unsafe { self.defer_unchecked(f) }
    }

    pub unsafe fn defer_unchecked<F: FnOnce() -> R, R>(&self, f: F) {
        let f: Box<dyn FnOnce() + '_> = Box::new(|| drop(f()));
        // SAFETY: only the lifetime changes; the caller warrants that what is borrowed outlives the
        // call.
        DOMAIN.defer(unsafe { transmute::<Box<dyn FnOnce() + '_>, Box<dyn FnOnce()>>(f) });
    }

    /// Nothing: what is deferred runs as early as it may in any case.
    pub fn flush(&self) {}
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
