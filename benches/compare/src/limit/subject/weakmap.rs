//! weakmap: nothing is set but the limit (and what else is to be compared: a law, a weigher).

use std::{thread::sleep, time::Duration};

use weakmap::{Collector, Law, Tuning, WeakMap, heap::purge};

use super::{Cache, Room, Subject, Value};

type Map = WeakMap<u64, Value>;

pub fn build(subject: Subject, room: &Room) -> Map {
    let tuning = Tuning::new().law(law(subject));
    let tuning = if room.detected { tuning } else { tuning.limit(room.bytes) };
    let tuning = if subject == Subject::Trimming { tuning.purge(purge::Glibc) } else { tuning };
    let collector = Collector::new(tuning).expect("a limit above 0");
    let builder = Map::builder().collector(collector);
    let builder = match subject {
        Subject::Weighed => builder.weigher(|_, value: &Value| value.bytes() as u64),
        _ => builder,
    };
    builder.build().expect("nothing that cannot work")
}

fn law(subject: Subject) -> Law {
    match subject {
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
