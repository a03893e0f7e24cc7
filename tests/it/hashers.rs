//! Any hasher will do, if slowly: the map agrees with std's on long runs of random operations.

use crate::support::Random;
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};
use weakmap::WeakMap;

/// Makes of a key's bits what `F` makes of them.
#[derive(Clone, Copy)]
struct By(fn(u64) -> u64);

struct ByHasher(fn(u64) -> u64, u64);

impl BuildHasher for By {
    type Hasher = ByHasher;
    fn build_hasher(&self) -> ByHasher {
        ByHasher(self.0, 0)
    }
}

impl Hasher for ByHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }
    fn write_u64(&mut self, bits: u64) {
        self.1 = self.1.rotate_left(9) ^ bits;
    }
    fn finish(&self) -> u64 {
        self.0(self.1)
    }
}

fn agrees_with_std(hasher: impl BuildHasher, keys: u64) {
    let map = WeakMap::builder().hasher(hasher).build().unwrap();
    let (mut model, mut random) = (HashMap::new(), Random::new(keys));
    for round in 0..4000u64 {
        let key = random.below(keys);
        match random.below(10) {
            0..5 => assert_eq!(map.insert(key, round).as_deref().copied(), model.insert(key, round)),
            5..7 => assert_eq!(map.remove(&key).as_deref().copied(), model.remove(&key)),
            7 => assert_eq!(*map.get_or_insert_with(key, || round), *model.entry(key).or_insert(round)),
            _ => assert_eq!(map.get(&key).as_deref(), model.get(&key)),
        }
        assert_eq!(map.len(), model.len());
    }
    (0..keys).for_each(|key| assert_eq!(map.peek(&key).as_deref(), model.get(&key)));
    map.for_each(|key, value| assert_eq!(model.remove(key), Some(**value)));
    assert!(model.is_empty(), "{model:?} were not visited");
}

#[test]
fn keys_may_all_have_the_same_hash() {
    agrees_with_std(By(|_| 0), 150);
    agrees_with_std(By(|_| u64::MAX), 150);
}

#[test]
fn keys_may_be_their_own_hash() {
    agrees_with_std(By(|bits| bits), 1000);
}

#[test]
fn hashes_may_differ_in_the_highest_bits_alone() {
    agrees_with_std(By(|bits| bits << 54), 1000);
}

#[test]
fn hashes_may_differ_in_few_bits() {
    agrees_with_std(By(|bits| (bits & 3) << 30), 200);
}

#[test]
fn hashers_of_std_will_do() {
    agrees_with_std(RandomState::new(), 1000);
}

#[test]
fn the_hasher_is_the_one_that_was_given() {
    let map = WeakMap::<u64, u64>::builder().hasher(By(|_| 42)).build().unwrap();
    assert_eq!(map.hasher().hash_one(7), 42);
}

#[test]
fn a_bad_hasher_that_leaves_the_low_half_empty_still_spreads() {
    // All of 20,000 keys in one bucket would take minutes; spread, an instant.
    let map = WeakMap::builder().hasher(By(|bits| bits << 40)).build().unwrap();
    (0..20_000u64).for_each(|key| drop(map.insert(key, key)));
    assert!((0..20_000).all(|key| map.get(&key).as_deref() == Some(&key)));
}
