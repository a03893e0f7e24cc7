//! What is logged: `cargo test --features tracing --test log`.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::with_default,
};
use weakmap::{Collector, Tuning, WeakMap, heap::Scripted};

/// Keeps the events of this crate, a line each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "weakmap"
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// One test at a time: whether anybody listens to a call site is kept for all threads, and found out when a thread comes by first.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `act` logs on this thread.
fn logged(act: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    with_default(log.clone(), act);
    let lines = log.0.lock().unwrap();
    lines.clone()
}

#[test]
fn a_collector_says_once_what_it_goes_by() {
    let _alone = alone();
    let lines = logged(|| {
        let collector = Collector::new(Tuning::new().limit(64 << 20).background(false)).unwrap();
        let map = WeakMap::builder().collector(collector.clone()).build().unwrap();
        (0..1000).for_each(|key| _ = map.insert(key, key));
        collector.collect();
    });
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for part in
        ["INFO", "signal: the maps' weights", "limit: 64.0 MiB, from what was given", "not heap::Counting"]
    {
        assert!(lines[0].contains(part), "{part} is missing in {}", lines[0]);
    }
}

#[test]
fn exhaustion_is_told_once_and_its_end() {
    let _alone = alone();
    let heap = Scripted::new();
    let tuning = Tuning::new().limit(1 << 20).background(false).heap(heap.clone());
    let map = WeakMap::builder().collector(Collector::new(tuning).unwrap()).build().unwrap();
    let held: Vec<_> = (0..100).map(Arc::new).collect();
    let lines = logged(|| {
        heap.set(2 << 20);
        for value in held.iter().cycle().take(2000) {
            map.insert_arc(**value, Arc::clone(value));
        }
        drop(held);
        while map.collector().stats().exhausted {
            map.insert(1000, 1000);
        }
    });
    let begins = lines.iter().filter(|line| line.contains("nothing can be freed")).count();
    let ends = lines.iter().filter(|line| line.contains("can be freed again")).count();
    assert_eq!((begins, ends), (1, 1), "{lines:#?}");
}
