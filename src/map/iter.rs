//! Keys and values one by one.

use super::WeakMap;
use crate::sync::Arc;
use std::{
    fmt,
    hash::{BuildHasher, Hash},
    iter::FusedIterator,
};

/// Keys and values of a map; from [`WeakMap::iter`].
pub struct Iter<'m, K, V>(Box<dyn Iterator<Item = (K, Arc<V>)> + Send + 'm>);

impl<K, V, S> WeakMap<K, V, S>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// The keys (cloned; [`for_each`](Self::for_each) lends them) and values of the entries that have one, in no order, without touching them. No lock is
    /// held between two of them. Each entry that is there throughout comes once; of those that come or go meanwhile, some. Holds a 64th of the
    /// keys at a time.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// let map = WeakMap::from([("pi", 3.14), ("e", 2.71)]);
    /// let large: Vec<_> = map.iter().filter(|(_, value)| **value > 3.0).collect();
    /// assert_eq!((large[0].0, *large[0].1, large.len()), ("pi", 3.14, 1));
    /// ```
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(Box::new(self.region.iter().fuse()))
    }
}

impl<K, V> Iterator for Iter<'_, K, V> {
    type Item = (K, Arc<V>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

impl<K, V> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

impl<'m, K, V, S> IntoIterator for &'m WeakMap<K, V, S>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    type Item = (K, Arc<V>);
    type IntoIter = Iter<'m, K, V>;

    fn into_iter(self) -> Iter<'m, K, V> {
        self.iter()
    }
}
