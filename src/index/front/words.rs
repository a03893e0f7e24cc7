//! The front's words: what is in one, and the memory that many lie in. A pointer to the first of them says in its low bits how many there
//! are.

use crate::sync::{AtomicPtr, Ordering::Relaxed, Shelter};
use std::ptr;

/// Words that a thing may lie in. Fewer in a model: each is one more place to switch threads at.
pub const REACH: usize = if cfg!(weakmap_loom) { 2 } else { 16 };
/// How many must be wanted for one. In a model so many that no true table has a front there.
pub const PER_WORD: usize = if cfg!(weakmap_loom) { 1 << 24 } else { 1 };
/// Where the tag begins in a word. Pointers are below, or stay out.
const TAG: u32 = 48;
/// Low bits of the first word's address that are free.
const SIZE_BITS: u32 = 6;
/// The address of what was emptied.
pub const EMPTIED: usize = 1;
/// Where fewer are wanted there are none; nor are there any where a pointer leaves no room for a tag.
const FEWEST: usize = match () {
    _ if cfg!(not(target_pointer_width = "64")) => usize::MAX,
    _ if cfg!(weakmap_loom) => 2 * PER_WORD,
    _ => 64,
};

pub type Word<T> = AtomicPtr<T>;

/// The right to free such words.
pub struct Words<T>(AtomicPtr<Word<T>>);

impl<T> Words<T> {
    pub fn of(words: *mut Word<T>) -> Self {
        Self(AtomicPtr::new(words))
    }
}

