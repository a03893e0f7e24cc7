//! What the hands do with what was revived, lost a duel, or has gone.

use super::*;
use std::cell::Cell;
use std::rc::Rc;

struct Entry(u64, Rc<Cell<u8>>);

impl Handle for Entry {
    fn uses(&self) -> u8 {
        self.1.get()
    }
    fn set_uses(&self, uses: u8) {
        self.1.set(uses);
    }
    fn weight(&self) -> u64 {
        1
    }
    fn hash(&self) -> u64 {
        self.0
    }
    fn is_gone(&self) -> bool {
        self.1.get() == GONE
    }
}

/// A use count that marks what was removed.
const GONE: u8 = 255;

const BUDGET: Budget = Budget { capacity: 100, target: 100 };

/// A full clock: 5 in the window, 95 in main.
fn full() -> Clock<Entry> {
    let mut clock = Clock::new(Policy::ThreeHands);
    for key in 0..200 {
        clock.admit(Entry(key, Rc::default()));
        while clock.next(BUDGET).is_some() {}
    }
    assert_eq!((clock.window_weight(), clock.main.len()), (5, 95));
    clock
}

#[test]
fn a_revived_entry_duels_as_a_ghost() {
    for (left, ago, main) in
        [(Left::Window, 1, 95), (Left::Window, 1_000, 94), (Left::Main, 1, 95), (Left::Main, 1_000, 94)]
    {
        let mut clock = full();
        let now = clock.time.now;
        clock.time.now += 1_000;
        let origin = Origin::new(left, now + 1_000 - ago);
        clock.readmit(Entry(999, Rc::default()), origin);
        let victim = clock.next(BUDGET).expect("a victim");
        let entered = ago == 1;
        assert_eq!(victim.origin.left() == Left::Main, entered, "{left:?} {ago}");
        assert!(clock.main.len() <= main + 1);
    }
}

/// What a duel dooms before the limit is reached stays cached, and stays for good if used.
#[test]
fn a_reprieve() {
    for (uses, stays) in [(0, false), (1, true)] {
        let mut clock = full();
        let wide = Budget { capacity: 100, target: 99 };
        clock.time.now += 1_000;
        let last = &clock.main.front().expect("an entry").entry;
        let (key, count) = (last.0, last.1.clone());
        assert!(clock.duel(0));
        count.set(uses);
        assert_eq!((clock.len(), clock.weight(), clock.doomed.len()), (100, 100, 1));
        assert!(clock.next(BUDGET).is_none());
        let victim = clock.next(wide).expect("a victim");
        assert_eq!(victim.entry.0 != key, stays);
    }
}

/// What lost a duel was the oldest of its ring.
#[test]
fn no_candidate_is_older_than_the_oldest() {
    let mut clock = full();
    clock.time.now += 1_000;
    clock.enter_main(Entry(999, Rc::default()));
    assert!(clock.coldest().is_some_and(|coldest| coldest <= clock.oldest()));
    let front = |clock: &Clock<Entry>| clock.time.age(clock.main.front().expect("an entry").stamp);
    let oldest = front(&clock);
    while front(&clock) == oldest {
        assert!(clock.duel(0));
    }
    assert_eq!((clock.coldest(), clock.oldest()), (Some(oldest), oldest));
}

#[test]
fn stamps_are_rewritten_for_a_much_larger_capacity() {
    let mut clock = full();
    clock.time.now += 1_000_000;
    let age = |clock: &Clock<Entry>| clock.time.age(clock.main.front().unwrap().stamp);
    let before = age(&clock);
    for capacity in [1 << 30, 1 << 20] {
        clock.drain(Budget { capacity, target: capacity }, 1);
        assert!(age(&clock).abs_diff(before) <= 1 << 10, "{}", age(&clock));
    }
}

#[test]
fn what_is_gone_leaves_the_queues_too() {
    let mut clock = full();
    clock.time.now += 1_000;
    assert!(clock.duel(0));
    clock.readmit(Entry(999, Rc::default()), Origin::new(Left::Main, 0));
    let doomed = &clock.doomed[0].entry;
    doomed.1.set(GONE);
    clock.remove_gone();
    assert_eq!((clock.len(), clock.weight()), (100, 100));
}

#[test]
fn origins() {
    for left in [Left::Window, Left::Main] {
        let origin = Origin::new(left, 12_345);
        assert_eq!((origin.left(), origin.stamp()), (left, 12_345));
    }
    assert_eq!(size_of::<Option<Origin>>(), 8);
}
