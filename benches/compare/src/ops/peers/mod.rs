//! The subjects, a file each.

pub mod dashmap;
pub mod foyer;
pub mod lru;
pub mod mini_moka;
pub mod moka;
pub mod papaya;
pub mod quick_cache;
pub mod scc;
pub mod std;
pub mod weakmap;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cache::{Cache, value};

    const ROOM: usize = 1_000;

    /// What the benchmarks take for granted.
    fn behaves<C: Cache<u64>>() {
        let cache = C::with_room(2 * ROOM);
        (0..ROOM as u64).for_each(|key| cache.insert(key, value(key)));
        cache.settle();
        assert_eq!((cache.read(&7), cache.read(&u64::MAX)), (Some(7), None), "{}", C::NAME);
        cache.insert(7, value(70));
        assert_eq!(cache.load(&7, || unreachable!()), 70, "{}", C::NAME);
        cache.remove(&7);
        assert_eq!(cache.read(&7), None, "{}", C::NAME);
        assert_eq!((cache.load(&7, || [8; 8]), cache.read(&7)), (8, Some(8)), "{}", C::NAME);
    }

    /// scc rounds up to a power of two; shards and buffers take a little more.
    fn keeps_to_its_room<C: Cache<u64>>() {
        let cache = C::with_room(ROOM);
        for key in 0..5 * ROOM as u64 {
            cache.insert(key, value(key));
            cache.settle();
        }
        assert_eq!(C::EVICTS, cache.len() <= 2 * ROOM, "{} kept {}", C::NAME, cache.len());
    }

    fn sheds<C: Cache<u64>>() {
        let cache = C::with_room(2 * ROOM);
        (0..ROOM as u64).for_each(|key| cache.insert(key, value(key)));
        cache.shed(0..ROOM as u64 * 9 / 10);
        cache.settle();
        assert!((ROOM / 12..ROOM / 8).contains(&cache.len()), "{} kept {}", C::NAME, cache.len());
    }

    fn is_fit<C: Cache<u64>>() {
        behaves::<C>();
        keeps_to_its_room::<C>();
        sheds::<C>();
    }

    #[test]
    fn every_subject_is_fit() {
        is_fit::<weakmap::Weakmap<u64>>();
        is_fit::<weakmap::Pinned<u64>>();
        is_fit::<quick_cache::QuickCache<u64>>();
        is_fit::<moka::Moka<u64>>();
        is_fit::<mini_moka::MiniMoka<u64>>();
        is_fit::<foyer::Foyer<u64>>();
        is_fit::<scc::SccCache<u64>>();
        is_fit::<lru::Lru<u64>>();
        is_fit::<papaya::Papaya<u64>>();
        is_fit::<papaya::PapayaPin<u64>>();
        is_fit::<dashmap::Dashmap<u64>>();
        is_fit::<std::Std<u64>>();
    }

    /// The heap that bounds it is that of all tests here: so only roughly.
    #[test]
    fn the_limited_one_goes_by_the_heap() {
        let map = weakmap::Limited::<u64>::with_room(ROOM);
        let fill = |keys: ::std::ops::Range<u64>| keys.for_each(|key| map.insert(key, value(key)));
        fill(0..ROOM as u64);
        map.settle();
        fill(ROOM as u64..200 * ROOM as u64);
        assert!(map.len() < 100 * ROOM, "kept {}", map.len());
    }
}
