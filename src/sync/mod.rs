//! Everything that touches another thread, so that loom can stand in for it.
//!
//! The rest of the crate names neither `std::sync` nor the foreign crates below; `cargo loom-lint` holds that.
//! Counters that only tell (never decide) come from [`tally`], which loom does not see: fewer branches to explore.

pub mod alarm;
pub mod grace;
pub mod number;
pub mod pin;
pub mod strong;
pub mod urn;

#[cfg(all(feature = "async", not(weakmap_loom)))]
mod load_cell;
/// Where no task waits, once_cell's.
#[cfg(not(all(feature = "async", not(weakmap_loom))))]
pub use self::OnceCell as LoadCell;
#[cfg(all(feature = "async", not(weakmap_loom)))]
pub use self::load_cell::LoadCell;

#[cfg(not(weakmap_loom))]
mod native;
#[cfg(not(weakmap_loom))]
pub use self::native::*;

#[cfg(weakmap_loom)]
mod loom;
#[cfg(weakmap_loom)]
pub use self::loom::*;

pub use arc_swap::ArcSwap;
pub use crossbeam_utils::CachePadded;
pub use once_cell::sync::Lazy;
pub use scc::{Guard as TableGuard, HashMap};

/// What is shared but never part of a protocol: registries, sources, handles behind `dyn`. Names of their own, which `cargo loom-lint`
/// lets pass.
#[allow(clippy::disallowed_types)]
pub mod shared {
    pub use std::sync::PoisonError;
    pub type Arc<T> = std::sync::Arc<T>;
    pub type Weak<T> = std::sync::Weak<T>;
    pub type Mutex<T> = std::sync::Mutex<T>;
    pub type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;
}

/// Atomics that only count, for reports, or for their one thread.
#[allow(clippy::disallowed_types)]
pub mod tally {
    pub use std::sync::atomic::Ordering::Relaxed;
    pub type AtomicBool = std::sync::atomic::AtomicBool;
    pub type AtomicU8 = std::sync::atomic::AtomicU8;
    pub type AtomicI64 = std::sync::atomic::AtomicI64;
    pub type AtomicU64 = std::sync::atomic::AtomicU64;
    pub type AtomicUsize = std::sync::atomic::AtomicUsize;
}

/// Proof that what the index points to stays: the calling thread has a guard of its part, or a pin, or the lock of who takes it out.
pub trait Shelter {
    /// Whether it stands for things of that part (see `grace`).
    fn covers(&self, part: Part) -> bool;
}

impl Shelter for Guard {
    fn covers(&self, part: Part) -> bool {
        self.is_about(part)
    }
}

/// Locks, whatever a panic left: every lock here guards state that is whole between two statements.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What a lock guards, for its only owner.
pub fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The same for a lock that is no part of a protocol.
pub fn lock_shared<T>(mutex: &shared::Mutex<T>) -> shared::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(shared::PoisonError::into_inner)
}

/// A number below `stripes` that stays the same for the calling thread.
#[inline]
pub fn stripe(stripes: usize) -> usize {
    number() % stripes
}
