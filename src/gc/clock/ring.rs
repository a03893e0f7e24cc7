//! A ring of cached entries, and what its slots remember of them.
//!
//! ```text
//!   hand ─► ┌──────────┐   ┌──────────┐   ┌──────────┐ ◄─ push
//!           │  ·  s  s │──►│ s  s  s s│──►│ s  s  ·  │
//!           └──────────┘   └──────────┘   └──────────┘
//!            a block of 128 slots of 16 bytes; under the hand it lies the other way round, for the hand to pop
//! ```
//!
//! A ring is a queue: the hand pops at the front, and what it spares is pushed at the back again.
//! It is kept in blocks, so that it grows without copying (a `VecDeque` of a million slots stops
//! for 16 MB now and then) and wastes a block or two, not half of itself. The first block grows
//! from four slots, so a cache of ten entries stays small.
//!
//! The ring's weight is the sum of what its slots *counted* when they were pushed. An entry may
//! get another weight while it waits; the hand counts it anew when it meets it.

use std::collections::VecDeque;

/// Slots of a block: 2 KiB. The block's own 32 bytes are 0.25 bytes a slot, the three blocks a
/// ring may hold half empty are 6 KiB.
const BLOCK: usize = 128;

/// A weight in four bytes: a mantissa of 27 bits, and an exponent of 5 bits in the low end.
///
/// Exact below 2²⁷ (128 MiB), within 2⁻²⁷ above. A ring adds and subtracts the same rounded
/// value, so its total has no drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(u32);

impl Weight {
    const MANTISSA: u32 = 27;
    const EXPONENT_MAX: u32 = 31;
    /// The greatest there is.
    pub const MOST: u64 = ((1 << Self::MANTISSA) - 1) << Self::EXPONENT_MAX;

    /// The code nearest to `weight`; above 2⁵⁸ the greatest there is.
    #[inline]
    pub fn of(weight: u64) -> Self {
        if weight >> Self::MANTISSA == 0 {
            return Self((weight as u32) << 5);
        }
        Self::rounded(weight)
    }

    fn rounded(weight: u64) -> Self {
        let exponent = Self::exponent(weight);
        let half = (1u64 << exponent) >> 1;
        let mantissa = weight.saturating_add(half) >> exponent;
        match mantissa >> Self::MANTISSA {
            0 => Self((mantissa as u32) << 5 | exponent),
            _ if exponent == Self::EXPONENT_MAX => Self(u32::MAX),
            _ => Self(1 << (Self::MANTISSA - 1 + 5) | (exponent + 1)),
        }
    }

    fn exponent(weight: u64) -> u32 {
        let bits = u64::BITS - weight.leading_zeros();
        bits.saturating_sub(Self::MANTISSA).min(Self::EXPONENT_MAX)
    }

    #[inline]
    pub fn value(self) -> u64 {
        u64::from(self.0 >> 5) << (self.0 & Self::EXPONENT_MAX)
    }
}

/// An entry in a ring: 16 bytes with a handle of 8.
#[derive(Debug)]
pub struct Slot<H> {
    pub entry: H,
    /// When it was pushed, in the units of [`Time`](crate::clock) stamps.
    pub stamp: u32,
    /// What the ring counted for it.
    pub weight: Weight,
}

type Block<H> = Vec<Slot<H>>;

/// A queue of slots that knows its weight.
#[derive(Debug)]
pub struct Ring<H> {
    /// Popped from: the first is the last.
    head: Block<H>,
    /// Full blocks.
    middle: VecDeque<Block<H>>,
    /// Pushed to.
    tail: Block<H>,
    /// The block that ran empty last, the next tail.
    spare: Block<H>,
    len: usize,
    weight: u64,
}

impl<H> Ring<H> {
    pub fn new() -> Self {
        Self {
            head: Vec::new(),
            middle: VecDeque::new(),
            tail: Vec::new(),
            spare: Vec::new(),
            len: 0,
            weight: 0,
        }
    }

    #[inline(always)]
    pub fn push(&mut self, slot: Slot<H>) {
        self.len += 1;
        self.weight += slot.weight.value();
        if self.tail.len() == self.tail.capacity() {
            self.make_room();
        }
        self.tail.push(slot);
    }

    #[cold]
    fn make_room(&mut self) {
        let len = self.tail.len();
        if len < BLOCK {
            return self.tail.reserve_exact(len.max(4).min(BLOCK - len));
        }
        let mut tail = std::mem::take(&mut self.spare);
        tail.reserve_exact(BLOCK);
        self.middle.push_back(std::mem::replace(&mut self.tail, tail));
    }

    #[inline(always)]
    pub fn pop(&mut self) -> Option<Slot<H>> {
        if self.head.is_empty() {
            self.next_head();
        }
        let slot = self.head.pop()?;
        self.len -= 1;
        self.weight -= slot.weight.value();
        Some(slot)
    }

