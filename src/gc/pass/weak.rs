//! Stripped entries whose value a caller holds: looked at again now and then.

use super::Swept;
use crate::{
    entry::Entry,
    gc::region::{Region, Rings},
    index::{Keyed, part_of},
    slot::State,
    sync::{Guard, StrongArc},
};

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Of so many weak entries, those that are strong again go to the clock.
    pub(super) fn wake(&self, rings: &mut Rings<K, V>, most: usize) {
        for _ in 0..most.min(rings.weak.len()) {
            let Some(came) = rings.weak.pop_front() else { break };
            self.sort(came, rings);
        }
    }

    /// Looks at so many of the weak entries: strong again, dead by now, or still held.
    pub(super) fn review_some(&self, most: usize) -> Swept {
        let Some(mut rings) = self.try_rings() else { return Swept::default() };
        let most = most.min(rings.weak.len());
        let weak: Vec<_> = rings.weak.drain(..most).collect();
        drop(rings);
        let mut done = Swept::default();
        let kept: Vec<_> = weak.into_iter().filter(|came| self.stays(&came.entry, &mut done)).collect();
        for came in kept {
            self.incoming.put(came);
        }
        done
    }

    /// Whether a weak entry is still to be looked after.
    fn stays(&self, entry: &StrongArc<Entry<K, V>>, done: &mut Swept) -> bool {
        let guard = Guard::of(part_of(entry.hash()));
        if self.bury(entry, &guard) {
            done.reaped += 1;
            return false;
        }
        let wanted = entry.take_wanted().then(|| entry.slot.get(&guard)).flatten();
        drop(guard);
        // A get had no room for it, or was in a writer's way: now, or not until it is used again.
        if let Some(found) = wanted.filter(|found| found.weak) {
            self.try_revive(entry, &found.value);
            self.quietly(|| drop(found)); // may be the last one by now
        }
        entry.slot.state() != State::Closed
    }
}
