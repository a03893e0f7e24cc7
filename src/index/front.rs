//! The front: what was read lately, found in one cache line. A hint that stands before the table; what it does not know, the table does.
//!
//! A line holds seven pointers and a byte of hash for each. Readers put in what they read for the second time; whoever removes a thing
//! from the table takes it out first. The front owns nothing.
//!
//! # Who does what
//!
//! ```text
//! reader                    publisher (has read it)         whoever removes it
//! 1. enters the guard       1. enters the guard             1. closes it
//! 2. front := pointer       2. marks it                     2. full fence
//! 3. finds it in a line     3. an empty place := pointer    3. marked? empties its places in the front of now
//! 4. looks at it            4. full fence                   4. removes it from the table: it is dropped after
//! 5. leaves the guard       5. closed? empties the place,      every guard of now
//!                              keeps a count until every
//!                              guard of now has gone
//! ```
//!
//! # Invariants
//!
//! 1. A pointer in a line points to a thing that is dropped after every guard that could have read the pointer there. Before the table
//!    lets it go, it leaves the front (right, 3); where it comes in later, the publisher is about to see that (2), and its count keeps it.
//! 2. Of the two fences one comes first. If the publisher's: the remover finds mark and pointer. If the other: the publisher finds it closed.
//!    That holds for a publisher of another front, too: who saw a newer one than the remover has its fence later.
//! 3. Lines are freed after every guard that could have seen them. Who uses old ones entered its guard before they were replaced, and
//!    so before anything was dropped that a remover did not find because it looked in the new ones.
//! 4. A place is filled by whoever finds it empty, and emptied by who removes the thing or has put it there: a tag is its filler's. A
//!    tag that is wrong (two fillers in a row, the first one late) hides a thing from readers, and they ask the table.

use super::Keyed;
use crate::sync::{AtomicPtr, AtomicU64, Guard, Ordering::*, Shelter, StrongArc, fence, pin};
use equivalent::Equivalent;
use std::{fmt, mem::ManuallyDrop, ptr};

const PLACES: usize = 7;
/// For each place, the lowest bit of its tag.
const LOWEST: u64 = 0x0001_0101_0101_0101;
/// Among the tags: something that belongs here is in the partner.
const SPILLED: u64 = 1 << 63;
/// Slots of the table for three lines: four slots for five places, so that of what it holds at its fullest one in a hundred finds none
/// (with a line for eight slots one in twenty, and a read of that costs twice as much).
const SLOTS: usize = 16;
/// Tables with fewer slots have no front. The models have one where they mean to.
const FEWEST: usize = if cfg!(weakmap_loom) { usize::MAX } else { 64 };

#[repr(align(64))]
struct Line<T> {
    tags: AtomicU64,
    places: [AtomicPtr<T>; PLACES],
}

/// See the module.
pub struct Front<T> {
    /// Null, or the first line, and in its lowest six bits a power of two: there are three times as many.
    lines: AtomicPtr<Line<T>>,
}

/// A thing that somebody else holds.
pub type Lent<T> = ManuallyDrop<StrongArc<T>>;

