//! weakmap: nothing is set but the limit (and the law, where laws are compared).

use std::{thread::sleep, time::Duration};

use weakmap::{Collector, Law, Tuning, WeakMap};

use super::{Cache, Room, Subject, Value};

type Map = WeakMap<u64, Value>;

pub fn build(law: Subject, room: &Room) -> Map {
    let tuning = Tuning::new().law(self::law(law));
    let tuning = if room.detected { tuning } else { tuning.limit(room.bytes) };
    let collector = Collector::new(tuning).expect("a limit above 0");
    Map::builder().collector(collector).build().expect("nothing is set")
}

fn law(law: Subject) -> Law {
    match law {
        Subject::Proportional => Law::Proportional { low: 0.85, high: 1.0 },
        Subject::EveryPass => Law::EveryPass,
        _ => Law::Pacer,
    }
}

impl Cache for Map {
    fn get(&self, key: u64) -> bool {
        WeakMap::get(self, &key).inspect(|value| value.look()).is_some()
    }

    fn insert(&self, key: u64, bytes: usize) {
        WeakMap::insert(self, key, Value::new(bytes));
    }

    fn hold_back(&self, span: Duration) {
        let _pin = self.pin();
        sleep(span);
    }

    fn overruns(&self) -> u64 {
        self.collector().stats().overruns
    }
}
