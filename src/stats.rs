//! Counters, and what they said at one moment.

use crate::sync::{
    CachePadded, number,
    number::EXCLUSIVE,
    number_if_any, pin,
    tally::{AtomicU64, Relaxed},
};
use std::time::Duration;

/// What happened to a map so far, and what it holds. See [`WeakMap::stats`](crate::WeakMap::stats).
///
/// Each number is exact when nothing runs; while other threads work, the numbers are of slightly different moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Reads by `get`, `get_weak`, pinned `get` and loads (`get_or_insert_with` and its kin) that found a value.
    pub hits: u64,
    /// The same that found none.
    pub misses: u64,
    /// Hits on a stripped value that a caller still held: it became strong again.
    pub revivals: u64,
    /// Values that were put in, replacements included.
    pub inserts: u64,
    /// Inserts that found the key present.
    pub replaced: u64,
    /// Entries removed by `remove`, `retain` and `clear`, and by inserts of what is too heavy.
    pub removed: u64,
    /// Values not kept because they weigh more than the limit or `max_weight`.
    pub too_heavy: u64,
    /// Loaders that were run by `get_or_insert_with` and its kin.
    pub loads: u64,
    /// Strong references that were stripped.
    pub stripped: u64,
    /// Entries that were reaped: nobody held the value any more.
    pub reaped: u64,
    /// Destructors of values that panicked while the map gave the value back.
    pub panicked: u64,
    /// Sweeps of up to 64 entries, by passes and by inserting threads, that stripped or reaped something of this map.
    pub passes: u64,
    /// Entries now, stripped ones included that were not reaped yet.
    pub entries: u64,
    /// Of these, the stripped ones.
    pub weak: u64,
    /// What the strong values weigh together now, in the weigher's unit (without a weigher: bytes).
    pub weight: u64,
    /// Heap bytes of the policy: rings and ghost tables.
    pub policy_bytes: u64,
    /// Bytes stripped and not freed yet, of all maps of the collector: pinned reads, or readers caught in the middle, hold them back.
    pub pending: u64,
}

/// What one pass did. See [`WeakMap::collect`](crate::WeakMap::collect).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PassReport {
    /// Entries that the hand looked at.
    pub swept: u64,
    /// Strong references that were stripped.
    pub stripped: u64,
    /// Entries that left the index because nobody held their value any more.
    pub reaped: u64,
    /// Stripped entries that the pass found strong again.
    pub revived: u64,
    /// Bytes that were freed, or will be when the last pinned read of now ends.
    pub freed: u64,
    /// Bytes of stripped values that callers still hold: nothing was freed.
    pub shared: u64,
    /// Heap use over the limit, before.
    pub pressure_before: f64,
    /// Heap use over the limit, after.
    pub pressure_after: f64,
    /// How long it took.
    pub duration: Duration,
}

/// How a collector is doing. See [`Collector::stats`](crate::Collector::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CollectorStats {
    /// Bytes in use, as the heap source tells, and those of values that loaders are making (`reserved`).
    pub live: u64,
    /// By how much `live` may be wrong.
    pub error: u64,
    /// The most bytes that may be in use: what was told or found, or what became of it by what is resident.
    pub limit: u64,
    /// Where the heap is held: at this size each inserted byte is paid with a stripped one.
    pub goal: u64,
    /// The heap size at which the next strips are due; `u64::MAX` while a pass of a law with cycles runs.
    pub next_pass: u64,
    /// `live` over `limit`.
    pub pressure: f64,
    /// Bytes stripped and not freed yet.
    pub pending: u64,
    /// Bytes of values that loaders are making now.
    pub reserved: u64,
    /// What all maps weigh.
    pub weight: u64,
    /// Maps attached.
    pub maps: u64,
    /// Passes (not sweeps, as [`Stats::passes`] counts them): those asked for and, under the laws that have cycles, those that came due.
    pub passes: u64,
    /// Payments of debt by inserting threads.
    pub assists: u64,
    /// Inserts that found the heap at the limit and nothing to strip.
    pub overruns: u64,
    /// The last passes freed nothing: callers hold all values, or the maps stand at their floors. The next look waits, so that looking
    /// takes one percent of a processor at the most.
    pub exhausted: bool,
    /// How often such a wait began.
    pub rests: u64,
    /// How often the background thread looked after this collector.
    pub wakeups: u64,
}

