//! What is remembered of the entries that went: a table of ghosts, four bytes each.
//!
//! ```text
//!   hash ──mix───► bucket (high 32 bits) ─► ┌──────────┬────────────┐
//!             └──► tag    (low 16 bits)     │ tags × 8 │ stamps × 8 │ = 32 bytes
//!                                           └──────────┴────────────┘
//! ```
//!
//! A ghost is found by bucket and tag, the key is not kept. A hit takes it out, a full bucket gives
//! up its oldest. *Costs*: another key has the same tag in a full bucket with probability 8/65536,
//! and one look-up touches one line of 32 bytes. *Benefit*: 13 bytes per cached entry for both
//! tables (3 + 1/4 slots), where a map of hashes would take about 60; the hit ratio is the same
//! (38.68 % against 38.66 % with exact ghosts, research/policy.md).
//!
//! A stamp counts quanta of 1/128 to 1/64 of the capacity in 16 bits, so it comes round after 512
//! capacities at the earliest. Before that a [scrubber](GhostTable::scrub) has been at every bucket
//! and has cleared what is older than half a round.
//!
//! When the number of cached entries, or the capacity, is no longer what the table was built for,
//! it is rebuilt. The hash is lost by then, so where a bucket is split, each ghost goes to every
//! bucket it may belong to: a copy in the wrong one is never asked for and ages away.

use crate::prefetch::prefetch;
use std::array;

/// The memory of a ring. [`GhostTable`] in earnest; exact ones, for tests, may take its place.
pub trait Ghosts {
    /// Remembers an entry with this stamp, not later than `now`.
    fn put(&mut self, hash: u64, stamp: u64, now: u64);
    /// Forgets the entry and tells how old its stamp is.
    fn take(&mut self, hash: u64, now: u64) -> Option<u64>;
    /// Has loaded what a `put` or a `take` will look at.
    fn prefetch(&self, _hash: u64) {}
    /// Told before a `put`: how many entries are cached, in which capacity.
    fn fit(&mut self, entries: usize, capacity: u64, now: u64);
    /// Heap bytes.
    fn bytes(&self) -> usize;
}

const WAYS: usize = 8;

/// Ages, in quanta, from which a ghost is scrubbed: half a round of the stamps, at least 256
/// capacities. The policy asks for 3.
const OLD: u16 = 1 << 15;

/// The scrubber goes through the table once in so many quanta (8 to 16 capacities), much less than
/// the half round it has.
const ROUND: u64 = 1 << 10;

/// Tags and stamps of the ghosts; an empty place has tag 0.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
struct Bucket {
    tags: [u16; WAYS],
    stamps: [u16; WAYS],
}

impl Bucket {
    /// The ways that have this tag, a bit each. Compares four tags at once.
    #[inline]
    fn ways_of(&self, tag: u16) -> u64 {
        let [low, high] = self.differences(tag);
        if (lower_if_zero(low) | lower_if_zero(high)) & HIGHEST == 0 {
            return 0;
        }
        zeros(low) | zeros(high) << 1
    }

    /// All tags less this one, bit by bit: zero where it is this one.
    #[inline]
    fn differences(&self, tag: u16) -> [u64; 2] {
        let sought = u64::from(tag) * LANES;
        [self.four_tags(0) ^ sought, self.four_tags(4) ^ sought]
    }

    #[inline]
    fn four_tags(&self, first: usize) -> u64 {
        (0..4).fold(0, |word, lane| word | u64::from(self.tags[first + lane]) << (16 * lane))
    }

    /// Puts a ghost over its own, else into an empty place, else over the oldest.
    #[inline]
    fn put(&mut self, tag: u16, stamp: u16, now: u16) {
        let own = self.ways_of(tag);
        let way = match if own > 0 { own } else { self.ways_of(0) } {
            0 => self.oldest(now),
            ways => way_of(ways),
        };
        (self.tags[way], self.stamps[way]) = (tag, stamp);
    }

    #[inline]
    fn oldest(&self, now: u16) -> usize {
        let rank = |way| u32::from(now.wrapping_sub(self.stamps[way])) << 3 | way as u32;
        let ranks: [u32; WAYS] = array::from_fn(rank);
        ranks.into_iter().fold(0, u32::max) as usize % WAYS
    }

    /// Takes the ghost out; its stamp.
    #[inline]
    fn take(&mut self, tag: u16) -> Option<u16> {
        let ways = self.ways_of(tag);
        if ways == 0 {
            return None;
        }
        self.tags[way_of(ways)] = 0;
        Some(self.stamps[way_of(ways)])
    }

    /// Clears what is too old.
    fn scrub(&mut self, now: u16) {
        for way in 0..WAYS {
            if now.wrapping_sub(self.stamps[way]) >= OLD {
                self.tags[way] = 0;
            }
        }
    }

    fn ghosts(self) -> impl Iterator<Item = (u16, u16)> {
        self.tags.into_iter().zip(self.stamps).filter(|&(tag, _)| tag != 0)
    }
}

/// The lowest bit of each of four tags in a word.
const LANES: u64 = 0x0001_0001_0001_0001;

/// The highest bit of each.
const HIGHEST: u64 = LANES << 15;

/// Where no tag is zero, no highest bit is set; else that of the first that is, at least. Cheaper than [`zeros`].
#[inline]
fn lower_if_zero(tags: u64) -> u64 {
    tags.wrapping_sub(LANES) & !tags
}

