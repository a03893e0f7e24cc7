//! What the models cannot see: threads that end, how many rows there are, turns that come round. Other tests read at the same time.

use super::*;
use std::{
    cell::RefCell,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

/// Defers something; whether it was given back is told later.
fn deferred_now() -> Arc<AtomicBool> {
    let done = Arc::new(AtomicBool::new(false));
    let at = Arc::clone(&done);
    defer(move || at.store(true, SeqCst));
    done
}

/// Guards of other tests come and go.
fn is_given_back(done: &AtomicBool) {
    while !done.load(SeqCst) {
        thread::yield_now();
        flush();
    }
}

#[test]
fn a_guard_holds_back_and_lets_go() {
    let guard = Guard::new();
    let done = deferred_now();
    flush();
    assert!(!done.load(SeqCst));
    drop(guard);
    is_given_back(&done);
}

#[test]
fn under_a_guard_nothing_that_waits_is_run() {
    let (inside, leave) = (Barrier::new(2), Barrier::new(2));
    let ran_by = Arc::new(Mutex::new(None));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let guard = Guard::new();
            inside.wait();
            leave.wait();
            drop(guard);
        });
        inside.wait();
        let at = Arc::clone(&ran_by);
        defer(move || *at.lock().unwrap() = Some(thread::current().id()));
        let guard = Guard::new();
        leave.wait();
        other.join().unwrap();
        // By now it waits for nobody.
        deferred_now();
        assert_ne!(*ran_by.lock().unwrap(), Some(thread::current().id()));
        drop(guard);
    });
}

#[test]
fn guards_go_in_any_order() {
    let (first, second) = (Guard::new(), PinGuard::new());
    let done = deferred_now();
    drop(first);
    flush();
    assert!(is_inside() && !done.load(SeqCst));
    drop(second);
    assert!(!is_inside());
    is_given_back(&done);
}

#[test]
fn a_later_guard_holds_nothing_back() {
    let first = Guard::new();
    let done = deferred_now();
    drop(first);
    let _second = Guard::new();
    is_given_back(&done);
}

#[test]
fn another_threads_guard_holds_back() {
    let (inside, done) = (Guard::new(), thread::spawn(deferred_now).join().unwrap());
    flush();
    assert!(!done.load(SeqCst));
    drop(inside);
    is_given_back(&done);
}

/// Reads when it is dropped, at the end of its thread.
struct AtTheEnd(Option<Guard>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let late = Guard::new();
        drop(self.0.take());
        let later = PinGuard::new();
        drop(late);
        drop(later);
    }
}

thread_local! {
    static AT_THE_END: RefCell<AtTheEnd> = const { RefCell::new(AtTheEnd(None)) };
}

#[test]
fn rows_of_threads_that_ended_are_used_again() {
    // Registered before the row is, it is dropped after it is given back.
    let life = || {
        AT_THE_END.with(|it| it.borrow_mut().0 = Some(Guard::new()));
    };
    let rows = |_| {
        thread::spawn(life).join().unwrap();
        lock(registry()).all.len()
    };
    let most = (0..200).map(rows).max().unwrap();
    assert!(most < 150, "{most} rows");
    is_given_back(&deferred_now());
}

/// The calling thread, as others see it now.
fn this_reader() -> Readers {
    let row = own_row().unwrap();
    Readers(vec![(row, row.0.load(Relaxed))])
}

fn may_see_all(readers: &Readers) -> bool {
    (0..PARTS).all(|part| readers.may_see(Part::of(part)))
}

#[test]
fn a_guard_of_a_part_holds_back_no_other() {
    let guard = Guard::of(Part::of(3));
    let second = Guard::of(Part::of(3 + PARTS));
    assert!(this_reader().may_see(Part::of(3)) && !this_reader().may_see(Part::of(4)));
    let other = Guard::fenced(Part::of(4));
    assert!(may_see_all(&this_reader()), "of two parts is of all");
    drop((guard, second));
    assert!(may_see_all(&this_reader()), "and stays so");
    drop(other);
    let again = Guard::of(Part::of(4));
    assert!(this_reader().may_see(Part::of(4)) && !this_reader().may_see(Part::of(3)));
    drop(again);
    for all in [|| drop(Guard::new()), || drop(PinGuard::new())] {
        let guard = Guard::of(Part::of(0));
        all();
        assert!(may_see_all(&this_reader()));
        drop(guard);
    }
}

#[test]
fn readers_that_have_gone_are_forgotten() {
    let guard = Guard::of(Part::of(3));
    let mut readers = this_reader();
    readers.forget_gone();
    assert!(readers.may_see(Part::of(3)));
    drop(guard);
    let _again = Guard::of(Part::of(3));
    readers.forget_gone();
    assert!(readers.are_none());
}

#[test]
fn a_row_whose_turns_have_come_round_has_gone() {
    let guard = Guard::new();
    let readers = this_reader();
    assert!(!readers.have_gone());
    drop(guard);
    (1..TURNS).for_each(|_| drop(Guard::new()));
    assert!(readers.have_gone());
    let _inside_again = Guard::new();
    assert!(!readers.have_gone(), "until it leaves");
}
