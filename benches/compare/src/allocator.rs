//! The global allocator: one of three, chosen for the whole process at its first allocation.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ffi::CStr,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use clap::ValueEnum;
use mimalloc::MiMalloc;
use serde::{Deserialize, Serialize};
use tikv_jemallocator::Jemalloc;

/// Set for a child, before it starts.
pub const VARIABLE: &str = "COMPARE_ALLOCATOR";
const VARIABLE_OF_C: &CStr = c"COMPARE_ALLOCATOR";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allocator {
    Glibc,
    Jemalloc,
    Mimalloc,
}

impl Allocator {
    pub fn name(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Jemalloc => "jemalloc",
            Self::Mimalloc => "mimalloc",
        }
    }

    fn from_initial(initial: u8) -> Self {
        match initial {
            b'j' => Self::Jemalloc,
            b'm' => Self::Mimalloc,
            _ => Self::Glibc,
        }
    }
}

/// Hands every call on to the allocator that the variable names; to glibc's where there is none.
pub struct Chosen;

/// The first letter of the name, 0 until it was looked up. Threads that look at once find the same.
static INITIAL: AtomicU8 = AtomicU8::new(0);

fn chosen() -> Allocator {
    match INITIAL.load(Relaxed) {
        0 => look_up(),
        initial => Allocator::from_initial(initial),
    }
}

/// Through C, which does not allocate for it.
#[cold]
fn look_up() -> Allocator {
    // SAFETY: the name ends with a 0. Nobody changes the environment: this runs at the first allocation, before `main`.
    let value = unsafe { libc::getenv(VARIABLE_OF_C.as_ptr()) };
    // SAFETY: what is not null points to a string that ends with a 0, so to one byte at least.
    let initial = if value.is_null() { 0 } else { unsafe { *value.cast::<u8>() } };
    INITIAL.store(initial.max(b'g'), Relaxed);
    Allocator::from_initial(initial)
}

// SAFETY: every block is given back to the allocator that it came from, for the choice stays; arguments are handed on as
// they came.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe {
            match chosen() {
                Allocator::Glibc => System.alloc(layout),
                Allocator::Jemalloc => Jemalloc.alloc(layout),
                Allocator::Mimalloc => MiMalloc.alloc(layout),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            match chosen() {
                Allocator::Glibc => System.alloc_zeroed(layout),
                Allocator::Jemalloc => Jemalloc.alloc_zeroed(layout),
                Allocator::Mimalloc => MiMalloc.alloc_zeroed(layout),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            match chosen() {
                Allocator::Glibc => System.dealloc(block, layout),
                Allocator::Jemalloc => Jemalloc.dealloc(block, layout),
                Allocator::Mimalloc => MiMalloc.dealloc(block, layout),
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            match chosen() {
                Allocator::Glibc => System.realloc(block, layout, size),
                Allocator::Jemalloc => Jemalloc.realloc(block, layout, size),
                Allocator::Mimalloc => MiMalloc.realloc(block, layout, size),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_themselves() {
        for allocator in Allocator::value_variants() {
            let initial = allocator.name().as_bytes()[0];
            assert_eq!(Allocator::from_initial(initial), *allocator);
        }
        assert_eq!(VARIABLE_OF_C.to_str(), Ok(VARIABLE));
    }
}
