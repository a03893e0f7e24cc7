//! The index: a hash table of our own, which readers search without a lock.
//!
//! It maps a hash and a key to a `StrongArc` of something that knows both ([`Keyed`]), and knows nothing else of it. Hashes are computed
//! once, by the caller. Some bits of the hash choose a shard, its highest ones a [`bucket`] in it: a cache line of seven places
//! and a word with a tag for each of these. What finds its bucket full goes to the next one on its way, and the full one counts it as passed (as
//! in F14: Bronson and Shi, "Open-sourcing F14", 2019), so a search ends in the first bucket that nothing passed: mostly the first. Nothing is left
//! behind where something was removed.
//!
//! # Who does what
//!
//! ```text
//! reader                          writer, under the shard's lock
//! 1. enters a guard               insert                        remove
//! 2. loads the shard's buckets    1. the way to a vacant place  1. its tag := 0, the way no longer passed
//! 3. loads a bucket's word        2. the place := pointer       2. unlocks
//! 4. follows the places           3. the word := with its tag   3. its count waits for the guards of now
//!    with its tag                 grow, shrink
//! 5. passed? the next bucket      1. other buckets, with all that is there
//!                                 2. the shard's buckets := those
//!                                 3. unlocks; the old ones wait for the guards of now
//! ```
//!
//! # Invariants
//!
//! 1. What was inserted lies in one place until it is removed or the buckets are replaced, and all buckets before it on its way count it
//!    as passed. Words are written under the lock alone, each whole by one store: a reader finds what was there before it began and is there still.
//! 2. A pointer is followed by who has seen its tag, or that of something before it in this place, under the same guard; the pointer is left
//!    behind when the tag goes. That is sound: what it points to was removed either before the guard's fence (then the word that the
//!    guard saw was a later one, and had the tag of something still later) or after it (then its count waits for this guard).
//! 3. What is in the buckets has a count there, which who removes it takes over; the buckets of old own nothing.
//! 4. Whoever looks for a hash follows the pointers of its shard alone, and no buckets of a shard, old or new, ever held one of another: so a guard
//!    [of the hash's part](part_of) is enough, and what is removed need not wait for those of other parts.
//! 5. Buckets are freed after every guard that could have loaded them. A reader of old ones finds what was there as they were replaced:
//!    that was after it began.
//!
//! Whose word is a moment old may find what is just being inserted (by the tag of what lay there before), and not find it when looking again.
//!
//! Insert and remove lock one shard of 64; under that lock a user's `Eq` may run (and panic: nothing is changed by then), nobody's destructor.

mod bucket;
mod buckets;
mod insert;
mod remove;

use self::{
    bucket::{Bucket, Word},
    buckets::{Buckets, OwnedBuckets, SHARDS, shard_of, tag_of},
    insert::put,
};
use crate::{
    prefetch::prefetch,
    sync::{
        AtomicPtr, Counted, Guard, Mutex, MutexGuard,
        Ordering::{Acquire, Relaxed, Release},
        Part, Shelter, StrongArc, defer, lock,
    },
};
use equivalent::Equivalent;
use std::{
    array, fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, Range},
};

/// What can be indexed.
pub trait Keyed: Counted {
    type Key;
    fn key(&self) -> &Self::Key;
    /// The key's hash, or its upper half with zeros below; the same at each call.
    fn hash(&self) -> u64;
    /// Whether its hash may be this one: looked at before the keys are compared.
    fn may_be(&self, hash: u64) -> bool;
}

/// See the module.
pub struct Index<T: Keyed> {
    /// Of each shard.
    buckets: Readable<T>,
    /// The shards' locks, and how many things are in each.
    shards: Box<[Shard]>,
    /// It has a count of each.
    owned: PhantomData<StrongArc<T>>,
}

/// In cache lines that writers leave alone.
#[repr(align(64))]
struct Readable<T>([AtomicPtr<Bucket<T>>; SHARDS]);

#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<usize>);

/// The lock of a shard, and how many things are in it.
struct Lock<'i> {
    shard: usize,
    len: MutexGuard<'i, usize>,
}

