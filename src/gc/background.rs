//! The background thread: one for all collectors of the process, asleep until somebody needs it.
//!
//! # Invariants
//!
//! 1. It runs while a collector in the crew has a map and wants it (`Tuning::background`). It ends under the crew's lock,
//!    and starts under it: there is one at the most, and none is missing.
//! 2. It holds collectors only while it looks after them. A map that goes wakes it, so that it can go, too.
//! 3. It sleeps on the least level and the shortest nap that any collector asked for, and in between costs nothing.

use super::{
    Collector, Shared, log,
    upkeep::{GOOD_FOR, Nap},
};
use crate::{
    heap::counted,
    sync::{
        alarm, lock_shared,
        shared::{Arc, Mutex, Weak},
        spawn,
    },
};
use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

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
    let started = if crew.runs { Ok(()) } else { spawn("weakmap", run) };
    crew.runs = started.is_ok();
    drop(crew);
    if let Err(error) = started {
        log::no_background(&error);
    }
    alarm().wake();
}

/// Looks again who needs to be looked after.
pub fn wake() {
    alarm().wake();
}

fn run() {
    alarm().settle();
    loop {
        // Sources, purges and destructors of the user's may panic: the others are looked after all the same.
        match quietly(round) {
            Ok(Some(nap)) => alarm().sleep(nap.level, counted, nap.most),
            Ok(None) => return,
            Err(Panicked) => alarm().sleep(u64::MAX, counted, Some(GOOD_FOR)),
        }
    }
}

/// Until when nobody needs to be looked after; `None` if nobody will.
fn round() -> Option<Nap> {
    let crew = muster()?;
    let retry = Nap { most: Some(GOOD_FOR), ..Nap::NONE };
    let look_after = |collector: &Collector| quietly(|| collector.look_after()).unwrap_or(retry);
    Some(crew.iter().map(look_after).fold(Nap::NONE, Nap::min))
}

struct Panicked;

fn quietly<R>(f: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| {
        mem::forget(panic); // its own destructor may panic, too
        Panicked
    })
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
