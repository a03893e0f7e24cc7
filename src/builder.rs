//! What can be set, and what is refused.

use crate::{
    gc::{Bounds, Collector, Law, Policy, inline_bytes},
    heap::{Heap, Purge},
    map::{DefaultHasher, WeakMap, Weigher},
    sync::shared::Arc,
};
use bytesize::ByteSize;
use std::{fmt, hash::BuildHasher};

/// A setting that cannot work: which, what it was, and what is allowed.
///
/// ```
/// use weakmap::WeakMap;
///
/// let error = WeakMap::<u32, u32>::builder().limit(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "`limit` is 0 B: must be above 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is {value}: must be {allowed}")]
pub struct ConfigError {
    field: &'static str,
    value: String,
    allowed: String,
}

impl ConfigError {
    pub(crate) fn new(field: &'static str, value: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { field, value: value.into(), allowed: allowed.into() }
    }

    /// The setting that was refused, as the builder's method is called.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

/// What a [`Collector`] goes by: limit, law, sensitivity, heap. All can be changed while it runs ([`Collector::tune`]).
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

    /// The most bytes of heap that may be in use; above 0. Without it: what [`Limit`](crate::heap::Limit) finds, read again
    /// twice a second while inserts run.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// The most bytes of memory that the process should take, code and stacks and the allocator's reserve included; above 0.
    /// For where such a limit holds and the process cannot see it (a container's it can).
    ///
    /// The collector then watches resident memory and moves its limit on live bytes: from three quarters of this (or from
    /// [`limit`](Self::limit), which it does not exceed) down above 95 %, up below 91 %. Linux only; elsewhere the three quarters stay.
    ///
    /// ```
    /// use weakmap::{Collector, Tuning};
    ///
    /// let collector = Collector::new(Tuning::new().resident_limit(1 << 30))?;
    /// assert_eq!(collector.stats().limit, 768 << 20);
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
    /// elsewhere it looks once a second. Without it inserts and [`Collector::collect`] alone answer pressure.
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

    /// What gives freed memory back to the system: after each [`Collector::collect`], after a pass in the background that freed a
    /// 16th of the limit, and before a limit is lowered because too much is resident. It runs in the background, ten times
    /// a second and a 20th of the time at the most; without a background thread `collect` runs it. Without it: the allocator keeps what
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
                Err(ConfigError::new("law", value, "Proportional with 0 <= low < high"))
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

/// Sets a map up; from [`WeakMap::builder`].
///
/// `limit`, `law`, `sensitivity`, `background` and `heap` give the map a collector of its own, a budget apart. Maps without them share
/// [`Collector::global`], or the one given with [`collector`](Self::collector).
///
/// ```
/// use weakmap::WeakMap;
///
/// let pages: WeakMap<String, Vec<u8>> = WeakMap::builder()
///     .name("pages")
///     .limit(512 << 20)
///     .weigher(|url: &String, page: &Vec<u8>| (url.len() + page.len()) as u64)
///     .floor(100)
///     .build()?;
/// # pages.insert("a".into(), vec![1]);
/// # Ok::<_, weakmap::ConfigError>(())
/// ```
#[must_use]
pub struct Builder<K, V, S = DefaultHasher> {
    name: Option<String>,
    tuning: Tuning,
    /// The setting that asked for a collector of the map's own.
    own: Option<&'static str>,
    collector: Option<Collector>,
    weigher: Option<Weigher<K, V>>,
    max_weight: Option<u64>,
    floor: u64,
    priority: f64,
    policy: Policy,
    hasher: S,
}

impl<K, V> Builder<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            name: None,
            tuning: Tuning::new(),
            own: None,
            collector: None,
            weigher: None,
            max_weight: None,
            floor: 0,
            priority: 1.0,
            policy: Policy::default(),
            hasher: DefaultHasher::default(),
        }
    }
}

impl<K, V, S> Builder<K, V, S> {
    /// A name for logs and reports.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// See [`Tuning::limit`].
    pub fn limit(self, bytes: u64) -> Self {
        self.tuned("limit", |tuning| tuning.limit(bytes))
    }

    /// See [`Tuning::law`].
    pub fn law(self, law: Law) -> Self {
        self.tuned("law", |tuning| tuning.law(law))
    }

    /// See [`Tuning::sensitivity`].
    pub fn sensitivity(self, factor: f64) -> Self {
        self.tuned("sensitivity", |tuning| tuning.sensitivity(factor))
    }

    /// See [`Tuning::heap`].
    pub fn heap(self, heap: impl Heap) -> Self {
        self.tuned("heap", |tuning| tuning.heap(heap))
    }

    /// See [`Tuning::background`].
    pub fn background(self, runs: bool) -> Self {
        self.tuned("background", |tuning| tuning.background(runs))
    }

