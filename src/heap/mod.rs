//! Where pressure comes from: how much heap is in use, and how much may be.
//!
//! The signal is *live bytes*, never resident memory: resident memory falls late or not at all after a free, and every law
//! fed with it collapses under bursts. In this order a [`Collector`](crate::Collector) takes
//!
//! 1. the source given to its builder ([`Heap`], bring your own),
//! 2. [`Counting`], where it is the program's global allocator: exact to a known error, no lag,
//! 3. jemalloc's `stats.allocated`, where jemalloc is the global allocator (feature `jemalloc`): polled,
//! 4. the weights that its maps add up themselves.
//!
//! What the heap may grow to is a [`Limit`]. [`Process`] and [`Cgroup`] tell what is really taken of the machine, for whoever
//! corrects a limit, slowly; a [`Purge`] makes allocators give back what they keep.
//!
//! # What works where
//!
//! | | Linux | other systems |
//! |---|---|---|
//! | [`Counting`], weights, a source of one's own | yes | yes |
//! | `Jemalloc` (feature `jemalloc`) | yes | all but Windows with MSVC |
//! | [`Limit`]: given, `WEAKMAP_LIMIT` | yes | yes |
//! | [`Limit`]: cgroup, `RLIMIT_DATA`, `RLIMIT_AS`, physical memory | yes | no: give one, or 1 GiB is assumed |
//! | [`Process`], [`Cgroup`] | yes | no: an error of kind `Unsupported` or `NotFound` |
//! | `purge::Glibc` (feature `purge-glibc`) | with glibc | no |
//! | `purge::Jemalloc` (feature `jemalloc`) | yes | all but Windows with MSVC |
//! | `purge::Mimalloc` (feature `mimalloc`) | yes | yes |

mod cgroup;
mod counting;
mod gauge;
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
mod jemalloc;
mod limit;
mod process;
pub mod purge;
mod scripted;
mod watch;

pub use cgroup::{Cgroup, CgroupLimit, CgroupVersion};
pub use counting::Counting;
pub(crate) use counting::counted;
pub(crate) use gauge::Gauge;
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
pub use jemalloc::Jemalloc;
pub use limit::{Limit, Origin};
pub use process::{Process, Usage};
pub use purge::Purge;
pub use scripted::Scripted;
pub(crate) use watch::Watch;

use crate::sync::shared::Arc;
use bytesize::ByteSize;
use std::fmt;

/// A reading of a heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// Bytes in use.
    pub live: u64,
    /// By how many bytes `live` may be wrong at the most, either way.
    pub error: u64,
}

impl Sample {
    /// A reading of `live` bytes that is exact.
    ///
    /// ```
    /// assert_eq!(weakmap::heap::Sample::exact(512).error, 0);
    /// ```
    pub fn exact(live: u64) -> Self {
        Self { live, error: 0 }
    }

    /// A reading of `live` bytes that may be wrong by `error` bytes, either way.
    ///
    /// ```
    /// assert_eq!(weakmap::heap::Sample::rough(512, 16).error, 16);
    /// ```
    pub fn rough(live: u64, error: u64) -> Self {
        Self { live, error }
    }
}

/// A source of heap readings.
///
/// `sample` is called on every insert, by any number of threads at a time: it should take nanoseconds and must not block.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use weakmap::{WeakMap, heap::{Heap, Sample}};
///
/// /// What an arena of ours says it has given out.
/// struct Arena(AtomicU64);
///
/// impl Heap for Arena {
///     fn sample(&self) -> Sample {
///         Sample::exact(self.0.load(Relaxed))
///     }
/// }
///
/// let map: WeakMap<u32, u32> =
///     WeakMap::builder().limit(1 << 20).heap(Arena(AtomicU64::new(0))).build()?;
/// # map.insert(1, 1);
/// # Ok::<_, weakmap::ConfigError>(())
/// ```
pub trait Heap: Send + Sync + 'static {
    /// How much is in use now.
    fn sample(&self) -> Sample;

    /// The bytes that the calling thread has taken from this heap so far, less those that it gave back, if the source
    /// knows: the difference over a drop is what the drop really freed. `None` where it does not.
    fn net_of_thread(&self) -> Option<i64> {
        None
    }
}

/// What was taken from the heap so far, less what was given back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Net {
    OfThread(i64),
    OfAll(u64),
    Unknown,
}