/// Nothing leaves the shard, nor do its buckets.
impl Shelter for Lock<'_> {
    fn covers(&self, part: Part) -> bool {
        part == Part::of(self.shard)
    }
}

/// A thing that somebody else holds, as long as index and shelter live in which it was found.
pub struct Lent<'g, T: Counted>(ManuallyDrop<StrongArc<T>>, PhantomData<&'g ()>);

impl<T: Counted> Deref for Lent<'_, T> {
    type Target = StrongArc<T>;

    #[inline]
    fn deref(&self) -> &StrongArc<T> {
        &self.0
    }
}

impl<T: Keyed<Key: Eq> + Send + Sync + 'static> Index<T> {
    pub fn new() -> Self {
        Self {
            buckets: Readable(array::from_fn(|_| AtomicPtr::new(Buckets::none().into_raw()))),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            owned: PhantomData,
        }
    }

    /// Looks at what is there for the key. Takes no lock.
    #[inline]
    pub fn read<Q, R>(&self, hash: u64, key: &Q, look: impl FnOnce(&StrongArc<T>, &Guard) -> R) -> Option<R>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        let guard = Guard::of(part_of(hash));
        let it = self.find(hash, key, &guard)?;
        Some(look(&it, &guard))
    }

    /// What is there for the key. Takes no lock. (Lent by both: the index drops what is in it, whatever the shelter.)
    #[inline]
    pub fn find<'g, Q>(&'g self, hash: u64, key: &Q, shelter: &'g impl Shelter) -> Option<Lent<'g, T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        debug_assert!(shelter.covers(part_of(hash)), "invariant 4");
        let buckets = self.buckets_of(shard_of(hash));
        let first = buckets.get(buckets.first_of(hash), shelter);
        let word = first.word();
        if let found @ Some(_) = find_in(first, word, hash, key, shelter) {
            return found;
        }
        if word.is_passed(tag_of(hash)) { find_further(buckets, hash, key, shelter) } else { None }
    }

    /// What is there for the key.
    pub fn get<Q>(&self, hash: u64, key: &Q) -> Option<StrongArc<T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        self.read(hash, key, |it, _| StrongArc::clone(it))
    }

    /// Has the bucket of a hash loaded, for who inserts or removes something soon.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let buckets = self.buckets_of(shard_of(hash));
        prefetch(buckets.address_of(buckets.first_of(hash)));
    }

    /// Visits all that is there throughout, once each, under no guard and no lock. Holds a count of all in a shard for so long.
    pub fn for_each(&self, mut visit: impl FnMut(&StrongArc<T>)) {
        self.shards().for_each(|shard| self.all_in(shard).iter().for_each(&mut visit));
    }

    /// What [`all_in`](Self::all_in) may be asked for.
    pub fn shards(&self) -> Range<usize> {
        0..SHARDS
    }

    /// All that is in a shard throughout, a count of each.
    pub fn all_in(&self, shard: usize) -> Vec<StrongArc<T>> {
        let guard = Guard::of(Part::of(shard));
        let buckets = self.buckets_of(shard);
        let mut all = Vec::new();
        for number in 0..buckets.len() {
            let bucket = buckets.get(number, &guard);
            let there = bucket.word().taken().map(|place| lend(bucket.at(place), &guard));
            all.extend(there.map(|it| StrongArc::clone(&it)));
        }
        all
    }

    /// Holds the write lock of the key's shard while `f` runs.
    #[cfg(all(test, not(weakmap_loom)))]
    pub fn lock_shard_of<R>(&self, it: &StrongArc<T>, f: impl FnOnce() -> R) -> R {
        let lock = self.lock(shard_of(it.hash()));
        let result = f();
        drop(lock);
        result
    }

    #[inline]
    fn buckets_of(&self, shard: usize) -> Buckets<T> {
        // Acquire: pairs with the Release in `rebuild`.
        Buckets::from_raw(self.buckets.0[shard].load(Acquire))
    }

    fn lock(&self, shard: usize) -> Lock<'_> {
        Lock { shard, len: lock(&self.shards[shard].0) }
    }

    /// So many buckets for the shard. The old ones, to be freed when readers have left them.
    #[cold]
    #[inline(never)]
    fn rebuild(&self, wanted: usize, lock: &Lock<'_>) -> OwnedBuckets<T> {
        let (old, new) = (self.buckets_of(lock.shard), OwnedBuckets::new(wanted));
        for number in 0..old.len() {
            let bucket = old.get(number, lock);
            for place in bucket.word().taken() {
                let it = bucket.at(place);
                put(new.get(), it, lend(it, lock).hash(), lock);
            }
        }
        // Release: pairs with the Acquire in `buckets_of`.
        self.buckets.0[lock.shard].store(new.leak().into_raw(), Release);
        OwnedBuckets::of(old)
    }
}

