//! A value whose destructor's panic ends here.
//!
//! A key is dropped with the last handle on its entry, wherever that is: in a pass, under a lock of the flights' table, in another
//! thread's guard; and so is a value that is still there when the map goes. Its panic must reach none of them, scc least of all, which
//! drops a bucket array twice where a destructor unwinds through it. The panic hook has told it.

use std::{
    fmt,
    mem::{self, ManuallyDrop},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// See the module.
pub struct Quiet<T>(ManuallyDrop<T>);

impl<T> Quiet<T> {
    pub fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }

    pub fn get(&self) -> &T {
        &self.0
    }

    #[allow(unsafe_code)]
    pub fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped after this, so the value is taken once.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Quiet<T> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        if mem::needs_drop::<T>() {
            // SAFETY: the value is dropped here alone, and `self` is not used after this.
            let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { ManuallyDrop::drop(&mut self.0) }));
            // The panic's own payload may panic when dropped.
            let _ = dropped.map_err(mem::forget);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Quiet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
