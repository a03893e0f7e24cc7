//! weakmap: with a cap, and under the pressure of a scripted heap.

use std::hash::{BuildHasherDefault, DefaultHasher};

use weakmap::{Builder, Law, Policy, WeakMap, heap::Scripted};

use super::{
    room::Room,
    subject::{Cache, Subject},
    trace::Trace,
};

pub enum Weakmap {
    /// `max_weight`, the default policy.
    Capped,
    /// `max_weight`, plain two-bit clock.
    Clock,
    /// No cap: a heap that is full when the room is, and then strips so many percent.
    Pressed { batch: u64 },
}

/// Hashes alike in every run. The value is the weight.
pub type Map = WeakMap<u32, u32, BuildHasherDefault<DefaultHasher>>;

impl Subject for Weakmap {
    fn name(&self) -> &'static str {
        match self {
            Self::Capped => "weakmap",
            Self::Clock => "weakmap-clock",
            Self::Pressed { batch: 1 } => "weakmap-1%",
            Self::Pressed { batch: 5 } => "weakmap-5%",
            Self::Pressed { .. } => "weakmap-10%",
        }
    }

    fn build(&self, room: &Room, _: &Trace) -> Option<Box<dyn Cache>> {
        match self {
            Self::Capped => Some(Box::new(capped(room, Policy::default()))),
            Self::Clock => Some(Box::new(capped(room, Policy::Clock))),
            Self::Pressed { batch } => Some(Box::new(Pressed::new(room, *batch))),
        }
    }
}

fn builder(unit: u64) -> Builder<u32, u32, BuildHasherDefault<DefaultHasher>> {
    WeakMap::builder().hasher(Default::default()).weigher(move |_, weight| u64::from(*weight) * unit)
}

pub fn capped(room: &Room, policy: Policy) -> Map {
    let idle = builder(1).limit(u64::MAX).heap(Scripted::new());
    idle.max_weight(room.capacity).policy(policy).build().expect("bounds above 0")
}

pub fn access(map: &Map, key: u32, weight: u32) -> bool {
    let hit = map.get(&key).is_some();
    if !hit {
        map.insert(key, weight);
    }
    hit
}

impl Cache for Map {
    fn access(&mut self, key: u32, weight: u32) -> bool {
        access(self, key, weight)
    }
}

/// A map whose heap is its own weight, and whose goal is the room. Passes are asked for, and strip a share that leaves
/// `kept`.
struct Pressed {
    map: Map,
    heap: Scripted,
    limit: u64,
    room: u64,
    kept: u64,
}

/// A unit of weight: so large that shares of the limit come out to the entry.
const UNIT: u64 = 1 << 16;
/// Just above the goal: below it nothing is stripped.
const LOW: f64 = 0.961;

impl Pressed {
    fn new(room: &Room, batch: u64) -> Self {
        let capacity = room.capacity * UNIT;
        // The goal is 0.96 of the limit.
        let (heap, limit) = (Scripted::new(), (capacity as f64 / 0.96).ceil() as u64);
        let law = Law::Proportional { low: LOW, high: 1.0 };
        let map = builder(UNIT).limit(limit).law(law).heap(heap.clone()).build().expect("a limit above 0");
        Self { map, heap, limit, room: capacity, kept: capacity / UNIT * (100 - batch) / 100 * UNIT }
    }

    /// Strips until `kept` is left. The law goes by entries; with weights that takes a few passes.
    fn strip(&self) {
        while self.map.weight() > self.kept {
            let entries = self.map.len() as f64;
            let mean = self.map.weight() as f64 / entries;
            let strips = ((self.map.weight() - self.kept) as f64 / mean).floor().max(1.0);
            let share = (strips + 0.5) / entries;
            self.heap.set((self.limit as f64 * (LOW + (1.0 - LOW) * share)) as u64);
            self.map.collect();
        }
    }
}

impl Cache for Pressed {
    fn access(&mut self, key: u32, weight: u32) -> bool {
        let hit = access(&self.map, key, weight);
        if self.map.weight() > self.room {
            self.strip();
        }
        self.heap.set(self.map.weight().min(self.room));
        hit
    }
}