impl Net {
    /// What was freed since `before`, if that can be told. What all threads have may have fallen for other reasons, or lag: only a
    /// fall counts.
    pub fn freed_since(self, before: Net) -> Option<u64> {
        match (before, self) {
            (Self::OfThread(before), Self::OfThread(after)) => Some((before - after).max(0) as u64),
            (Self::OfAll(before), Self::OfAll(after)) => before.checked_sub(after).filter(|&freed| freed > 0),
            _ => None,
        }
    }
}

/// Which source a collector goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The one given to the builder.
    Given,
    /// [`Counting`].
    Counting,
    /// jemalloc's `stats.allocated`.
    Jemalloc,
    /// What the collector's maps weigh.
    Weights,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "the source that was given",
            Self::Counting => "heap::Counting",
            Self::Jemalloc => "jemalloc's stats.allocated",
            Self::Weights => "the maps' weights",
        })
    }
}

/// The source that a collector goes by.
#[derive(Clone)]
pub(crate) struct Source {
    signal: Signal,
    /// `None` for the weights.
    heap: Option<Arc<dyn Heap>>,
}

impl Source {
    /// The given one, else the best there is.
    pub fn choose(given: Option<Arc<dyn Heap>>) -> Self {
        let offers = [
            (Signal::Given, given.ok_or_else(|| "none was".to_owned())),
            (Signal::Counting, counting()),
            (Signal::Jemalloc, jemalloc()),
        ];
        let first = offers.into_iter().find_map(|(signal, offer)| Some((signal, offer.ok()?)));
        match first {
            Some((signal, heap)) => Self { signal, heap: Some(heap) },
            None => Self { signal: Signal::Weights, heap: None },
        }
    }

    /// Whether both say the same at any time.
    pub fn is_the_same(&self, other: &Self) -> bool {
        match (self.signal, &self.heap, &other.heap) {
            (Signal::Given, Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => self.signal == other.signal,
        }
    }

    #[inline]
    pub fn sample(&self, weight: u64) -> Sample {
        self.heap.as_ref().map_or(Sample::exact(weight), |heap| heap.sample())
    }

    /// What the calling thread has taken, as far as can be told: exactly, or by what all threads have.
    pub fn net(&self) -> Net {
        match &self.heap {
            Some(heap) => match heap.net_of_thread() {
                Some(net) => Net::OfThread(net),
                None => Net::OfAll(heap.sample().live),
            },
            None => Net::Unknown,
        }
    }

    /// Whether the source knows what single threads take.
    pub fn measures(&self) -> bool {
        matches!(self.net(), Net::OfThread(_))
    }

    /// Whether the allocator wakes who waits for the heap to grow.
    pub fn wakes(&self) -> bool {
        self.signal == Signal::Counting
    }

    pub fn is_weights(&self) -> bool {
        self.heap.is_none()
    }

    /// Which signal is in use, and why the others are not, a line each.
    pub fn explain(&self) -> String {
        let Self { signal, heap } = self;
        let mut text = format!("signal: {signal}");
        if let Some(heap) = heap {
            text += &format!(", now exact to {}", ByteSize::b(heap.sample().error));
        } else {
            text += ": what values own is not seen, unless a weigher tells";
        }
        let others = [
            (Signal::Given, Err("none was".to_owned())),
            (Signal::Counting, counting().map(drop)),
            (Signal::Jemalloc, jemalloc().map(drop)),
            (Signal::Weights, Ok(())),
        ];
        for (other, offer) in others.into_iter().filter(|(other, _)| other != signal) {
            let why = offer.err().unwrap_or_else(|| format!("{signal} goes first"));
            text += &format!("\n  not {other}: {why}");
        }
        text
    }
}

/// A source, or why it cannot be had.
type Offer = Result<Arc<dyn Heap>, String>;

fn counting() -> Offer {
    match counting::Counted::detect() {
        Some(heap) => Ok(Arc::new(heap)),
        None => Err("it is not the global allocator".into()),
    }
}

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
fn jemalloc() -> Offer {
    match Jemalloc::new() {
        Ok(heap) => Ok(Arc::new(heap)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
fn jemalloc() -> Offer {
    Err("the feature `jemalloc` is off, or not for this platform".into())
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.signal, f)
    }
}
