//! The front: what was read lately, found in one cache line. A hint that stands before the table; what it does not know, the table does.
//!
//! An array of words, each a pointer with sixteen bits of the hash above it. A thing lies in one of sixteen words, from where its hash
//! says. Readers put in what they read for the third time; whoever removes a thing from the table takes it out first. The front owns
//! nothing.
//!
//! # Who does what
//!
//! ```text
//! reader                    publisher (has read it)         whoever removes it
//! 1. enters guard or pin    1. enters the guard             1. closes it
//! 2. finds it in a word     2. marks it                     2. full fence
//! 3. looks at it            3. a free word := pointer       3. marked? empties its words in the front of now
//! 4. leaves                 4. full fence                   4. any pins? keeps a count until they have gone
//!                           5. closed? empties the word,    5. removes it from the table: it is dropped after
//!                              keeps a count until every       every guard of now
//!                              guard and pin of now has gone
//! ```
//!
//! # Invariants
//!
//! 1. A pointer in a word points to a thing that is dropped after every guard and every pin that could have read the pointer there. Before
//!    the table lets it go, it leaves the front (right, 3 and 4); where it comes in later, the publisher is about to see that (2), and its
//!    count keeps it.
//! 2. Of the two fences one comes first. If the publisher's: the remover finds mark and pointer. If the other: the publisher finds it closed.
//!    That holds for a publisher of another front, too: who saw a newer one than the remover has its fence later.
//! 3. Words are freed after every guard and every pin that could have seen them. Who uses old ones entered before they were replaced,
//!    and so before anything was dropped that a remover did not find because it looked in the new ones.
//! 4. What is in a front is marked: the mark comes first, and never goes.
//!
//! A word that was emptied is not null again: a search ends at the first that is null, and must not miss what lies behind.

use super::Keyed;
use crate::sync::{AtomicPtr, Guard, Ordering::*, Shelter, StrongArc, fence, pin};
use equivalent::Equivalent;
use std::{fmt, marker::PhantomData, mem::ManuallyDrop, ops::Deref, ptr, slice};

/// Words that a thing may lie in. Fewer in a model: each is one more place to switch threads at.
pub const REACH: usize = if cfg!(weakmap_loom) { 2 } else { 16 };
/// Slots of the table for a word. In a model so many that no true table has a front there.
pub const SLOTS: usize = if cfg!(weakmap_loom) { 1 << 24 } else { 1 };
/// Where the tag begins in a word. Pointers are below, or stay out.
const TAG: u32 = 48;
/// Low bits of the first word's address that are free.
const SIZE_BITS: u32 = 6;
/// The address of what was emptied.
const EMPTIED: usize = 1;
/// Tables with fewer slots have no front; nor has any where a pointer leaves no room for a tag.
const FEWEST: usize = match () {
    _ if cfg!(not(target_pointer_width = "64")) => usize::MAX,
    _ if cfg!(weakmap_loom) => 2 * SLOTS,
    _ => 64,
};

type Word<T> = AtomicPtr<T>;

/// See the module.
pub struct Front<T> {
    /// Null, or the first word, and in its lowest six bits how many there are, as a power of two; and `REACH - 1` more.
    words: AtomicPtr<Word<T>>,
    /// The models of other protocols have none: it would double their schedules.
    #[cfg(weakmap_loom)]
    modelled: bool,
}

/// A thing that somebody else holds, as long as the shelter lives in which it was found.
pub struct Lent<'g, T>(ManuallyDrop<StrongArc<T>>, PhantomData<&'g ()>);

impl<T> Deref for Lent<'_, T> {
    type Target = StrongArc<T>;

    #[inline]
    fn deref(&self) -> &StrongArc<T> {
        &self.0
    }
}

