//! Insert: the writer's left column in the table of [`index`](super).

use super::{
    Index, Keyed, Lock,
    buckets::{Buckets, OwnedBuckets, buckets_for, shard_of, tag_of},
    free_later,
};
use crate::sync::StrongArc;

impl<T: Keyed<Key: Eq> + Send + Sync + 'static> Index<T> {
    /// Adds it, unless the key is there: then gives it back.
    pub fn insert(&self, new: StrongArc<T>) -> Result<(), StrongArc<T>> {
        let (hash, tag) = (new.hash(), tag_of(new.hash()));
        let mut lock = self.lock(shard_of(hash));
        let buckets = self.buckets_of(lock.shard);
        let first = buckets.get(buckets.first_of(hash), &lock);
        let word = first.word();
        let has_room = *lock.len < buckets.most(); // never in nobody's bucket
        if let Some(place) = word.vacant().filter(|_| has_room && !word.may_lead_to(tag)) {
            first.put(place, StrongArc::into_raw(new).cast_mut(), word.with(place, tag));
            *lock.len += 1;
            return Ok(());
        }
        self.insert_further(new, lock)
    }

    /// Where the first bucket on its way is full, or has something with its tag, or was passed by such; or there are to be more.
    #[inline(never)]
    fn insert_further(&self, new: StrongArc<T>, mut lock: Lock<'_>) -> Result<(), StrongArc<T>> {
        let hash = new.hash();
        if self.find(hash, new.key(), &lock).is_some() {
            return Err(new);
        }
        let old = self.grow(&lock);
        put(self.buckets_of(lock.shard), StrongArc::into_raw(new).cast_mut(), hash, &lock);
        *lock.len += 1;
        drop(lock);
        free_later(old);
        Ok(())
    }

    /// More buckets for the shard, if one more thing is too many for those of now: the old ones.
    fn grow(&self, lock: &Lock<'_>) -> Option<OwnedBuckets<T>> {
        let buckets = self.buckets_of(lock.shard);
        let twice = || (2 * buckets.len()).max(buckets_for(*lock.len + 1));
        (*lock.len >= buckets.most()).then(|| self.rebuild(twice(), lock))
    }
}

/// Puts it into the first vacant place on its way; there is one.
pub(super) fn put<T>(buckets: Buckets<T>, it: *mut T, hash: u64, lock: &Lock<'_>) {
    for number in buckets.way_of(hash) {
        let bucket = buckets.get(number, lock);
        let word = bucket.word();
        if let Some(place) = word.vacant() {
            return bucket.put(place, it, word.with(place, tag_of(hash)));
        }
        bucket.set_word(word.pass(tag_of(hash)));
    }
    unreachable!("there are fewer things than places");
}
