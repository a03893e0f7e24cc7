//! A global allocator that counts: live bytes without lag, with a known error.
//!
//! Each thread adds up what it takes and gives back, and passes the sum on to one total when it exceeds [`FLUSH`] either
//! way. So an allocation costs one addition to thread-local memory and one comparison, which sends everything out of the
//! ordinary (a sum to pass on, a thread's first call, its last ones) down one cold path.
//!
//! # Invariants
//!
//! 1. `TOTAL.live` plus the sums that threads have not passed on is what is live, at any time at which no call is under way.
//!    (Within a call, the bytes of that one call may be missing.)
//! 2. A running thread's unpassed sum is between `-FLUSH` and `FLUSH`, and `TOTAL.threads` counts the thread. Every other
//!    thread's is 0. So the total is wrong by `threads * FLUSH` at the most.
//! 3. A thread that has ended leaves nothing unpassed: a destructor passes its sum on, and after it ran (other thread-local
//!    destructors may still allocate) each call passes on at once. So does each call where no destructor can be had.
//! 4. The count itself never allocates, except where the destructor is registered (std may). The sum is passed on and
//!    the phase is `Running` by then, so the call inside is an ordinary one.
//! 5. Waking whoever waits for the total to rise allocates nothing (`sync::alarm`).
//! 6. `TALLY` is constant-initialised and has no destructor: it can be used before `main`, and to the very end of a thread.
//!
//! Every call goes to the inner allocator with the arguments that came, so its contract is the inner one's. That covers zeroed
//! and over-aligned blocks, too; what is counted is `Layout::size`.

use super::{Heap, Sample};
use crate::sync::{
    CachePadded, alarm,
    tally::{AtomicI64, AtomicU64, Relaxed},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// What a thread keeps to itself at the most, in bytes.
const FLUSH: u64 = 32 << 10;

/// The bias of a thread that keeps nothing to itself: so far off that every sum leaves the range.
const FAR: u64 = 1 << 62;

/// What all threads passed on. One cache line: a reading takes both numbers.
struct Total {
    live: AtomicI64,
    /// Those that run, and may keep up to `FLUSH`.
    threads: AtomicU64,
}

// Relaxed throughout: a count that publishes nothing.
static TOTAL: CachePadded<Total> =
    CachePadded::new(Total { live: AtomicI64::new(0), threads: AtomicU64::new(0) });

thread_local! {
    static TALLY: Tally =
        const { Tally { biased: Cell::new(FAR), passed: Cell::new(0), phase: Cell::new(Phase::Fresh) } };
    static LAST: Last = const { Last };
}

/// A global allocator that counts live bytes and hands every call on to `A`.
///
/// Made the program's global allocator, it is the signal of every [`Collector`](crate::Collector) that was not given
/// another.
///
/// # What it says
///
/// The bytes that were asked for and not given back, without lag; what the allocator rounds up and keeps in reserve comes on
/// top. The number is wrong by [`FLUSH`](Self::FLUSH) (32 KiB) for each running thread at the most, either way
/// ([`error`](Self::error)), and by what calls under way have not counted yet. Maps open their gate that much below the
/// limit. Threads that have ended add nothing to the error.
///
/// # What it costs
///
/// One thread-local addition and one comparison for each call, and one atomic addition for each 32 KiB that a thread takes or
/// gives back. `cargo run --release -p counting` measures it against the bare allocator.
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
/// assert!(Counting::<System>::live() >= before + (1 << 20) - Counting::<System>::error());
/// # drop(block);
/// ```
///
/// Works over any allocator, such as `Counting::new(tikv_jemallocator::Jemalloc)`, and on every platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting<A = System>(A);

impl<A> Counting<A> {
    /// Bytes that a running thread keeps to itself at the most before it passes them on: 32 KiB.
    pub const FLUSH: u64 = FLUSH;

    /// Counts what goes through `inner`.
    pub const fn new(inner: A) -> Self {
        Self(inner)
    }

    /// Bytes in use, of all that went through any `Counting` in this process. Costs one load.
    pub fn live() -> u64 {
        live()
    }

    /// By how many bytes [`live`](Self::live) may be wrong now: [`FLUSH`](Self::FLUSH) for each running thread that
    /// allocated. Costs one load.
    ///
    /// ```
    /// use weakmap::heap::Counting;
    ///
    /// type Counted = Counting<std::alloc::System>;
    /// assert_eq!(Counted::error() % Counted::FLUSH, 0);
    /// ```
    pub fn error() -> u64 {
        error()
    }
}

/// The count as a source, wherever a `Counting` is the global allocator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted(());

/// What all threads have passed on.
pub(crate) fn counted() -> u64 {
    live()
}

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
        Sample::rough(live(), error())
    }

    fn net_of_thread(&self) -> Option<i64> {
        Some(net())
    }
}

