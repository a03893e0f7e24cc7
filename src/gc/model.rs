//! What the models see.

pub use super::{
    graves::Graves,
    ledger::Ledger,
    pass::{Swept, Want},
    region::{Bounds, Region},
};

impl<K: Eq + Send + Sync + 'static, V: Send + Sync + 'static> Region<K, V> {
    /// One batch, waiting for other sweepers.
    pub fn pass(&self, want: Want) -> Swept {
        super::pass::Sweep::sweep(self, super::pass::Order::of(want), true, &|| crate::heap::Net::Unknown)
            .expect("it waits")
    }

    /// A look at every weak entry, and the frees.
    pub fn settle_all(&self) -> Swept {
        let done = super::pass::Sweep::review(self);
        self.flush();
        done
    }

    /// Entries in the index, closed ones included.
    pub fn indexed(&self) -> usize {
        let mut entries = 0;
        self.index.for_each(|_| entries += 1);
        entries
    }

    /// Whether each entry in the index is in exactly one sweeper's place (invariant 1). For when nothing runs; empties
    /// the places.
    pub fn placed_once(&self) -> bool {
        let mut places = Vec::new();
        self.incoming.drain(|came| places.push(came.entry));
        let mut rings = crate::sync::lock(&self.rings);
        places.extend(rings.weak.drain(..).map(|came| came.entry));
        places.extend(std::iter::from_fn(|| rings.clock.release()));
        drop(rings);
        let mut once = true;
        self.index.for_each(|entry| {
            let found = places.iter().filter(|place| crate::sync::StrongArc::ptr_eq(place, entry)).count();
            once &= found == 1;
        });
        once
    }
}
