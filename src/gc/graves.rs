//! Graves: counts that were taken out, of values that left their slots and entries that left the index, and wait for the readers of then.
//!
//! What a thread retires one by one it puts into its own row of urns, round and round: when half of the row is full, the thread notes who is inside, and
//! when the other half is, it looks whether these have gone. Then the next ones go into the first half again, and what each finds there is given back:
//! one for one, as an allocator likes it. Where a reader stays, what it may see (see `sync::grace`) is put aside first: into a bag, with what passes reap and
//! what is too much for a row. That, and rows of what is large, which have no halves, wait for all readers.
//!
//! # Invariants
//!
//! 1. A row's urns below `len` wait. Those from there up to `room` are empty, or who could see what is in them has gone: only the row's thread fills
//!    one, and only one of these.
//! 2. Whoever empties urns leaves `len` and `room` alone, but for that thread.

use super::{bag::Bag, ledger::Pending, region::inline_bytes};
use crate::sync::{
    CachePadded, OnceCell, Part, Readers, lock_shared, number,
    number::EXCLUSIVE,
    shared::Mutex,
    tally::{AtomicU8, AtomicUsize, Relaxed},
    urn::{Pointer, Urn},
};

/// Threads that have a row.
const OWN: usize = if cfg!(weakmap_loom) { 4 } else { 16 };
const _: () = assert!(OWN <= EXCLUSIVE);

/// The most that a row holds.
const MOST: usize = 40;

/// A count that waits, and the bytes that come back with it.
#[derive(Debug)]
pub struct Grave<C> {
    _count: C,
    /// Of what was reaped by itself. Boxed: few have any.
    _pending: Option<Box<Pending>>,
}

