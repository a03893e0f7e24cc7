//! The clock alone.

use super::{Clock, Handle};
use std::{cell::Cell, rc::Rc};

#[derive(Clone, Debug)]
struct Item(char, Rc<(Cell<u8>, Cell<bool>)>);

impl Item {
    fn gone(&self) {
        self.1.1.set(true);
    }
}

impl Handle for Item {
    fn uses(&self) -> u8 {
        self.1.0.get()
    }

    fn set_uses(&self, uses: u8) {
        self.1.0.set(uses);
    }

    fn is_gone(&self) -> bool {
        self.1.1.get()
    }
}

/// A ring of items with these use counts, called a, b, c and so on.
fn ring(uses: &[u8]) -> (Clock<Item>, Vec<Item>) {
    let mut clock = Clock::new();
    let items: Vec<_> = ('a'..)
        .zip(uses)
        .map(|(name, &uses)| Item(name, Rc::new((Cell::new(uses), Cell::new(false)))))
        .collect();
    for (now, item) in items.iter().enumerate() {
        clock.admit(item.clone(), now as u64);
    }
    (clock, items)
}

fn victims(clock: &mut Clock<Item>) -> String {
    std::iter::from_fn(|| clock.next(99)).map(|item| item.0).collect()
}

#[test]
fn the_unused_go_first_the_used_come_round() {
    for (uses, order) in
        [(&[0, 0, 0][..], "abc"), (&[1, 0, 0], "bca"), (&[3, 0, 1, 0], "bdca"), (&[2, 2], "ab")]
    {
        assert_eq!(victims(&mut ring(uses).0), order, "{uses:?}");
    }
}

#[test]
fn a_use_between_two_sweeps_spares_once() {
    let (mut clock, items) = ring(&[0, 0, 0]);
    assert_eq!(clock.next(3).unwrap().0, 'a');
    items[1].set_uses(1);
    assert_eq!(victims(&mut clock), "cb");
}

#[test]
fn what_has_gone_is_forgotten_without_a_verdict() {
    let (mut clock, items) = ring(&[0, 3, 0, 0]);
    items[0].gone();
    items[1].gone();
    clock.forget_gone();
    items[2].gone();
    assert_eq!(victims(&mut clock), "d");
    assert_eq!(Rc::strong_count(&items[1].1), 1, "the ring holds no handle");
}

#[test]
fn a_ring_that_readers_keep_hot_is_swept_in_bounded_steps() {
    #[derive(Debug)]
    struct Hot;
    impl Handle for Hot {
        fn uses(&self) -> u8 {
            3
        }
        fn set_uses(&self, _: u8) {}
        fn is_gone(&self) -> bool {
            false
        }
    }
    let mut clock = Clock::new();
    (0..100).for_each(|now| clock.admit(Hot, now));
    assert!(clock.next(100).is_some());
    assert!(clock.swept() <= 400, "{}", clock.swept());
}

#[test]
fn the_coldest_is_under_the_hand() {
    let (mut clock, _) = ring(&[0, 1]);
    assert_eq!(clock.coldest(), Some(0));
    clock.next(2);
    assert_eq!(clock.coldest(), Some(1));
    clock.next(3);
    assert_eq!(clock.coldest(), None);
}
