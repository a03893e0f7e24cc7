//! Buckets: the memory that many lie in, a power of two, and the way through them. A pointer to the first says in its low bits how many there
//! are.

use super::bucket::{Bucket, PLACES};
use crate::sync::{Shelter, grace::PARTS};
use std::ptr;

/// A bucket has so many bytes, and its address is a multiple of that: low bits are free. Those of the first say by how much a hash is shifted to say, but for as
/// many bits, how far its bucket is from there.
const BYTES: usize = align_of::<Bucket<()>>();
const SHIFT: usize = BYTES - 1;
/// Where there is one bucket.
const MOST_SHIFTED: usize = (u64::BITS - BYTES.ilog2()) as usize;

/// A model has one.
pub const SHARDS: usize = if cfg!(weakmap_loom) { 1 } else { 64 };
const _: () = assert!(SHARDS <= PARTS);

/// The shard of a hash: by the lowest bits of the upper half.
#[inline]
pub fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

/// The tag of a hash: seven bits above those of the shard, and the highest, which says that something is there.
#[inline]
pub fn tag_of(hash: u64) -> u8 {
    (hash >> 38) as u8 | 0x80
}

/// See the module.
#[derive(Debug)]
pub struct Buckets<T>(*mut Bucket<T>);

impl<T> Clone for Buckets<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Buckets<T> {}

impl<T> Buckets<T> {
    /// Where nothing is.
    pub fn none() -> Self {
        if cfg!(weakmap_loom) { OwnedBuckets::new(1).leak() } else { Self(nobodys()) }
    }

    pub fn from_raw(first: *mut Bucket<T>) -> Self {
        Self(first)
    }

    pub fn into_raw(self) -> *mut Bucket<T> {
        self.0
    }

    /// How many there are.
    pub fn len(self) -> usize {
        1 << (MOST_SHIFTED - (self.0.addr() & SHIFT))
    }

    /// So many things lie in them before there are to be more buckets: three quarters of the places. What passed a bucket does not come back
    /// when that has room again, so where things come and go, more and more pass: there, a search for nothing looks at 2 buckets (with four fifths
    /// at 3, with nine tenths at more than 10), one that finds something at 1.3.
    pub fn most(self) -> usize {
        if self.0 == nobodys() { 0 } else { most_in(self.len()) }
    }

    /// The bucket that a hash says: by its highest bits.
    #[inline]
    pub fn first_of(self, hash: u64) -> usize {
        (hash >> (self.0.addr() & SHIFT)) as usize / BYTES
    }

    /// Where to look on, as long as the buckets are passed: all of them, each once, in an order that the hash says.
    #[inline]
    pub fn way_of(self, hash: u64) -> Way {
        Way {
            next: self.first_of(hash),
            step: 2 * usize::from(tag_of(hash)) + 1,
            left: self.len(),
            len: self.len(),
        }
    }

    #[inline]
    #[allow(unsafe_code)]
    pub fn get(self, number: usize, _shelter: &impl Shelter) -> &Bucket<T> {
        debug_assert!(number < self.len());
        #[cfg(weakmap_loom)]
        watched::check(self.address_of(0));
        // SAFETY: numbers are below `len`, for the shift leaves so many bits, and the way's mask as many. The buckets stay while the shelter
        // lives (invariant 5).
        unsafe { &*self.address_of(number) }
    }

    /// Where a bucket lies; to be looked at under a shelter alone.
    #[inline]
    pub fn address_of(self, number: usize) -> *mut Bucket<T> {
        self.0.map_addr(|address| address & !SHIFT).wrapping_add(number)
    }
}

/// See [`Buckets::way_of`].
#[derive(Clone, Copy, Debug)]
pub struct Way {
    next: usize,
    /// Odd: it meets all of a power of two.
    step: usize,
    left: usize,
    len: usize,
}

impl Iterator for Way {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let number = self.next;
        self.next = (number + self.step) & (self.len - 1);
        self.left = self.left.checked_sub(1)?;
        Some(number)
    }
}