/// The part (see `sync::grace`) of what has this hash: all that a search for it may look at, invariant 4.
#[inline]
pub fn part_of(hash: u64) -> Part {
    Part::of(shard_of(hash))
}

fn free_later<T: 'static>(old: Option<OwnedBuckets<T>>) {
    if let Some(old) = old {
        defer(move || drop(old));
    }
}

/// From the second bucket on.
#[cold]
#[inline(never)]
fn find_further<'g, T: Keyed, Q>(
    buckets: Buckets<T>,
    hash: u64,
    key: &Q,
    shelter: &'g impl Shelter,
) -> Option<Lent<'g, T>>
where
    Q: Equivalent<T::Key> + ?Sized,
{
    for number in buckets.way_of(hash).skip(1) {
        let bucket = buckets.get(number, shelter);
        let word = bucket.word();
        if let found @ Some(_) = find_in(bucket, word, hash, key, shelter) {
            return found;
        }
        if !word.is_passed(tag_of(hash)) {
            break;
        }
    }
    None
}

/// In a bucket whose word that is.
#[inline(always)]
fn find_in<'g, T: Keyed, Q>(
    bucket: &Bucket<T>,
    word: Word,
    hash: u64,
    key: &Q,
    shelter: &'g impl Shelter,
) -> Option<Lent<'g, T>>
where
    Q: Equivalent<T::Key> + ?Sized,
{
    let mut places = word.places_of(tag_of(hash));
    while let Some(place) = places.first() {
        let it = lend(bucket.at(place), shelter);
        if it.may_be(hash) && key.equivalent(it.key()) {
            return Some(it);
        }
        places = places.rest();
    }
    None
}

/// What such a pointer, found by its tag in a shelter that still lives, points to.
#[inline]
#[allow(unsafe_code)]
fn lend<T: Counted>(pointer: *mut T, _shelter: &impl Shelter) -> Lent<'_, T> {
    // SAFETY: it came from `StrongArc::into_raw`, and is not dropped while the shelter lives (invariants 2 and 4); ManuallyDrop: not ours.
    Lent(ManuallyDrop::new(unsafe { StrongArc::from_raw(pointer) }), PhantomData)
}

/// The index's own count of what was just taken out, or is left at the end.
#[allow(unsafe_code)]
fn own<T: Counted>(pointer: *mut T, _lock: &Lock<'_>) -> StrongArc<T> {
    // SAFETY: it came from `StrongArc::into_raw`; its tag has gone, so no one will take it out again (invariant 3).
    unsafe { StrongArc::from_raw(pointer) }
}

impl<T: Keyed> Drop for Index<T> {
    fn drop(&mut self) {
        for shard in 0..SHARDS {
            let lock = Lock { shard, len: lock(&self.shards[shard].0) };
            // Relaxed: `&mut` is ordered after every other use.
            let buckets = Buckets::<T>::from_raw(self.buckets.0[shard].load(Relaxed));
            for number in 0..buckets.len() {
                let bucket = buckets.get(number, &lock);
                bucket.word().taken().for_each(|place| drop(own(bucket.at(place), &lock)));
            }
            drop(OwnedBuckets::of(buckets));
        }
    }
}

impl<T: Keyed> fmt::Debug for Index<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
