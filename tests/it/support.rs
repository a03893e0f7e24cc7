//! What the tests share: maps on a heap that does as it is told, values that count themselves, random numbers.

use std::{
    sync::{
        Arc, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    thread,
};
use weakmap::{Builder, WeakMap, heap::Scripted};

/// The limit of scripted maps.
pub const LIMIT: u64 = 1 << 30;
/// Nothing is in use: a pass strips nothing.
pub const CALM: u64 = 0;
/// Four times the limit: a pass strips all it can.
pub const FULL: u64 = 4 * LIMIT;

/// The builder of a map apart from all others, and the heap that it goes by.
pub fn scripted<K, V>() -> (Builder<K, V>, Scripted)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let heap = Scripted::new();
    (WeakMap::builder().limit(LIMIT).background(false).heap(heap.clone()), heap)
}

/// A map apart from all others, and the heap that it goes by.
pub fn scripted_map<K, V>() -> (WeakMap<K, V>, Scripted)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let (builder, heap) = scripted();
    (builder.build().unwrap(), heap)
}

static PINS: RwLock<()> = RwLock::new(());

/// Pins concern all maps of a process: who counts drops to the moment wants no other test's pin.
pub fn no_pins() -> RwLockReadGuard<'static, ()> {
    PINS.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// For tests that pin.
pub fn with_pins() -> RwLockWriteGuard<'static, ()> {
    PINS.write().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Collects until nothing is pending: another test's thread in the middle of a read may hold memory back for a moment.
pub fn settle<K, V>(map: &WeakMap<K, V>)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    for _ in 0..100_000 {
        map.collect();
        if map.stats().pending == 0 {
            return;
        }
        thread::yield_now();
    }
    panic!("{} bytes are pending for ever", map.stats().pending);
}

/// Waits until nothing is pending, without a pass: laws go by the heap less what is pending, and another test's thread in the
/// middle of a read may hold a few bytes back.
pub fn until_freed<K, V>(map: &WeakMap<K, V>)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    for _ in 0..1_000_000 {
        if map.stats().pending == 0 {
            return;
        }
        drop(map.pin()); // gives back what it can
        thread::yield_now();
    }
    panic!("{} bytes are pending for ever", map.stats().pending);
}

/// Counts the values that it made.
#[derive(Clone, Debug, Default)]
pub struct Census(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    living: AtomicI64,
    bytes: AtomicI64,
    broken: AtomicU64,
}

const GOOD: u64 = 0x600d_600d_600d_600d;

/// A value that knows whether it was dropped, and how often.
#[derive(Debug)]
pub struct Counted {
    pub n: u64,
    pub bytes: u64,
    state: AtomicU64,
    census: Census,
}

impl Census {
    pub fn value(&self, n: u64) -> Counted {
        self.sized(n, 1)
    }

    /// A value that stands for so many bytes.
    pub fn sized(&self, n: u64, bytes: u64) -> Counted {
        self.0.made.fetch_add(1, SeqCst);
        self.0.living.fetch_add(1, SeqCst);
        self.0.bytes.fetch_add(bytes as i64, SeqCst);
        Counted { n, bytes, state: AtomicU64::new(GOOD), census: self.clone() }
    }

    pub fn made(&self) -> u64 {
        self.0.made.load(SeqCst)
    }

    /// Made and not dropped yet.
    pub fn living(&self) -> i64 {
        self.0.living.load(SeqCst)
    }

    /// The bytes of the living.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(SeqCst).max(0) as u64
    }

    /// Each value was dropped once, and none was read after that.
    pub fn assert_all_gone(&self) {
        assert_eq!((self.living(), self.bytes()), (0, 0), "of {} values", self.made());
        assert_eq!(self.0.broken.load(SeqCst), 0, "values dropped twice or read when dropped");
    }
}

impl Counted {
    /// The number, read from a value that must be alive.
    pub fn read(&self) -> u64 {
        assert_eq!(self.state.load(SeqCst), GOOD, "read after its drop");
        self.n
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let counts = &self.census.0;
        if self.state.swap(0, SeqCst) != GOOD {
            counts.broken.fetch_add(1, SeqCst);
        }
        counts.living.fetch_sub(1, SeqCst);
        counts.bytes.fetch_sub(self.bytes as i64, SeqCst);
    }
}

/// xorshift64*: the same numbers for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
}

/// Runs a test of this binary in a process of its own, with `variables` set; whether it passed, and what it said.
/// The test asks [`is_child`] first.
pub fn in_child(test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "0");
    child.envs(variables.iter().copied());
    let output = child.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(said.contains("running 1 test"), "no test is called {test}: {said}");
    let end = said.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
    (output.status.success(), said[end..].to_string())
}

const CHILD: &str = "WEAKMAP_TEST_CHILD";

/// Whether [`in_child`] runs this process.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}
