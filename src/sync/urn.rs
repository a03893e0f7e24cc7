//! An urn: a place for one count, which whoever comes first takes out.

use super::{
    AtomicPtr, Counted,
    Ordering::{AcqRel, Acquire, Relaxed},
    StrongArc,
};
use std::{fmt, ptr};

/// A count behind one pointer.
pub trait Pointer: Sized {
    type Target;
    /// Never null.
    fn into_pointer(self) -> *mut Self::Target;
    /// # Safety
    ///
    /// The pointer came from [`into_pointer`](Self::into_pointer), and is made a count again this once.
    #[allow(unsafe_code)]
    unsafe fn from_pointer(pointer: *mut Self::Target) -> Self;
}

impl<T: Counted> Pointer for StrongArc<T> {
    type Target = T;

    #[inline]
    fn into_pointer(self) -> *mut T {
        Self::into_raw(self).cast_mut()
    }

    #[inline]
    #[allow(unsafe_code)]
    unsafe fn from_pointer(pointer: *mut T) -> Self {
        // SAFETY: by the contract.
        unsafe { Self::from_raw(pointer) }
    }
}

/// See the module.
pub struct Urn<C: Pointer>(AtomicPtr<C::Target>);

impl<C: Pointer> Urn<C> {
    pub fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Puts one in. What was there before.
    #[inline]
    pub fn put(&self, count: C) -> Option<C> {
        // Release: pairs with the Acquire in `take`, and here.
        self.exchange(count.into_pointer(), AcqRel)
    }

    pub fn take(&self) -> Option<C> {
        // Relaxed: a look that saves the exchange.
        let filled = !self.0.load(Relaxed).is_null();
        // Acquire: pairs with the Release in `put`.
        if filled { self.exchange(ptr::null_mut(), Acquire) } else { None }
    }

    #[inline]
    #[allow(unsafe_code)]
    fn exchange(&self, new: *mut C::Target, order: super::Ordering) -> Option<C> {
        let before = self.0.swap(new, order);
        // SAFETY: a count was put in with it, which this exchange alone takes out.
        (!before.is_null()).then(|| unsafe { C::from_pointer(before) })
    }
}

impl<C: Pointer> Drop for Urn<C> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<C: Pointer> fmt::Debug for Urn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Urn").finish_non_exhaustive()
    }
}
