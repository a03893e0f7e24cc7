//! The entry: what the index holds for a key.

#[cfg(not(weakmap_loom))]
use crate::sync::Counted;
use crate::{
    index::Keyed,
    prefetch::prefetch,
    quiet::Quiet,
    slot::Slot,
    sync::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering::*, yield_now},
};
use std::mem;

/// The most that an entry's use count says.
const MOST_USES: u8 = 3;
/// In place of a count: a `get` wanted to revive the entry, and could not.
const WANTED: u8 = 4;

/// Key, weight, use count, slot. In this order, so that what a `get` looks at (all but the weight) lies together: an allocator that gives
/// multiples of 16 bytes puts the first 24 in one cache line three times of four (of 32, two times).
#[derive(Debug)]
#[repr(C)]
pub struct Entry<K, V> {
    /// The hash's upper half: so use count, lock and count of handles have room in the same word. Index and ghosts look at no other.
    high: u32,
    uses: AtomicU8,
    writing: AtomicBool,
    /// Of `StrongArc`.
    #[cfg_attr(weakmap_loom, allow(dead_code))]
    handles: AtomicU16,
    pub slot: Slot<V>,
    key: Quiet<K>,
    /// What the value weighs; exact for the strong value under [`Entry::write`], or when nothing runs.
    weight: AtomicU64,
}

/// The right to change slot and weight together.
#[derive(Debug)]
#[must_use]
pub struct Writing<'e>(&'e AtomicBool);

impl<K, V> Entry<K, V> {
    /// An entry without a value yet.
    pub fn vacant(hash: u64, key: K) -> Self {
        Self {
            high: (hash >> 32) as u32,
            uses: AtomicU8::new(0),
            writing: AtomicBool::new(false),
            handles: AtomicU16::new(1),
            slot: Slot::vacant(),
            weight: AtomicU64::new(0),
            key: Quiet::new(key),
        }
    }

    pub fn into_key(self) -> K {
        self.key.into_inner()
    }

    /// What a `get` leaves: one use more. Racing reads may lose one; the policy does not mind (10 % lost: 0.03 points).
    #[inline]
    pub fn touch(&self) {
        // Relaxed: a hint for the clock, which pairs with nothing.
        let uses = self.uses.load(Relaxed);
        if uses < MOST_USES {
            self.uses.store(uses + 1, Relaxed);
        }
    }

    pub fn uses(&self) -> u8 {
        self.uses.load(Relaxed).min(MOST_USES)
    }

    /// Has it loaded, for who looks at it soon: where its ends lie in two cache lines, both.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(self);
        prefetch(&self.weight);
    }

    /// Asks the sweeper to revive it.
    pub fn want(&self) {
        self.uses.store(WANTED, Relaxed);
    }

    /// Whether the sweeper was asked.
    pub fn take_wanted(&self) -> bool {
        let wanted = self.uses.load(Relaxed) == WANTED;
        if wanted {
            self.uses.store(MOST_USES, Relaxed);
        }
        wanted
    }

    pub fn set_uses(&self, uses: u8) {
        self.uses.store(uses, Relaxed);
    }

    pub fn weight(&self) -> u64 {
        // Relaxed: whoever needs it exact holds `Writing`, whose Acquire orders it.
        self.weight.load(Relaxed)
    }

    pub fn set_weight(&self, weight: u64) {
        self.weight.store(weight, Relaxed);
    }

    /// Waits for whoever changes slot and weight just now: a few instructions, none of them a user's.
    #[inline]
    pub fn write(&self) -> Writing<'_> {
        loop {
            match self.try_write() {
                Some(writing) => return writing,
                None => yield_now(),
            }
        }
    }

    /// `None` if another thread is at it.
    #[inline]
    pub fn try_write(&self) -> Option<Writing<'_>> {
        // Acquire: pairs with the Release of the Writing before.
        let free = self.writing.compare_exchange(false, true, Acquire, Relaxed).is_ok();
        free.then(|| Writing(&self.writing))
    }
}

impl Drop for Writing<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `try_write`.
        self.0.store(false, Release);
    }
}

#[cfg(not(weakmap_loom))]
impl<K, V> Counted for Entry<K, V> {
    #[inline]
    fn count(&self) -> &AtomicU16 {
        &self.handles
    }
}

impl<K, V> Keyed for Entry<K, V> {
    type Key = K;

    fn key(&self) -> &K {
        self.key.get()
    }

    #[inline]
    fn hash(&self) -> u64 {
        u64::from(self.high) << 32
    }

    #[inline]
    fn may_be(&self, hash: u64) -> bool {
        // Keys that own nothing are compared as fast as this.
        !const { mem::needs_drop::<K>() } || self.high == (hash >> 32) as u32
    }
}