impl<T: Keyed + Send + Sync + 'static> Front<T> {
    pub fn new() -> Self {
        Self {
            words: AtomicPtr::new(ptr::null_mut()),
            #[cfg(weakmap_loom)]
            modelled: false,
        }
    }

    /// One with words from the start: two to the power of `size`.
    #[cfg(weakmap_loom)]
    pub fn with_size(size: u8) -> Self {
        Self { words: AtomicPtr::new(new_words(size).expect("memory")), modelled: true }
    }

    #[cfg(weakmap_loom)]
    fn is_out_of_the_model(&self) -> bool {
        !self.modelled
    }

    #[cfg(not(weakmap_loom))]
    #[inline]
    fn is_out_of_the_model(&self) -> bool {
        false
    }

    /// How many of the words of now are filled.
    #[cfg(weakmap_loom)]
    pub fn filled(&self, guard: &Guard) -> usize {
        let words = self.words.load(Acquire);
        let hashes = (0..1u64 << size_of_words(words)).map(|n| n << (64 - size_of_words(words)));
        let first = hashes.filter_map(|hash| reach(words, hash, guard).first());
        let all = first.chain(reach(words, u64::MAX, guard).iter().skip(1));
        all.filter(|word| word.load(Relaxed).addr() > EMPTIED).count()
    }

    /// What the front knows of the key. It may be closed by now.
    #[inline]
    pub fn find<'g, Q>(&self, hash: u64, key: &Q, shelter: &'g impl Shelter) -> Option<Lent<'g, T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        if self.is_out_of_the_model() {
            return None;
        }
        // Acquire: pairs with the Release in `exchange`.
        for word in reach(self.words.load(Acquire), hash, shelter) {
            // Acquire: pairs with the Release in `put`.
            let pointer = word.load(Acquire);
            if has_tag(pointer, hash)
                && let Some(it) = lend(pointer, shelter)
                && it.may_be(hash)
                && key.equivalent(it.key())
            {
                return Some(it);
            }
            if pointer.is_null() {
                break;
            }
        }
        None
    }

    /// Whether it was put into as many words as there are now.
    #[inline]
    pub fn has_met(&self, it: &T) -> bool {
        // Relaxed: a hint. Who errs publishes it once more, or leaves it to the table.
        self.is_out_of_the_model() || it.mark().load(Relaxed) == mark_of(self.words.load(Relaxed))
    }

    /// Puts in what the caller has found in a table of so many slots, unless there is no word free; into more words, if they do not befit
    /// the table.
    #[cold]
    pub fn publish(&self, it: &StrongArc<T>, slots: impl FnOnce() -> usize, guard: &Guard) {
        let word = self.put(it, guard).or_else(|| {
            self.grow(slots(), guard);
            self.put(it, guard)
        });
        let Some(word) = word else { return };
        // Partner: the fence in `withdraw` (invariant 2).
        fence(SeqCst);
        if it.is_closed() {
            empty(word, it);
            let kept = StrongArc::clone(it);
            guard.defer_execute(move || drop(kept));
            keep_for_pins(it);
        }
    }

    /// Takes it out. It must be closed.
    pub fn withdraw(&self, it: &StrongArc<T>, guard: &Guard) {
        if self.is_out_of_the_model() {
            return;
        }
        debug_assert!(it.is_closed());
        // Partner: the fence in `publish` (invariant 2).
        fence(SeqCst);
        // Relaxed, as all that follows: ordered by the fences.
        if it.mark().load(Relaxed) == 0 {
            return;
        }
        reach(self.words.load(Acquire), it.hash(), guard).iter().for_each(|word| empty(word, it));
        keep_for_pins(it);
    }

    /// Loads its words, for who withdraws it soon.
    #[inline]
    pub fn fetch(&self, it: &StrongArc<T>, guard: &Guard) {
        let word = reach(self.words.load(Acquire), it.hash(), guard).first();
        std::hint::black_box(word.map(|word| word.load(Relaxed)));
    }

    /// Where it is now; `None` if there is no word for it.
    fn put<'g>(&self, it: &StrongArc<T>, guard: &'g Guard) -> Option<&'g Word<T>> {
        let words = self.words.load(Acquire);
        if words.is_null() {
            // Not asked again before there are words.
            it.mark().store(mark_of(words), Relaxed);
        }
        let tagged = tagged(StrongArc::as_ptr(it).cast_mut(), it.hash())?;
        for word in reach(words, it.hash(), guard) {
            let there = word.load(Relaxed);
            if there == tagged {
                return Some(word);
            }
            if there.addr() <= EMPTIED {
                // Relaxed: the fence in `publish` orders it.
                it.mark().store(mark_of(words), Relaxed);
                // Release: pairs with the Acquire in `find`.
                match word.compare_exchange(there, tagged, Release, Relaxed) {
                    Ok(_) => return Some(word),
                    // Another publisher of the same was first.
                    Err(other) if other == tagged => return Some(word),
                    Err(_) => {}
                }
            }
        }
        None
    }

    /// Makes room for a table of so many slots, if there is less.
    pub fn grow(&self, slots: usize, guard: &Guard) {
        let before = self.words.load(Acquire);
        let size = size_for(slots);
        if size > size_of_words(before) {
            self.exchange(before, size, guard);
        }
    }

    /// Gives up what is too much for a table of so many slots: all there is, for what is read comes in again.
    pub fn shrink(&self, slots: usize, guard: &Guard) {
        if self.is_out_of_the_model() {
            return;
        }
        let before = self.words.load(Acquire);
        if size_for(slots) < size_of_words(before) {
            self.exchange(before, 0, guard);
        }
    }

    /// New words, so many, unless another thread is first.
    fn exchange(&self, before: *mut Word<T>, size: u8, guard: &Guard) {
        let Some(new) = new_words(size) else { return };
        // Release: pairs with the Acquire of whoever loads it.
        match self.words.compare_exchange(before, new, Release, Relaxed) {
            Ok(_) => {
                let old = Words(AtomicPtr::new(before));
                guard.defer_execute(move || {
                    if pin::pinned() {
                        pin::defer(move || drop(old));
                    }
                });
            }
            Err(_) => drop(Words(AtomicPtr::new(new))),
        }
    }
}

