//! Graves: weak counts that left their slots and wait, to be deferred many together.
//!
//! What a thread retires one by one it puts into its own row, without a locked instruction; what passes reap, and what is too much for a
//! row, goes into a bag.
//!
//! # Invariant
//!
//! An urn beyond `len` of a row is empty: only the row's thread fills one, and it counts it; whoever empties one leaves `len`
//! alone, but for that thread.

use super::{bag::Bag, ledger::Pending, region::inline_bytes};
use crate::{
    slot::{Retired, Urn},
    sync::{
        CachePadded, OnceCell, number,
        number::EXCLUSIVE,
        tally::{AtomicUsize, Relaxed},
    },
};

/// Threads that have a row.
const OWN: usize = if cfg!(weakmap_loom) { 4 } else { 16 };
const _: () = assert!(OWN <= EXCLUSIVE);

/// A weak count that waits for its guard, and the bytes that come back with it.
#[derive(Debug)]
pub struct Grave<V> {
    _retired: Retired<V>,
    /// For the first of a batch: of all of it. Boxed: a full bag fits malloc's small bins.
    _pending: Option<Box<Pending>>,
}

impl<V> Grave<V> {
    pub fn new(retired: Retired<V>, pending: Option<Box<Pending>>) -> Self {
        Self { _retired: retired, _pending: pending }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Graves<V> {
    /// Each is filled by the thread of that number alone (see `sync::number`).
    rows: [CachePadded<Row<V>>; OWN],
    rest: Bag<Grave<V>>,
}

#[derive(Debug)]
struct Row<V> {
    /// A tally: whoever reads an old one meets what is missing at the next time.
    len: AtomicUsize,
    urns: OnceCell<Box<[Urn<V>]>>,
}

impl<V> Graves<V> {
    pub fn new() -> Self {
        let row = |_| CachePadded::new(Row { len: AtomicUsize::new(0), urns: OnceCell::new() });
        Self { rows: std::array::from_fn(row), rest: Bag::new() }
    }

    /// Puts one in. Whether this thread's are many then, or hold much.
    #[inline]
    pub fn put(&self, retired: Retired<V>) -> bool {
        let row = self.rows.get(number());
        let Some((row, urns)) = row.and_then(|row| Some((row, row.urns.get()?))) else {
            return self.put_elsewhere(retired);
        };
        let len = row.len.load(Relaxed);
        let Some(urn) = urns.get(len) else { return self.put_elsewhere(retired) };
        urn.put(retired);
        row.len.store(len + 1, Relaxed);
        len + 1 >= Self::MANY
    }

    /// For a thread that has no row, or no urns yet, or a full row.
    #[cold]
    fn put_elsewhere(&self, retired: Retired<V>) -> bool {
        if let Some(row) = self.rows.get(number()) {
            row.urns.get_or_init(|| (0..Self::MANY).map(|_| Urn::new()).collect());
        }
        self.rest.put(Grave::new(retired, None)) >= Self::MANY
    }

    /// Puts many in.
    pub fn put_all(&self, graves: impl Iterator<Item = Grave<V>>) {
        self.rest.put_all(graves);
    }

    /// Whether this thread's are many, or hold much.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.rows.get(number()).is_some_and(|row| row.len.load(Relaxed) >= Self::MANY)
            || self.rest.len_of_own() >= Self::MANY
    }

    /// Takes all of the calling thread's.
    pub fn take_own(&self) -> Vec<Grave<V>> {
        let mut graves = self.rest.take_own();
        if let Some(row) = self.rows.get(number()) {
            graves.reserve_exact(row.len.load(Relaxed));
            row.drain(|grave| graves.push(grave));
            row.len.store(0, Relaxed);
        }
        graves
    }

    /// Hands all to `f`, under no lock.
    pub fn drain(&self, mut f: impl FnMut(Grave<V>)) {
        self.rows.iter().for_each(|row| row.drain(&mut f));
        self.rest.drain(f);
    }

    /// So many a thread keeps at the most: 40, or what holds 64 KiB.
    const MANY: usize = {
        let many = (64 << 10) / inline_bytes::<V>() as usize;
        if many == 0 {
            1
        } else if cfg!(weakmap_loom) {
            2
        } else if many < 40 {
            many
        } else {
            40
        }
    };
}

impl<V> Row<V> {
    fn drain(&self, mut f: impl FnMut(Grave<V>)) {
        let len = self.len.load(Relaxed);
        if len == 0 {
            return;
        }
        if let Some(urns) = self.urns.get() {
            urns.iter().take(len).filter_map(Urn::take).for_each(|retired| f(Grave::new(retired, None)));
        }
    }
}
