//! jemalloc's own count of what is allocated, polled.
//!
//! A poll makes jemalloc add up its statistics (24 µs), so one is made every few milliseconds at the most, by whichever thread comes
//! first. In between the number moves with what the asking threads took and gave back, which jemalloc tells each thread for nothing.

use super::{Heap, Sample};
use crate::sync::{
    Lazy,
    tally::{AtomicI64, AtomicU64, Relaxed},
};
use std::{
    cell::Cell,
    io,
    time::{Duration, Instant},
};
use tikv_jemalloc_ctl::{epoch, epoch_mib, stats, thread};

/// Between polls: 24 µs in 4 ms are 0.6 % of one processor.
const INTERVAL: Duration = Duration::from_millis(4);

/// What a thread takes or gives back before it moves the number, in bytes.
const FLUSH: u64 = 16 << 10;

/// Calls after which a thread looks at the clock though it took less.
const CALLS: u8 = 16;

/// jemalloc as a source of readings: `stats.allocated`. Feature `jemalloc`; not on Windows with MSVC.
///
/// For programs whose global allocator is `tikv_jemallocator::Jemalloc` (0.7). There it is the signal wherever no other
/// is given; [`Counting`](super::Counting) over jemalloc goes first, since it knows its error.
///
/// # What it says
///
/// Bytes in use, in jemalloc's size classes (some 5 to 10 % above what was asked for), what threads keep in their caches included.
/// Polled every 4 ms at the most, while inserts run; in between it moves with what the inserting threads take and give back.
/// What other threads do shows at the next poll. So the error is an experience and no bound: by how much the
/// last polls (the older the less) found the number wrong, 16 KiB at least, and at most 1/32 of it.
///
/// # What it costs
///
/// A reading, a few nanoseconds; a look at the clock now and then; 24 µs for the thread that polls. All sources of
/// a process share one poll.
///
/// ```
/// use weakmap::{WeakMap, heap::Jemalloc};
///
/// match Jemalloc::new() {
///     Ok(heap) => {
///         let map: WeakMap<u32, String> = WeakMap::builder().limit(64 << 20).heap(heap).build()?;
///         # map.insert(1, "a".into());
///     }
///     Err(error) => println!("{error}"),
/// }
/// # Ok::<_, weakmap::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Jemalloc(());

/// What the process knows of its one jemalloc.
struct Polled {
    epoch: epoch_mib,
    allocated: stats::allocated_mib,
    start: Instant,
    /// The next poll, in microseconds after `start`.
    due: AtomicU64,
    live: AtomicI64,
    error: AtomicU64,
}

/// `None` where jemalloc has no statistics.
static POLLED: Lazy<Option<Polled>> = Lazy::new(|| Polled::new().ok());

/// What jemalloc tells the thread, and how far it was told on.
#[derive(Clone, Copy)]
struct Own {
    allocated: thread::ThreadLocal<u64>,
    deallocated: thread::ThreadLocal<u64>,
    told: i64,
    calls: u8,
}

thread_local!(static OWN: Cell<Option<Own>> = const { Cell::new(None) });

impl Jemalloc {
    /// The source.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) where jemalloc is not the global allocator, or was built without
    /// statistics.
    pub fn new() -> io::Result<Self> {
        let unsupported = |why| Err(io::Error::new(io::ErrorKind::Unsupported, why));
        let Some(before) = Own::of_thread() else {
            return unsupported("jemalloc counts nothing: it was built without statistics");
        };
        let before = before.net();
        let probe = std::hint::black_box(Box::new([0u8; 64]));
        let ours = Own::of_thread().is_some_and(|own| own.net() != before);
        drop(probe);
        if !ours {
            return unsupported("jemalloc is not the global allocator");
        }
        match &*POLLED {
            Some(_) => Ok(Self(())),
            None => unsupported("jemalloc was built without statistics"),
        }
    }
}

impl Heap for Jemalloc {
    fn sample(&self) -> Sample {
        POLLED.as_ref().map_or(Sample::exact(0), Polled::sample)
    }

    fn net_of_thread(&self) -> Option<i64> {
        Some(Own::of_thread()?.net())
    }
}

impl Polled {
    fn new() -> Result<Self, tikv_jemalloc_ctl::Error> {
        let new = Self {
            epoch: epoch::mib()?,
            allocated: stats::allocated::mib()?,
            start: Instant::now(),
            due: AtomicU64::new(0),
            live: AtomicI64::new(0),
            error: AtomicU64::new(FLUSH),
        };
        new.live.store(new.read()? as i64, Relaxed);
        Ok(new)
    }

    fn sample(&self) -> Sample {
        if let Some(took) = Own::take() {
            self.live.fetch_add(took, Relaxed);
            self.poll_if_due();
        }
        Sample::rough(self.live.load(Relaxed).max(0) as u64, self.error.load(Relaxed))
    }

    fn poll_if_due(&self) {
        let now = self.start.elapsed().as_micros() as u64;
        let (due, next) = (self.due.load(Relaxed), now + INTERVAL.as_micros() as u64);
        if now < due || self.due.compare_exchange(due, next, Relaxed, Relaxed).is_err() {
            return;
        }
        if let Ok(found) = self.read() {
            let thought = self.live.swap(found as i64, Relaxed);
            self.error.store(experience(self.error.load(Relaxed), thought, found), Relaxed);
        }
    }

    fn read(&self) -> Result<u64, tikv_jemalloc_ctl::Error> {
        self.epoch.advance()?;
        Ok(self.allocated.read()? as u64)
    }
}

/// The error after a poll that found so much where another number was thought.
fn experience(error: u64, thought: i64, found: u64) -> u64 {
    let surprise = thought.abs_diff(found as i64);
    // Bounded: a jump is in the number itself from now on, and must not count twice.
    surprise.max(error / 2).min(found / 32).max(FLUSH)
}

impl Own {
    fn of_thread() -> Option<Self> {
        if let Some(own) = OWN.get() {
            return Some(own);
        }
        let (allocated, deallocated) = (thread::allocatedp::read().ok()?, thread::deallocatedp::read().ok()?);
        let mut own = Self { allocated, deallocated, told: 0, calls: 0 };
        own.told = own.net();
        OWN.set(Some(own));
        Some(own)
    }

    fn net(&self) -> i64 {
        self.allocated.get().wrapping_sub(self.deallocated.get()) as i64
    }

    /// What the thread took since it was last told on, where that is much or long ago.
    fn take() -> Option<i64> {
        let mut own = Self::of_thread()?;
        let took = own.net() - own.told;
        own.calls += 1;
        let tell = own.calls >= CALLS || took.unsigned_abs() >= FLUSH;
        if tell {
            own.told += took;
            own.calls = 0;
        }
        OWN.set(Some(own));
        tell.then_some(took)
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn errors_are_learned_and_forgotten() {
        const MIB: i64 = 1 << 20;
        let found = |error, thought, found| experience(error, thought, found as u64);
        assert_eq!(found(FLUSH, 64 * MIB, 64 * MIB), FLUSH);
        assert_eq!(found(FLUSH, 63 * MIB, 64 * MIB), MIB as u64);
        assert_eq!(found(MIB as u64, 64 * MIB, 64 * MIB), MIB as u64 / 2);
        assert_eq!(found(FLUSH, 0, 64 * MIB), 2 * MIB as u64, "at most 1/32");
        assert_eq!(found(FLUSH, 64 * MIB, 0), FLUSH);
    }
}