    /// The next block comes under the hand; the tail, in a ring that has no other block.
    #[cold]
    fn next_head(&mut self) {
        match self.middle.pop_front() {
            Some(block) => {
                self.spare = std::mem::replace(&mut self.head, block);
                if self.middle.capacity() > 4 * self.middle.len().max(4) {
                    self.middle.shrink_to(2 * self.middle.len());
                }
            }
            None => std::mem::swap(&mut self.head, &mut self.tail),
        }
        self.head.reverse();
    }

    #[inline]
    pub fn front(&self) -> Option<&Slot<H>> {
        self.head.last().or_else(|| self.middle.front().unwrap_or(&self.tail).first())
    }

    /// Some of the first, so many at the most.
    #[inline]
    pub fn firsts(&self, most: usize) -> impl Iterator<Item = &H> {
        self.head.iter().rev().take(most).map(|slot| &slot.entry)
    }

    /// Takes out what is gone, and keeps the others in order.
    pub fn remove(&mut self, is_gone: impl Fn(&H) -> bool, mut take: impl FnMut(H)) {
        for _ in 0..self.len {
            match self.pop() {
                Some(slot) if is_gone(&slot.entry) => take(slot.entry),
                slot => slot.into_iter().for_each(|slot| self.push(slot)),
            }
        }
        self.spare = Vec::new();
        if self.head.is_empty() {
            self.head = Vec::new();
        }
        self.tail.shrink_to_fit();
        self.middle.shrink_to_fit();
    }

    pub fn restamp(&mut self, stamp: impl Fn(u32) -> u32) {
        let ends = [&mut self.head, &mut self.tail];
        for slot in self.middle.iter_mut().chain(ends).flatten() {
            slot.stamp = stamp(slot.stamp);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    pub fn bytes(&self) -> usize {
        let blocks = self.middle.iter().chain([&self.head, &self.tail, &self.spare]);
        let slots: usize = blocks.map(Vec::capacity).sum();
        slots * size_of::<Slot<H>>() + self.middle.capacity() * size_of::<Block<H>>()
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    /// As a pointer, never zero: a place of the ring is no larger than a slot.
    type Name = std::num::NonZeroUsize;

    fn slot(entry: usize, weight: u64) -> Slot<Name> {
        let name = Name::MIN.saturating_add(entry);
        Slot { entry: name, stamp: entry as u32, weight: Weight::of(weight) }
    }

    fn number(slot: &Slot<Name>) -> usize {
        slot.entry.get() - 1
    }

    #[test]
    fn weight_codes() {
        let below = (1 << 27) - 1;
        for (weight, value) in [
            (0, 0),
            (1, 1),
            (5_001, 5_001),
            (below, below),
            (1 << 27, 1 << 27),
            ((1 << 27) + 1, (1 << 27) + 2),
            ((1 << 28) - 1, 1 << 28),
            (1 << 40, 1 << 40),
            (u64::MAX, ((1 << 27) - 1) << 31),
        ] {
            assert_eq!(Weight::of(weight).value(), value, "of {weight}");
        }
        for weight in (0..58).flat_map(|bit| [(1u64 << bit) / 3 * 2, (1 << bit) + 12_345]) {
            let error = Weight::of(weight).value().abs_diff(weight) as f64;
            assert!(error <= weight as f64 / (1 << 27) as f64, "of {weight}");
        }
    }

    #[test]
    fn first_in_first_out_across_blocks() {
        let mut ring = Ring::new();
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..2_000usize {
            for _ in 0..(round * 7 % 13) {
                ring.push(slot(pushed, 3));
                pushed += 1;
            }
            for _ in 0..(round * 5 % 13) {
                let Some(slot) = ring.pop() else { break };
                assert_eq!(number(&slot), popped);
                popped += 1;
            }
            assert_eq!(ring.len(), pushed - popped);
            assert_eq!(ring.weight(), 3 * ring.len() as u64);
            assert_eq!(ring.front().map_or(popped, number), popped);
        }
    }

    #[test]
    fn remove_keeps_order_and_total() {
        let mut ring = Ring::new();
        (0..1_000).for_each(|n| ring.push(slot(n, n as u64)));
        let mut removed = 0;
        ring.remove(|name| (name.get() - 1) % 3 > 0, |_| removed += 1);
        assert_eq!(removed, 666);
        assert_eq!(ring.weight(), (0..1_000).filter(|n| n % 3 == 0).sum::<u64>());
        let left: Vec<_> = std::iter::from_fn(|| ring.pop()).map(|slot| number(&slot)).collect();
        assert!(left.iter().copied().eq((0..1_000).filter(|n| n % 3 == 0)));
        assert_eq!(ring.weight(), 0);
    }

    #[test]
    fn bytes_follow_the_length() {
        let mut ring = Ring::new();
        (0..10).for_each(|n| ring.push(slot(n, 1)));
        assert!(ring.bytes() <= 512, "{} bytes for ten", ring.bytes());
        (0..100_000).for_each(|n| ring.push(slot(n, 1)));
        assert!(ring.bytes() < 100_010 * 17);
        while ring.len() > 10 {
            ring.pop();
        }
        assert!(ring.bytes() < 64_000, "{} bytes for ten", ring.bytes());
    }
}
