//! Stand-in for `once_cell::sync::OnceCell`: one initialiser at a time; the others wait, and one of
//! them takes over if it fails or panics.

use std::{convert::Infallible, fmt};

use loom::{
    cell::UnsafeCell,
    sync::{
        Condvar, Mutex,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use super::model::in_drop;

/// See `once_cell::sync::OnceCell`. Not `const`: loom's types cannot be.
pub struct OnceCell<T> {
    value: UnsafeCell<Option<T>>,
    /// The value is there, for good.
    full: AtomicBool,
    /// An initialiser is at work.
    busy: Mutex<bool>,
    idle: Condvar,
}

// SAFETY: as in once_cell: a shared cell gives `&T`, and takes a `T` from one thread to another.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

#[allow(missing_docs, reason = "they are those of once_cell")]
impl<T> OnceCell<T> {
    pub fn new() -> Self {
        OnceCell {
            value: UnsafeCell::new(None),
            full: AtomicBool::new(false),
            busy: Mutex::new(false),
            idle: Condvar::new(),
        }
    }

    pub fn get(&self) -> Option<&T> {
        // Acquire: pairs with the Release in `get_or_try_init`.
        if self.full.load(Acquire) { self.value() } else { None }
    }

    fn value(&self) -> Option<&T> {
        // SAFETY: the value is written once, before `full` is set, which the caller saw.
        self.value.with(|value| unsafe { (*value).as_ref() })
    }

    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        let Ok(value) = self.get_or_try_init(|| Ok::<T, Infallible>(f()));
        value
    }

    pub fn get_or_try_init<F: FnOnce() -> Result<T, E>, E>(&self, f: F) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let mut busy = self.busy.lock().unwrap();
        while *busy {
            busy = self.idle.wait(busy).unwrap();
        }
        // Relaxed: the lock is between the store and this.
        if !self.full.load(Relaxed) {
            *busy = true;
            drop(busy);
            let _turn = Turn(&self.busy, &self.idle);
            let value = f()?;
            // SAFETY: the turn is ours, and nobody reads before `full` is set.
            self.value.with_mut(|slot| unsafe { *slot = Some(value) });
            self.full.store(true, Release);
        }
        Ok(self.value().expect("the cell is full"))
    }
}

/// The turn of an initialiser, until it is done, fails or panics.
struct Turn<'a>(&'a Mutex<bool>, &'a Condvar);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        in_drop(|| {
            *self.0.lock().unwrap() = false;
            self.1.notify_all();
        });
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}
