//! What can be set on a map, and what is refused.

use crate::{
    error::ConfigError,
    gc::{Bounds, Collector, Law, Policy, inline_bytes},
    heap::{Heap, Purge},
    map::{DefaultHasher, WeakMap, Weigher},
    tuning::Tuning,
};
use bytesize::ByteSize;
use std::{fmt, hash::BuildHasher};

/// Sets a map up; from [`WeakMap::builder`].
///
/// `limit`, `resident_limit`, `law`, `sensitivity`, `heap`, `purge` and `background` give the map a [`Collector`] of its own, whose passes are over this map alone. (It goes by the heap of the
/// whole program all the same, where that is counted: see [`Tuning::limit`].) Maps without them share [`Collector::global`], or the one given with
/// [`collector`](Self::collector).
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

    /// See [`Tuning::resident_limit`].
    pub fn resident_limit(self, bytes: u64) -> Self {
        self.tuned("resident_limit", |tuning| tuning.resident_limit(bytes))
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

    /// See [`Tuning::purge`].
    pub fn purge(self, purge: impl Purge) -> Self {
        self.tuned("purge", |tuning| tuning.purge(purge))
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
    /// lock. Without it an entry weighs its own size and the value's (some 80 bytes, the key and the value, not what they own), and the collector learns how
    /// many bytes that stands for: from what passes free, where the heap is counted thread by thread ([`heap::Counting`](crate::heap::Counting)). Where
    /// nothing counts the heap, the limit is on what the maps weigh: then give a weigher, or a container's limit, which is held by what is resident.
    pub fn weigher(mut self, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Box::new(weigh));
        self
    }

    /// The most that the strong values may weigh together, in the weigher's unit, whatever the pressure; above 0. With a weigher
    /// that says 1, the most entries; without one, bytes as [`weigher`](Self::weigher) says. While inserts run, at most one value more for each inserting thread. A full map stands
    /// some sixteen entries below it (a hundred where threads meet), and 1/128 of it at the most: so that not each insert sweeps.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::builder().weigher(|_, _| 1).max_weight(2).build()?;
    /// (0..10).for_each(|n| drop(map.insert(n, n * n)));
    /// assert_eq!(map.len(), 2);
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn max_weight(mut self, weight: u64) -> Self {
        self.max_weight = Some(weight);
        self
    }

    /// Entries of this map that pressure never strips below (`max_weight` does). So many empty ones must fit under the limit of now; who gives several maps floors, or
    /// lowers the limit later, sees to it himself that they fit together.
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
            (None, None) => Collector::try_global().cloned(),
            (None, Some(collector)) => Ok(collector),
            (Some(_), None) => Collector::new(self.tuning.clone()),
            (Some(field), Some(_)) => {
                let allowed = "set on the collector that was given to it, by `Collector::new` or `tune`";
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
            let allowed =
                format!("at most {}, to fit under the limit of {most}", limit / inline_bytes::<V>());
            return Err(ConfigError::new("floor", value, allowed));
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
    /// [`ConfigError`] where a setting cannot work, or `WEAKMAP_LIMIT` (read where no limit was given) is no size; it names the setting, what it was, and
    /// what is allowed.
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
