//! A bucket: one cache line, with seven places and a word that says what is in them.
//!
//! The word has a byte for each place, 0 where it is vacant, else a tag: a part of the hash, and its highest bit set. And two counts of what
//! passed by, for even and odd tags: things whose hash says this bucket, or led to it, and which found it full. One load of it tells where to
//! look, and whether to look on.

use crate::sync::{
    AtomicPtr, AtomicU64,
    Ordering::{Acquire, Release},
};
use std::ptr;

/// Fewer in a model: there a bucket is to be full sooner.
pub const PLACES: usize = if cfg!(weakmap_loom) { 2 } else { 7 };

/// The lowest bit of each place's byte.
const ONES: u64 = {
    let (mut ones, mut place) = (0, 0);
    while place < PLACES {
        ones |= 1 << (8 * place);
        place += 1;
    }
    ones
};
/// The highest, which each tag has.
const HIGH: u64 = ONES << 7;
/// Where it is counted what passed by.
const PASSED: u32 = 56;
/// So many are never counted down: it may have been more.
const MOST_PASSED: u64 = 0xf;

/// See the module.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Bucket<T> {
    word: AtomicU64,
    places: [AtomicPtr<T>; PLACES],
}

/// What a bucket's word said.
#[derive(Clone, Copy, Debug)]
pub struct Word(u64);

/// Places, each the highest bit of its byte.
#[derive(Clone, Copy, Debug)]
pub struct Places(u64);

impl<T> Bucket<T> {
    #[cfg(not(weakmap_loom))]
    pub const fn new() -> Self {
        Self { word: AtomicU64::new(0), places: [const { AtomicPtr::new(ptr::null_mut()) }; PLACES] }
    }

    #[cfg(weakmap_loom)]
    pub fn new() -> Self {
        let places = std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
        Self { word: AtomicU64::new(0), places }
    }

    /// What is where.
    #[inline]
    pub fn word(&self) -> Word {
        // Acquire: pairs with the Release in `set_word`.
        Word(self.word.load(Acquire))
    }

    /// For who has the right to write.
    pub fn set_word(&self, word: Word) {
        // Release, even to say that something went or passed: it says again what came before.
        self.word.store(word.0, Release);
    }

    /// What is in a place that the word names, or what came there since.
    #[inline]
    pub fn at(&self, place: usize) -> *mut T {
        // Acquire: pairs with the Release in `put`, for what came later than the word says.
        self.places[place].load(Acquire)
    }

    /// Puts something in, for readers to find by this word. For who has the right to write.
    #[inline]
    pub fn put(&self, place: usize, it: *mut T, word: Word) {
        self.places[place].store(it, Release);
        self.set_word(word);
    }
}

impl Word {
    /// The places with this tag; above one, maybe such as differ from it in one bit.
    #[inline]
    pub fn places_of(self, tag: u8) -> Places {
        let other = self.0 ^ (u64::from(tag) * ONES);
        // Of those taken: a byte that is 0 now borrows, and has its highest bit then. So has the one above it, where it is 1.
        Places(other.wrapping_sub(ONES) & self.0 & HIGH)
    }

    /// The places in which something is.
    pub fn taken(self) -> Places {
        Places(self.0 & HIGH)
    }

    /// A place in which nothing is.
    pub fn vacant(self) -> Option<usize> {
        Places(!self.0 & HIGH).first()
    }

    /// Whether something with this tag may lie further on.
    #[inline]
    pub fn is_passed(self, tag: u8) -> bool {
        self.0 >> passed(tag) & MOST_PASSED > 0
    }

    /// Whether something with this tag may lie here or further on.
    #[inline]
    pub fn may_lead_to(self, tag: u8) -> bool {
        self.places_of(tag).first().is_some() || self.is_passed(tag)
    }

    pub fn with(self, place: usize, tag: u8) -> Self {
        Self(self.0 | u64::from(tag) << (8 * place))
    }

    pub fn without(self, place: usize) -> Self {
        Self(self.0 & !(0xff << (8 * place)))
    }

    /// Something passes by.
    pub fn pass(self, tag: u8) -> Self {
        self.count_passed(tag, u64::wrapping_add)
    }

    /// What had passed by has gone.
    pub fn unpass(self, tag: u8) -> Self {
        self.count_passed(tag, u64::wrapping_sub)
    }

    fn count_passed(self, tag: u8, count: fn(u64, u64) -> u64) -> Self {
        let is_exact = self.0 >> passed(tag) & MOST_PASSED < MOST_PASSED;
        if is_exact { Self(count(self.0, 1 << passed(tag))) } else { self }
    }
}

/// Where those with such a tag are counted.
#[inline]
fn passed(tag: u8) -> u32 {
    PASSED + 4 * u32::from(tag & 1)
}

impl Places {
    #[inline]
    pub fn first(self) -> Option<usize> {
        (self.0 > 0).then(|| self.0.trailing_zeros() as usize / 8)
    }

    /// All but the first.
    #[inline]
    pub fn rest(self) -> Self {
        Self(self.0 & (self.0 - 1))
    }
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let first = self.first()?;
        *self = self.rest();
        Some(first)
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_which_places_have_a_tag() {
        // Neighbours that differ in the lowest bit, and vacant ones among them.
        let tags = [0x81, 0, 0x80, 0x81, 0xff, 0, 0x80];
        let word = (0..).zip(tags).fold(Word(0xff << PASSED), |word, (place, tag)| word.with(place, tag));
        for tag in 0x80..=0xff {
            let expected = (0..PLACES).find(|&place| tags[place] == tag);
            let found: Vec<_> = word.places_of(tag).collect();
            assert_eq!(found.first().copied(), expected, "{tag:x}");
            let alike = |place: &usize| tags[*place] | 1 == tag | 1;
            assert!(found.iter().all(alike), "{tag:x}: {found:?}");
            let all = (0..PLACES).filter(|&place| tags[place] == tag);
            assert!(all.into_iter().all(|place| found.contains(&place)), "{tag:x}: {found:?}");
        }
        assert_eq!(word.taken().collect::<Vec<_>>(), [0, 2, 3, 4, 6]);
        assert_eq!(word.vacant(), Some(1));
        assert_eq!(word.without(3).taken().collect::<Vec<_>>(), [0, 2, 4, 6]);
    }

    #[test]
    fn what_passes_is_counted_as_far_as_there_is_room() {
        for (tag, other) in [(0x80, 0x81), (0xff, 0xfe)] {
            let mut word = Word(0).with(6, 0xff);
            (0..14).for_each(|_| word = word.pass(tag));
            for _ in 0..14 {
                assert!(word.is_passed(tag) && !word.is_passed(other));
                word = word.unpass(tag);
            }
            assert!(!word.is_passed(tag));
            (0..30).for_each(|_| word = word.pass(tag));
            (0..30).for_each(|_| word = word.unpass(tag));
            assert!(word.is_passed(tag) && !word.is_passed(other), "it was more than could be counted");
            assert_eq!(word.taken().collect::<Vec<_>>(), [6]);
        }
    }
}
