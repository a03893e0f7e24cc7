//! What is compared.

use super::{room::Room, trace::Trace};

/// A way to cache, by name.
pub trait Subject {
    fn name(&self) -> &'static str;

    /// An empty cache of that room; none if the subject cannot be measured so (weights, say).
    ///
    /// The trace is there for those that know the future.
    fn build(&self, room: &Room, trace: &Trace) -> Option<Box<dyn Cache>>;

    /// A yardstick computed here, not a crate: it takes no part in wins and losses.
    fn is_yardstick(&self) -> bool {
        false
    }
}

/// A cache under measurement.
pub trait Cache {
    /// Looks the key up, inserts it on a miss; whether it was a hit.
    fn access(&mut self, key: u32, weight: u32) -> bool;
}