    /// The collector to belong to, instead of the global one.
    pub fn collector(mut self, collector: Collector) -> Self {
        self.collector = Some(collector);
        self
    }

    /// What an entry weighs: bytes, with what it owns on the heap. Called once for each value, before it is put in, under no
    /// lock. Without it an entry weighs its own size and the value's, and the collector learns from what passes free how
    /// many bytes that stands for.
    pub fn weigher(mut self, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Box::new(weigh));
        self
    }

    /// The most that the strong values may weigh together, in the weigher's unit, whatever the pressure; above 0. With a weigher
    /// that says 1, the most entries. While inserts run, at most one value more for each inserting thread.
    pub fn max_weight(mut self, weight: u64) -> Self {
        self.max_weight = Some(weight);
        self
    }

    /// Entries that pressure never strips below (`max_weight` does). Their least size together must fit under the limit.
    pub fn floor(mut self, entries: u64) -> Self {
        self.floor = entries;
        self
    }

    /// Among maps that share a collector, how much older than another map's an entry of this one must be to go first: at 2, twice as
    /// old. Above 0 and finite; 1 without it. Age is how many entries the collector's maps have taken in since.
    ///
    /// ```
    /// use weakmap::WeakMap;
    ///
    /// let sessions = WeakMap::<u32, u32>::builder().priority(4.0).build()?;
    /// # sessions.insert(1, 1);
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn priority(mut self, factor: f64) -> Self {
        self.priority = factor;
        self
    }

    /// How victims are chosen. Without it: [`Policy::ThreeHands`].
    ///
    /// ```
    /// use weakmap::{Policy, WeakMap};
    ///
    /// let map = WeakMap::<u32, u32>::builder().policy(Policy::Clock).build()?;
    /// # map.insert(1, 1);
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The hasher of keys. The default, foldhash, is fast and seeded per map, but not made to withstand an attacker who
    /// chooses keys and sees timings: take `std::collections::hash_map::RandomState` (SipHash) then.
    ///
    /// ```
    /// use std::collections::hash_map::RandomState;
    /// use weakmap::WeakMap;
    ///
    /// let map = WeakMap::<String, u32>::builder().hasher(RandomState::new()).build()?;
    /// # map.insert("a".into(), 1);
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn hasher<T: BuildHasher>(self, hasher: T) -> Builder<K, V, T> {
        let Self { name, tuning, own, collector, weigher, max_weight, floor, priority, policy, hasher: _ } =
            self;
        Builder { name, tuning, own, collector, weigher, max_weight, floor, priority, policy, hasher }
    }

    fn tuned(mut self, field: &'static str, change: impl FnOnce(Tuning) -> Tuning) -> Self {
        self.tuning = change(self.tuning);
        self.own = Some(field);
        self
    }

    fn choose_collector(&mut self) -> Result<Collector, ConfigError> {
        match (self.own, self.collector.take()) {
            (None, None) => Ok(Collector::global().clone()),
            (None, Some(collector)) => Ok(collector),
            (Some(_), None) => Collector::new(self.tuning.clone()),
            (Some(field), Some(_)) => {
                let allowed = "set on the collector that was given, by `Collector::new` or `tune`";
                Err(ConfigError::new(field, "set on the map", allowed))
            }
        }
    }

    fn check_bounds(&self, limit: u64) -> Result<(), ConfigError> {
        if self.max_weight == Some(0) {
            return Err(ConfigError::new("max_weight", "0", "above 0"));
        }
        if !(self.priority.is_finite() && self.priority > 0.0) {
            return Err(ConfigError::new("priority", self.priority.to_string(), "above 0 and finite"));
        }
        let least = self.floor.saturating_mul(inline_bytes::<V>());
        if least > limit {
            let (value, most) = (
                format!("{} entries of {} at least", self.floor, ByteSize::b(inline_bytes::<V>())),
                ByteSize::b(limit),
            );
            return Err(ConfigError::new("floor", value, format!("what fits under the limit of {most}")));
        }
        Ok(())
    }
}

impl<K, V, S> Builder<K, V, S>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// The map.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where a setting cannot work; it names the setting, what it was, and what is allowed.
    pub fn build(mut self) -> Result<WeakMap<K, V, S>, ConfigError> {
        let collector = self.choose_collector()?;
        self.check_bounds(collector.limit())?;
        let bounds = Bounds {
            floor: self.floor,
            max_weight: self.max_weight,
            weighed: self.weigher.is_some(),
            priority: self.priority,
            policy: self.policy,
        };
        Ok(WeakMap::assemble(self.name, bounds, self.weigher, self.hasher, collector))
    }
}

impl<K, V, S> fmt::Debug for Builder<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("tuning", &self.tuning)
            .field("max_weight", &self.max_weight)
            .field("floor", &self.floor)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}
