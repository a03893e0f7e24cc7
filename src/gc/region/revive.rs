//! Stripped values that become strong again.

use super::{Region, subtract};
use crate::{
    entry::Entry,
    stats::count,
    sync::{Arc, tally::Relaxed},
};

impl<K, V> Region<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Makes a stripped entry strong again, if there is room under `max_weight` and nobody else changes it. Else the sweeper will, if it
    /// can.
    #[cold]
    pub fn revive(&self, entry: &Entry<K, V>, value: &Arc<V>) {
        if !self.try_revive(entry, value) {
            entry.want();
        }
    }

    pub(in crate::gc) fn try_revive(&self, entry: &Entry<K, V>, value: &Arc<V>) -> bool {
        let Some(_writing) = self.try_write(entry) else { return false };
        let weight = entry.weight();
        if !self.charge_within(weight) {
            return false;
        }
        let revived = entry.slot.revive(value);
        if revived {
            subtract(&self.sums.weak, 1);
            count(&self.sums.turned);
            count(&self.events.revivals);
        } else {
            self.discharge(weight);
        }
        revived
    }

    /// Charges, unless that would exceed `max_weight`.
    fn charge_within(&self, weight: u64) -> bool {
        let most = self.bounds.max_weight.unwrap_or(u64::MAX);
        let room = |sum: u64| sum.checked_add(weight).filter(|&sum| sum <= most);
        let charged = self.sums.weight.fetch_update(Relaxed, Relaxed, room).is_ok();
        if charged {
            self.ledger.weight.fetch_add(weight, Relaxed);
        }
        charged
    }
}
