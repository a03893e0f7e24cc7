//! Limits and signals: the counting allocator at work, cgroups of every layout as fixtures, and a real one, and
//! floods.

mod background;
mod cgroup;
mod counting;
mod flood;
mod real;
mod wall;

use std::{
    alloc::System,
    sync::{Mutex, MutexGuard, PoisonError},
};
use weakmap::heap::Counting;

type Counted = Counting<System>;

#[global_allocator]
static ALLOCATOR: Counted = Counting::new(System);

/// Held by each test: what is counted is the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