impl<T> Drop for Front<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut` is ordered after every other use.
        drop(Words(AtomicPtr::new(self.words.load(Relaxed))));
    }
}

impl<T> fmt::Debug for Front<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

/// The right to free such words.
struct Words<T>(AtomicPtr<Word<T>>);

impl<T> Drop for Words<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut` is ordered after every other use.
        let words = self.0.load(Relaxed);
        if !words.is_null() {
            free_words(base_of(words), size_of_words(words));
        }
    }
}

/// So many words, all null; null for none. `None` if there is no memory.
fn new_words<T>(size: u8) -> Option<*mut Word<T>> {
    if size == 0 {
        return Some(ptr::null_mut());
    }
    let first = null_words(size)?;
    Some(first.map_addr(|address| address | usize::from(size)))
}

/// From zeroed memory, which costs nothing before it is used: a reader makes them.
#[cfg(not(weakmap_loom))]
#[allow(unsafe_code)]
fn null_words<T>(size: u8) -> Option<*mut Word<T>> {
    // SAFETY: the layout is not empty, and null pointers are zeros.
    let first = unsafe { std::alloc::alloc_zeroed(layout_of::<T>(size)) }.cast::<Word<T>>();
    (!first.is_null()).then_some(first)
}

/// What `null_words` made. No guard and no pin can see them any more (invariant 3).
#[cfg(not(weakmap_loom))]
#[allow(unsafe_code)]
fn free_words<T>(first: *mut Word<T>, size: u8) {
    // SAFETY: by the above. Words have no destructors.
    unsafe { std::alloc::dealloc(first.cast(), layout_of::<T>(size)) }
}

#[cfg(not(weakmap_loom))]
fn layout_of<T>(size: u8) -> std::alloc::Layout {
    let words = std::alloc::Layout::array::<Word<T>>(count_of(size)).expect("as many as a table has slots");
    words.align_to(1 << SIZE_BITS).expect("a power of two")
}

#[cfg(weakmap_loom)]
use watched::{free_words, null_words};

/// For a model, words lie in a stand-in `Arc`, which reports who uses them when they are free.
#[cfg(weakmap_loom)]
#[allow(unsafe_code)]
mod watched {
    use super::{AtomicPtr, ManuallyDrop, StrongArc, Word, count_of, ptr};
    use std::array;

    /// The most that a model may want.
    const MOST: usize = 8;

    #[repr(C, align(64))]
    struct Block<T>([Word<T>; MOST]);