impl<C> Grave<C> {
    pub fn new(count: C, pending: Option<Box<Pending>>) -> Self {
        Self { _count: count, _pending: pending }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Graves<C: Pointer> {
    /// Each is filled by the thread of that number alone (see `sync::number`). Boxed, as the rings are: a region is moved while a map is built.
    rows: Box<[CachePadded<Row<C>>]>,
    rest: Bag<Grave<C>>,
}

/// Counts are tallies: the row's thread alone reads them.
#[derive(Debug)]
struct Row<C: Pointer> {
    /// The urn that is filled next.
    len: AtomicUsize,
    /// Where to stop, for a look at who has gone.
    room: AtomicUsize,
    urns: OnceCell<Box<[Urn<C>]>>,
    /// Which part each is of.
    parts: [AtomicU8; MOST],
    /// Who was inside when the other half was full.
    noted: Mutex<Readers>,
}

impl<C: Pointer> Graves<C> {
    pub fn new() -> Self {
        Self { rows: (0..OWN).map(|_| CachePadded::new(Row::new())).collect(), rest: Bag::new() }
    }

    /// Puts one in, which guards of that part could see. Whether this thread's are many then, or hold much.
    #[inline(always)] // into each replacement
    pub fn put(&self, count: C, part: Part) -> bool {
        let row = self.rows.get(number());
        let Some((row, urns)) = row.and_then(|row| Some((row, row.urns.get()?))) else {
            return self.put_elsewhere(count);
        };
        let (len, room) = (row.len.load(Relaxed), row.room.load(Relaxed));
        let Some(urn) = urns[..room].get(len) else { return self.put_elsewhere(count) };
        let before = urn.put(count);
        row.parts[len].store(part.number(), Relaxed);
        row.len.store(len + 1, Relaxed);
        drop(before); // invariant 1; now, as a key's destructor might come here again
        len + 1 >= room
    }

    /// Puts one in and gives none back: for who is under a guard or a lock, where no destructor of a key's may run.
    pub fn put_aside(&self, count: C) -> bool {
        self.rest.put(Grave::new(count, None)) >= Self::MANY
    }

    /// For a thread that has no row, or no urns yet, or a full row.
    #[cold]
    fn put_elsewhere(&self, count: C) -> bool {
        if let Some(row) = self.rows.get(number()) {
            row.urns.get_or_init(|| (0..Self::MANY).map(|_| Urn::new()).collect());
        }
        self.put_aside(count)
    }

    /// The same, with bytes that come back with it.
    pub fn put_pending(&self, count: C, pending: Pending) {
        self.rest.put(Grave::new(count, Some(Box::new(pending))));
    }

    /// Whether this thread's are many, or hold much.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.rows.get(number()).is_some_and(|row| row.is_full()) || self.rest.len_of_own() >= Self::MANY
    }

    /// Makes room for the calling thread's. Returns what is to be deferred for that. To be called without a guard.
    pub fn make_room(&self) -> Vec<Grave<C>> {
        let mut graves = Vec::new();
        let mut anew = false;
        if let Some(row) = self.rows.get(number()).filter(|row| row.is_full()) {
            anew = row.go_on();
            if Self::HALF < Self::MANY {
                let mut noted = lock_shared(&row.noted);
                noted.forget_gone();
                if !noted.are_none() {
                    row.take_seen(&noted, |count| _ = self.put_aside(count));
                }
                *noted = Readers::now();
            } else {
                graves.reserve_exact(Self::MANY);
                row.drain(|grave| graves.push(grave));
            }
        }
        // Once in a while, few as they may be.
        if anew || self.rest.len_of_own() >= Self::MANY {
            graves.append(&mut self.rest.take_own());
        }
        graves
    }

    /// Takes all of all threads'.
    pub fn take_all(&self) -> Vec<Grave<C>> {
        let mut graves = Vec::new();
        self.rows.iter().for_each(|row| row.drain(|grave| graves.push(grave)));
        self.rest.drain(|grave| graves.push(grave));
        graves
    }

    /// So many a thread keeps at the most: 40 ([`MOST`]), or what holds 64 KiB.
    const MANY: usize = {
        let many = (64 << 10) / inline_bytes::<C::Target>() as usize;
        if many == 0 {
            1
        } else if cfg!(weakmap_loom) {
            2
        } else if many < MOST {
            many
        } else {
            MOST
        }
    };

    /// Of what is large nothing is kept longer than it must be: such rows have no halves.
    const HALF: usize = if cfg!(weakmap_loom) || Self::MANY == MOST { Self::MANY / 2 } else { Self::MANY };
}

impl<C: Pointer> Row<C> {
    fn new() -> Self {
        Self {
            len: AtomicUsize::new(0),
            room: AtomicUsize::new(Graves::<C>::HALF),
            urns: OnceCell::new(),
            parts: [const { AtomicU8::new(0) }; MOST],
            noted: Mutex::default(),
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.len.load(Relaxed) >= self.room.load(Relaxed)
    }

    /// With the other half. Whether it begins anew.
    fn go_on(&self) -> bool {
        let anew = self.room.load(Relaxed) == Graves::<C>::MANY;
        if anew {
            self.len.store(0, Relaxed);
        }
        self.room.store(if anew { Graves::<C>::HALF } else { Graves::<C>::MANY }, Relaxed);
        anew
    }

    /// Takes out of the next urns what the readers may see.
    #[cold]
    fn take_seen(&self, readers: &Readers, f: impl FnMut(C)) {
        let (len, room) = (self.len.load(Relaxed), self.room.load(Relaxed));
        let next = self.urns.get().into_iter().flatten().zip(&self.parts).take(room).skip(len);
        let seen = next.filter(|(_, part)| readers.may_see(Part::of(part.load(Relaxed).into())));
        seen.filter_map(|(urn, _)| urn.take()).for_each(f);
    }

    fn drain(&self, mut f: impl FnMut(Grave<C>)) {
        let urns = self.urns.get().into_iter().flatten();
        urns.filter_map(Urn::take).for_each(|count| f(Grave::new(count, None)));
    }
}
