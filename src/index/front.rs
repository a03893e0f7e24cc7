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

mod words;

#[cfg(all(test, not(weakmap_loom)))]
mod tests;

#[cfg(weakmap_loom)]
pub use self::words::{REACH, SLOTS};

use self::words::{
    EMPTIED, Word, Words, has_tag, mark_of, new_words, reach, size_for, size_of_words, tagged, untagged,
};
use super::Keyed;
use crate::sync::{AtomicPtr, Guard, Ordering::*, Shelter, StrongArc, fence, pin};
use equivalent::Equivalent;
use std::{fmt, marker::PhantomData, mem::ManuallyDrop, ops::Deref, ptr};

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
        let tagged = tagged(StrongArc::as_ptr(it).cast_mut(), it.hash()).filter(|_| !words.is_null());
        let Some(tagged) = tagged else {
            // Not asked again before there are other words.
            it.mark().store(mark_of(words), Relaxed);
            return None;
        };
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
                let old = Words::of(before);
                guard.defer_execute(move || {
                    if pin::pinned() {
                        pin::defer(move || drop(old));
                    }
                });
            }
            Err(_) => drop(Words::of(new)),
        }
    }
}

impl<T> Drop for Front<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut` is ordered after every other use.
        drop(Words::of(self.words.load(Relaxed)));
    }
}

impl<T> fmt::Debug for Front<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
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
