//! Reads under a guard.

use crate::{
    map::{DefaultHasher, WeakMap},
    sync::Arc,
    sync::pin::Pin,
};
use equivalent::Equivalent;
use std::{
    cell::OnceCell,
    fmt,
    hash::{BuildHasher, Hash},
};

/// Reads without touching reference counts; from [`WeakMap::pin`].
///
/// While it lives, what passes strip (of any map) and what is replaced or removed is freed later, when it is dropped; until
/// then it counts as `pending`. So keep it for a few look-ups, not for long, and drop it before the thread makes the next. It stays on its thread.
///
/// ```
/// # use weakmap::WeakMap;
/// let map = WeakMap::new();
/// map.insert("pi", 3.14);
/// {
///     let pin = map.pin();
///     let pi: &f64 = pin.get("pi").unwrap();
///     map.remove("pi");
///     assert_eq!(*pi, 3.14); // still good
///     assert!(pin.get("pi").is_none());
/// }
/// ```
pub struct Pinned<'m, K, V, S = DefaultHasher> {
    map: &'m WeakMap<K, V, S>,
    pin: Pin,
    kept: Kept<V>,
}

impl<'m, K, V, S> Pinned<'m, K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    pub(crate) fn new(map: &'m WeakMap<K, V, S>) -> Self {
        Self { map, pin: Pin::new(), kept: Kept::default() }
    }

    /// The value of a key: as [`WeakMap::get`], without touching its reference count.
    #[inline(always)] // as `WeakMap::get`
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.map.hash(key);
        self.map.region().get_pinned(hash, key, &self.pin).or_else(|| self.find(hash, key))
    }

    /// Where there is no strong value of the key.
    #[cold]
    #[inline(never)]
    fn find<Q>(&self, hash: u64, key: &Q) -> Option<&V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let found = self.map.region().read(hash, key, |entry, guard| {
            entry.touch();
            if let Some(value) = entry.slot.strong(&self.pin) {
                return Some(value);
            }
            let found = entry.slot.get(guard)?;
            if found.weak {
                self.map.region().revive(entry, &found.value);
            }
            // Where it could not be made strong, a count of our own keeps it.
            Some(entry.slot.strong(&self.pin).unwrap_or_else(|| self.kept.keep(found.value)))
        });
        self.map.region().counters.read(matches!(found, Some(Some(_))));
        found.flatten()
    }
}

impl<K, V, S> fmt::Debug for Pinned<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").finish_non_exhaustive()
    }
}

/// Counts that are kept as long as this lives: a list that only grows.
struct Kept<V>(OnceCell<Box<Link<V>>>);

struct Link<V> {
    value: Arc<V>,
    next: Kept<V>,
}

impl<V> Kept<V> {
    fn keep(&self, value: Arc<V>) -> &V {
        let mut end = self;
        while let Some(link) = end.0.get() {
            end = &link.next;
        }
        &end.0.get_or_init(|| Box::new(Link { value, next: Kept::default() })).value
    }
}

impl<V> Default for Kept<V> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<V> Drop for Link<V> {
    fn drop(&mut self) {
        // One by one: a long list would overflow the stack.
        let mut next = self.next.0.take();
        while let Some(mut link) = next {
            next = link.next.0.take();
        }
    }
}
