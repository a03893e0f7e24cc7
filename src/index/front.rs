//! The front: what was read lately, found in one cache line. A hint that stands before the table; what it does not know, the table does.
//!
//! An array of words, each a pointer with sixteen bits of the hash above it. A thing lies in one of sixteen words, from where its hash
//! says. Readers put in what they read for the third time; whoever closed a thing takes it out, and holds it until then. The front owns nothing.
//!
//! # Who does what
//!
//! ```text
//! reader                    publisher (has read it)         whoever closes it
//! 1. enters the guard       1. enters the guard             1. closes it
//! 2. finds it in a word     2. marks it                     2. full fence
//! 3. looks at it            3. a free word := pointer       3. marked? empties its words in the front of now,
//! 4. leaves                 4. full fence                      keeps a count until every guard of now has gone
//!                           5. closed? empties the word,    4. removes it from the table
//!                              keeps a count until every
//!                              guard of now has gone
//! ```
//!
//! Others may find it closed, and remove it from the table: who closed it has a count yet.
//!
//! # Invariants
//!
//! 1. A pointer in a word points to a thing that is dropped after every guard that could have read the pointer there: who closed
//!    it has a count before it leaves the front, and keeps one after that (right, 3); where it comes in later, the publisher is about to
//!    see that (2), and its count keeps it.
//! 2. Of the two fences one comes first. If the publisher's: the remover finds mark and pointer. If the other: the publisher finds it closed.
//!    That holds for a publisher of another front, too: who saw a newer one than the remover has its fence later.
//! 3. Words are freed after every guard that could have seen them. Who uses old ones entered before they were replaced,
//!    and so before anything was dropped that a remover did not find because it looked in the new ones.
//! 4. What is in a front is marked: the mark comes first, and never goes.
//!
//! A word that was emptied is not null again: a search ends at the first that is null, and must not miss what lies behind.

mod words;

#[cfg(all(test, not(weakmap_loom)))]
mod tests;

#[cfg(weakmap_loom)]
pub use self::words::{PER_WORD, REACH};

use self::words::{
    EMPTIED, Word, Words, are_none, has_tag, mark_of, new_words, no_words, reach, size_for, size_of_words,
    tagged, untagged,
};
use super::Keyed;
use crate::sync::{AtomicPtr, Guard, Ordering::*, Shelter, StrongArc, defer, fence, fence_after_exchange};
use equivalent::Equivalent;
use std::{fmt, marker::PhantomData, mem::ManuallyDrop, ops::Deref, ptr};

