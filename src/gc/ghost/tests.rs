//! A table of ghosts: what it remembers, for how long, and at which price.

use super::*;

const CAPACITY: u64 = 6_400;

fn table(entries: usize) -> GhostTable {
    let mut table = GhostTable::new(3.0);
    table.fit(entries, CAPACITY, 0);
    table
}

/// How many of the hashes are found.
fn found(table: &mut GhostTable, hashes: std::ops::Range<u64>, now: u64) -> usize {
    hashes.filter(|&hash| table.take(hash, now).is_some()).count()
}

#[test]
fn nothing_is_found_in_an_empty_table() {
    let mut table = GhostTable::new(3.0);
    table.put(1, 0, 0);
    assert_eq!((table.take(1, 0), table.bytes()), (None, 0));
    table.fit(10, 10, 0);
    assert_eq!(found(&mut table, 0..1_000, 0), 0);
}

#[test]
fn a_hit_removes() {
    let mut table = table(100);
    table.put(7, 128, 128);
    assert_eq!(table.take(7, 640), Some(512));
    assert_eq!(table.take(7, 640), None);
}

#[test]
fn ages_are_exact_in_a_small_cache_and_to_a_64th_in_a_large_one() {
    for (capacity, stamp, now) in [(10, 3, 9), (127, 0, 126), (6_400, 70, 999), (1 << 40, 1 << 39, 1 << 40)] {
        let mut table = GhostTable::new(3.0);
        table.fit(10, capacity, now);
        table.put(1, stamp, now);
        let age = table.take(1, now).unwrap();
        assert!(age.abs_diff(now - stamp) <= capacity / 64, "{age} in {capacity}");
    }
}

#[test]
fn put_again_is_one_ghost() {
    let mut table = table(100);
    (0..20).for_each(|n| table.put(7, n * 128, n * 128));
    assert_eq!(table.take(7, 19 * 128), Some(0));
    assert_eq!(table.take(7, 19 * 128), None);
}

#[test]
fn the_oldest_gives_way() {
    let mut table = GhostTable::new(8.0);
    table.fit(1, CAPACITY, 0);
    (0..12).for_each(|n| table.put(n, n * 128, n * 128));
    assert_eq!(found(&mut table, 0..4, 12 * 128), 0);
    assert_eq!(found(&mut table, 4..12, 12 * 128), 8);
}

/// Of a cache of any size, most of the last two times its entries are remembered.
#[test]
fn holds_what_it_should() {
    for entries in [10, 100, 1_000, 30_000] {
        let mut table = table(entries as usize);
        (0..9 * entries).for_each(|n| table.put(n, n, n));
        let found = found(&mut table, 7 * entries..9 * entries, 9 * entries);
        assert!(found as u64 >= 2 * entries * 17 / 20, "{found} of 2 × {entries}");
        let bytes = table.bytes() as u64;
        assert!(bytes <= 12 * entries + 31, "{bytes} for {entries}");
    }
}

#[test]
fn strangers_are_rare() {
    let mut table = table(10_000);
    (0..30_000).for_each(|hash| table.put(hash, 0, 0));
    let strangers = found(&mut table, 1_000_000..2_000_000, 0);
    assert!(strangers < 200, "{strangers} in a million, 122 are expected");
}

/// Stamps come round after 2^16 quanta. No ghost looks young again after that.
#[test]
fn stamps_wrap() {
    let quantum = 1 << table(100).shift;
    for start in [0, 60_000, 65_535, 1 << 40] {
        let mut table = table(100);
        (0..50).for_each(|hash| table.put(hash, start * quantum, start * quantum));
        table.take(0, start * quantum);
        assert_eq!(table.take(1, (start + 10) * quantum), Some(10 * quantum));
        for quanta in (10..65_540).step_by(100) {
            let age = table.take(1_000_000 + quanta, (start + quanta) * quantum);
            assert_eq!(age, None);
        }
        assert_eq!(found(&mut table, 0..50, (start + 65_540) * quantum), 0);
    }
}

/// An age that does not fit is cut, and later scrubbed.
#[test]
fn very_old_stamps() {
    let mut table = table(100);
    let now = 1 << 40;
    table.put(1, 0, now);
    assert_eq!(table.take(1, now), Some(u64::from(OLD - 1) << table.shift));
}

#[test]
fn rebuilt_with_what_it_knew() {
    for (entries, capacity) in
        [(2_001, CAPACITY), (5_000, CAPACITY), (1_000, CAPACITY * 8), (499, CAPACITY), (3_000, CAPACITY / 8)]
    {
        let mut table = table(1_000);
        (0..1_000).for_each(|n| table.put(n, n, n));
        let bytes = table.bytes();
        table.fit(entries, capacity, 1_000);
        assert!(entries == 1_000 || table.bytes() != bytes);
        let age = table.take(900, 1_000).expect("it is remembered");
        assert!(age.abs_diff(100) <= CAPACITY / 4, "{age}");
        let kept = found(&mut table, 0..1_000, 1_000);
        assert!(kept >= 850, "{kept} of 1000 for {entries}");
    }
}

#[test]
fn not_rebuilt_for_little() {
    let mut table = table(1_000);
    let bytes = table.bytes();
    for (entries, capacity) in [(500, CAPACITY), (2_000, CAPACITY * 2), (1_000, CAPACITY / 2)] {
        table.fit(entries, capacity, 0);
        assert_eq!(table.bytes(), bytes);
    }
}
