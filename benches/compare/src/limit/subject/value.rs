//! What is cached: bytes that are counted as they come and go.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

static MADE: AtomicU64 = AtomicU64::new(0);
static GONE: AtomicU64 = AtomicU64::new(0);

/// A buffer, each byte written: an untouched page is no memory.
pub struct Value(Box<[u8]>);

impl Value {
    pub fn new(bytes: usize) -> Self {
        MADE.fetch_add(bytes as u64, Relaxed);
        Self(vec![1; bytes].into())
    }

    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    pub fn look(&self) {
        black_box(self.0.first());
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        GONE.fetch_add(self.0.len() as u64, Relaxed);
    }
}

/// Bytes of all values ever made.
pub fn made() -> u64 {
    MADE.load(Relaxed)
}

/// Bytes of all values that are gone.
pub fn gone() -> u64 {
    GONE.load(Relaxed)
}