/// See the module.
pub struct Front<T> {
    /// The first word, and in its lowest six bits how many there are, as a power of two; and `REACH - 1` more.
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
            words: AtomicPtr::new(no_words()),
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
        let first = hashes.map(|hash| &reach(words, hash, guard)[0]);
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
        let [first, others @ ..] = reach(self.words.load(Acquire), hash, shelter);
        match look(first, hash, key, shelter) {
            Look::Further => find_in(others, hash, key, shelter),
            Look::Over(found) => found,
        }
    }

    /// Whether it was put into as many words as there are now.
    #[inline]
    pub fn has_met(&self, it: &T) -> bool {
        // Relaxed: a hint. Who errs publishes it once more, or leaves it to the table.
        self.is_out_of_the_model() || it.mark().load(Relaxed) == mark_of(self.words.load(Relaxed))
    }

    /// Puts in what the caller has found in the table, unless there is no word free; into more words, if so many are wanted by now.
    #[cold]
    pub fn publish(&self, it: &StrongArc<T>, wanted: impl FnOnce() -> usize, guard: &Guard) {
        let word = self.put(it, guard).or_else(|| {
            self.grow(wanted());
            self.put(it, guard)
        });
        let Some(word) = word else { return };
        // Partner: the fence in `withdraw` (invariant 2).
        fence(SeqCst);
        if it.is_closed() {
            empty(word, it);
            let kept = StrongArc::clone(it);
            defer(move || drop(kept));
        }
    }

    /// Takes it out. For whoever closed it, just before, by an exchange. Whether it was ever in: then a count of it must wait for the guards
    /// of now.
    #[inline]
    pub fn withdraw(&self, it: &StrongArc<T>, guard: &Guard) -> bool {
        if self.is_out_of_the_model() {
            return false;
        }
        debug_assert!(it.is_closed());
        // Partner: the fence in `publish` (invariant 2).
        fence_after_exchange();
        // Relaxed, as all that follows: ordered by the fences.
        if it.mark().load(Relaxed) == 0 {
            return false;
        }
        reach(self.words.load(Acquire), it.hash(), guard).iter().for_each(|word| empty(word, it));
        true
    }

    /// Loads its words, for who withdraws it soon.
    #[inline]
    pub fn fetch(&self, it: &StrongArc<T>, guard: &Guard) {
        let [word, ..] = reach(self.words.load(Acquire), it.hash(), guard);
        std::hint::black_box(word.load(Relaxed));
    }

    /// Where it is now; `None` if there is no word for it.
    fn put<'g>(&self, it: &StrongArc<T>, guard: &'g Guard) -> Option<&'g Word<T>> {
        let words = self.words.load(Acquire);
        let tagged = tagged(StrongArc::as_ptr(it).cast_mut(), it.hash()).filter(|_| !are_none(words));
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

    /// Makes so many words, if there are fewer.
    pub fn grow(&self, wanted: usize) {
        let before = self.words.load(Acquire);
        let size = size_for(wanted);
        if size > 0 && (are_none(before) || size > size_of_words(before)) {
            self.exchange(before, size);
        }
    }

    /// Gives up what is more than twice too much: all there is, for what is read comes in again.
    pub fn shrink(&self, wanted: usize) {
        if self.is_out_of_the_model() {
            return;
        }
        let (before, size) = (self.words.load(Acquire), size_for(wanted));
        if !are_none(before) && (size == 0 || size + 1 < size_of_words(before)) {
            self.exchange(before, 0);
        }
    }

    /// New words, so many, unless another thread is first.
    fn exchange(&self, before: *mut Word<T>, size: u8) {
        let Some(new) = new_words(size) else { return };
        // Release: pairs with the Acquire of whoever loads it.
        match self.words.compare_exchange(before, new, Release, Relaxed) {
            Ok(_) => {
                let old = Words::of(before);
                defer(move || drop(old));
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

/// Of a search, at one word.
enum Look<'g, T> {
    Further,
    Over(Option<Lent<'g, T>>),
}

#[inline(always)]
fn look<'g, T: Keyed, Q>(word: &Word<T>, hash: u64, key: &Q, shelter: &'g impl Shelter) -> Look<'g, T>
where
    Q: Equivalent<T::Key> + ?Sized,
{
    // Acquire: pairs with the Release in `put`.
    let pointer = word.load(Acquire);
    if has_tag(pointer, hash) {
        let it = lend(pointer, shelter);
        if it.may_be(hash) && key.equivalent(it.key()) {
            return Look::Over(Some(it));
        }
    }
    if pointer.is_null() { Look::Over(None) } else { Look::Further }
}

// Not inlined: LLVM unrolls it, and what it is inlined into is not small any more.
#[inline(never)]
fn find_in<'g, T: Keyed, Q>(
    words: &[Word<T>],
    hash: u64,
    key: &Q,
    shelter: &'g impl Shelter,
) -> Option<Lent<'g, T>>
where
    Q: Equivalent<T::Key> + ?Sized,
{
    for word in words {
        if let Look::Over(found) = look(word, hash, key, shelter) {
            return found;
        }
    }
    None
}

/// What such a word with a tag, read in a shelter that still lives, points to.
#[inline]
#[allow(unsafe_code)]
fn lend<T>(word: *mut T, _shelter: &impl Shelter) -> Lent<'_, T> {
    // SAFETY: it came from `StrongArc::as_ptr`, and is not dropped while the shelter lives (invariant 1); ManuallyDrop: not ours.
    Lent(ManuallyDrop::new(unsafe { StrongArc::from_raw(untagged(word)) }), PhantomData)
}

/// Empties the word, if this is in it.
fn empty<T>(word: &Word<T>, it: &StrongArc<T>) {
    let there = word.load(Relaxed);
    if untagged(there).cast_const() == StrongArc::as_ptr(it) {
        // Relaxed: who finds it empty needs nothing of who emptied it. No ABA: `it` keeps the pointer from being used again.
        let _ = word.compare_exchange(there, ptr::without_provenance_mut(EMPTIED), Relaxed, Relaxed);
    }
}