impl<T: Keyed + Send + Sync + 'static> Front<T> {
    pub fn new() -> Self {
        Self { lines: AtomicPtr::new(ptr::null_mut()) }
    }

    /// What the front knows of the key. It may be closed by now.
    #[inline]
    pub fn find<Q>(&self, hash: u64, key: &Q, shelter: &impl Shelter) -> Option<Lent<T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        // Acquire: pairs with the Release in `exchange`.
        let lines = self.lines.load(Acquire);
        let line = line_of(lines, hash, shelter)?;
        // Relaxed: tags are hints.
        let tags = line.tags.load(Relaxed);
        match line.search(tags, hash, key) {
            None if tags & SPILLED != 0 => partner_of(lines, hash, shelter)?.search_tags(hash, key),
            found => found,
        }
    }

    /// Whether it was put into lines of so many as there are now.
    #[inline]
    pub fn has_met(&self, it: &T) -> bool {
        // Relaxed: a hint. Who errs publishes it once more, or leaves it to the table.
        it.mark().load(Relaxed) == mark_of(self.lines.load(Relaxed))
    }

    /// Puts in what the caller has found in a table of so many slots, in lines that befit it, unless there is no place.
    #[cold]
    pub fn publish(&self, it: &StrongArc<T>, slots: impl FnOnce() -> usize, guard: &Guard) {
        let place = self.put(it, guard).or_else(|| {
            self.grow(slots(), guard);
            self.put(it, guard)
        });
        let Some(place) = place else { return };
        // Partner: the fence in `withdraw` (invariant 2).
        fence(SeqCst);
        if it.is_closed() {
            empty(place, it);
            let kept = StrongArc::clone(it);
            guard.defer_execute(move || drop(kept));
            keep_for_pins(it);
        }
    }

    /// Takes it out. It must be closed.
    pub fn withdraw(&self, it: &StrongArc<T>, guard: &Guard) {
        debug_assert!(it.is_closed());
        // Partner: the fence in `publish` (invariant 2).
        fence(SeqCst);
        // Relaxed, as all that follows: ordered by the fences.
        if it.mark().load(Relaxed) == 0 {
            return;
        }
        let lines = self.lines.load(Acquire);
        let both = [line_of(lines, it.hash(), guard), partner_of(lines, it.hash(), guard)];
        both.iter().flatten().flat_map(|line| &line.places).for_each(|place| empty(place, it));
        keep_for_pins(it);
    }

    /// Loads its line, for who withdraws it soon.
    #[inline]
    pub fn fetch(&self, it: &StrongArc<T>, guard: &Guard) {
        let line = line_of(self.lines.load(Acquire), it.hash(), guard);
        std::hint::black_box(line.map(|line| line.tags.load(Relaxed)));
    }

    /// Where it is now; `None` if its lines are full.
    fn put<'g>(&self, it: &StrongArc<T>, guard: &'g Guard) -> Option<&'g AtomicPtr<T>> {
        let lines = self.lines.load(Acquire);
        let line = line_of(lines, it.hash(), guard)?;
        line.put(it, lines).or_else(|| {
            if line.tags.load(Relaxed) & SPILLED == 0 {
                line.tags.fetch_or(SPILLED, Relaxed);
            }
            partner_of(lines, it.hash(), guard)?.put(it, lines)
        })
    }

    /// Makes room for a table of so many slots, if there is less.
    fn grow(&self, slots: usize, guard: &Guard) {
        let before = self.lines.load(Acquire);
        let size = size_for(slots);
        if size > size_of_lines(before) {
            self.exchange(before, size, guard);
        }
    }

    /// Gives up what is too much for a table of so many slots: all there is, for what is read comes in again.
    pub fn shrink(&self, slots: usize, guard: &Guard) {
        let before = self.lines.load(Acquire);
        if size_for(slots) < size_of_lines(before) {
            self.exchange(before, 0, guard);
        }
    }

    /// New lines of that size, unless another thread is first.
    fn exchange(&self, before: *mut Line<T>, size: u8, guard: &Guard) {
        let Some(new) = new_lines(size) else { return };
        // Release: pairs with the Acquire of `line` and `put`.
        match self.lines.compare_exchange(before, new, Release, Relaxed) {
            Ok(_) => {
                let old = Lines(AtomicPtr::new(before));
                if pin::pinned_since_exchange() {
                    pin::defer(move || Guard::new().defer_execute(move || drop(old)));
                } else {
                    guard.defer_execute(move || drop(old));
                }
            }
            Err(_) => drop(Lines(AtomicPtr::new(new))),
        }
    }
}

impl<T: Keyed> Line<T> {
    #[inline]
    fn search<Q>(&self, tags: u64, hash: u64, key: &Q) -> Option<Lent<T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        let mut candidates = candidates(tags, hash);
        while candidates != 0 {
            // Acquire: pairs with the Release in `put`.
            let pointer = self.places[candidates.trailing_zeros() as usize / 8].load(Acquire);
            if let Some(it) = lend(pointer)
                && it.may_be(hash)
                && key.equivalent(it.key())
            {
                return Some(it);
            }
            candidates &= candidates - 1;
        }
        None
    }

    #[inline(never)]
    fn search_tags<Q>(&self, hash: u64, key: &Q) -> Option<Lent<T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        self.search(self.tags.load(Relaxed), hash, key)
    }

    /// Into an empty place, unless it is in one; `None` if there is none. `lines` are those of which this is one.
    fn put(&self, it: &StrongArc<T>, lines: *mut Line<T>) -> Option<&AtomicPtr<T>> {
        let pointer = StrongArc::as_ptr(it).cast_mut();
        for (number, place) in self.places.iter().enumerate() {
            let there = place.load(Relaxed);
            if there == pointer {
                return Some(place);
            }
            if there.is_null() {
                // Relaxed: the fence in `publish` orders it.
                it.mark().store(mark_of(lines), Relaxed);
                // Release: pairs with the Acquire in `search`.
                if place.compare_exchange(there, pointer, Release, Relaxed).is_ok() {
                    self.tag(number, it.hash());
                    return Some(place);
                }
            }
        }
        None
    }

    /// For who has filled the place.
    fn tag(&self, number: usize, hash: u64) {
        // Relaxed: a tag is a hint, and nobody else is to change this one (invariant 4).
        let difference = (self.tags.load(Relaxed) >> (8 * number) ^ hash) & 0xff;
        self.tags.fetch_xor(difference << (8 * number), Relaxed);
    }
}

/// The places with the tag of this hash: the highest bit of each one's byte. (After one that has it, a place whose tag differs in the
/// lowest bit counts, too.)
#[inline]
fn candidates(tags: u64, hash: u64) -> u64 {
    let differences = tags ^ (LOWEST * (hash & 0xff));
    differences.wrapping_sub(LOWEST) & !differences & (LOWEST << 7)
}

