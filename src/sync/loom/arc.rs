//! Stand-in for `std::sync::{Arc, Weak}`: std's counts and orderings on loom's atomics; what uses a
//! value or an allocation that is gone is reported ([`allocation`](super::allocation)).

use std::{
    borrow::Borrow,
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr::{self, NonNull},
};

use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    allocation::{Head, Inner},
    model::in_drop,
};

/// See [`std::sync::Arc`].
pub struct Arc<T>(NonNull<Inner<T>>, PhantomData<Inner<T>>);

// SAFETY: as in std: a handle gives `&T` to any thread, and the last one the `T` itself.
unsafe impl<T: Send + Sync> Send for Arc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Arc<T> {}
impl<T: RefUnwindSafe> UnwindSafe for Arc<T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Arc<T> {}

#[allow(missing_docs, clippy::missing_safety_doc, reason = "they are those of std")]
impl<T> Arc<T> {
    pub fn new(value: T) -> Self {
        Arc(Inner::new(value), PhantomData)
    }

    #[track_caller]
    fn head(&self) -> &Head {
        // SAFETY: a handle's pointer comes from `Inner::new`.
        unsafe { Inner::head(self.0) }
    }

    pub fn strong_count(this: &Self) -> usize {
        this.head().strong.load(Relaxed)
    }

    pub fn weak_count(this: &Self) -> usize {
        this.head().weak.load(Relaxed) - 1
    }

    /// As `StrongArc` does.
    pub fn split(self) -> (Self, Self) {
        (self.clone(), self)
    }

    pub fn ptr_eq(a: &Self, b: &Self) -> bool {
        a.0 == b.0
    }

    pub fn as_ptr(this: &Self) -> *const T {
        Inner::value(this.0)
    }

    pub fn into_raw(this: Self) -> *const T {
        Self::as_ptr(&ManuallyDrop::new(this))
    }

    pub unsafe fn from_raw(value: *const T) -> Self {
        let inner = value.wrapping_byte_sub(Inner::<T>::OFFSET).cast_mut().cast();
        Arc(NonNull::new(inner).expect("not from into_raw"), PhantomData)
    }

    pub unsafe fn increment_strong_count(value: *const T) {
        // SAFETY: the caller lends a count for this call.
        let lent = unsafe { ManuallyDrop::new(Self::from_raw(value)) };
        let _new = lent.clone(); // ManuallyDrop too
    }

    pub unsafe fn decrement_strong_count(value: *const T) {
        // SAFETY: the caller gives a count up.
        drop(unsafe { Self::from_raw(value) });
    }

    pub fn downgrade(this: &Self) -> Weak<T> {
        // Relaxed: this handle keeps the allocation, and whoever gets the new one gets it with a
        // Release of its own.
        let weak = this.head().weak.fetch_add(1, Relaxed);
        assert_ne!(weak, 0, "use after free: Weak of a dead Arc");
        Weak(this.0)
    }

    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        if this.head().strong.compare_exchange(1, 0, Relaxed, Relaxed).is_err() {
            return Err(this);
        }
        // SAFETY: the count is zero by the line above.
        Ok(unsafe { ManuallyDrop::new(this).move_out() })
    }

    pub fn into_inner(this: Self) -> Option<T> {
        let this = ManuallyDrop::new(this);
        // SAFETY: the count is zero if `release` says so.
        this.release().then(|| unsafe { this.move_out() })
    }

    /// Gives up a count; true if it was the last.
    fn release(&self) -> bool {
        // Release: what this handle did with the value comes before the Acquire in `take_value`.
        let strong = self.head().strong.fetch_sub(1, Release);
        assert_ne!(strong, 0, "more Arc drops than Arcs");
        strong == 1
    }

    /// # Safety
    ///
    /// The caller took the strong count to zero.
    unsafe fn move_out(&self) -> T {
        // SAFETY: by the contract above, the value and the `Weak` of all `Arc`s are ours.
        unsafe {
            let value = Inner::take_value(self.0).read();
            Inner::drop_weak(self.0);
            value
        }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        // SAFETY: loom would have panicked if this read could race.
        self.head().value.with(|v| assert!(unsafe { *v }, "use after free: value"));
        // SAFETY: the value is there, and our count keeps it, or `with_mut` in `take_value` panics.
        unsafe { &*Inner::value(self.0) }
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        // Relaxed: as in `downgrade`.
        let strong = self.head().strong.fetch_add(1, Relaxed);
        assert_ne!(strong, 0, "use after free: clone of a dead Arc");
        Arc(self.0, PhantomData)
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        in_drop(|| {
            if self.release() {
                // SAFETY: we took the count to zero.
                unsafe {
                    ptr::drop_in_place(Inner::take_value(self.0));
                    Inner::drop_weak(self.0);
                }
            }
        });
    }
}

