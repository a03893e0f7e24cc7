use super::*;
use crate::sync::AtomicU16;
use std::collections::HashMap;

/// A key with a hash that says what the test wants.
struct Thing {
    key: u32,
    hash: u64,
    handles: AtomicU16,
}

impl Counted for Thing {
    fn count(&self) -> &AtomicU16 {
        &self.handles
    }
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
}

fn thing(key: u32, hash: u64) -> StrongArc<Thing> {
    StrongArc::new(Thing { key, hash, handles: AtomicU16::new(1) })
}

fn spread(key: u32) -> u64 {
    u64::from(key).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn all_of(index: &Index<Thing>) -> Vec<u32> {
    let mut keys = Vec::new();
    index.for_each(|it| keys.push(it.key));
    keys.sort_unstable();
    keys
}

#[test]
fn a_key_is_there_once_until_it_is_removed() {
    let index = Index::new();
    let (one, two) = (thing(1, spread(1)), thing(1, spread(1)));
    assert!(index.get(spread(1), &1).is_none());
    index.insert(one.clone()).ok().unwrap();
    let back = index.insert(two.clone()).err().unwrap();
    assert!(StrongArc::ptr_eq(&back, &two), "it is given back");
    assert!(StrongArc::ptr_eq(&index.get(spread(1), &1).unwrap(), &one));
    assert!(index.remove(&two).is_none(), "another thing of the same key");
    assert!(StrongArc::ptr_eq(&index.remove(&one).unwrap(), &one));
    assert!(index.remove(&one).is_none());
    assert!(index.get(spread(1), &1).is_none());
    index.insert(two).ok().unwrap();
    assert!(index.get(spread(1), &1).is_some());
}

#[test]
fn things_of_one_hash_are_told_apart_by_their_keys() {
    // More than several buckets hold, in one shard, on one way, with one tag.
    for hash in [0, 1, u64::MAX, 0x9e37_79b9_7f4a_7c15] {
        let index = Index::new();
        let things: Vec<_> = (0..100).map(|key| thing(key, hash)).collect();
        things.iter().for_each(|it| index.insert(it.clone()).ok().unwrap());
        assert!((0..100).all(|key| index.get(hash, &key).is_some_and(|it| it.key == key)));
        assert!(index.get(hash, &100).is_none());
        // What lies behind those that go is found yet, and what comes takes their places.
        things.iter().step_by(2).for_each(|it| drop(index.remove(it).unwrap()));
        assert!((0..100).all(|key| index.get(hash, &key).is_some() == (key % 2 == 1)));
        (0..100).step_by(2).for_each(|key| index.insert(thing(key, hash)).ok().unwrap());
        assert_eq!(all_of(&index), (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn what_lies_further_on_is_there_though_its_first_bucket_has_room() {
    // Of one shard and one way, with tags of their own.
    let with_tag = |key: u32| thing(key, u64::from(key) << 38);
    let index = Index::new();
    let first: Vec<_> = (0..7).map(with_tag).collect();
    first.iter().for_each(|it| index.insert(it.clone()).ok().unwrap());
    index.insert(with_tag(7)).ok().unwrap();
    first.iter().for_each(|it| drop(index.remove(it).unwrap()));
    assert!(index.insert(with_tag(7)).is_err());
    assert_eq!(all_of(&index), [7]);
}

#[test]
fn no_shard_is_fuller_than_it_may_be() {
    let index = Index::new();
    for key in 0..20_000 {
        index.insert(thing(key, spread(key))).ok().unwrap();
        let shard = shard_of(spread(key));
        let len = *index.lock(shard).len;
        assert!(len <= index.buckets_of(shard).most(), "{len} after {key}");
    }
}

#[test]
fn it_grows_and_shrinks_and_keeps_what_is_there() {
    let index = Index::new();
    let capacity = |index: &Index<Thing>| -> usize {
        (0..SHARDS).map(|shard| index.buckets_of(shard)).map(|buckets| buckets.most()).sum()
    };
    let things: Vec<_> = (0..50_000).map(|key| thing(key, spread(key))).collect();
    things.iter().for_each(|it| index.insert(it.clone()).ok().unwrap());
    assert!((50_000..110_000).contains(&capacity(&index)), "{}", capacity(&index));
    assert!(things.iter().all(|it| index.get(it.hash, &it.key).is_some()));
    things[1000..].iter().for_each(|it| drop(index.remove(it).unwrap()));
    assert!(capacity(&index) < 16_000, "it shrinks by itself: {}", capacity(&index));
    index.trim();
    assert!((1000..4000).contains(&capacity(&index)), "{}", capacity(&index));
    assert_eq!(all_of(&index), (0..1000).collect::<Vec<_>>());
}

#[test]
fn what_is_visited_may_change_the_index() {
    let index = Index::new();
    let things: Vec<_> = (0..1000).map(|key| thing(key, spread(key))).collect();
    things.iter().for_each(|it| index.insert(it.clone()).ok().unwrap());
    let (mut seen, mut next) = (HashMap::new(), 1000);
    index.for_each(|it| {
        *seen.entry(it.key).or_insert(0) += 1;
        if it.key < 1000 {
            assert!(index.insert(thing(next, spread(next))).is_ok());
            next += 1;
        }
    });
    assert!((0..1000).all(|key| seen.contains_key(&key)), "what is there throughout is visited");
    index.for_each(|it| drop(index.remove(it)));
    assert_eq!(all_of(&index), []);
}

#[test]
fn each_count_is_given_back_once() {
    let index = Index::new();
    let things: Vec<_> = (0..500).map(|key| thing(key, spread(key))).collect();
    things.iter().for_each(|it| index.insert(it.clone()).ok().unwrap());
    things[..100].iter().for_each(|it| drop(index.remove(it)));
    let counts = |range: std::ops::Range<usize>| things[range].iter().map(StrongArc::handles).max();
    assert_eq!((counts(0..100), counts(100..500)), (Some(1), Some(2)));
    drop(index);
    assert_eq!(counts(0..500), Some(1));
}

#[test]
fn a_panic_of_eq_leaves_it_as_it_was() {
    #[derive(PartialEq)]
    struct Fussy(u32);
    impl Eq for Fussy {}
    impl Equivalent<u32> for Fussy {
        fn equivalent(&self, _: &u32) -> bool {
            panic!("no")
        }
    }
    let index = Index::new();
    index.insert(thing(1, 7)).ok().unwrap();
    let look = std::panic::AssertUnwindSafe(|| index.get(7, &Fussy(1)));
    assert!(std::panic::catch_unwind(look).is_err());
    index.insert(thing(2, 7)).ok().unwrap();
    assert_eq!(all_of(&index), [1, 2]);
}

#[test]
fn where_things_passed_that_have_gone_no_search_goes_on() {
    // Their way begins with the first bucket: growing leaves their order as it is.
    for hash in [0, 1, 2] {
        let index = Index::new();
        // They fill three buckets; as many pass the first as can be counted.
        let things: Vec<_> = (0..21).map(|key| thing(key, hash)).collect();
        things.iter().for_each(|it| index.insert(it.clone()).ok().unwrap());
        let passed = |guard: &Guard| {
            let buckets = index.buckets_of(shard_of(hash));
            (0..buckets.len()).filter(|&it| buckets.get(it, guard).word().is_passed(tag_of(hash))).count()
        };
        assert_eq!(passed(&Guard::new()), 2);
        things[7..].iter().rev().for_each(|it| drop(index.remove(it).unwrap()));
        assert_eq!(passed(&Guard::new()), 0);
    }
}
