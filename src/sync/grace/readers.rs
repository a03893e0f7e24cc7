//! Who is inside at a moment: step 3 of the protocol, and the questions of step 4.

use super::{GUARD, Part, Row, TURNS, about, is_about};
use crate::sync::{
    CachePadded,
    Ordering::{Acquire, SeqCst},
    fence, lock, registry,
};

/// The rows that were inside at a moment, with their states of then.
#[derive(Debug, Default)]
pub struct Readers(pub(super) Vec<(&'static CachePadded<Row>, u64)>);

impl Readers {
    /// Of now. What was taken out before is found by none but these, so it may be given back when they have gone.
    pub fn now() -> Self {
        Self::inside(GUARD)
    }

    /// Those with a guard, or with a pin alone.
    pub(super) fn inside(step: u64) -> Self {
        // Partner: the fence of who enters (invariant 1).
        fence(SeqCst);
        // Acquire: pairs with the Release in `turn`.
        let registry = lock(registry());
        let states = registry.all.iter().map(|&row| (row, row.0.load(Acquire)));
        let inside = states.filter(|(_, state)| *state >= step);
        Self(inside.collect())
    }

    /// Whether there is no one.
    pub fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them may look at things of that part.
    pub fn may_see(&self, part: Part) -> bool {
        self.0.iter().any(|(_, state)| is_about(*state, about(part)))
    }

    /// Leaves those that have not gone: what the others read happens before this.
    pub fn forget_gone(&mut self) {
        self.0.retain(|reader| !has_gone(reader));
    }

    /// Whether all of them have gone: what they read happens before this.
    pub(super) fn have_gone(&self) -> bool {
        self.0.iter().all(has_gone)
    }
}

fn has_gone((row, then): &(&CachePadded<Row>, u64)) -> bool {
    // Acquire: pairs with the Release in `turn`.
    let state = row.0.load(Acquire);
    state % TURNS != then % TURNS || state < GUARD
}
