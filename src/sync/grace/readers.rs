//! Who is inside at a moment: step 3 of the protocol, and the question of step 4.

use super::{DEFERRED, GUARD, Row, TURN};
use crate::sync::{
    CachePadded,
    Ordering::{Acquire, SeqCst},
    fence, lock, registry,
};

/// The rows that were inside at a moment, and their turns.
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
        let inside = states.filter(|(_, state)| state % DEFERRED / step > 0);
        Self(inside.map(|(row, state)| (row, state / TURN)).collect())
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them have gone: what was read under their guards happens before this.
    pub fn have_gone(&self) -> bool {
        let has_gone = |(row, turn): &(&CachePadded<Row>, u64)| {
            // Acquire: pairs with the Release in `turn`.
            let state = row.0.load(Acquire);
            state / TURN != *turn || state % DEFERRED == 0
        };
        self.0.iter().all(has_gone)
    }
}
