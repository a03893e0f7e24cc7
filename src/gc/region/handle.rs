//! What the clock sees of an entry.

use crate::{entry::Entry, gc::clock::Handle, index::Keyed, slot::State, sync::StrongArc};

impl<K, V> Handle for StrongArc<Entry<K, V>> {
    fn uses(&self) -> u8 {
        Entry::uses(self)
    }

    fn set_uses(&self, uses: u8) {
        Entry::set_uses(self, uses);
    }

    fn weight(&self) -> u64 {
        // What weighs nothing must go, too.
        Entry::weight(self).max(1)
    }

    fn hash(&self) -> u64 {
        Keyed::hash(&**self)
    }

    #[inline]
    fn prefetch(&self) {
        Entry::prefetch(self);
    }

    fn is_gone(&self) -> bool {
        self.slot.state() != State::Strong
    }
}
