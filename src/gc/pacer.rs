//! The pacer: numbers in, numbers out. It says how much is to be stripped, and knows nobody.
//!
//! Go's pacer, turned to strips. With *x* the bytes in use, less those stripped but not freed yet:
//!
//! ```text
//! 0 ───────────────────────────── trigger ──── goal ──── limit ─────►  x
//!   nothing is stripped            │ inserts pay │ a pass    │ gate: an insert
//!                                  │ debt        │ strips    │ strips until
//!                                  ratio 0 … 1   │ x - goal  │ there is room
//! ```
//!
//! Between trigger and goal an inserting thread owes `ratio` bytes of strips for each byte that it inserts, and at the goal
//! exactly one: there the heap stands still. Simulated mean use 95 % of the limit, strips beyond need 4 %, the same for steady
//! and bursty load; the Go package's law, 42 % and 88 %.
//!
//! Sources: Go's `mgcpacer.go` (goal, trigger, assist, debt paid in batches); the Go package `weakmap` ([`Law::EveryPass`]).

/// The goal, as a share of the limit. Simulated headroom of 2 / 4 / 10 %: mean use 97 / 95 / 90 %, the highest never above 100 %.
const GOAL: f64 = 0.96;
/// Where assists start, as a share of the goal.
const TRIGGER: f64 = 0.97;
/// The most that an inserting thread strips for each byte that it inserts.
const MOST_RATIO: f64 = 2.0;
/// A thread looks at what it owes, and pays it, when it has put in so many of what it puts in now, or so many bytes where that is less: or the fixed cost of a sweep would
/// be paid at every insert. New values of 80 bytes into a full heap, by 8 KiB of debt at any size / by this, two threads: 1.86 / 2.00 million a second, 99.9 % in less than
/// 78 / 29 µs (one thread 42 / 11, four 94 / 93).
const BATCH: u64 = 16;
const BATCH_BYTES: u64 = 8 << 10;
/// And no more than this part of the limit, half of the way from trigger to goal: or a small cache would swing.
const BATCH_PART: u64 = 64;
/// What one insert pays at the most, in its own size and a batch.
const MOST_PAID: u64 = 4;

/// For an insert of so many bytes, what is worth a sweep.
#[inline]
pub fn batch(inserted: u64, limit: u64) -> u64 {
    inserted.saturating_mul(BATCH).min(BATCH_BYTES).min(limit / BATCH_PART)
}

/// How much is stripped at which pressure.
///
/// Pressure is measured heap use over the limit. Whatever the law, an insert that finds the heap at the limit strips until
/// there is room.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Law {
    /// Go's pacer: nothing below 93 % of the limit; from there each inserted byte is paid with stripped ones, up to one for
    /// one at 96 %, where the heap stands still.
    #[default]
    Pacer,
    /// A dead zone up to `low`, then at each pass a share of all entries that grows from none at `low` to all at `high`
    /// (both as shares of the limit). A pass is due whenever the heap has grown by a 64th of the limit.
    Proportional {
        /// The pressure up to which nothing is stripped, 0 to 1.
        low: f64,
        /// The pressure at which a pass strips everything; above `low`.
        high: f64,
    },
    /// The Go package's: at each pass `floor(pressure × len) + 1` entries, however low the pressure. A pass is due when the
    /// heap is twice what the last one left, as Go's collector has it. To compare with: it leaves most of the memory idle.
    EveryPass,
}

/// What a pass is to strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip {
    Bytes(u64),
    Entries(u64),
}

impl Strip {
    pub const NOTHING: Self = Self::Bytes(0);
}

/// See the module. Everything in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    law: Law,
    limit: u64,
    sensitivity: f64,
}

impl Pacer {
    pub fn new(law: Law, limit: u64, sensitivity: f64) -> Self {
        Self { law, limit, sensitivity }
    }

    pub fn pressure(&self, x: u64) -> f64 {
        x as f64 / self.limit as f64
    }

    pub fn goal(&self) -> u64 {
        (self.limit as f64 * GOAL) as u64
    }