/// The fewest buckets in which so many things leave three tenths of the places free.
pub fn buckets_for(things: usize) -> usize {
    (things * 10).div_ceil(7 * PLACES).next_power_of_two()
}

fn most_in(buckets: usize) -> usize {
    if buckets == 1 { PLACES } else { buckets * PLACES * 3 / 4 }
}

/// A bucket that stays empty: who looks for something needs not ask whether there is any.
#[cfg(not(weakmap_loom))]
static NOBODYS: Bucket<()> = Bucket::new();

#[cfg(not(weakmap_loom))]
fn nobodys<T>() -> *mut Bucket<T> {
    ptr::from_ref(&NOBODYS).cast_mut().cast::<Bucket<T>>().map_addr(|address| address | MOST_SHIFTED)
}

/// In a model there are buckets from the start.
#[cfg(weakmap_loom)]
fn nobodys<T>() -> *mut Bucket<T> {
    ptr::null_mut()
}

/// The right to free buckets, not what lies in them.
#[derive(Debug)]
pub struct OwnedBuckets<T>(Buckets<T>);

#[allow(unsafe_code)]
// SAFETY: it only frees memory, of atomics.
unsafe impl<T> Send for OwnedBuckets<T> {}

impl<T> OwnedBuckets<T> {
    /// So many, a power of two.
    pub fn new(len: usize) -> Self {
        let shift = MOST_SHIFTED - len.ilog2() as usize;
        Self(Buckets(empty_buckets(len).map_addr(|address| address | shift)))
    }

    pub fn of(buckets: Buckets<T>) -> Self {
        Self(buckets)
    }

    /// To be freed by who makes one of it again.
    pub fn leak(self) -> Buckets<T> {
        std::mem::ManuallyDrop::new(self).0
    }

    pub fn get(&self) -> Buckets<T> {
        self.0
    }
}

impl<T> Drop for OwnedBuckets<T> {
    fn drop(&mut self) {
        if self.0.0 != nobodys() {
            free_buckets(self.0.0.map_addr(|address| address & !SHIFT), self.0.len());
        }
    }
}

#[cfg(not(weakmap_loom))]
fn empty_buckets<T>(len: usize) -> *mut Bucket<T> {
    let buckets: Box<[Bucket<T>]> = std::iter::repeat_with(Bucket::new).take(len).collect();
    Box::into_raw(buckets).cast()
}

#[cfg(not(weakmap_loom))]
#[allow(unsafe_code)]
fn free_buckets<T>(first: *mut Bucket<T>, len: usize) {
    // SAFETY: `empty_buckets` made so many of a box; no shelter sees them any more.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(first, len)) });
}

#[cfg(weakmap_loom)]
use watched::{empty_buckets, free_buckets};

/// For a model, buckets lie in a stand-in `Arc`, which reports who uses them when they are free.
#[cfg(weakmap_loom)]
#[allow(unsafe_code)]
mod watched {
    use super::Bucket;
    use crate::sync::StrongArc;
    use std::{array, mem::ManuallyDrop};

    /// The most that a model may want.
    const MOST: usize = 4;

    #[repr(C, align(64))]
    struct Block<T>([Bucket<T>; MOST]);

    pub fn empty_buckets<T>(len: usize) -> *mut Bucket<T> {
        assert!(len <= MOST);
        let block: Block<T> = Block(array::from_fn(|_| Bucket::new()));
        StrongArc::into_raw(StrongArc::new(block)).cast_mut().cast()
    }

    fn block<T>(first: *mut Bucket<T>) -> ManuallyDrop<StrongArc<Block<T>>> {
        // SAFETY: `empty_buckets` made it. (That it lives is checked.)
        ManuallyDrop::new(unsafe { StrongArc::from_raw(first.cast::<Block<T>>()) })
    }

    /// Panics if they are free, or could be for all that this thread knows.
    pub fn check<T>(first: *mut Bucket<T>) {
        let _: &Block<T> = &block(first);
    }

    pub fn free_buckets<T>(first: *mut Bucket<T>, _len: usize) {
        drop(ManuallyDrop::into_inner(block(first)));
    }
}
