//! Who takes part in what. To add a subject, implement `Cache` in a file of its own and list it here.

use anyhow::Result;

use super::{
    cache::Cache,
    peers::{
        dashmap::Dashmap,
        foyer::Foyer,
        lru::Lru,
        mini_moka::MiniMoka,
        moka::Moka,
        papaya::{Papaya, PapayaPin},
        quick_cache::QuickCache,
        scc::SccCache,
        weakmap::{Limited, Pinned, Weakmap},
    },
    scene::{Scene, Stage},
};

/// A subject, and how a scene is set up with it.
pub struct Entrant<S: Scene> {
    pub name: &'static str,
    pub stage: fn(&S) -> Result<Stage<S::Script>>,
}

impl<S: Scene> Entrant<S> {
    fn new<C: Cache<S::Key> + Sync>() -> Self {
        Self { name: C::NAME, stage: S::stage::<C> }
    }
}

/// Those that keep to their room.
pub fn caches<S: Scene>() -> Vec<Entrant<S>> {
    vec![
        Entrant::new::<Weakmap<S::Key>>(),
        Entrant::new::<QuickCache<S::Key>>(),
        Entrant::new::<Moka<S::Key>>(),
        Entrant::new::<MiniMoka<S::Key>>(),
        Entrant::new::<Foyer<S::Key>>(),
        Entrant::new::<SccCache<S::Key>>(),
        Entrant::new::<Lru<S::Key>>(),
    ]
}

/// With us under pressure.
pub fn pressed<S: Scene>() -> Vec<Entrant<S>> {
    let mut pressed = caches();
    pressed.insert(1, Entrant::new::<Limited<S::Key>>());
    pressed
}

/// With the maps that evict nothing.
pub fn maps<S: Scene>() -> Vec<Entrant<S>> {
    let plain = [Entrant::new::<Papaya<S::Key>>(), Entrant::new::<Dashmap<S::Key>>()];
    caches().into_iter().chain(plain).collect()
}

/// With the ways to read without a count.
pub fn readers<S: Scene>() -> Vec<Entrant<S>> {
    let mut readers = maps();
    readers.insert(1, Entrant::new::<Pinned<S::Key>>());
    readers.push(Entrant::new::<PapayaPin<S::Key>>());
    readers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Options, bench::lookup::Lookup, cell::OURS, run::Run};

    fn names(only: &[&str]) -> Result<Vec<&'static str>> {
        let only = only.iter().map(|name| name.to_string()).collect();
        let options = Options { only, ..Options::default() };
        let picked = Run::new("lookup", &options)?.pick(readers::<Lookup>())?;
        Ok(picked.iter().map(|entrant| entrant.name).collect())
    }

    #[test]
    fn names_are_unique_and_we_take_part() {
        let mut all = names(&[]).unwrap();
        assert_eq!(all[0], OURS);
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_named_ones_are_picked_and_strangers_refused() {
        assert_eq!(names(&["moka", "weakmap"]).unwrap(), ["weakmap", "moka"]);
        assert!(names(&["mocha"]).unwrap_err().to_string().contains("mini-moka"));
    }
}
