//! The map: its public methods, each a few lines over the region, the flights and the collector.

mod iter;
mod load;
#[cfg(all(feature = "async", not(weakmap_loom)))]
mod load_async;
mod whole;

pub use self::iter::Iter;

use crate::{
    builder::Builder,
    entry::Entry,
    flight::Flights,
    gc::{Bounds, Collector, Region, entry_bytes},
    index::part_of,
    pinned::Pinned,
    stats::count,
    sync::{Arc, Guard, Weak, shared},
};
use equivalent::Equivalent;
use std::hash::{BuildHasher, Hash};

/// The hasher of keys where none is given: foldhash, seeded per map. See [`Builder::hasher`] for keys that an attacker chooses.
pub type DefaultHasher = foldhash::fast::RandomState;

pub(crate) type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u64 + Send + Sync>;

/// A concurrent cache map that needs no capacity.
///
/// Values are `Arc`s. The map holds one strong reference to each until a pass strips it, coldest first, in proportion to measured
/// heap pressure. A stripped value that a caller still holds is found again, the very same allocation, and a hit makes
/// it strong again.
///
/// All methods take `&self`; share the map between threads by reference or in an `Arc`. Reads wait for nobody. Inserts
/// and removals lock a 64th of the index for a moment, and an insert may strip colder entries, where memory is
/// short. The value's destructor runs in whatever thread drops the last `Arc`, under no lock of the map's.
///
/// ```
/// use weakmap::WeakMap;
///
/// let map: WeakMap<String, Vec<u8>> = WeakMap::new();
/// map.insert("page".into(), vec![1, 2, 3]);
/// let page = map.get("page").unwrap(); // an Arc: yours, whatever the map does with its own
/// assert_eq!(page.len(), 3);
///
/// fn shared<T: Send + Sync>(_: &T) {}
/// shared(&map);
/// ```
pub struct WeakMap<K, V, S = DefaultHasher> {
    region: shared::Arc<Region<K, V>>,
    flights: Flights<K, V>,
    weigher: Option<Weigher<K, V>>,
    hasher: S,
    name: Option<String>,
    /// Last: leaves the collector after the region has gone.
    membership: Membership,
}

struct Membership(Collector);

impl Drop for Membership {
    fn drop(&mut self) {
        self.0.detach();
    }
}

impl<K, V> WeakMap<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// An empty map on the global collector: pressure from the best signal there is, no capacity.
    ///
    /// # Panics
    ///
    /// Where `WEAKMAP_LIMIT` is set and is no size (see [`Collector::global`]).
    pub fn new() -> Self {
        Self::builder().build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sets up a map: limit, weigher, hasher and so on.
    pub fn builder() -> Builder<K, V> {
        Builder::new()
    }
}