fn live() -> u64 {
    TOTAL.live.load(Relaxed).max(0) as u64
}

fn error() -> u64 {
    TOTAL.threads.load(Relaxed) * FLUSH
}

fn net() -> i64 {
    TALLY.with(|tally| tally.passed.get() + tally.unpassed())
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// Before the first call.
    Fresh,
    Running,
    /// The destructor ran, or there is none.
    Ended,
}

impl Phase {
    /// What `biased` is while nothing is unpassed.
    fn bias(self) -> u64 {
        match self {
            Self::Running => FLUSH,
            Self::Fresh | Self::Ended => FAR,
        }
    }
}

struct Tally {
    /// What is not passed on yet, plus the phase's bias. Within 0 and `2 * FLUSH`, nothing needs to be done.
    biased: Cell<u64>,
    /// What was passed on so far.
    passed: Cell<i64>,
    phase: Cell<Phase>,
}

impl Tally {
    /// `bytes` more, in two's complement where it is less.
    #[inline]
    fn add(&self, bytes: u64) {
        let sum = self.biased.get().wrapping_add(bytes);
        self.biased.set(sum);
        if sum > 2 * FLUSH {
            self.pass_on();
        }
    }

    fn unpassed(&self) -> i64 {
        self.biased.get().wrapping_sub(self.phase.get().bias()) as i64
    }

    #[cold]
    #[inline(never)]
    fn pass_on(&self) {
        let sum = self.unpassed();
        let fresh = self.phase.get() == Phase::Fresh;
        if fresh {
            TOTAL.threads.fetch_add(1, Relaxed);
            self.phase.set(Phase::Running);
        }
        self.biased.set(self.phase.get().bias());
        self.passed.set(self.passed.get() + sum);
        let live = TOTAL.live.fetch_add(sum, Relaxed) + sum;
        if sum > 0 {
            alarm().raised(live.max(0) as u64);
        }
        // Registers the destructor (Invariant 4). Where the thread is ending already, nothing is to be registered.
        if fresh && LAST.try_with(|_| ()).is_err() {
            self.end();
        }
    }

    /// Nothing is kept from now on.
    fn end(&self) {
        if self.phase.get() == Phase::Running {
            self.pass_on();
            self.phase.set(Phase::Ended);
            self.biased.set(FAR);
            TOTAL.threads.fetch_sub(1, Relaxed);
        }
    }
}

/// Its destructor is the thread's last word.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        TALLY.with(Tally::end);
    }
}

#[inline]
fn more(bytes: usize) {
    TALLY.with(|tally| tally.add(bytes as u64));
}

#[inline]
fn less(bytes: usize) {
    TALLY.with(|tally| tally.add((bytes as u64).wrapping_neg()));
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
            more(layout.size());
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, handed on.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            more(layout.size());
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Before the call, so that the call is the last thing to do.
        less(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { self.0.dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, handed on.
        let moved = unsafe { self.0.realloc(block, layout, size) };
        if !moved.is_null() {
            more(size.wrapping_sub(layout.size()));
        }
        moved
    }
}
