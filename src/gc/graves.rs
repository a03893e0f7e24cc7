//! Graves: weak counts that left their slots and wait for the readers of then.
//!
//! What a thread retires one by one it puts into its own row of urns, round and round: when half of the row is full, the thread notes who is inside, and
//! when the other half is, it looks whether these have gone. Then the next ones go into the first half again, and what each finds there is given back:
//! one for one, as an allocator likes it. Where a reader stays, all of the row is deferred. What passes reap, and what is too much for a row, goes into a bag.
//!
//! # Invariants
//!
//! 1. A row's urns below `len` wait. Those from there up to `room` are empty, or their readers have gone: only the row's thread fills one, and only
//!    one of these.
//! 2. Whoever empties urns leaves `len` and `room` alone, but for that thread.

use super::{bag::Bag, ledger::Pending, region::inline_bytes};
use crate::{
    slot::{Retired, Urn},
    sync::{
        CachePadded, OnceCell, Readers, lock_shared, number,
        number::EXCLUSIVE,
        shared::Mutex,
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

/// Counts are tallies: the row's thread alone reads them.
#[derive(Debug)]
struct Row<V> {
    /// The urn that is filled next.
    len: AtomicUsize,
    /// Where to stop, for a look at who has gone.
    room: AtomicUsize,
    urns: OnceCell<Box<[Urn<V>]>>,
    /// Who was inside when the other half was full.
    noted: Mutex<Readers>,
}

impl<V> Graves<V> {
    pub fn new() -> Self {
        Self { rows: std::array::from_fn(|_| CachePadded::new(Row::new())), rest: Bag::new() }
    }

    /// Puts one in. Whether this thread's are many then, or hold much.
    #[inline]
    pub fn put(&self, retired: Retired<V>) -> bool {
        let row = self.rows.get(number());
        let Some((row, urns)) = row.and_then(|row| Some((row, row.urns.get()?))) else {
            return self.put_elsewhere(retired);
        };
        let (len, room) = (row.len.load(Relaxed), row.room.load(Relaxed));
        let Some(urn) = urns[..room].get(len) else { return self.put_elsewhere(retired) };
        drop(urn.put(retired)); // what was there: invariant 1
        row.len.store(len + 1, Relaxed);
        len + 1 >= room
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
        self.rows.get(number()).is_some_and(|row| row.is_full()) || self.rest.len_of_own() >= Self::MANY
    }

    /// Makes room for the calling thread's. Returns what is to be deferred for that. To be called without a guard.
    pub fn make_room(&self) -> Vec<Grave<V>> {
        let mut graves = match self.rest.len_of_own() >= Self::MANY {
            true => self.rest.take_own(),
            false => Vec::new(),
        };
        if let Some(row) = self.rows.get(number()).filter(|row| row.is_full()) {
            let mut noted = lock_shared(&row.noted);
            if Self::HALF < Self::MANY && noted.have_gone() {
                *noted = Readers::now();
                row.go_on();
            } else {
                *noted = Readers::default();
                row.begin();
                graves.reserve_exact(Self::MANY);
                row.drain(|grave| graves.push(grave));
            }
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

    /// Of what is large nothing is kept longer than it must be: such rows have no halves.
    const HALF: usize = if cfg!(weakmap_loom) || Self::MANY == 40 { Self::MANY / 2 } else { Self::MANY };
}

impl<V> Row<V> {
    fn new() -> Self {
        Self {
            len: AtomicUsize::new(0),
            room: AtomicUsize::new(Graves::<V>::HALF),
            urns: OnceCell::new(),
            noted: Mutex::default(),
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.len.load(Relaxed) >= self.room.load(Relaxed)
    }

    /// With the first half.
    fn begin(&self) {
        self.len.store(0, Relaxed);
        self.room.store(Graves::<V>::HALF, Relaxed);
    }

    /// With the other half, whose readers have gone.
    fn go_on(&self) {
        match self.room.load(Relaxed) < Graves::<V>::MANY {
            true => self.room.store(Graves::<V>::MANY, Relaxed),
            false => self.begin(),
        }
    }

    fn drain(&self, mut f: impl FnMut(Grave<V>)) {
        let urns = self.urns.get().into_iter().flatten();
        urns.filter_map(Urn::take).for_each(|retired| f(Grave::new(retired, None)));
    }
}
