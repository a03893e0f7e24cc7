//! The counting allocator: its error bound, and the places where a count goes astray.

use crate::{Counted, alone};
use std::{
    alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc},
    cell::RefCell,
    sync::{
        Barrier,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    thread,
};

const MIB: usize = 1 << 20;

/// What the test harness may take meanwhile.
const HARNESS: u64 = 64 << 10;

/// Asserts that what `act` does moves the count by `expected` bytes, to the error.
#[track_caller]
fn moves<T>(expected: i64, act: impl FnOnce() -> T) -> T {
    let before = Counted::live() as i64;
    let result = act();
    let moved = Counted::live() as i64 - before;
    let error = Counted::error() + HARNESS;
    assert!(moved.abs_diff(expected) <= error, "{moved} for {expected}, to {error}");
    result
}

#[test]
fn takes_and_gives_back() {
    let _alone = alone();
    let block = moves(8 * MIB as i64, || vec![1u8; 8 * MIB]);
    moves(-8 * MIB as i64, || drop(block));
    let small = moves(8 * MIB as i64, || (0..8192).map(|_| Box::new([1u8; 1016])).collect::<Vec<_>>());
    moves(-8 * MIB as i64, || drop(small));
}

#[test]
#[allow(unsafe_code)]
fn every_method() {
    let _alone = alone();
    for align in [1, 64, 4096, 1 << 16] {
        let layout = Layout::from_size_align(4 * MIB, align).unwrap();
        let grown = Layout::from_size_align(12 * MIB, align).unwrap();
        // SAFETY: the size is not 0, and each block is given back with the layout that it has.
        unsafe {
            let zeroed = moves(4 * MIB as i64, || alloc_zeroed(layout));
            assert_eq!((zeroed as usize % align, *zeroed.add(4 * MIB - 1)), (0, 0));
            moves(-4 * MIB as i64, || dealloc(zeroed, layout));
            let block = moves(4 * MIB as i64, || alloc(layout));
            let block = moves(8 * MIB as i64, || realloc(block, layout, 12 * MIB));
            assert_eq!(block as usize % align, 0);
            let block = moves(-11 * MIB as i64, || realloc(block, grown, MIB));
            moves(-(MIB as i64), || dealloc(block, Layout::from_size_align(MIB, align).unwrap()));
        }
    }
}

#[test]
#[allow(unsafe_code)]
fn what_fails_counts_nothing() {
    let _alone = alone();
    let huge = Layout::from_size_align(isize::MAX as usize - 4096, 4096).unwrap();
    let layout = Layout::new::<[u8; 64]>();
    // SAFETY: the sizes are not 0, and what is given back has its own layout.
    unsafe {
        assert!(moves(0, || std::hint::black_box(alloc(huge))).is_null());
        let block = alloc(layout);
        assert!(
            moves(0, || std::hint::black_box(realloc(block, layout, isize::MAX as usize - 4096))).is_null()
        );
        dealloc(block, layout);
    }
}

/// Each thread keeps less than it would pass on, and ends.
#[test]
fn threads_that_end_leave_nothing_unpassed() {
    let _alone = alone();
    const THREADS: usize = 200;
    let error = Counted::error();
    let blocks = moves((THREADS * 10_000) as i64, || {
        let ends = |_| thread::spawn(|| vec![1u8; 10_000]).join().unwrap();
        (0..THREADS).map(ends).collect::<Vec<_>>()
    });
    assert!(Counted::error() <= error + HARNESS, "threads that ended count as running");
    moves(-((THREADS * 10_000) as i64), || drop(blocks));
}

#[test]
fn destructors_of_thread_locals_count() {
    struct Leaks;
    impl Drop for Leaks {
        fn drop(&mut self) {
            std::mem::forget(std::hint::black_box(vec![1u8; 10_000]));
        }
    }
    // One that lives before the thread allocates for itself, and one that comes after: their destructors run on either
    // side of the count's own.
    thread_local! {
        static EARLY: RefCell<Option<Leaks>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<Leaks>> = const { RefCell::new(None) };
    }
    let _alone = alone();
    const THREADS: usize = 100;
    let work = || {
        EARLY.set(Some(Leaks));
        drop(std::hint::black_box(vec![1u8; MIB]));
        LATE.set(Some(Leaks));
    };
    moves((THREADS * 20_000) as i64, || (0..THREADS).for_each(|_| thread::spawn(work).join().unwrap()));
}

/// Threads at work, stopped at barriers: then the total is wrong by the error at the most.
#[test]
fn the_error_is_a_bound() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 50;
    let _alone = alone();
    let held = AtomicI64::new(0);
    let barrier = Barrier::new(THREADS + 1);
    let before = Counted::live() as i64;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (held, barrier) = (&held, &barrier);
            scope.spawn(move || {
                let mut blocks = Vec::with_capacity(4096);
                let mut random = thread as u64 + 1;
                for _ in 0..ROUNDS {
                    for _ in 0..1000 {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let size = (random >> 40) as usize % 3000 + 1;
                        if blocks.len() < 4096 && random >> 63 == 0 {
                            blocks.push(vec![0u8; size].into_boxed_slice());
                            held.fetch_add(size as i64, Relaxed);
                        } else if let Some(block) = blocks.pop() {
                            held.fetch_sub(block.len() as i64, Relaxed);
                        }
                    }
                    barrier.wait();
                    barrier.wait();
                }
            });
        }
        for _ in 0..ROUNDS {
            barrier.wait();
            let found = Counted::live() as i64 - before;
            let expected = held.load(Relaxed) + (THREADS * 4096 * size_of::<Box<[u8]>>()) as i64;
            let error = Counted::error();
            assert!(error >= THREADS as u64 * Counted::FLUSH);
            assert!(found.abs_diff(expected) <= error + HARNESS, "{found} for {expected}, to {error}");
            barrier.wait();
        }
    });
}

#[cfg(target_os = "linux")]
mod before_main {
    use super::*;

    static BEFORE_AND_AFTER: [AtomicI64; 2] = [const { AtomicI64::new(0) }; 2];

    extern "C" fn early() {
        BEFORE_AND_AFTER[0].store(Counted::live() as i64, Relaxed);
        std::mem::forget(std::hint::black_box(vec![1u8; 2 * MIB]));
        BEFORE_AND_AFTER[1].store(Counted::live() as i64, Relaxed);
    }

    // SAFETY: the section holds pointers to functions like this one, which the loader calls before `main`.
    #[allow(unsafe_code)]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static EARLY: extern "C" fn() = early;

    #[test]
    fn counts() {
        let _alone = alone();
        let [before, after] = [0, 1].map(|which| BEFORE_AND_AFTER[which].load(Relaxed));
        assert!((after - before).abs_diff(2 * MIB as i64) <= Counted::FLUSH, "{before} {after}");
        assert!(Counted::live() >= 2 * MIB as u64);
    }
}
