//! What waits for guards.

use super::Readers;
use crate::sync::{
    Mutex, lock,
    tally::{self, Relaxed},
};
use std::{collections::VecDeque, fmt};

/// What waits, and for whom.
pub struct Waiting {
    pub(super) readers: Readers,
    pub(super) run: Box<dyn FnOnce() + Send>,
}

/// What waits, in the order in which it came.
#[derive(Debug, Default)]
pub struct Queue(pub(super) Mutex<VecDeque<Waiting>>);

/// All that waits.
#[derive(Debug, Default)]
pub struct Deferred {
    pub(super) for_guards: Queue,
    /// What waits for pins alone waits not behind what waits for others.
    pub(super) for_pins: Queue,
    /// How many: a hint that spares the locks.
    pub(super) count: tally::AtomicUsize,
}

impl Deferred {
    #[cfg(not(weakmap_loom))]
    pub const fn new() -> Self {
        Self { for_guards: Queue::new(), for_pins: Queue::new(), count: tally::AtomicUsize::new(0) }
    }

    /// Runs what is in that queue and need not wait.
    pub fn run(&self, queue: &Queue) {
        while self.count.load(Relaxed) > 0 {
            let over = queue.take_over();
            if over.is_empty() {
                return;
            }
            self.count.fetch_sub(over.len(), Relaxed);
            over.into_iter().for_each(|waiting| (waiting.run)());
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("readers", &self.readers).finish_non_exhaustive()
    }
}

impl Queue {
    #[cfg(not(weakmap_loom))]
    const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// The first of those that wait, as long as they need not.
    fn take_over(&self) -> Vec<Waiting> {
        let mut queue = lock(&self.0);
        let over = queue.iter().take_while(|waiting| waiting.readers.have_gone()).count();
        queue.drain(..over).collect()
    }
}
