//! A global allocator that counts: live bytes without lag, with a known error.
//!
//! Each thread adds up what it takes and gives back, and passes the sum on to one total when it exceeds [`FLUSH`] either
//! way. So an allocation costs two additions to thread-local memory, and the total is wrong by less than `FLUSH` a thread.
//!
//! # Invariants
//!
//! 1. `TOTAL` plus the unpassed sums of all threads is what is live, at any time at which no call is under way.
//! 2. A thread that has ended leaves nothing unpassed: a destructor passes its sum on, and after it ran (other thread-local
//!    destructors may still allocate) each call passes on at once.
//! 3. The count itself never allocates, except where the destructor is registered (std may): the phase has left `Fresh`
//!    by then, so the call inside is only counted.
//!
//! Every call goes to the inner allocator with the arguments that came, so its contract is the inner one's.

use super::{Heap, Sample};
use crate::sync::tally::{AtomicI64, AtomicU64, Relaxed};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// What a thread keeps to itself at the most, in bytes: 16 KiB.
pub const FLUSH: i64 = 16 << 10;

// Relaxed throughout: a count that publishes nothing.
static TOTAL: AtomicI64 = AtomicI64::new(0);
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static TALLY: Tally = const { Tally { unpassed: Cell::new(0), passed: Cell::new(0), phase: Cell::new(Phase::Fresh) } };
    static LAST: Last = const { Last };
}

/// A global allocator that counts live bytes and hands every call on to `A`.
///
/// Made the program's global allocator, it is the signal of every [`Collector`](crate::Collector) that was not given
/// another: exact to 16 KiB for each running thread, without lag. It counts the bytes that were asked for; what the
/// allocator rounds up and keeps in reserve comes on top. Costs two thread-local additions an allocation.
///
/// ```
/// use std::alloc::System;
/// use weakmap::heap::Counting;
///
/// #[global_allocator]
/// static ALLOCATOR: Counting<System> = Counting::new(System);
///
/// let before = Counting::<System>::live();
/// let block = vec![0u8; 1 << 20];
/// assert!(Counting::<System>::live() >= before + (1 << 20) - (16 << 10));
/// # drop(block);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting<A = System>(A);

impl<A> Counting<A> {
    /// Counts what goes through `inner`.
    pub const fn new(inner: A) -> Self {
        Self(inner)
    }

    /// Bytes in use, of all that went through any `Counting`.
    pub fn live() -> u64 {
        total()
    }
}

/// The count as a source, wherever a `Counting` is the global allocator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted(());

impl Counted {
    /// The source, if allocations are counted in this process.
    pub fn detect() -> Option<Self> {
        let before = net();
        let probe = std::hint::black_box(Box::new([0u8; 64]));
        let counted = net() != before;
        drop(probe);
        counted.then_some(Self(()))
    }
}

impl Heap for Counted {
    fn sample(&self) -> Sample {
        Sample::rough(total(), THREADS.load(Relaxed) * FLUSH as u64)
    }

    fn net_of_thread(&self) -> Option<i64> {
        Some(net())
    }
}

fn total() -> u64 {
    TOTAL.load(Relaxed).max(0) as u64
}

fn net() -> i64 {
    TALLY.with(|tally| tally.passed.get() + tally.unpassed.get())
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Fresh,
    Running,
    Ended,
}

struct Tally {
    unpassed: Cell<i64>,
    passed: Cell<i64>,
    phase: Cell<Phase>,
}

impl Tally {
    #[inline]
    fn add(&self, bytes: i64) {
        let sum = self.unpassed.get() + bytes;
        self.unpassed.set(sum);
        if sum.abs() >= FLUSH || self.phase.get() != Phase::Running {
            self.pass_on();
        }
    }

    #[cold]
    fn pass_on(&self) {
        if self.phase.get() == Phase::Fresh {
            self.phase.set(Phase::Running);
            THREADS.fetch_add(1, Relaxed);
            // Registers the destructor; where the thread is ending already, nothing is to be registered.
            if LAST.try_with(|_| ()).is_err() {
                self.end();
            }
        }
        let sum = self.unpassed.replace(0);
        self.passed.set(self.passed.get() + sum);
        TOTAL.fetch_add(sum, Relaxed);
    }

    fn end(&self) {
        if self.phase.replace(Phase::Ended) == Phase::Running {
            THREADS.fetch_sub(1, Relaxed);
        }
    }
}

/// Its destructor is the thread's last word.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        TALLY.with(|tally| {
            tally.end();
            tally.pass_on();
        });
    }
}

#[inline]
fn count(bytes: i64) {
    // `TALLY` has no destructor: it can be used to the very end of the thread.
    TALLY.with(|tally| tally.add(bytes));
}

// SAFETY: every method hands its arguments on unchanged and returns what the inner allocator returned; counting neither
// unwinds nor touches the memory.
#[allow(unsafe_code)]
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, handed on.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            count(layout.size() as i64);
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, handed on.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            count(layout.size() as i64);
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { self.0.dealloc(block, layout) };
        count(-(layout.size() as i64));
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, handed on.
        let moved = unsafe { self.0.realloc(block, layout, size) };
        if !moved.is_null() {
            count(size as i64 - layout.size() as i64);
        }
        moved
    }
}