impl<T> Drop for Words<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut` is ordered after every other use.
        let words = self.0.load(Relaxed);
        if !are_none(words) {
            free_words(base_of(words), size_of_words(words));
        }
    }
}

/// So many words, all null; for none, those of nobody. `None` if there is no memory.
pub fn new_words<T>(size: u8) -> Option<*mut Word<T>> {
    if size == 0 {
        return Some(no_words());
    }
    let first = null_words(size)?;
    Some(first.map_addr(|address| address | usize::from(size)))
}

/// Words that stay null: who looks for something needs not ask whether there are any. Their size is that of no others.
#[cfg(not(weakmap_loom))]
static NONE: Nobodys = Nobodys([const { AtomicPtr::new(ptr::null_mut()) }; REACH + 1]);

#[cfg(not(weakmap_loom))]
#[repr(align(64))]
struct Nobodys([Word<()>; REACH + 1]);

#[cfg(not(weakmap_loom))]
pub fn no_words<T>() -> *mut Word<T> {
    ptr::from_ref(&NONE.0).cast_mut().cast::<Word<T>>().map_addr(|address| address | 1)
}

#[cfg(weakmap_loom)]
pub fn no_words<T>() -> *mut Word<T> {
    ptr::null_mut()
}

pub fn are_none<T>(words: *mut Word<T>) -> bool {
    words == no_words()
}

/// From zeroed memory, which costs nothing before it is used: a reader makes them.
#[cfg(not(weakmap_loom))]
#[allow(unsafe_code)]
fn null_words<T>(size: u8) -> Option<*mut Word<T>> {
    // SAFETY: the layout is not empty, and null pointers are zeros.
    let first = unsafe { std::alloc::alloc_zeroed(layout_of::<T>(size)) }.cast::<Word<T>>();
    (!first.is_null()).then_some(first)
}

/// What `null_words` made. No guard can see them any more (invariant 3).
#[cfg(not(weakmap_loom))]
#[allow(unsafe_code)]
fn free_words<T>(first: *mut Word<T>, size: u8) {
    // SAFETY: by the above. Words have no destructors.
    unsafe { std::alloc::dealloc(first.cast(), layout_of::<T>(size)) }
}

#[cfg(not(weakmap_loom))]
fn layout_of<T>(size: u8) -> std::alloc::Layout {
    let words = std::alloc::Layout::array::<Word<T>>(count_of(size)).expect("no more than a table has slots");
    words.align_to(1 << SIZE_BITS).expect("a power of two")
}

#[cfg(weakmap_loom)]
use watched::{free_words, null_words};

/// For a model, words lie in a stand-in `Arc`, which reports who uses them when they are free.
#[cfg(weakmap_loom)]
#[allow(unsafe_code)]
mod watched {
    use super::{AtomicPtr, REACH, Word, count_of, ptr};
    use crate::sync::StrongArc;
    use std::{array, mem::ManuallyDrop};

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

    crate::sync::lazy_static! {
        static ref NONE: [Word<()>; REACH] = array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
    }

    /// Panics if they are free, or could be for all that this thread knows. Where they are none: words that stay null.
    pub fn check<'w, T>(first: *mut Word<T>) -> Option<&'w [Word<T>; REACH]> {
        if first.is_null() {
            // SAFETY: pointers of one size, and these are null.
            return Some(unsafe { &*ptr::from_ref(&*NONE).cast() });
        }
        let _: &Block<T> = &block(first);
        None
    }

    pub fn free_words<T>(first: *mut Word<T>, _size: u8) {
        drop(ManuallyDrop::into_inner(block(first)));
    }
}

fn count_of(size: u8) -> usize {
    (1 << size) + REACH - 1
}

/// The size of so many words, rounded down. 0 for none.
pub fn size_for(words: usize) -> u8 {
    if words < FEWEST { 0 } else { (words / PER_WORD).ilog2() as u8 }
}

#[inline]
pub fn size_of_words<T>(words: *mut Word<T>) -> u8 {
    (words.addr() & ((1 << SIZE_BITS) - 1)) as u8
}

/// Of what is put into these words; not 0.
#[inline]
pub fn mark_of<T>(words: *mut Word<T>) -> u8 {
    size_of_words(words) + 1
}

#[inline]
fn base_of<T>(words: *mut Word<T>) -> *mut Word<T> {
    words.map_addr(|address| address & !((1 << SIZE_BITS) - 1))
}

/// Of the first word for a hash: its highest bits, as many as the size says.
#[inline]
fn number_of<T>(words: *mut Word<T>, hash: u64) -> usize {
    (hash >> (u32::from(size_of_words(words)).wrapping_neg() & 63)) as usize
}

/// The words in which a thing of this hash may lie: the highest bits tell where they begin.
#[inline]
#[allow(unsafe_code)]
pub fn reach<T>(words: *mut Word<T>, hash: u64, _shelter: &impl Shelter) -> &[Word<T>; REACH] {
    #[cfg(weakmap_loom)]
    if let Some(nobodys) = watched::check(base_of(words)) {
        return nobodys;
    }
    // SAFETY: `new_words` made so many beyond the highest such number, and they stay while the shelter lives (invariant 3).
    unsafe { &*base_of(words).add(number_of(words, hash)).cast() }
}

/// Its tag, above where pointers are: the lower half of its upper half (few of these bits tell where its word is), but for the highest bit,
/// which is set, and so in no word that points to nothing.
#[inline]
fn tag_of(hash: u64) -> u64 {
    hash << 16 | 1 << 63
}

/// Whether the word points to something, and its tag is that of the hash.
#[inline]
pub fn has_tag<T>(word: *mut T, hash: u64) -> bool {
    (word.addr() as u64 ^ tag_of(hash)) >> TAG == 0
}

/// `None` if the address leaves no room for a tag.
pub fn tagged<T>(pointer: *mut T, hash: u64) -> Option<*mut T> {
    let tag = (tag_of(hash) >> TAG << TAG) as usize;
    (pointer.addr() as u64 >> TAG == 0).then(|| pointer.map_addr(|address| address | tag))
}

pub fn untagged<T>(word: *mut T) -> *mut T {
    word.map_addr(|address| (address as u64 & ((1 << TAG) - 1)) as usize)
}
