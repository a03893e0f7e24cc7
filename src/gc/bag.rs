//! A bag that many threads put into and few take from, whole.

use crate::sync::{
    CachePadded, Mutex, lock, stripe,
    tally::{AtomicUsize, Relaxed},
};

const STRIPES: usize = if cfg!(weakmap_loom) { 1 } else { 4 };

/// Room for so many is kept.
const USUAL: usize = 1 << 10;

/// Each thread puts into its own stripe; what one thread puts comes out in its order.
#[derive(Debug)]
pub struct Bag<T>([CachePadded<Stripe<T>>; STRIPES]);

#[derive(Debug)]
struct Stripe<T> {
    /// How many are there: a hint that saves the lock of an empty stripe.
    len: AtomicUsize,
    items: Mutex<Vec<T>>,
}

impl<T> Bag<T> {
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| {
            CachePadded::new(Stripe { len: AtomicUsize::new(0), items: Mutex::new(Vec::new()) })
        }))
    }

    /// Puts one in; returns how many are in the calling thread's stripe now. Holds a lock for the push alone.
    #[inline(always)] // into each insert
    pub fn put(&self, item: T) -> usize {
        let stripe = &self.0[stripe(STRIPES)];
        let mut items = lock(&stripe.items);
        items.push(item);
        stripe.len.store(items.len(), Relaxed);
        items.len()
    }

    /// How many are in the calling thread's stripe, about.
    pub fn len_of_own(&self) -> usize {
        self.0[stripe(STRIPES)].len.load(Relaxed)
    }

    /// Takes all of the calling thread's stripe.
    pub fn take_own(&self) -> Vec<T> {
        self.0[stripe(STRIPES)].take()
    }

    /// Hands all to `f`, stripe by stripe, under no lock, and drops what that leaves. Each stripe gets what `spare` was, empty, for the next ones.
    pub fn drain_all(&self, spare: &mut Vec<T>, mut f: impl FnMut(&mut Vec<T>)) {
        for stripe in self.0.iter().filter(|stripe| !stripe.is_empty()) {
            stripe.swap(spare);
            f(spare);
            spare.clear();
            spare.shrink_to(USUAL);
        }
    }

    /// Hands all to `f`, one by one, under no lock.
    pub fn drain(&self, f: impl FnMut(T)) {
        self.0.iter().flat_map(|stripe| stripe.take()).for_each(f);
    }
}

impl<T> Stripe<T> {
    /// A put that is under way meets the next taker.
    fn is_empty(&self) -> bool {
        self.len.load(Relaxed) == 0
    }

    fn take(&self) -> Vec<T> {
        let mut all = Vec::new();
        if !self.is_empty() {
            self.swap(&mut all);
        }
        all
    }

    fn swap(&self, spare: &mut Vec<T>) {
        let mut items = lock(&self.items);
        self.len.store(0, Relaxed);
        std::mem::swap(&mut *items, spare);
    }
}
