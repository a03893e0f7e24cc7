//! Who is under load: weakmap under each law, and peers with a capacity.

mod foyer;
mod lru;
mod mini_moka;
mod moka;
mod quick_cache;
mod value;
mod weakmap;

use std::{thread::sleep, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::value::{Value, gone, made};

/// A cache of byte buffers, shared by threads.
pub trait Cache: Sync {
    /// Whether the key is there; the value is looked at.
    fn get(&self, key: u64) -> bool;

    /// Puts a new value of that size in.
    fn insert(&self, key: u64, bytes: usize);

    /// Keeps the cache from freeing what it evicts, if a reader can do that.
    fn hold_back(&self, span: Duration) {
        sleep(span);
    }

    /// Inserts that found the heap full and nothing to strip.
    fn overruns(&self) -> u64 {
        0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Weakmap,
    /// As the peers, told what values weigh.
    Weighed,
    /// With `malloc_trim`, for where the allocator is glibc's.
    Trimming,
    Proportional,
    EveryPass,
    Moka,
    QuickCache,
    Foyer,
    MiniMoka,
    Lru,
}

/// What a subject is told of the memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Room {
    /// Bytes: weakmap's limit, the others' capacity in bytes of values.
    pub bytes: u64,
    /// What the values measure on average: some peers want a guess of the entries.
    pub mean: f64,
    /// weakmap is not told, and finds out by itself.
    pub detected: bool,
}

impl Room {
    pub fn entries(&self) -> usize {
        (self.bytes as f64 / self.mean).ceil() as usize
    }
}

/// What is done to a cache, whichever it is.
pub trait Act {
    type Outcome;

    fn on(self, cache: &impl Cache) -> Self::Outcome;
}

impl Subject {
    pub const PEERS: [Self; 5] = [Self::Moka, Self::QuickCache, Self::Foyer, Self::MiniMoka, Self::Lru];
    pub const LAWS: [Self; 3] = [Self::Weakmap, Self::Proportional, Self::EveryPass];

    pub fn name(self) -> &'static str {
        match self {
            Self::Weakmap => "weakmap",
            Self::Weighed => "weakmap, weigher",
            Self::Trimming => "weakmap, malloc_trim",
            Self::Proportional => "weakmap, proportional",
            Self::EveryPass => "weakmap, every pass",
            Self::Moka => "moka",
            Self::QuickCache => "quick_cache",
            Self::Foyer => "foyer",
            Self::MiniMoka => "mini-moka",
            Self::Lru => "lru",
        }
    }

    /// Whether it knows a limit instead of a capacity.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Weighed | Self::Trimming) || Self::LAWS.contains(&self)
    }

    /// Acts on an empty cache of that room.
    pub fn face<A: Act>(self, room: &Room, act: A) -> A::Outcome {
        match self {
            Self::Weakmap | Self::Weighed | Self::Trimming | Self::Proportional | Self::EveryPass => {
                act.on(&weakmap::build(self, room))
            }
            Self::Moka => act.on(&moka::build(room)),
            Self::QuickCache => act.on(&quick_cache::build(room)),
            Self::Foyer => act.on(&foyer::build(room)),
            Self::MiniMoka => act.on(&mini_moka::build(room)),
            Self::Lru => act.on(&lru::build(room)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills it ten times over.
    struct Fill;

    impl Act for Fill {
        type Outcome = u64;

        fn on(self, cache: &impl Cache) -> u64 {
            (0..1000).for_each(|key| cache.insert(key, 1000));
            (0..1000).map(|key| u64::from(cache.get(key))).sum()
        }
    }

    #[test]
    fn peers_keep_what_fits() {
        let room = Room { bytes: 100_000, mean: 1000.0, detected: false };
        for peer in Subject::PEERS {
            let kept = peer.face(&room, Fill);
            // Sharded ones keep less, queued evictions leave more.
            assert!((1..=250).contains(&kept), "{}: {kept}", peer.name());
        }
    }

    #[test]
    fn laws_keep_what_fits() {
        // The other tests' memory counts, too.
        let room = Room { bytes: 1 << 30, mean: 1000.0, detected: false };
        for law in Subject::LAWS {
            assert_eq!(law.face(&room, Fill), 1000, "{}", law.name());
        }
    }
}
