//! Single flight: of several callers that want an absent key, one loads, the others wait for its value.
//!
//! # Protocol
//!
//! 1. A caller joins the key's flight in the table (making it if there is none) and calls `get_or_try_init` on its cell, which lets one caller
//!    load at a time, wakes the others with its value, and lets the next one try where it failed or gave up. Callers are threads that block, and
//!    (feature `async`) tasks that wait.
//! 2. Who has loaded lands: under the table's lock of that key, and only if the flight is still in the table, the value is
//!    put into the map and the flight taken out. So it is by who finds a value in the map, and need not load.
//! 3. `insert`, `remove` and `clear` cancel the key's flight: they take it out of the table. Its value still goes to those
//!    who wait, but not into the map: it may be older than what the canceller knows.
//! 4. The last one to leave a flight that nobody landed takes it out.
//!
//! # Invariants
//!
//! 1. A value goes into the map by landing only, so never after a cancel of its flight.
//! 2. A flight is in the table until it landed, was cancelled, its value was found in the map, or nobody is on it: a caller who finds none and misses in the
//!    map finds what landed when it looks again (as the first thing that the cell's initialiser does).
//! 3. No lock is held while a loader runs: it may use the map, but for the key that it loads.

mod key;

use self::key::{Given, Node, Same, Sought};
use crate::{
    entry::Entry,
    index::part_of,
    sync::{
        Arc, AtomicUsize, Guard, HashMap, LoadCell,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
        StrongArc, TableGuard, fence,
    },
};
use equivalent::Equivalent;
use std::fmt;

type Table<K, V> = HashMap<Node<Entry<K, V>>, Arc<Flight<K, V>>, Given>;

/// See the module.
pub struct Flights<K, V> {
    table: Table<K, V>,
    /// Callers on a flight: who finds none has nothing to cancel.
    callers: AtomicUsize,
}

/// Loads of one key.
struct Flight<K, V> {
    /// What the table knows the flight by: to leave and to look for it at landing call no `Eq`, which may panic.
    key: StrongArc<Entry<K, V>>,
    value: LoadCell<Arc<V>>,
    /// Changed under the table's lock of the key.
    callers: AtomicUsize,
}

/// A caller on a flight; leaves when dropped.
pub struct Seat<'f, K: Eq, V> {
    flights: &'f Flights<K, V>,
    flight: Arc<Flight<K, V>>,
}

impl<K: Eq, V> Flights<K, V> {
    pub fn new() -> Self {
        // The thread-local of the table's guards is registered before a thread-local map is, so it goes after it.
        drop(TableGuard::new());
        Self { table: HashMap::with_hasher(Given), callers: AtomicUsize::new(0) }
    }

    /// Joins the flight of the entry's key.
    pub fn join(&self, entry: &StrongArc<Entry<K, V>>) -> Seat<'_, K, V> {
        // Relaxed: ordered by the fence below.
        self.callers.fetch_add(1, Relaxed);
        let place = self.table.entry_sync(Node::new(StrongArc::clone(entry)));
        let place = place.or_insert_with(|| Arc::new(Flight::new(StrongArc::clone(entry))));
        // Relaxed: under the table's lock.
        place.get().callers.fetch_add(1, Relaxed);
        let flight = Arc::clone(place.get());
        drop(place);
        // Partner: the fence of the canceller's guard. Either a canceller sees the caller and finds the flight, or the load that follows sees all
        // that the canceller did before (a source that it changed, say): then what is loaded is not older than what it knows.
        fence(SeqCst);
        Seat { flights: self, flight }
    }

    /// Cancels the key's flight, if there is one. For who has just entered this guard, a [fenced](Guard::fenced) one; handed back, or another.
    #[inline]
    pub fn cancel<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q, fenced: Guard) -> Guard {
        if self.any() { self.cancel_there(hash, key, fenced) } else { fenced }
    }

    /// Under no guard: it may wait for the table's lock, and what it takes out may have destructors.
    #[cold]
    fn cancel_there<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q, fenced: Guard) -> Guard {
        drop(fenced);
        self.table.remove_sync(&Sought { hash, key });
        Guard::of(part_of(hash))
    }

    /// Cancels all.
    pub fn cancel_all(&self) {
        fence(SeqCst); // as the guard's in `cancel`
        if self.any() {
            self.table.clear_sync();
        }
    }

    /// Whether there may be a flight. To be called after a fence, the partner of the one in `join`.
    #[inline]
    fn any(&self) -> bool {
        // Acquire: pairs with the Release of who left: what landed is in the map for who finds nobody.
        self.callers.load(Acquire) > 0
    }
}

/// What the models see.
#[cfg(weakmap_loom)]
impl<K: Eq, V> Flights<K, V> {
    pub fn none(&self) -> bool {
        self.table.is_empty() && self.callers.load(Relaxed) == 0
    }
}

impl<K, V> Flight<K, V> {
    fn new(key: StrongArc<Entry<K, V>>) -> Self {
        Self { key, value: LoadCell::new(), callers: AtomicUsize::new(0) }
    }
}

impl<K: Eq, V> Seat<'_, K, V> {
    /// The flight's value; `load` makes it where nobody has. Blocks while another caller loads.
    pub fn value<E>(&self, load: impl FnOnce() -> Result<Arc<V>, E>) -> Result<Arc<V>, E> {
        self.flight.value.get_or_try_init(load).cloned()
    }

    /// The same for a task. Where it is dropped, the next caller's load begins.
    #[cfg(all(feature = "async", not(weakmap_loom)))]
    pub async fn value_async<E>(&self, load: impl Future<Output = Result<Arc<V>, E>>) -> Result<Arc<V>, E> {
        self.flight.value.get_or_try_init_async(load).await.cloned()
    }

    /// What `find` finds in the map; then the flight is over, for its value may be removed there and is not to be given to who comes later.
    pub fn end_if_found<R>(&self, find: impl FnOnce() -> Option<R>) -> Option<R> {
        let place = self.flights.table.get_sync(&Same(&self.flight.key));
        match place.filter(|place| Arc::ptr_eq(place.get(), &self.flight)) {
            Some(place) => {
                let found = find()?;
                let _ = place.remove();
                Some(found)
            }
            None => find(), // cancelled: nobody joins it
        }
    }

    /// Runs `put` and ends the flight, unless it was cancelled.
    pub fn land<R>(&self, put: impl FnOnce() -> R) -> Option<R> {
        let place = self.flights.table.get_sync(&Same(&self.flight.key))?;
        if !Arc::ptr_eq(place.get(), &self.flight) {
            return None;
        }
        let result = put();
        let _ = place.remove();
        Some(result)
    }
}

impl<K: Eq, V> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        let last = |flight: &mut Arc<Flight<K, V>>| {
            // Relaxed: under the table's lock.
            Arc::ptr_eq(flight, &self.flight) && flight.callers.fetch_sub(1, Relaxed) == 1
        };
        self.flights.table.remove_if_sync(&Same(&self.flight.key), last);
        // Release: pairs with the Acquire in `any`. To have left too late costs a canceller a look into the table.
        self.flights.callers.fetch_sub(1, Release);
    }
}

impl<K, V> fmt::Debug for Flights<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}
