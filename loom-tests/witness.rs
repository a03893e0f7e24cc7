//! A value that loom watches: reading it races with its destructor, and both are counted.

#![allow(unsafe_code)]

use loom::{cell::UnsafeCell, thread};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use weakmap::model;

/// Values made and destroyed in one execution.
#[derive(Clone, Default)]
pub struct Count(Arc<[AtomicUsize; 2]>);

impl Count {
    pub fn value(&self, number: usize) -> Witness {
        self.0[0].fetch_add(1, Relaxed);
        Witness { cell: UnsafeCell::new(number), count: self.clone() }
    }

    /// Values that live.
    pub fn living(&self) -> usize {
        self.0[0].load(Relaxed) - self.0[1].load(Relaxed)
    }
}

pub struct Witness {
    cell: UnsafeCell<usize>,
    count: Count,
}

const DESTROYED: usize = usize::MAX;

impl Witness {
    pub fn read(&self) -> usize {
        // SAFETY: loom panics where this races with `drop`.
        let number = self.cell.with(|number| unsafe { *number });
        assert_ne!(number, DESTROYED, "read after drop");
        number
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // SAFETY: loom panics where this races with `read`.
        self.cell.with_mut(|number| unsafe { *number = DESTROYED });
        self.count.0[1].fetch_add(1, Relaxed);
    }
}

// SAFETY: every access goes through loom's cell, which panics at a race.
unsafe impl Send for Witness {}
// SAFETY: as above.
unsafe impl Sync for Witness {}

pub type Step<T> = fn(&T);

/// Explores the steps on `make`'s state, each in a thread of its own, in the order given and in the opposite one; `check` looks at the
/// state when all are done.
pub fn race<T: Send + Sync + 'static, const N: usize>(
    name: &str,
    make: fn() -> T,
    steps: [Step<T>; N],
    check: impl Fn(&T) + Copy + Send + Sync + 'static,
) {
    race_within(model::PREEMPTIONS, name, make, steps, check);
}

/// The same, with so few preemptions in an execution.
pub fn race_within<T: Send + Sync + 'static, const N: usize>(
    preemptions: usize,
    name: &str,
    make: fn() -> T,
    steps: [Step<T>; N],
    check: impl Fn(&T) + Copy + Send + Sync + 'static,
) {
    for reversed in [false, true] {
        let name = format!("{name}{}", if reversed { " (reversed)" } else { "" });
        model::model_within(preemptions, &name, move || {
            model::allocation::recycle(); // or no ABA could show
            let state = Arc::new(make());
            let spawn = |step: &Step<T>| {
                let (state, step) = (state.clone(), *step);
                thread::spawn(move || step(&state))
            };
            let threads: Vec<_> = if reversed {
                steps.iter().rev().map(spawn).collect()
            } else {
                steps.iter().map(spawn).collect()
            };
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            check(&state);
        });
    }
}
