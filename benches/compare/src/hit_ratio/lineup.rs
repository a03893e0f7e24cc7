//! Who takes part. To add a subject, implement `Subject` in a file of its own and list it here.

use anyhow::Result;

use super::{belady, foyer, lru, mini_moka, moka, quick_cache, recency, subject::Subject, weakmap::Weakmap};
use crate::names;

/// The subject the others are measured against, if it takes part.
pub const OURS: &str = "weakmap";

/// Everyone, in the order of the reports.
fn everyone() -> Vec<Box<dyn Subject>> {
    vec![
        Box::new(Weakmap::Capped),
        Box::new(Weakmap::Pressed { batch: 1 }),
        Box::new(Weakmap::Pressed { batch: 5 }),
        Box::new(Weakmap::Pressed { batch: 10 }),
        Box::new(Weakmap::Clock),
        Box::new(moka::Moka),
        Box::new(mini_moka::MiniMoka),
        Box::new(quick_cache::QuickCache),
        Box::new(foyer::Foyer::S3Fifo),
        Box::new(foyer::Foyer::Lfu),
        Box::new(foyer::Foyer::Lru),
        Box::new(foyer::Foyer::Sieve),
        Box::new(lru::Lru),
        Box::new(recency::Recency),
        Box::new(belady::Belady),
    ]
}

/// The named ones; everyone, if none is named.
pub fn pick(given: &[String]) -> Result<Vec<Box<dyn Subject>>> {
    let mut picked = everyone();
    let known: Vec<_> = picked.iter().map(|subject| subject.name()).collect();
    names::check(given, &known)?;
    picked.retain(|subject| names::admit(given, subject.name(), &known));
    Ok(picked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> Vec<&'static str> {
        let given: Vec<_> = given.iter().map(|name| name.to_string()).collect();
        pick(&given).unwrap().iter().map(|subject| subject.name()).collect()
    }

    #[test]
    fn names_are_unique() {
        let mut all = names(&[]);
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_name_stands_for_itself_or_its_family() {
        assert_eq!(names(&["LRU", "moka"]), ["moka", "LRU"]);
        assert_eq!(names(&["foyer"]).len(), 4);
    }
}
