//! The alarm: wakes a sleeper when a total rises to a level, without allocating: an allocator may raise the total.
//!
//! # Protocol
//!
//! ```text
//! sleeper                             whoever raises the total
//! 1. level := where to wake up        1. total += bytes
//! 2. full fence                       2. full fence
//! 3. total at the level already?      3. total (as 1 left it) at the level?
//!    yes: disarm, stay awake             yes: disarm; whoever does wakes the sleeper
//! 4. sleep
//! ```
//!
//! # Invariants
//!
//! 1. While the sleeper sleeps on a level that it armed, no total at or above the level goes unanswered. Of the two fences
//!    one comes first. If the sleeper's: step 3 on the right sees the level. If the other: step 3 on the left sees that total, or
//!    a later one: if that is below the level, others have lowered it again.
//! 2. One wake for each arming: who exchanges the level for [`NEVER`] wakes. So a flood above the level costs one load a
//!    raise.
//! 3. A wake that comes before the sleep is not lost: it makes the sleep return at once. Park's own token is not enough, for whoever
//!    parks in a destructor or a callback takes it. So a wake sets a flag, then unparks; the sleep looks at the flag, then
//!    parks, with nobody's code in between.
//! 4. `raised` and `wake` take no memory and give none back. The sleeper's handle is behind a lock that is held for an unpark and for
//!    an exchange, neither of which allocates.

use super::{AtomicBool, AtomicU64, Mutex, Ordering::*, Thread, current, fence, lock, park};
use std::time::Duration;

/// No level: nobody is woken.
const NEVER: u64 = u64::MAX;

/// See the module.
#[derive(Debug)]
pub struct Alarm {
    level: AtomicU64,
    sleeper: Sleeper,
}

impl Alarm {
    #[cfg(not(weakmap_loom))]
    pub const fn new() -> Self {
        Self { level: AtomicU64::new(NEVER), sleeper: Sleeper::new() }
    }

    #[cfg(weakmap_loom)]
    pub fn new() -> Self {
        Self { level: AtomicU64::new(NEVER), sleeper: Sleeper::new() }
    }

    /// The calling thread is the sleeper from now on.
    pub fn settle(&self) {
        self.sleeper.settle();
    }

    /// Sleeps until the total is at the level, until [`wake`](Self::wake), or so long. Not at all if the total is there.
    pub fn sleep(&self, level: u64, total: impl FnOnce() -> u64, most: Option<Duration>) {
        // Relaxed: the fence orders it before the look at the total; partner: the fence in `raised`.
        self.level.store(level, Relaxed);
        fence(SeqCst);
        if total() < level {
            self.sleeper.sleep(most);
        }
        // Awake: nobody needs to be told. Relaxed: a wake too many does no harm.
        self.level.store(NEVER, Relaxed);
    }

    /// For whoever raised the total to `total`.
    pub fn raised(&self, total: u64) {
        // Partner: the fence in `sleep` (invariant 1).
        fence(SeqCst);
        // Relaxed: the fences order them; which of several wakes (invariant 2) publishes nothing.
        let level = self.level.load(Relaxed);
        if total >= level && self.level.compare_exchange(level, NEVER, Relaxed, Relaxed).is_ok() {
            self.wake();
        }
    }

    /// Wakes the sleeper, or spares it its next sleep.
    pub fn wake(&self) {
        self.sleeper.wake();
    }
}

/// A place for one thread to sleep in.
#[derive(Debug)]
struct Sleeper {
    woken: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Sleeper {
    #[cfg(not(weakmap_loom))]
    const fn new() -> Self {
        Self { woken: AtomicBool::new(false), thread: Mutex::new(None) }
    }

    #[cfg(weakmap_loom)]
    fn new() -> Self {
        Self { woken: AtomicBool::new(false), thread: Mutex::new(None) }
    }

    fn settle(&self) {
        let own = current();
        let before = lock(&self.thread).replace(own);
        drop(before); // not under the lock: it may give memory back
    }

    fn sleep(&self, most: Option<Duration>) {
        // Acquire: pairs with the Release in `wake`.
        if !self.woken.swap(false, Acquire) {
            park(most);
        }
    }

    fn wake(&self) {
        // Release: pairs with the Acquire in `sleep`.
        self.woken.store(true, Release);
        if let Some(thread) = &*lock(&self.thread) {
            thread.unpark();
        }
    }
}
