//! The map as one would write it without threads, and without knowing what a pass chooses.

use std::collections::BTreeMap;

pub type Key = u8;

/// What may be said of a key's newest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    pub version: u64,
    pub weight: u64,
    /// A pass or `max_weight` may have stripped it: without a holder it may be gone.
    pub doubtful: bool,
}

/// What must be there, and what may be.
#[derive(Debug, Default)]
pub struct Naive {
    pub keys: BTreeMap<Key, Known>,
    /// Versions that callers hold, each as often as it is held.
    pub held: Vec<u64>,
    /// Versions that pins have read.
    pub pinned: Vec<u64>,
}

impl Naive {
    pub fn insert(&mut self, key: Key, version: u64, weight: u64) {
        self.keys.insert(key, Known { version, weight, doubtful: false });
    }

    pub fn remove(&mut self, key: Key) {
        self.keys.remove(&key);
    }

    /// From now on any value may have been stripped.
    pub fn doubt_all(&mut self) {
        self.keys.values_mut().for_each(|known| known.doubtful = true);
    }

    /// Takes in that a look-up has found this version, or nothing; says whether that may be.
    pub fn observe(&mut self, key: Key, found: Option<u64>) -> Result<(), String> {
        let known = self.keys.get(&key).copied();
        match (known, found) {
            (Some(known), Some(version)) if known.version == version => Ok(()),
            (known, Some(version)) => Err(format!("key {key}: found {version}, not {known:?}")),
            (Some(known), None) if self.held.contains(&known.version) => {
                Err(format!("key {key}: held, but not found: {known:?}"))
            }
            (Some(known), None) if !known.doubtful => {
                Err(format!("key {key}: lost without pressure: {known:?}"))
            }
            (_, None) => {
                self.keys.remove(&key); // gone for good
                Ok(())
            }
        }
    }

    /// The versions that are in the map for sure.
    pub fn certain(&self) -> impl Iterator<Item = &Known> {
        self.keys.values().filter(|known| !known.doubtful)
    }
}
