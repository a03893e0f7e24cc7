use super::*;
use crate::sync::{AtomicBool, AtomicU8};

struct Thing {
    key: u32,
    hash: u64,
    closed: AtomicBool,
    mark: AtomicU8,
}

impl Keyed for Thing {
    type Key = u32;

    fn key(&self) -> &u32 {
        &self.key
    }

    fn hash(&self) -> u64 {
        self.hash
    }

    fn may_be(&self, hash: u64) -> bool {
        self.hash == hash
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    fn is_in_use(&self) -> bool {
        true
    }

    fn mark(&self) -> &AtomicU8 {
        &self.mark
    }
}

/// Keys from 0, all of one hash.
fn things(count: u32, hash: u64) -> Vec<StrongArc<Thing>> {
    let thing = |key| {
        let (closed, mark) = (AtomicBool::new(false), AtomicU8::new(0));
        StrongArc::new(Thing { key, hash, closed, mark })
    };
    (0..count).map(thing).collect()
}

fn keys_found(front: &Front<Thing>, hash: u64) -> Vec<u32> {
    (0..100).filter(|key| front.find(hash, key, &Guard::new()).is_some_and(|it| it.key == *key)).collect()
}

#[test]
fn what_is_published_is_found_until_it_is_withdrawn() {
    let (front, guard) = (Front::new(), Guard::new());
    for hash in [0, u64::MAX, 0x9e37_79b9_7f4a_7c15] {
        let things = things(3, hash);
        things.iter().for_each(|it| front.publish(it, || 64, &guard));
        assert_eq!(keys_found(&front, hash), [0, 1, 2]);
        assert_eq!(keys_found(&front, hash ^ 1 << 40), [], "another tag");
        things[0].closed.store(true, Relaxed);
        front.withdraw(&things[0], &guard);
        assert_eq!(keys_found(&front, hash), [1, 2], "behind what was emptied");
        front.publish(&things[0], || 64, &guard);
        assert_eq!(keys_found(&front, hash), [1, 2], "a closed one goes at once");
        things.iter().for_each(|it| it.closed.store(true, Relaxed));
        assert!(things.iter().all(|it| front.withdraw(it, &guard)));
        assert_eq!(keys_found(&front, hash), []);
    }
}

#[test]
fn there_is_room_for_sixteen_of_one_hash_and_for_others_when_they_go() {
    let (front, guard) = (Front::new(), Guard::new());
    let things = things(20, 7 << 60);
    things.iter().for_each(|it| front.publish(it, || 64, &guard));
    assert_eq!(keys_found(&front, 7 << 60), (0..16).collect::<Vec<_>>());
    things[5].closed.store(true, Relaxed);
    front.withdraw(&things[5], &guard);
    front.publish(&things[19], || 64, &guard);
    assert_eq!(keys_found(&front, 7 << 60).last(), Some(&19));
}

#[test]
fn it_grows_with_the_table_and_shrinks_to_nothing() {
    let (front, guard) = (Front::new(), Guard::new());
    let things = things(20, 7 << 60);
    front.publish(&things[0], || 63, &guard);
    assert!(keys_found(&front, 7 << 60).is_empty(), "too small for a front");
    things.iter().for_each(|it| front.publish(it, || 64, &guard));
    assert!(front.has_met(&things[0]) && !front.has_met(&things[16]), "full");
    front.publish(&things[16], || 1024, &guard);
    assert!(!front.has_met(&things[0]) && front.has_met(&things[16]), "new words");
    assert_eq!(keys_found(&front, 7 << 60), [16]);
    front.shrink(1024);
    assert_eq!(keys_found(&front, 7 << 60), [16]);
    front.shrink(512);
    assert_eq!(keys_found(&front, 7 << 60), [16], "not worth it");
    front.shrink(256);
    assert!(keys_found(&front, 7 << 60).is_empty());
}