/// Threads that count for themselves.
const OWN: usize = 16;
const SHARED: usize = 4;
const _: () = assert!(OWN <= EXCLUSIVE);
/// For who is counted by a pin's number.
const _: () = assert!(OWN <= pin::OWN || cfg!(weakmap_loom));

/// What happens so often that each thread counts it for itself.
#[derive(Clone, Copy, Debug)]
pub enum Frequent {
    Miss,
    Hit,
    Addition,
    Replacement,
}

/// Counters of what is frequent.
#[derive(Debug, Default)]
pub struct Counters {
    /// Each is written by the thread of that number alone (see `sync::number`): without a locked instruction.
    own: [CachePadded<Stripe>; OWN],
    shared: [CachePadded<Stripe>; SHARED],
}

#[derive(Debug, Default)]
struct Stripe {
    /// One for each of [`Frequent`].
    counts: [AtomicU64; 4],
    row: Row,
}

/// New keys that a thread has inserted since one was present. Tells what the next one will be, more often than not.
#[derive(Debug, Default)]
pub struct Row(AtomicU64);

impl Row {
    /// Whether the next one is taken for new.
    #[inline]
    pub fn is_long(&self) -> bool {
        self.0.load(Relaxed) >= ROW
    }

    /// One more.
    #[inline]
    pub fn go_on(&self) {
        if !self.is_long() {
            self.0.store(self.0.load(Relaxed) + 1, Relaxed);
        }
    }
}

/// So many new keys in a row, and the next one is taken for new, too.
const ROW: u64 = 16;

impl Counters {
    #[inline]
    pub fn read(&self, found: bool) {
        if found {
            self.count(Frequent::Hit);
        } else {
            self.count(Frequent::Miss);
        }
    }

    #[inline]
    pub fn count(&self, what: Frequent) {
        self.count_by(number_if_any(), what);
    }

    /// The same for who knows the calling thread's number, or that it has none to itself.
    #[inline]
    pub fn count_by(&self, number: usize, what: Frequent) {
        match self.own.get(number) {
            Some(stripe) => {
                let counter = &stripe.counts[what as usize];
                counter.store(counter.load(Relaxed) + 1, Relaxed);
            }
            None => self.count_slowly(what),
        }
    }

    /// For a thread without a number yet, or one that has none to itself.
    #[cold]
    fn count_slowly(&self, what: Frequent) {
        let number = number();
        match self.own.get(number) {
            Some(stripe) => count(&stripe.counts[what as usize]),
            None => count(&self.shared[number % SHARED].counts[what as usize]),
        }
    }

    /// An insert has met a key that was present.
    #[inline]
    pub fn replaced(&self) {
        self.count(Frequent::Replacement);
        if let Some(row) = self.row() {
            row.0.store(0, Relaxed);
        }
    }

    /// Where the calling thread keeps its row, if it counts for itself.
    #[inline]
    pub fn row(&self) -> Option<&Row> {
        self.own.get(number_if_any()).map(|stripe| &stripe.row)
    }

    /// How often it happened.
    pub fn sum(&self, what: Frequent) -> u64 {
        self.own.iter().chain(&self.shared).map(|stripe| stripe.counts[what as usize].load(Relaxed)).sum()
    }
}

/// Counters of everything that happens less often.
#[derive(Debug, Default)]
pub struct Events {
    pub revivals: AtomicU64,
    pub removed: AtomicU64,
    pub too_heavy: AtomicU64,
    pub loads: AtomicU64,
    pub stripped: AtomicU64,
    pub reaped: AtomicU64,
    pub panicked: AtomicU64,
    pub passes: AtomicU64,
}

/// One more.
#[inline]
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
