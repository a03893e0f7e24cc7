//! What an inserting thread does for the heap: it pays for what it puts in, and stops at the gate where there is no room.

use super::{
    Collector, Load,
    calm::Height,
    log,
    pacer::{Strip, batch},
    settings::Settings,
    strips::Effort,
};
use crate::{
    stats::count,
    sync::{
        CachePadded, is_inside, sleep, stripe,
        tally::{AtomicU64, Relaxed},
        yield_now,
    },
};
use std::time::{Duration, Instant};

/// How often the gate strips before it lets an insert pass.
const MOST_TRIES: usize = 64;
/// How long the gate waits for memory that pins and readers hold back, and for other sweepers. No insert is to be blocked for more
/// than 10 ms, and who holds a lock may have lost its processor.
const PATIENCE: Duration = Duration::from_millis(7);
/// Between two looks, once the others were let run a few times.
const NAP: Duration = Duration::from_micros(200);
const MOST_YIELDS: usize = 8;

const STRIPES: usize = if cfg!(weakmap_loom) { 1 } else { 8 };

/// The bytes that threads have put in since they last looked at what they owe. Tallies, of a thread each or of a few: what these lose of each other's, the ratio makes
/// up for.
#[derive(Debug, Default)]
pub struct PutIn([CachePadded<AtomicU64>; STRIPES]);

impl PutIn {
    /// All that the calling thread has put in, if that is worth a look: a batch.
    fn add(&self, inserted: u64, batch: u64) -> Option<u64> {
        let own = &self.0[stripe(STRIPES)];
        let all = own.load(Relaxed).saturating_add(inserted);
        let looks = all >= batch;
        own.store(if looks { 0 } else { all }, Relaxed);
        looks.then_some(all)
    }

    /// As if the calling thread had put in so much more: it looks that much earlier.
    fn again(&self, bytes: u64) {
        let own = &self.0[stripe(STRIPES)];
        own.store(own.load(Relaxed).saturating_add(bytes), Relaxed);
    }
}

impl Collector {
    /// What a thread does that inserted (or is about to insert) so much weight, which stands for so many bytes where that was learned:
    /// nothing below the trigger.
    #[inline]
    pub(crate) fn assist(&self, weight: u64, bytes: impl FnOnce() -> Option<u64>) {
        if self.0.calm.ticks() && self.0.ticks.glance() {
            self.tick();
        }
        let height = self.0.calm.height(&self.0.ledger);
        if height != Height::Low {
            let inserted = bytes().unwrap_or_else(|| self.0.ledger.guess(weight));
            let batch = match height {
                Height::Within if inserted == 0 => return,
                Height::Within => batch(inserted, self.0.calm.gate()),
                _ => 0,
            };
            if let Some(all) = self.0.put_in.add(inserted, batch) {
                self.assist_by_settings(inserted, all);
            }
        }
    }

    /// For so much that was inserted now, and so much since the thread last looked.
    #[inline(never)]
    fn assist_by_settings(&self, inserted: u64, all: u64) {
        let settings = self.0.settings.load();
        let load = self.load(&settings);
        if load.x > settings.pacer.trigger() && !self.0.rest.lasts(load.live) {
            self.pay(inserted, all, load, &settings);
        }
        if settings.pacer.cycles() && load.x >= self.0.next_pass.load(Relaxed) {
            self.cycle(&settings);
        }
        if settings.pacer.over(load.live, load.error) > 0 {
            self.make_room(&settings);
        }
    }

    fn pay(&self, inserted: u64, all: u64, load: Load, settings: &Settings) {
        let owed = settings.pacer.owed(load.x, all);
        if owed == 0 {
            return;
        }
        let owed = owed.min(i64::MAX as u64) as i64;
        let debt = self.0.debt.fetch_add(owed, Relaxed).saturating_add(owed);
        let due = settings.pacer.due(debt.max(0) as u64, inserted);
        if due > 0 {
            count(&self.0.assists);
            // Taken off first: whoever comes next meets the debt without what we pay.
            self.0.debt.fetch_sub(due as i64, Relaxed);
            let (done, busy) = self.strip(Strip::Bytes(due), Effort::Assist, settings);
            if done.freed > 0 && self.0.rest.succeed() {
                log::recovered();
            }
            match settings.pacer.unpaid(due, done.freed, busy) {
                unpaid @ 1.. => self.0.put_in.again(unpaid as u64),
                credit => _ = self.0.debt.fetch_add(credit, Relaxed),
            }
        }
    }

    /// The gate: strips until the heap is within its limit, or nothing is left to strip. The map must not lose what it was
    /// given, so the insert proceeds then, and is counted.
    fn make_room(&self, settings: &Settings) {
        let (mut tries, mut wait) = (0, Wait::new());
        while tries < MOST_TRIES {
            let load = self.load(settings);
            let over = settings.pacer.over(load.live, load.error);
            if over == 0 {
                return;
            }
            let coming = load.live - load.x;
            if over <= coming {
                // Stripped already, and held back by a pin or a reader: more strips would free nothing now.
                self.flush();
                if !wait.once_more() {
                    break;
                }
            } else {
                let (done, busy) =
                    self.strip_unless_resting(Strip::Bytes(over - coming), Effort::Gate, load, settings);
                tries += 1;
                if done.stripped == 0 && !(busy && wait.once_more()) {
                    break;
                }
            }
        }
        count(&self.0.overruns);
    }
}

/// Waiting for others to let go.
struct Wait {
    yields: usize,
    until: Option<Instant>,
}

impl Wait {
    fn new() -> Self {
        Self { yields: 0, until: None }
    }

    /// Lets others run, if that may help.
    fn once_more(&mut self) -> bool {
        if self.yields < MOST_YIELDS {
            self.yields += 1;
            yield_now();
            return true;
        }
        // Our own pin would not go while we wait.
        let until = *self.until.get_or_insert_with(|| Instant::now() + PATIENCE);
        let may = Instant::now() < until && !is_inside();
        if may {
            sleep(NAP);
        }
        may
    }
}
