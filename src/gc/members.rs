//! Who belongs to a collector: the regions of its maps, held weakly.

use super::{Collector, background, pass::Sweep};
use crate::sync::{
    lock_shared,
    shared::{Arc, Weak},
    tally::Relaxed,
};

impl Collector {
    /// Adds a region, and forgets those that have gone.
    pub(crate) fn attach(&self, region: Weak<dyn Sweep>) {
        let changing = lock_shared(&self.0.changing);
        let mut regions = self.members();
        regions.push(region);
        self.0.regions.store(Arc::new(regions));
        self.0.maps.fetch_add(1, Relaxed);
        drop(changing);
        background::join(self);
    }

    /// Forgets the regions that have gone.
    pub(crate) fn detach(&self) {
        let changing = lock_shared(&self.0.changing);
        self.0.regions.store(Arc::new(self.members()));
        // Not told by who holds a region: a pass may, for a moment.
        let last = self.0.maps.fetch_sub(1, Relaxed) == 1;
        drop(changing);
        if last && self.0.settings.load().tuning.background {
            background::wake();
        }
    }

    /// Those that have not gone.
    fn members(&self) -> Vec<Weak<dyn Sweep>> {
        let regions = self.0.regions.load();
        regions.iter().filter(|region| region.strong_count() > 0).cloned().collect()
    }

    /// Whether the background thread is to look after this collector.
    pub(super) fn wants_background(&self) -> bool {
        self.0.settings.load().tuning.background && self.0.maps.load(Relaxed) > 0
    }

    pub(super) fn regions(&self) -> impl Iterator<Item = Arc<dyn Sweep>> {
        let regions = self.0.regions.load_full();
        (0..regions.len()).filter_map(move |which| regions[which].upgrade())
    }

    pub(super) fn entries(&self) -> u64 {
        self.regions().map(|region| region.entries()).sum()
    }
}
