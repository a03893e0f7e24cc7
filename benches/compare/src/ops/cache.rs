//! What is compared: the few operations of a concurrent map that the benchmarks need.

use std::{fmt::Debug, hash::Hash, sync::Arc};

/// The hasher of every subject: the same hash for the same key in every run.
pub type Hasher = foldhash::fast::FixedState;

/// 64 bytes, and the 16 of the counts before them.
pub type Value = Arc<Payload>;
pub type Payload = [u64; 8];

pub fn value(word: u64) -> Value {
    Arc::new([word; 8])
}

/// Keys, numbered.
pub trait Key: Hash + Eq + Ord + Clone + Debug + Send + Sync + 'static {
    /// Its bytes, with what it owns on the heap.
    const BYTES: usize;

    fn nth(number: u64) -> Self;
}

impl Key for u64 {
    const BYTES: usize = size_of::<Self>();

    fn nth(number: u64) -> Self {
        number
    }
}

/// Of 20 bytes.
impl Key for String {
    const BYTES: usize = size_of::<Self>() + 20;

    fn nth(number: u64) -> Self {
        format!("{number:020}")
    }
}

/// A map, or a cache, from keys to values.
pub trait Cache<K: Key>: Sized + 'static {
    const NAME: &'static str;
    /// Whether it keeps to its room by itself.
    const EVICTS: bool = true;
    /// Whether `load` promises one loader a key at a time.
    const SINGLE_FLIGHT: bool = false;

    /// Empty, with room for so many entries.
    fn with_room(entries: usize) -> Self;

    /// Looks a value up in the way that the crate hands values out, and reads a word of it.
    fn read(&self, key: &K) -> Option<u64>;

    fn insert(&self, key: K, value: Value);

    fn remove(&self, key: &K);

    fn len(&self) -> usize;

    /// A word of the value, which `make` makes if there is none. Here: for crates that have nothing for that.
    fn load(&self, key: &K, make: impl FnOnce() -> Payload) -> u64 {
        self.read(key).unwrap_or_else(|| {
            let payload = make();
            self.insert(key.clone(), Value::new(payload));
            payload[0]
        })
    }

    /// Does what the crate has put off.
    fn settle(&self) {}

    /// Gives up nine tenths of what it holds: the keys given, unless it chooses itself.
    fn shed(&self, keys: impl Iterator<Item = K>) {
        keys.for_each(|key| self.remove(&key));
    }
}
