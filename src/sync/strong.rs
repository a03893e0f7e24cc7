//! A shared handle whose count lies in what it points to: two bytes there, not eight before it, and no weak counts.
//!
//! # Invariants
//!
//! 1. The count is how many handles there are. It is made 1 by `new`, with the first; a handle comes from another one alone (or from the pointer that one
//!    became, as long as that stands for one).
//! 2. So who finds it 1, with a handle of his own, has the only one, and none is made while he looks: he may go without a locked instruction.
//! 3. What is pointed to is dropped by who had the last, once.
//!
//! # Orderings
//!
//! Who goes is Release, who finds himself the last Acquire: what was done through any handle happens before the drop.

use super::{
    AtomicU16,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};
use std::{fmt, marker::PhantomData, ops::Deref, process, ptr::NonNull};

/// What has room for a count, for its handles alone: a new one's is 1.
pub trait Counted {
    fn count(&self) -> &AtomicU16;
}

/// So many handles on one thing, and the process is aborted, as by std's: a count that overflowed would free what is in use.
const MOST: u16 = u16::MAX / 2;

/// See the module.
pub struct StrongArc<T: Counted>(NonNull<T>, PhantomData<T>);

#[allow(unsafe_code)]
// SAFETY: handles share what they point to, and any of them may drop it: as `Arc`.
unsafe impl<T: Counted + Send + Sync> Send for StrongArc<T> {}

#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl<T: Counted + Send + Sync> Sync for StrongArc<T> {}

impl<T: Counted> StrongArc<T> {
    /// The first handle.
    pub fn new(it: T) -> Self {
        let it = Box::new(it);
        debug_assert_eq!(it.count().load(Relaxed), 1);
        Self(NonNull::from(Box::leak(it)), PhantomData)
    }

    /// Two of one: without a locked instruction, where it is the only one.
    pub fn split(self) -> (Self, Self) {
        if !self.is_only() {
            return (self.clone(), self);
        }
        // Nobody else has one to change it by (invariant 2). Relaxed: it ends the release sequence of those that went, whom we have acquired.
        self.count().store(2, Relaxed);
        let other = Self(self.0, PhantomData);
        (other, self)
    }

    pub fn ptr_eq(one: &Self, other: &Self) -> bool {
        one.0 == other.0
    }

    pub fn as_ptr(this: &Self) -> *const T {
        this.0.as_ptr()
    }

    /// To be made a handle again by [`from_raw`](Self::from_raw).
    pub fn into_raw(this: Self) -> *const T {
        std::mem::ManuallyDrop::new(this).0.as_ptr()
    }

    /// # Safety
    ///
    /// The pointer came from [`into_raw`](Self::into_raw), and that handle was not made again.
    #[allow(unsafe_code)]
    pub unsafe fn from_raw(pointer: *const T) -> Self {
        // SAFETY: it came from a handle, which has no null pointer.
        Self(unsafe { NonNull::new_unchecked(pointer.cast_mut()) }, PhantomData)
    }

    /// What it points to, if it is the only handle.
    #[allow(unsafe_code)]
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        if !this.is_only() {
            return Err(this);
        }
        // SAFETY: a box made it, and this is the only handle, which is not dropped.
        Ok(*unsafe { Box::from_raw(Self::into_raw(this).cast_mut()) })
    }

    /// How many handles there are.
    #[cfg(all(test, not(weakmap_loom)))]
    pub fn handles(this: &Self) -> usize {
        this.count().load(Relaxed).into()
    }

    /// Whether there is no other.
    #[inline]
    fn is_only(&self) -> bool {
        // Acquire: pairs with the Release of those that went.
        self.count().load(Acquire) == 1
    }
}

impl<T: Counted> Deref for StrongArc<T> {
    type Target = T;

    #[inline]
    #[allow(unsafe_code)]
    fn deref(&self) -> &T {
        // SAFETY: it stays until the last handle has gone (invariant 3).
        unsafe { self.0.as_ref() }
    }
}

impl<T: Counted> Clone for StrongArc<T> {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: nothing is published, this handle stays until the count is seen.
        if self.count().fetch_add(1, Relaxed) > MOST {
            process::abort();
        }
        Self(self.0, PhantomData)
    }
}

impl<T: Counted> Drop for StrongArc<T> {
    #[inline]
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        if !self.is_only() {
            // Release: pairs with the Acquire of who is the last.
            if self.count().fetch_sub(1, Release) > 1 {
                return;
            }
            fence(Acquire);
        }
        // SAFETY: a box made it, and this was the last handle (invariant 3).
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<T: Counted + fmt::Debug> fmt::Debug for StrongArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