    pub fn null_words<T>(size: u8) -> Option<*mut Word<T>> {
        assert!(count_of(size) <= MOST);
        let words = array::from_fn(|_| AtomicPtr::new(ptr::null_mut::<T>()));
        Some(StrongArc::into_raw(StrongArc::new(Block(words))).cast_mut().cast())
    }

    fn block<T>(first: *mut Word<T>) -> ManuallyDrop<StrongArc<Block<T>>> {
        // SAFETY: `null_words` made it. (That it lives is checked.)
        ManuallyDrop::new(unsafe { StrongArc::from_raw(first.cast::<Block<T>>()) })
    }

    /// Panics if they are free, or could be for all that this thread knows.
    pub fn check<T>(first: *mut Word<T>) {
        let _: &Block<T> = &block(first);
    }

    pub fn free_words<T>(first: *mut Word<T>, _size: u8) {
        drop(ManuallyDrop::into_inner(block(first)));
    }
}

fn count_of(size: u8) -> usize {
    (1 << size) + REACH - 1
}

/// The size that befits a table of so many slots: a word for each. 0 for none.
fn size_for(slots: usize) -> u8 {
    if slots < FEWEST { 0 } else { (slots / SLOTS).ilog2() as u8 }
}

#[inline]
fn size_of_words<T>(words: *mut Word<T>) -> u8 {
    (words.addr() & ((1 << SIZE_BITS) - 1)) as u8
}

/// Of what is put into these words; not 0.
#[inline]
fn mark_of<T>(words: *mut Word<T>) -> u8 {
    size_of_words(words) + 1
}

#[inline]
fn base_of<T>(words: *mut Word<T>) -> *mut Word<T> {
    words.map_addr(|address| address & !((1 << SIZE_BITS) - 1))
}

/// The words in which a thing of this hash may lie: the highest bits tell where they begin.
#[inline]
#[allow(unsafe_code)]
fn reach<T>(words: *mut Word<T>, hash: u64, _shelter: &impl Shelter) -> &[Word<T>] {
    let first = base_of(words);
    if first.is_null() {
        return &[];
    }
    let number = hash >> (u32::from(size_of_words(words)).wrapping_neg() & 63);
    #[cfg(weakmap_loom)]
    watched::check(first);
    // SAFETY: `new_words` made so many beyond the highest such number, and they stay while the shelter lives (invariant 3).
    unsafe { slice::from_raw_parts(first.add(number as usize), REACH) }
}

/// Whether the word's tag is that of the hash: the lower half of its upper half. (Few of these bits tell where the word is.)
#[inline]
fn has_tag<T>(word: *mut T, hash: u64) -> bool {
    (word.addr() as u64 ^ hash << 16) >> TAG == 0
}

/// `None` if the address leaves no room for a tag.
fn tagged<T>(pointer: *mut T, hash: u64) -> Option<*mut T> {
    let tag = (hash << 16 >> TAG << TAG) as usize;
    (pointer.addr() as u64 >> TAG == 0).then(|| pointer.map_addr(|address| address | tag))
}

fn untagged<T>(word: *mut T) -> *mut T {
    word.map_addr(|address| (address as u64 & ((1 << TAG) - 1)) as usize)
}

/// What such a word, read in a shelter that still lives, points to.
#[inline]
#[allow(unsafe_code)]
fn lend<T>(word: *mut T, _shelter: &impl Shelter) -> Option<Lent<'_, T>> {
    let pointer = untagged(word);
    if pointer.addr() <= EMPTIED {
        return None;
    }
    // SAFETY: it came from `StrongArc::as_ptr`, and is not dropped while the shelter lives (invariant 1); ManuallyDrop: not ours.
    Some(Lent(ManuallyDrop::new(unsafe { StrongArc::from_raw(pointer) }), PhantomData))
}

/// What just left a word may have been seen under a pin, which keeps it no other way (see `sync::pin`): then a count waits for the pins
/// of now.
fn keep_for_pins<T: Send + Sync + 'static>(it: &StrongArc<T>) {
    if pin::pinned() {
        let kept = StrongArc::clone(it);
        pin::defer(move || drop(kept));
    }
}

