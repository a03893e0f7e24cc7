//! Room under `max_weight`: who sweeps for it, and who waits.

use crate::{
    gc::{
        ledger::update,
        pass::{Order, Want},
        quota::slack,
        region::{Region, Rings, Sums},
    },
    heap::Net,
    sync::{MutexGuard, lock, spin, tally::Relaxed, yield_now},
};

/// Where threads meet at the rings, so many sweeps begin so many entries (half of what they may go ahead at the most) before `max_weight`: who finds
/// another at it goes on.
const CROWDED: u64 = 64;
const EARLY: u64 = 64;
/// Who waits for a sweep looks so often whether it is over before it sleeps: some 3 µs, a third of a sweep, and then so often as it lets other threads go
/// first, for the sweeper may be waiting for a processor. To be woken takes longer.
const SPINS: u32 = if cfg!(weakmap_loom) { 0 } else { 6 };
const YIELDS: u32 = if cfg!(weakmap_loom) { 0 } else { 58 };

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Strips until the region fits its `max_weight`. Blocks while another thread sweeps, unless there is room yet.
    #[inline]
    pub fn fit(&self) {
        if let Some(most) = self.bounds.max_weight {
            while self.sums.weight.load(Relaxed) > self.full(most) && self.fit_some(most) {}
        }
    }

    /// Whether this was of use.
    #[inline(never)]
    fn fit_some(&self, most: u64) -> bool {
        let Some(rings) = self.rings_to_fit(most) else { return false };
        // None: what is left is being put in by others, who will look after it.
        self.sweep(rings, Order::of(Want::Fit), &|| Net::Unknown).stripped > 0
    }

    /// The weight beyond which sweeps begin.
    #[inline]
    pub(in crate::gc) fn full(&self, most: u64) -> u64 {
        most.saturating_sub(self.sums.early.load(Relaxed))
    }

    fn rings_to_fit(&self, most: u64) -> Option<MutexGuard<'_, Box<Rings<K, V>>>> {
        let Sums { crowded, early, .. } = &self.sums;
        if let Some(rings) = self.try_rings() {
            let left = crowded.load(Relaxed).saturating_sub(1);
            update(crowded, left);
            if left == 0 {
                update(early, 0);
            }
            return Some(rings);
        }
        if crowded.load(Relaxed) < CROWDED / 2 {
            crowded.store(CROWDED, Relaxed);
            update(early, (EARLY * self.average_weight()).min(slack(most) / 2));
        }
        for look in 0..SPINS + YIELDS {
            if self.sums.weight.load(Relaxed) <= most {
                return None;
            }
            if let Some(rings) = self.try_rings() {
                return Some(rings);
            }
            if look < SPINS { spin() } else { yield_now() }
        }
        (self.sums.weight.load(Relaxed) > most).then(|| lock(&self.rings))
    }
}