/// A bit for each of four tags that is zero: the lowest of its lane.
#[inline]
fn zeros(tags: u64) -> u64 {
    const BELOW: u64 = 0x7fff * LANES;
    let some = ((tags & BELOW) + BELOW) | tags; // the highest bit of each lane that is not zero
    (!some >> 15) & LANES
}

/// A way of [those](Bucket::ways_of).
#[inline]
fn way_of(ways: u64) -> usize {
    let bit = ways.trailing_zeros() as usize;
    (bit / 16 + bit % 2 * 4) % WAYS
}

/// Bits to choose from, of a hash whose upper half is enough of one.
#[inline]
fn mix(hash: u64) -> u64 {
    let bits = (hash ^ hash >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits ^ bits >> 32
}

/// A hashed table of ghosts, of `per_entry` slots for every cached entry.
#[derive(Debug)]
pub struct GhostTable {
    buckets: Vec<Bucket>,
    per_entry: f64,
    /// The number of entries it was built for.
    entries: usize,
    /// The capacity that was asked for last.
    capacity: u64,
    /// A quantum is `1 << shift`.
    shift: u32,
    /// The bucket to be scrubbed next, and when, in quanta, the last one was.
    broom: usize,
    scrubbed: u64,
}

impl GhostTable {
    /// An empty table; it takes memory when it is first [fitted](Ghosts::fit).
    pub fn new(per_entry: f64) -> Self {
        Self { buckets: Vec::new(), per_entry, entries: 0, capacity: 0, shift: 0, broom: 0, scrubbed: 0 }
    }

    fn quanta(&self, time: u64) -> u64 {
        time >> self.shift
    }

    #[inline]
    fn locate(&self, hash: u64) -> (usize, u16) {
        let bits = mix(hash);
        let bucket = ((bits >> 32) * self.buckets.len() as u64) >> 32;
        (bucket as usize, (bits as u16).max(1))
    }

    /// Clears what is too old, in as many buckets as the time since the last call asks for.
    #[cold]
    fn scrub(&mut self, quanta: u64) {
        let passed = quanta.saturating_sub(self.scrubbed).min(ROUND);
        self.scrubbed = quanta;
        for _ in 0..(self.buckets.len() as u64 * passed).div_ceil(ROUND) {
            self.buckets[self.broom].scrub(quanta as u16);
            self.broom = (self.broom + 1) % self.buckets.len();
        }
    }

    /// Moves to a table for so many entries, with quanta of another length.
    fn rebuild(&mut self, entries: usize, shift: u32, now: u64) {
        let slots = (entries as f64 * self.per_entry).ceil() as usize;
        let empty = vec![Bucket::default(); slots.div_ceil(WAYS).max(1)];
        let ghosts = std::mem::replace(&mut self.buckets, empty);
        let was = std::mem::replace(&mut self.shift, shift);
        (self.entries, self.broom, self.scrubbed) = (entries, 0, self.quanta(now));
        for (index, bucket) in ghosts.iter().enumerate() {
            for (tag, stamp) in bucket.ghosts() {
                let age = u64::from(((now >> was) as u16).wrapping_sub(stamp)) << was;
                self.copy(tag, now.saturating_sub(age), now, index, ghosts.len());
            }
        }
    }

    /// Puts a ghost of bucket `index` of `of` wherever its hash may belong now.
    fn copy(&mut self, tag: u16, stamp: u64, now: u64, index: usize, of: usize) {
        let first = index * self.buckets.len() / of;
        let last = ((index + 1) * self.buckets.len()).div_ceil(of).max(first + 1);
        for bucket in first..last {
            self.write(bucket, tag, stamp, now);
        }
    }

    #[inline]
    fn write(&mut self, bucket: usize, tag: u16, stamp: u64, now: u64) {
        let now = self.quanta(now);
        let stamp = self.quanta(stamp).max(now.saturating_sub(u64::from(OLD - 1)));
        self.buckets[bucket].put(tag, stamp as u16, now as u16);
    }

    #[cold]
    fn refit(&mut self, entries: usize, capacity: u64, now: u64) {
        self.capacity = capacity;
        let shift = (capacity / 64).max(1).ilog2();
        if self.is_outgrown(entries) || shift.abs_diff(self.shift) > 1 {
            self.rebuild(entries, shift, now);
        }
    }

    #[inline]
    fn is_outgrown(&self, entries: usize) -> bool {
        entries > 2 * self.entries || 2 * entries < self.entries
    }
}

impl Ghosts for GhostTable {
    #[inline]
    fn put(&mut self, hash: u64, stamp: u64, now: u64) {
        if !self.buckets.is_empty() {
            let (bucket, tag) = self.locate(hash);
            self.write(bucket, tag, stamp, now);
        }
    }

    #[inline(always)] // two tables are asked for one hash: it is mixed once
    fn take(&mut self, hash: u64, now: u64) -> Option<u64> {
        if self.buckets.is_empty() {
            return None;
        }
        let quanta = self.quanta(now);
        if quanta != self.scrubbed {
            self.scrub(quanta);
        }
        let (bucket, tag) = self.locate(hash);
        let stamp = self.buckets[bucket].take(tag)?;
        Some(u64::from((quanta as u16).wrapping_sub(stamp)) << self.shift)
    }

    #[inline]
    fn prefetch(&self, hash: u64) {
        if !self.buckets.is_empty() {
            let (bucket, _) = self.locate(hash);
            prefetch(&self.buckets[bucket]);
        }
    }

    #[inline]
    fn fit(&mut self, entries: usize, capacity: u64, now: u64) {
        if capacity != self.capacity || self.is_outgrown(entries) {
            self.refit(entries, capacity, now);
        }
    }

    fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
