//! Where pressure comes from: how much heap is in use, and how much may be.
//!
//! The signal is *live bytes*, never resident memory: resident memory falls late or not at all after a free, and every law
//! fed with it collapses under bursts. In this order a [`Collector`](crate::Collector) takes
//!
//! 1. the source given to its builder ([`Heap`], bring your own),
//! 2. [`Counting`], where it is the program's global allocator: exact to a known error, no lag,
//! 3. the weights that its maps add up themselves.

mod counting;
mod limit;
mod scripted;

pub use counting::Counting;
pub(crate) use limit::detect as detect_limit;
pub use scripted::Scripted;

use crate::sync::shared::Arc;
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

/// The source that a collector goes by.
#[derive(Clone)]
pub(crate) enum Source {
    Heap(Arc<dyn Heap>),
    /// What the collector's maps weigh.
    Weights,
}

impl Source {
    /// The given one, else the best there is.
    pub fn choose(given: Option<Arc<dyn Heap>>) -> Self {
        let counted = || Some(Arc::new(counting::Counted::detect()?) as Arc<dyn Heap>);
        given.or_else(counted).map_or(Self::Weights, Self::Heap)
    }

    pub fn sample(&self, weight: u64) -> Sample {
        match self {
            Self::Heap(heap) => heap.sample(),
            Self::Weights => Sample::exact(weight),
        }
    }

    /// What the calling thread has taken, as far as can be told: exactly, or by what all threads have.
    pub fn net(&self) -> Net {
        match self {
            Self::Heap(heap) => match heap.net_of_thread() {
                Some(net) => Net::OfThread(net),
                None => Net::OfAll(heap.sample().live),
            },
            Self::Weights => Net::Unknown,
        }
    }

    /// Whether the source knows what single threads take.
    pub fn measures(&self) -> bool {
        matches!(self.net(), Net::OfThread(_))
    }

    pub fn is_weights(&self) -> bool {
        matches!(self, Self::Weights)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heap(_) => "Heap",
            Self::Weights => "Weights",
        })
    }
}