impl<K, V, S> WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    pub(crate) fn assemble(
        name: Option<String>,
        bounds: Bounds,
        weigher: Option<Weigher<K, V>>,
        hasher: S,
        collector: Collector,
    ) -> Self {
        let region = shared::Arc::new(Region::new(bounds, collector.ledger().clone()));
        let member: shared::Weak<Region<K, V>> = shared::Arc::downgrade(&region);
        collector.attach(member);
        Self { region, flights: Flights::new(), weigher, hasher, name, membership: Membership(collector) }
    }

    /// The value of a key, touched: used entries are stripped later. A stripped value that somebody still holds is strong again after
    /// this.
    ///
    /// `None` where the key was never inserted, was removed, or its value was stripped and nobody holds it. Never
    /// blocks on a writer: one look into the index, at most one store to mark the use, one reference count (a thread's first read registers it,
    /// under a lock). Runs no value's destructor.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::<String, f64>::new();
    /// map.insert("pi".to_string(), 3.14);
    /// assert_eq!(map.get("pi").as_deref(), Some(&3.14)); // a &str finds the String
    /// assert!(map.get("e").is_none());
    /// ```
    #[inline(always)]
    pub fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.region.get(self.hash(key), key)
    }

    /// As [`get`](Self::get), for a weak handle: it upgrades as long as the map or a caller holds the value. Touches, but does not
    /// make a stripped value strong again.
    ///
    /// A `Weak` keeps the memory of the value itself (not what the value owns elsewhere) from being freed.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// map.insert("pi", 3.14);
    /// let weak = map.get_weak("pi").unwrap();
    /// assert_eq!(weak.upgrade().as_deref(), Some(&3.14));
    /// map.remove("pi");
    /// assert!(weak.upgrade().is_none());
    /// ```
    pub fn get_weak<Q>(&self, key: &Q) -> Option<Weak<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let look = |entry: &Entry<K, V>, guard: &_| {
            entry.touch();
            entry.slot.downgrade(guard)
        };
        let found = self.region.read(self.hash(key), key, look).flatten();
        self.region.counters.read(found.is_some());
        found
    }

    /// The value of a key, without touching it: leaves no mark, makes nothing strong, counts as neither hit nor miss. Never blocks.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// map.insert("pi", 3.14);
    /// assert_eq!(map.peek("pi").as_deref(), Some(&3.14));
    /// assert_eq!(map.stats().hits, 0);
    /// ```
    pub fn peek<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let look = |entry: &Entry<K, V>, guard: &_| entry.slot.get(guard);
        self.region.read(self.hash(key), key, look).flatten().map(|found| found.value)
    }

    /// Whether [`peek`](Self::peek) would find a value. Never blocks.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// map.insert("pi", 3.14);
    /// assert!(map.contains_key("pi") && !map.contains_key("e"));
    /// ```
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.region.read(self.hash(key), key, |entry, guard| entry.slot.is_alive(guard)) == Some(true)
    }

    /// A guard under which `get` gives `&V` and touches no reference count: for hot keys that many threads read. Memory that passes
    /// strip meanwhile comes back when it is dropped and the thread has no other: of two that overlap without end, the first to come
    /// is never over for those who wait. Blocks no more than `get`. It costs one locked instruction (on x86), reads
    /// none (a `get` and the drop of its `Arc`: three). A thread that forgets 2 million of them aborts the process.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// map.insert("pi", 3.14);
    /// let pin = map.pin();
    /// assert_eq!(pin.get("pi"), Some(&3.14));
    /// ```
    pub fn pin(&self) -> Pinned<'_, K, V, S> {
        Pinned::new(self)
    }

    /// Puts a value in. Returns the value that the key had, if it was still there: its last strong reference, where no caller holds one, so `Arc::try_unwrap` gives the value.
    /// (`Arc::get_mut` may not, for a while: a `Weak` of the map's waits for readers.)
    ///
    /// A value that weighs more than the limit, or more than `max_weight`, is not kept (and the key is absent then); `stats`
    /// counts it as `too_heavy`. Nor need any other be there afterwards: where memory is short the coldest go, and the new one may be it. Locks a 64th of the index for a new key, nothing for a present one (but for the first after many new ones). Where memory
    /// is short it strips colder entries first, so it may run their destructors; at the limit it may wait for another thread that does so.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// assert!(map.insert("pi", 3).is_none());
    /// assert_eq!(map.insert("pi", 4).as_deref(), Some(&3));
    /// ```
    ///
    /// # Panics
    ///
    /// Where the key's `Hash` or `Eq`, or the weigher, panics: then the map is as it was. Also where an `Arc` lies at an odd address,
    /// which std's never does.
    pub fn insert(&self, key: K, value: V) -> Option<Arc<V>> {
        self.insert_arc(key, Arc::new(value))
    }

    /// As [`insert`](Self::insert), for a value that is shared already: the `Arc` that `get` hands back is this one.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// let pi = Arc::new(3.14);
    /// map.insert_arc("pi", pi.clone());
    /// assert!(Arc::ptr_eq(&pi, &map.get("pi").unwrap()));
    /// ```
    pub fn insert_arc(&self, key: K, value: Arc<V>) -> Option<Arc<V>> {
        let hash = self.hash(&key);
        let weight = self.weigh(&key, &value);
        let guard = self.flights.cancel(hash, &key, Guard::fenced(part_of(hash)));
        if self.is_too_heavy(weight) {
            count(&self.region.events.too_heavy);
            return self.region.remove(hash, &key, guard);
        }
        let replaced = self.region.insert(hash, key, value, weight, guard);
        self.inserted(weight);
        replaced
    }

    /// Takes a key out. Returns its value, as [`insert`](Self::insert) does, if it was still there. Locks a 64th of the index for a moment.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// map.insert("pi", 3.14);
    /// assert_eq!(map.remove("pi").as_deref(), Some(&3.14));
    /// assert!(map.remove("pi").is_none());
    /// ```
    pub fn remove<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(key);
        // Cancelled first: a load that lands before that is removed here, one that lands later does not land.
        let guard = self.flights.cancel(hash, key, Guard::fenced(part_of(hash)));
        let removed = self.region.remove(hash, key, guard);
        self.removed();
        removed
    }

    /// Takes a key out if `goes` says so of its value, which is returned then, as by [`remove`](Self::remove). `None` where the key has no value, or
    /// another one by the time that `goes` has run: that stays. Runs it under no lock, so it may use the map. Touches
    /// nothing, counts as neither hit nor miss; a stripped value that a caller holds goes, too. A load of the key that is under way goes on, for its value was
    /// not seen.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::new();
    /// map.insert("pi", 3.14);
    /// assert!(map.remove_if("pi", |pi| **pi > 4.0).is_none());
    /// let seen = map.get("pi").unwrap();
    /// assert!(map.remove_if("pi", |pi| Arc::ptr_eq(pi, &seen)).is_some()); // this one, no newer one
    /// ```
    pub fn remove_if<Q>(&self, key: &Q, goes: impl FnOnce(&Arc<V>) -> bool) -> Option<Arc<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let removed = self.region.remove_if(self.hash(key), key, goes);
        self.removed();
        removed
    }

    /// The collector that this map belongs to.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::<u32, u32>::builder().limit(64 << 20).build()?;
    /// map.collector().tune(|tuning| tuning.limit(32 << 20))?;
    /// # Ok::<_, weakmap::ConfigError>(())
    /// ```
    pub fn collector(&self) -> &Collector {
        &self.membership.0
    }

    /// The name that was given to the builder.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The hasher of keys.
    pub fn hasher(&self) -> &S {
        &self.hasher
    }

    /// For the models: whether every flight has ended.
    #[cfg(weakmap_loom)]
    #[doc(hidden)]
    pub fn has_landed_all(&self) -> bool {
        self.flights.none()
    }

    pub(crate) fn region(&self) -> &Region<K, V> {
        &self.region
    }

    /// The index looks at the upper half alone, which depends on all bits of the product: spread what a weak hasher leaves in some of them.
    #[inline]
    pub(crate) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        let hash = self.hasher.hash_one(key);
        (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn weigh(&self, key: &K, value: &V) -> u64 {
        self.weigher.as_ref().map_or(entry_bytes::<K, V>(), |weigh| weigh(key, value))
    }

    fn is_too_heavy(&self, weight: u64) -> bool {
        weight > self.region.bounds().max_weight.unwrap_or(u64::MAX).min(self.collector().limit())
    }

    /// What follows an insert: room for what was put in.
    fn inserted(&self, weight: u64) {
        self.region.fit();
        self.collector().assist(weight, || self.region.lesson(weight));
    }

    fn removed(&self) {
        self.region.tidy_if_worth_it();
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
