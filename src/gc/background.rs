//! The background thread: one for all collectors of the process, asleep until somebody needs it.
//!
//! # Invariants
//!
//! 1. It runs while a collector in the crew has a map and wants it (`Tuning::background`). It ends under the crew's lock,
//!    and starts under it: there is one at the most, and none is missing.
//! 2. It holds collectors only while it looks after them. A map that goes wakes it, so that it can go, too.
//! 3. It sleeps on the least level and the shortest nap that any collector asked for, and in between costs nothing.

use super::{Collector, Shared, log, upkeep::Nap};
use crate::{
    heap::counted,
    sync::{
        alarm, lock_shared,
        shared::{Arc, Mutex, Weak},
        spawn,
    },
};
use std::panic::{AssertUnwindSafe, catch_unwind};

static CREW: Mutex<Crew> = Mutex::new(Crew { members: Vec::new(), runs: false });

struct Crew {
    members: Vec<Weak<Shared>>,
    runs: bool,
}

/// Looks after a collector that has a map, until it has none.
pub fn join(collector: &Collector) {
    if !collector.wants_background() {
        return;
    }
    let mut crew = lock_shared(&CREW);
    let member = Arc::downgrade(&collector.0);
    if !crew.members.iter().any(|other| other.ptr_eq(&member)) {
        crew.members.push(member);
    }
    if !crew.runs {
        match spawn("weakmap", run) {
            Ok(()) => crew.runs = true,
            Err(error) => log::no_background(&error),
        }
    }
    drop(crew);
    alarm().wake();
}

/// Looks again who needs to be looked after.
pub fn wake() {
    alarm().wake();
}

fn run() {
    alarm().settle();
    while let Some(crew) = muster() {
        let nap = crew.iter().map(look_after).fold(Nap::NONE, Nap::min);
        drop(crew);
        alarm().sleep(nap.level, counted, nap.most);
    }
}

/// Who is to be looked after; `None` if nobody is, and the thread must end.
fn muster() -> Option<Vec<Collector>> {
    let mut crew = lock_shared(&CREW);
    // What is dropped last here may be the user's: not under the lock.
    let all: Vec<_> = crew.members.iter().filter_map(Weak::upgrade).map(Collector).collect();
    let present: Vec<_> = all.iter().filter(|collector| collector.wants_background()).cloned().collect();
    crew.members = present.iter().map(|collector| Arc::downgrade(&collector.0)).collect();
    crew.runs = !present.is_empty();
    drop(crew);
    (!present.is_empty()).then_some(present)
}

/// A source or a purge of the user's may panic: the others are looked after all the same.
fn look_after(collector: &Collector) -> Nap {
    let look = AssertUnwindSafe(|| collector.look_after());
    catch_unwind(look).unwrap_or(Nap { most: Some(super::upkeep::GOOD_FOR), ..Nap::NONE })
}