/// Empties the word, if this is in it.
fn empty<T>(word: &Word<T>, it: &StrongArc<T>) {
    let there = word.load(Relaxed);
    if untagged(there).cast_const() == StrongArc::as_ptr(it) {
        // Relaxed: who finds it empty needs nothing of who emptied it. No ABA: `it` keeps the pointer from being used again.
        let _ = word.compare_exchange(there, ptr::without_provenance_mut(EMPTIED), Relaxed, Relaxed);
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;
    use crate::sync::{AtomicBool, AtomicU8};

    struct Thing {
        key: u32,
        hash: u64,
        closed: AtomicBool,
        mark: AtomicU8,
    }

    impl Keyed for Thing {
        type Key = u32;

        fn key(&self) -> &u32 {
            &self.key
        }

        fn hash(&self) -> u64 {
            self.hash
        }

        fn may_be(&self, hash: u64) -> bool {
            self.hash == hash
        }

        fn is_closed(&self) -> bool {
            self.closed.load(Relaxed)
        }

        fn is_in_use(&self) -> bool {
            true
        }

        fn mark(&self) -> &AtomicU8 {
            &self.mark
        }
    }

    /// Keys from 0, all of one hash.
    fn things(count: u32, hash: u64) -> Vec<StrongArc<Thing>> {
        let thing = |key| {
            let (closed, mark) = (AtomicBool::new(false), AtomicU8::new(0));
            StrongArc::new(Thing { key, hash, closed, mark })
        };
        (0..count).map(thing).collect()
    }

    fn keys_found(front: &Front<Thing>, hash: u64) -> Vec<u32> {
        (0..100).filter(|key| front.find(hash, key, &Guard::new()).is_some_and(|it| it.key == *key)).collect()
    }

    #[test]
    fn what_is_published_is_found_until_it_is_withdrawn() {
        let (front, guard) = (Front::new(), Guard::new());
        for hash in [0, u64::MAX, 0x9e37_79b9_7f4a_7c15] {
            let things = things(3, hash);
            things.iter().for_each(|it| front.publish(it, || 64, &guard));
            assert_eq!(keys_found(&front, hash), [0, 1, 2]);
            assert_eq!(keys_found(&front, hash ^ 1 << 40), [], "another tag");
            things[0].closed.store(true, Relaxed);
            front.withdraw(&things[0], &guard);
            assert_eq!(keys_found(&front, hash), [1, 2], "behind what was emptied");
            front.publish(&things[0], || 64, &guard);
            assert_eq!(keys_found(&front, hash), [1, 2], "a closed one goes at once");
            things.iter().for_each(|it| it.closed.store(true, Relaxed));
            things.iter().for_each(|it| front.withdraw(it, &guard));
            assert_eq!(keys_found(&front, hash), []);
        }
    }

    #[test]
    fn there_is_room_for_sixteen_of_one_hash_and_for_others_when_they_go() {
        let (front, guard) = (Front::new(), Guard::new());
        let things = things(20, 7 << 60);
        things.iter().for_each(|it| front.publish(it, || 64, &guard));
        assert_eq!(keys_found(&front, 7 << 60), (0..16).collect::<Vec<_>>());
        things[5].closed.store(true, Relaxed);
        front.withdraw(&things[5], &guard);
        front.publish(&things[19], || 64, &guard);
        assert_eq!(keys_found(&front, 7 << 60).last(), Some(&19));
    }

    #[test]
    fn it_grows_with_the_table_and_shrinks_to_nothing() {
        let (front, guard) = (Front::new(), Guard::new());
        let things = things(20, 7 << 60);
        front.publish(&things[0], || 63, &guard);
        assert!(keys_found(&front, 7 << 60).is_empty(), "too small for a front");
        things.iter().for_each(|it| front.publish(it, || 64, &guard));
        assert!(front.has_met(&things[0]) && !front.has_met(&things[16]), "full");
        front.publish(&things[16], || 1024, &guard);
        assert!(!front.has_met(&things[0]) && front.has_met(&things[16]), "new words");
        assert_eq!(keys_found(&front, 7 << 60), [16]);
        front.shrink(1024, &guard);
        assert_eq!(keys_found(&front, 7 << 60), [16]);
        front.shrink(512, &guard);
        assert!(keys_found(&front, 7 << 60).is_empty());
    }
}
