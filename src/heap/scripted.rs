//! A heap that says what it is told.

use super::{Heap, Sample};
use crate::sync::{
    shared::Arc,
    tally::{AtomicU64, Relaxed},
};

/// A heap that says what it is told: for tests. Clones share what they say.
///
/// ```
/// use weakmap::{WeakMap, heap::Scripted};
///
/// let heap = Scripted::new();
/// let map = WeakMap::builder().limit(1 << 20).heap(heap.clone()).build()?;
/// map.insert("pi", 3.14);
///
/// heap.set(1 << 10); // plenty of room: a pass strips nothing
/// assert_eq!(map.collect().stripped, 0);
/// heap.set(2 << 20); // twice the limit: everything goes
/// assert_eq!(map.collect().stripped, 1);
/// assert!(map.get("pi").is_none());
/// # Ok::<_, weakmap::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scripted(Arc<AtomicU64>);

impl Scripted {
    /// A heap with nothing in use.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on `live` bytes are in use.
    pub fn set(&self, live: u64) {
        self.0.store(live, Relaxed);
    }
}

impl Heap for Scripted {
    fn sample(&self) -> Sample {
        Sample::exact(self.0.load(Relaxed))
    }
}