impl<T: fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Default> Default for Arc<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Arc<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> AsRef<T> for Arc<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Borrow<T> for Arc<T> {
    fn borrow(&self) -> &T {
        self
    }
}

/// See [`std::sync::Weak`].
pub struct Weak<T>(NonNull<Inner<T>>);

// SAFETY: as in std: it may become an `Arc`.
unsafe impl<T: Send + Sync> Send for Weak<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Weak<T> {}
impl<T: RefUnwindSafe> UnwindSafe for Weak<T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Weak<T> {}

#[allow(missing_docs, clippy::missing_safety_doc, reason = "they are those of std")]
impl<T> Weak<T> {
    /// What a `Weak` without allocation points to: the last address, as in std.
    const DANGLING: NonNull<Inner<T>> = NonNull::new(ptr::without_provenance_mut(usize::MAX)).unwrap();

    pub const fn new() -> Self {
        Weak(Self::DANGLING)
    }

    #[track_caller]
    fn head(&self) -> Option<&Head> {
        // SAFETY: a handle's pointer comes from `Inner::new`, unless it dangles.
        (self.0 != Self::DANGLING).then(|| unsafe { Inner::head(self.0) })
    }

    pub fn upgrade(&self) -> Option<Arc<T>> {
        let strong = &self.head()?.strong;
        // In place of std's load we guess: a failed exchange tells the count as well, and loom
        // loses no order over it.
        let mut count = 1;
        // Acquire: as in std. Relaxed: nothing is read after a failure.
        while let Err(actual) = strong.compare_exchange(count, count + 1, Acquire, Relaxed) {
            if actual == 0 {
                return None;
            }
            count = actual;
        }
        Some(Arc(self.0, PhantomData))
    }

    pub fn strong_count(&self) -> usize {
        self.head().map_or(0, |head| head.strong.load(Relaxed))
    }

    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    pub fn as_ptr(&self) -> *const T {
        if self.0 == Self::DANGLING { self.0.as_ptr().cast() } else { Inner::value(self.0) }
    }

    pub fn into_raw(self) -> *const T {
        ManuallyDrop::new(self).as_ptr()
    }

    pub unsafe fn from_raw(value: *const T) -> Self {
        if value.addr() == usize::MAX {
            return Self::new();
        }
        let inner = value.wrapping_byte_sub(Inner::<T>::OFFSET).cast_mut().cast();
        Weak(NonNull::new(inner).expect("not from into_raw"))
    }
}

impl<T> Clone for Weak<T> {
    fn clone(&self) -> Self {
        if let Some(head) = self.head() {
            // Relaxed: as in `Arc::downgrade`.
            let weak = head.weak.fetch_add(1, Relaxed);
            assert_ne!(weak, 0, "use after free: clone of a dead Weak");
        }
        Weak(self.0)
    }
}

impl<T> Drop for Weak<T> {
    fn drop(&mut self) {
        if self.0 != Self::DANGLING {
            // SAFETY: a handle's pointer comes from `Inner::new`, and this handle ends.
            in_drop(|| unsafe { Inner::drop_weak(self.0) });
        }
    }
}

impl<T> Default for Weak<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}