impl<T> Drop for Front<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut` is ordered after every other use.
        drop(Lines(AtomicPtr::new(self.lines.load(Relaxed))));
    }
}

impl<T> fmt::Debug for Front<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

/// The right to free what such a word points to.
struct Lines<T>(AtomicPtr<Line<T>>);

impl<T> Drop for Lines<T> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // Relaxed: `&mut` is ordered after every other use.
        let lines = self.0.load(Relaxed);
        if !lines.is_null() {
            let lines = ptr::slice_from_raw_parts_mut(base_of(lines), 3 << size_of_lines(lines));
            // SAFETY: `new_lines` made so many, of one allocation. No guard can see them any more (invariant 3).
            drop(unsafe { Box::from_raw(lines) });
        }
    }
}

/// So many empty lines; null for none. `None` if there is no memory.
fn new_lines<T>(size: u8) -> Option<*mut Line<T>> {
    const { assert!(align_of::<Line<T>>() >= 64) }
    if size == 0 {
        return Some(ptr::null_mut());
    }
    let lines = empty_lines(3 << size)?;
    Some(lines.map_addr(|address| address | usize::from(size)))
}

/// From zeroed memory, which costs nothing before it is used: a reader makes them.
#[cfg(not(weakmap_loom))]
#[allow(unsafe_code)]
fn empty_lines<T>(count: usize) -> Option<*mut Line<T>> {
    use std::alloc::{Layout, alloc_zeroed};
    let layout = Layout::array::<Line<T>>(count).ok()?;
    // SAFETY: the layout is not empty. Zeros are a line: no tags, and null pointers.
    let lines = unsafe { alloc_zeroed(layout) }.cast::<Line<T>>();
    (!lines.is_null()).then_some(lines)
}

#[cfg(weakmap_loom)]
fn empty_lines<T>(count: usize) -> Option<*mut Line<T>> {
    let places = || std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
    let lines: Box<[Line<T>]> =
        (0..count).map(|_| Line { tags: AtomicU64::new(0), places: places() }).collect();
    Some(Box::into_raw(lines).cast())
}

/// The size of lines that befit a table of so many slots; 0 for none.
fn size_for(slots: usize) -> u8 {
    if slots < FEWEST { 0 } else { (slots / SLOTS).ilog2() as u8 }
}

#[inline]
fn size_of_lines<T>(lines: *mut Line<T>) -> u8 {
    (lines.addr() & 63) as u8
}

/// Of what is put into these lines; not 0.
#[inline]
fn mark_of<T>(lines: *mut Line<T>) -> u8 {
    size_of_lines(lines) + 1
}

#[inline]
fn base_of<T>(lines: *mut Line<T>) -> *mut Line<T> {
    lines.map_addr(|address| address & !63)
}

/// The line of a hash: its highest bits tell.
#[inline]
fn line_of<T>(lines: *mut Line<T>, hash: u64, shelter: &impl Shelter) -> Option<&Line<T>> {
    nth_line(lines, number_of(lines, hash), shelter)
}

/// Where what finds no place in the line of its hash goes: beside it.
#[inline]
fn partner_of<T>(lines: *mut Line<T>, hash: u64, shelter: &impl Shelter) -> Option<&Line<T>> {
    nth_line(lines, number_of(lines, hash) ^ 1, shelter)
}

#[inline]
fn number_of<T>(lines: *mut Line<T>, hash: u64) -> usize {
    // Highest bits alone: of these, as `Keyed::hash` says, there are 32.
    (((hash >> 32) * 3) >> (32 - u32::from(size_of_lines(lines)) & 63)) as usize
}

#[inline]
#[allow(unsafe_code)]
fn nth_line<T>(lines: *mut Line<T>, number: usize, _shelter: &impl Shelter) -> Option<&Line<T>> {
    // SAFETY: null, or there are three times two to the power of `size_of_lines` lines, and they stay while the
    // guard lives (invariant 3); the number is below that.
    unsafe { base_of(lines).as_ref().map(|first| &*ptr::from_ref(first).add(number)) }
}

/// What such a pointer, read under a guard that still lives, points to.
#[inline]
#[allow(unsafe_code)]
fn lend<T>(pointer: *mut T) -> Option<Lent<T>> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: it came from `StrongArc::as_ptr`, and is not dropped while the guard lives (invariant 1); ManuallyDrop: not ours.
    Some(ManuallyDrop::new(unsafe { StrongArc::from_raw(pointer) }))
}

/// What just left a place may have been seen under a pin, which keeps it no other way (see `sync::pin`): then a count waits for the pins
/// of now.
fn keep_for_pins<T: Send + Sync + 'static>(it: &StrongArc<T>) {
    if pin::pinned() {
        let kept = StrongArc::clone(it);
        pin::defer(move || drop(kept));
    }
}

/// Empties the place, if this is in it.
fn empty<T>(place: &AtomicPtr<T>, it: &StrongArc<T>) {
    let pointer = StrongArc::as_ptr(it).cast_mut();
    if place.load(Relaxed) == pointer {
        // Relaxed: who finds it empty needs nothing of who emptied it. No ABA: `it` keeps the pointer from being used again.
        let _ = place.compare_exchange(pointer, ptr::null_mut(), Relaxed, Relaxed);
    }
}
