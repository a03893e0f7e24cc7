//! Remove: the writer's right column in the table of [`index`](super), and fewer buckets where much has gone.

use super::{
    Index, Keyed, Lock,
    bucket::{Bucket, Word},
    buckets::{Buckets, OwnedBuckets, SHARDS, buckets_for, shard_of, tag_of},
    free_later, own,
};
use crate::sync::StrongArc;

impl<T: Keyed<Key: Eq> + Send + Sync + 'static> Index<T> {
    /// Removes this very thing. Calls no `Eq`. `None` if it is not there any more. What is returned must wait for the guards of now.
    pub fn remove(&self, it: &StrongArc<T>) -> Option<StrongArc<T>> {
        let hash = it.hash();
        let mut lock = self.lock(shard_of(hash));
        let buckets = self.buckets_of(lock.shard);
        let removed = take(buckets, it, &lock)?;
        *lock.len -= 1;
        let old = (*lock.len < buckets.most() / 8).then(|| self.shrink(&lock)).flatten();
        drop(lock);
        free_later(old);
        Some(removed)
    }

    /// Gives up what each shard has too much.
    pub fn trim(&self) {
        for shard in 0..SHARDS {
            let lock = self.lock(shard);
            let old = self.shrink(&lock);
            drop(lock);
            free_later(old);
        }
    }

    /// Fewer, if half of them are enough.
    #[cold]
    fn shrink(&self, lock: &Lock<'_>) -> Option<OwnedBuckets<T>> {
        let wanted = buckets_for(*lock.len);
        (wanted < self.buckets_of(lock.shard).len()).then(|| self.rebuild(wanted, lock))
    }
}

/// Takes this very thing out.
fn take<T: Keyed>(buckets: Buckets<T>, it: &StrongArc<T>, lock: &Lock<'_>) -> Option<StrongArc<T>> {
    let hash = it.hash();
    let bucket = buckets.get(buckets.first_of(hash), lock);
    let word = bucket.word();
    match place_of(it, bucket, word) {
        Some(place) => {
            bucket.set_word(word.without(place));
            Some(own(bucket.at(place), lock))
        }
        None if word.is_passed(tag_of(hash)) => take_further(buckets, it, lock),
        None => None,
    }
}

/// From the second bucket on. Those before it are no longer passed, then.
#[cold]
#[inline(never)]
fn take_further<T: Keyed>(buckets: Buckets<T>, it: &StrongArc<T>, lock: &Lock<'_>) -> Option<StrongArc<T>> {
    let hash = it.hash();
    for (passed, number) in buckets.way_of(hash).enumerate().skip(1) {
        let bucket = buckets.get(number, lock);
        let word = bucket.word();
        if let Some(place) = place_of(it, bucket, word) {
            bucket.set_word(word.without(place));
            for number in buckets.way_of(hash).take(passed) {
                let bucket = buckets.get(number, lock);
                bucket.set_word(bucket.word().unpass(tag_of(hash)));
            }
            return Some(own(bucket.at(place), lock));
        }
        if !word.is_passed(tag_of(hash)) {
            break;
        }
    }
    None
}

/// Where this very thing is in a bucket whose word that is.
#[inline]
fn place_of<T: Keyed>(it: &StrongArc<T>, bucket: &Bucket<T>, word: Word) -> Option<usize> {
    let mut alike = word.places_of(tag_of(it.hash()));
    alike.find(|&place| bucket.at(place).cast_const() == StrongArc::as_ptr(it))
}