    pub fn trigger(&self) -> u64 {
        match self.law {
            Law::Pacer => (self.limit as f64 * GOAL * TRIGGER) as u64,
            Law::Proportional { low, .. } => (self.limit as f64 * low) as u64,
            Law::EveryPass => 0,
        }
    }

    /// Bytes to strip for `inserted` bytes, at once or as debt.
    pub fn owed(&self, x: u64, inserted: u64) -> u64 {
        (self.ratio(x) * inserted as f64) as u64
    }

    /// Of a debt, what an insert of that many bytes pays now, where threads look when they have put in a batch.
    pub fn due(&self, debt: u64, inserted: u64) -> u64 {
        let batch = batch(inserted, self.limit);
        if debt < batch / 2 { 0 } else { debt.min(inserted.saturating_add(batch).saturating_mul(MOST_PAID)) }
    }

    /// What stays owed, where so much of what was due was paid. What was paid too much (an entry may be large) is credit. What could not be paid is
    /// forgotten, not piled up; but half of it where another thread was at it, or the heap would rise until the ratio makes up for that.
    pub fn unpaid(&self, due: u64, freed: u64, busy: bool) -> i64 {
        let left = due as i64 - freed as i64;
        if left > 0 { if busy { left / 2 } else { 0 } } else { left }
    }

    /// What a pass strips.
    pub fn pass(&self, x: u64, entries: u64) -> Strip {
        let share = |share: f64| (share * self.sensitivity).clamp(0.0, 1.0);
        match self.law {
            Law::Pacer if self.sensitivity == 0.0 => Strip::NOTHING,
            Law::Pacer => Strip::Bytes(x.saturating_sub(self.goal())),
            Law::Proportional { low, high } => {
                let share = share((self.pressure(x) - low) / (high - low));
                Strip::Entries((share * entries as f64) as u64)
            }
            Law::EveryPass => Strip::Entries((share(self.pressure(x)) * entries as f64) as u64 + 1),
        }
    }

    /// The heap size at which the next pass is due, after one that left x. The pacer's own law has none: debt does it.
    pub fn next_pass(&self, x: u64) -> u64 {
        let grown = |part: u64| x.saturating_add(self.limit / part);
        match self.law {
            Law::Pacer => self.goal(),
            Law::Proportional { .. } => grown(64).clamp(self.trigger(), self.last_pass().max(self.trigger())),
            Law::EveryPass => x.saturating_mul(2).max(grown(32)).min(self.last_pass()),
        }
    }

    /// The heap size beyond which no pass is put off: at the gate single strips would take its place.
    fn last_pass(&self) -> u64 {
        self.limit - self.limit / 32
    }

    /// The most bytes, with what may be missing, at which an insert has nothing to do; 0 for none.
    pub fn calm(&self) -> u64 {
        if self.cycles() { 0 } else { self.trigger() }
    }

    /// Whether passes come in cycles, at [`Self::next_pass`], instead of debt.
    pub fn cycles(&self) -> bool {
        self.law != Law::Pacer
    }

    /// The heap size at which somebody is to look though nobody inserts: half way from the goal, which inserts hold, to the gate.
    pub fn alarm(&self, error: u64) -> u64 {
        let gate = self.limit.saturating_sub(error).max(self.goal());
        self.goal() + (gate - self.goal()) / 2 + 1
    }

    /// Bytes by which a heap that may be `error` larger than measured is beyond the limit.
    pub fn over(&self, counted: u64, error: u64) -> u64 {
        counted.saturating_add(error).saturating_sub(self.limit)
    }

    fn ratio(&self, x: u64) -> f64 {
        if self.cycles() {
            return 0.0;
        }
        let (trigger, goal) = (self.trigger() as f64, self.goal() as f64);
        // A limit of a few bytes has no room between trigger and goal.
        let way = (x as f64 - trigger) / (goal - trigger).max(1.0);
        (way * self.sensitivity).clamp(0.0, MOST_RATIO)
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
