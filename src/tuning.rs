//! What a collector goes by.

use crate::{
    error::ConfigError,
    gc::Law,
    heap::{Heap, Purge},
    sync::shared::Arc,
};
use bytesize::ByteSize;
use std::fmt;

/// What a [`Collector`](crate::Collector) goes by: limit, law, sensitivity, heap. All can be changed while it runs ([`Collector::tune`](crate::Collector::tune)).
///
/// ```
/// use weakmap::{Collector, Law, Tuning};
///
/// let tuning = Tuning::new().limit(512 << 20).law(Law::Proportional { low: 0.8, high: 1.0 });
/// let collector = Collector::new(tuning)?;
/// # Ok::<_, weakmap::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Tuning {
    pub(crate) limit: Option<u64>,
    pub(crate) resident_limit: Option<u64>,
    pub(crate) background: bool,
    pub(crate) law: Law,
    pub(crate) sensitivity: f64,
    pub(crate) heap: Option<Arc<dyn Heap>>,
    pub(crate) purge: Option<Arc<dyn Purge>>,
}

impl Tuning {
    /// Everything as it is where nobody says otherwise.
    pub fn new() -> Self {
        Self {
            limit: None,
            resident_limit: None,
            background: true,
            law: Law::default(),
            sensitivity: 1.0,
            heap: None,
            purge: None,
        }
    }

    /// The most bytes of heap that may be in use, by the whole program where the source counts all of it ([`heap::Counting`](crate::heap::Counting), jemalloc): what else it holds
    /// leaves less to the maps. Where there is no such source, the most that the maps may weigh. Above 0. Without it: what [`Limit`](crate::heap::Limit) finds, read again
    /// twice a second while inserts run.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// The most bytes of memory that the process should take, code and stacks and the allocator's reserve included; above 0.
    /// For where such a limit holds and the process cannot see it (a container's it can).
    ///
    /// The collector then watches resident memory and moves its limit on live bytes: from half of this (or from
    /// [`limit`](Self::limit), which it does not exceed) down above 95 %, up below 91 %. Linux only; elsewhere the half stays.
    ///
    /// ```
    /// use weakmap::{Collector, Tuning};
    ///
    /// let collector = Collector::new(Tuning::new().resident_limit(1 << 30))?;
    /// assert_eq!(collector.stats().limit, 512 << 20);
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn resident_limit(mut self, bytes: u64) -> Self {
        self.resident_limit = Some(bytes);
        self
    }

    /// Whether a thread in the background answers pressure that comes from elsewhere than inserts; `true` without it.
    ///
    /// All collectors of a process share that thread. It starts with the first map and ends with the last, and sleeps until it is
    /// needed: [`heap::Counting`](crate::heap::Counting) wakes it when the heap grows past the goal; where readings come from
    /// elsewhere it looks once a second. Without it inserts and [`Collector::collect`](crate::Collector::collect) alone answer pressure.
    ///
    /// ```
    /// use weakmap::{Collector, Tuning};
    ///
    /// let collector = Collector::new(Tuning::new().limit(64 << 20).background(false))?;
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn background(mut self, runs: bool) -> Self {
        self.background = runs;
        self
    }

    /// How much is stripped at which pressure. Without it: [`Law::Pacer`].
    pub fn law(mut self, law: Law) -> Self {
        self.law = law;
        self
    }

    /// Scales what the law strips: 2 strips twice as much at the same pressure, 0 leaves everything to the gate at the limit.
    /// Finite and not negative; 1 without it.
    pub fn sensitivity(mut self, factor: f64) -> Self {
        self.sensitivity = factor;
        self
    }

    /// Where readings come from. Without it: [`heap::Counting`](crate::heap::Counting) where that is the global allocator, else
    /// jemalloc's statistics (feature `jemalloc`), else what the maps weigh.
    pub fn heap(mut self, heap: impl Heap) -> Self {
        self.heap = Some(Arc::new(heap));
        self
    }

    /// What gives freed memory back to the system: after each [`Collector::collect`](crate::Collector::collect), after a pass in the background that freed a
    /// 16th of the limit, and before a limit is lowered because too much is resident. It runs in the background, ten times
    /// a second and a 20th of the time at the most; without a background thread `collect` runs it, and an insert that
    /// finds too much resident. Without it: the allocator keeps what
    /// is freed for the next allocations.
    ///
    /// ```
    /// use weakmap::{Collector, Tuning, heap::Purge};
    ///
    /// struct Trim;
    ///
    /// impl Purge for Trim {
    ///     fn purge(&self) {
    ///         // or one of `heap::purge`
    ///     }
    ///
    ///     fn name(&self) -> &str {
    ///         "trim"
    ///     }
    /// }
    ///
    /// let collector = Collector::new(Tuning::new().limit(64 << 20).purge(Trim))?;
    /// # collector.collect();
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn purge(mut self, purge: impl Purge) -> Self {
        self.purge = Some(Arc::new(purge));
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for (field, bytes) in [("limit", self.limit), ("resident_limit", self.resident_limit)] {
            if bytes == Some(0) {
                return Err(ConfigError::new(field, ByteSize::b(0).to_string(), "above 0"));
            }
        }
        if !(self.sensitivity.is_finite() && self.sensitivity >= 0.0) {
            return Err(ConfigError::new(
                "sensitivity",
                self.sensitivity.to_string(),
                "finite and not negative",
            ));
        }
        match self.law {
            Law::Proportional { low, high } if !(0.0 <= low && low < high && high.is_finite()) => {
                let value = format!("Proportional {{ low: {low}, high: {high} }}");
                Err(ConfigError::new("law", value, "Proportional with 0 <= low < high, both finite"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuning")
            .field("limit", &self.limit.map(ByteSize::b))
            .field("resident_limit", &self.resident_limit.map(ByteSize::b))
            .field("background", &self.background)
            .field("law", &self.law)
            .field("sensitivity", &self.sensitivity)
            .finish_non_exhaustive()
    }
}
