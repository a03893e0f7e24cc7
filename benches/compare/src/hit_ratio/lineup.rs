//! Who takes part. To add a subject, implement `Subject` in a file of its own and list it here.

use anyhow::{Result, bail};

use super::{belady, foyer, lru, mini_moka, moka, quick_cache, recency, subject::Subject, weakmap::Weakmap};

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
pub fn pick(names: &[String]) -> Result<Vec<Box<dyn Subject>>> {
    let everyone = everyone();
    let known: Vec<_> = everyone.iter().map(|subject| subject.name()).collect();
    if let Some(name) = names.iter().find(|name| !is_known(name, &known)) {
        bail!("no subject is called {name:?}; there are {}", known.join(", "));
    }
    let mut picked = everyone;
    picked.retain(|subject| {
        names.is_empty() || names.iter().any(|name| stands_for(name, subject.name(), &known))
    });
    Ok(picked)
}

fn is_known(name: &str, known: &[&str]) -> bool {
    known.iter().any(|subject| stands_for(name, subject, known))
}

/// A name stands for itself, or, when nobody bears it, for its family: foyer for foyer-lru.
fn stands_for(name: &str, subject: &str, known: &[&str]) -> bool {
    if known.contains(&name) {
        return name == subject;
    }
    subject.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
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

    #[test]
    fn an_unknown_name_is_an_error() {
        let error = pick(&["mokka".into()]).err().unwrap().to_string();
        assert!(error.contains("mokka") && error.contains("mini-moka"));
    }
}
