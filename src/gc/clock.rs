//! Which entry goes next: three clock hands and two ghosts.
//!
//! ```text
//!            incoming                                            no use, or lost
//!                │                     ┌─────────────────────────────────────────► stripped
//!                ▼       middle hand   │ tail hand
//!  window   ─► young ──(uses := 0)──► old ──(used)──┐ if main has room,
//!                                                   │ or by a duel with main's coldest
//!                ┌──────────────────────────────────┘
//!                ▼                       main's hand
//!  main     ─► ring ──────────────────────────┬──────(uses = 0)──────────────────► stripped
//!                ▲     (used: uses -= 1)      │
//!                └────────────────────────────┘
//!
//!  ghosts   a window ghost comes back soon ─► the window is too small: share up
//!           a ghost of main comes back     ─► main is too small:       share down
//!           either may enter main at once, if there is room or it wins a duel
//! ```
//!
//! # Algorithm
//! New entries go round a small *window*. Its middle hand clears the use counts, so that a burst of
//! uses right after the insert says nothing; its tail hand sends what was used since to *main*, a
//! plain clock with two-bit counts, and gives up the rest. What went leaves a *ghost*. A ghost that
//! returns tells which ring was too small and moves the window's *share* of the capacity. It enters
//! main itself if there is room, or if it wins a *duel*: it was away for a shorter time than main's
//! coldest entry has idled (the rule of LIRS and CLOCK-Pro). Main is filled once at the start with
//! whatever leaves the window, and one in 128 of the unused may try for main.
//!
//! Time is the weight admitted so far. A pass is: [`drain`](Clock::drain) the incoming, run the
//! middle hand, then [`next`](Clock::next) until the target is met.
//!
//! # Benefits
//! Mean hit ratio over 139 rows of real traces 36.9 % (plain two-bit clock 33.0, S3-FIFO 34.5, ARC
//! 34.6, W-TinyLFU 33.2; in batches of 5 % 36.6), at most about 5 points behind the best of six
//! policies in a row (the clock: 40). A `get` writes two bits, and nothing once they are full.
//!
//! # Costs
//! - 29.5 bytes an entry: 16.3 in a ring, 13 of ghosts; a plain clock has 16.3.
//! - 3.2 hand steps a miss (the clock 2.3), two look-ups of ghosts and one ghost written: 110 to 150 ns with
//!   10,000 entries, where the clock takes 60 to 80; 500 to 900 with a million, when the ghosts do not fit
//!   in the processor's cache (`examples/churn.rs`, two shared cores).
//! - One search looks at 256 entries before it stops sparing, so no insert pays for a whole round.
//! - It is not size-aware: by objects it loses to GDSF on byte capacities (41.7 against 44.0 %), by
//!   bytes it wins (21.9 against 16.8 %).
//! - Repeated long scans, and short traces of pure recency in a large cache, are weak spots
//!   (research/policy.md, 5).

mod balance;
mod hands;
mod ring;
mod time;
mod victim;

use std::collections::VecDeque;
use std::fmt;

use self::balance::Balance;
use self::ring::{Ring, Weight};
use self::time::Time;
use self::victim::Left;
pub use self::victim::{Origin, Victim};
use crate::gc::ghost::{GhostTable, Ghosts};

/// How victims are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// A window, a main ring, and ghosts of both.
    #[default]
    ThreeHands,
    /// One ring with a two-bit clock.
    Clock,
}

/// What the policy sees of an entry. Implementations are cheap handles (an `Arc`).
pub trait Handle {
    /// 0 to 3, raised by readers at any time.
    fn uses(&self) -> u8;
    /// Overwrites the use count; an increment by a reader may be lost.
    fn set_uses(&self, uses: u8);
    /// The present weight. It may change at any time, the rings notice when they meet the entry.
    fn weight(&self) -> u64;
    /// The hash of the key.
    fn hash(&self) -> u64;
    /// Has what it points to loaded, for who looks at it soon.
    fn prefetch(&self) {}
    /// Removed, or not strong any more: the policy forgets it.
    fn is_gone(&self) -> bool;
}

/// The limits of one pass, in units of weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// What the cache may hold.
    pub capacity: u64,
    /// What is left after the pass, at most the capacity. The clock compares it with
    /// [its own weight](Clock::weight), which lags where values were replaced: a cache that knows
    /// better asks for `clock.weight()` less what it wants freed.
    pub target: u64,
}

/// The rings of one cache, and the hands on them.
pub struct Clock<H, G = GhostTable> {
    policy: Policy,
    budget: Budget,
    time: Time,
    balance: Balance,
    /// Entries that wait for a ring, each with what was counted for it, and their weight.
    incoming: Vec<(H, u64)>,
    coming: u64,
    /// The window: entries go round it once, from `young` to `old`.
    young: Ring<H>,
    old: Ring<H>,
    main: Ring<H>,
    window_ghosts: G,
    main_ghosts: G,
    /// Revived entries that wait to be drained.
    returning: VecDeque<Victim<H>>,
    /// Entries that a hand has given up.
    doomed: VecDeque<Victim<H>>,
    /// The weight of those two.
    aside: u64,
    /// Entries that were met gone, for the owner to drop.
    gone: Vec<H>,
    steps: u64,
}

/// Window ghosts count up to this age, in capacities, and the table has so many slots an entry.
/// 2: -0.10 points, 1: -0.5 (research/policy.md).
const WINDOW_GHOSTS: u64 = 3;
/// Slots of main's ghost table an entry. 0.15 and 0.5 cost 0.1 points.
const MAIN_GHOSTS: f64 = 0.25;
/// Looks in one search, before a use does not help an entry any more. Without it the first search
/// of a full cache takes up to five looks at every entry. 16: -0.05 points, 64 and 1024: the same.
const PATIENCE: usize = 256;

impl<H: Handle> Clock<H> {
    /// A clock without entries.
    pub fn new(policy: Policy) -> Self {
        let window = GhostTable::new(WINDOW_GHOSTS as f64);
        Self::with_ghosts(policy, window, GhostTable::new(MAIN_GHOSTS))
    }
}

impl<H: Handle, G: Ghosts> Clock<H, G> {
    /// A clock with ghosts of another kind.
    pub fn with_ghosts(policy: Policy, window_ghosts: G, main_ghosts: G) -> Self {
        Self {
            policy,
            budget: Budget::default(),
            time: Time::default(),
            balance: Balance::new(),
            incoming: Vec::new(),
            coming: 0,
            young: Ring::new(),
            old: Ring::new(),
            main: Ring::new(),
            window_ghosts,
            main_ghosts,
            returning: VecDeque::new(),
            doomed: VecDeque::new(),
            aside: 0,
            gone: Vec::new(),
            steps: 0,
        }
    }

    /// Takes a new entry in: one push.
    #[inline]
    pub fn admit(&mut self, entry: H) {
        let weight = entry.weight().min(Weight::MOST);
        self.coming += weight;
        self.incoming.push((entry, weight));
    }

    /// Takes a stripped entry in that was revived. It is a ghost of its own.
    pub fn readmit(&mut self, entry: H, origin: Origin) {
        let weight = self.count_aside(&entry);
        self.returning.push_back(Victim { entry, weight, origin });
    }

    /// Gives a ring to at most so many entries that wait for one, and tells how many there were.
    pub fn drain(&mut self, budget: Budget, at_most: usize) -> usize {
        self.adopt(budget);
        let drained = self.take_in(at_most);
        self.middle_hand();
        drained
    }

    /// The next victim, or none if what is left is within the target, or nothing is left.
    ///
    /// Drains first. It looks at 256 entries at most before it takes what it meets, so readers that
    /// use everything again at once do not keep it turning.
    pub fn next(&mut self, budget: Budget) -> Option<Victim<H>> {
        self.prepare(budget, 0);
        self.another()
    }

    /// Drains, for [`another`](Self::another), which will be asked so many times, about.
    pub fn prepare(&mut self, budget: Budget, times: usize) {
        self.adopt(budget);
        self.prefetch_ghosts(times);
        if !self.incoming.is_empty() || !self.returning.is_empty() {
            self.take_in(usize::MAX);
        }
        self.middle_hand();
    }

    /// As [`next`](Self::next), of what is placed already, within the same budget.
    #[inline]
    pub fn another(&mut self) -> Option<Victim<H>> {
        let mut looks = 0;
        while self.weight() > self.budget.target {
            let spares = looks < PATIENCE;
            looks += 1;
            // Returned where it is found: a copy on the way waits for the stores before it.
            if !self.doomed.is_empty() {
                if let victim @ Some(_) = self.reprieve(spares) {
                    return victim;
                }
            } else if self.window_is_due() {
                if let victim @ Some(_) = self.tail_hand(spares) {
                    return victim;
                }
            } else if let victim @ Some(_) = self.main_hand(spares) {
                return victim;
            }
            if !self.has_placed() {
                return None;
            }
        }
        None
    }

    fn has_placed(&self) -> bool {
        let rings = self.young.len() + self.old.len() + self.main.len();
        rings + self.doomed.len() > 0
    }

    /// Takes back a victim that could not be stripped just now, without its ghost, to the end of its
    /// ring. Who puts every victim back counts for himself when to stop asking.
    pub fn put_back(&mut self, victim: Victim<H>) {
        let (hash, now) = (victim.entry.hash(), self.time.now);
        let slot = self.count(victim.entry);
        match victim.origin.left() {
            Left::Window => {
                self.window_ghosts.take(hash, now);
                self.young.push(slot);
            }
            Left::Main => {
                self.main_ghosts.take(hash, now);
                self.main.push(slot);
            }
        }
    }

    /// The weight admitted so far: this clock's time.
    pub fn now(&self) -> u64 {
        self.time.now
    }

    /// How long ago the next candidate was admitted to its ring, in weight admitted since.
    pub fn coldest(&self) -> Option<u64> {
        if let Some(victim) = self.doomed.front() {
            return Some(self.time.now - victim.origin.stamp());
        }
        let window = self.old.front().or(self.young.front());
        let due = if self.window_is_due() { window } else { None };
        let slot = due.or(self.main.front()).or(window)?;
        Some(self.time.age(slot.stamp))
    }

    /// How long ago the oldest was admitted to its ring, about: no entry is much older.
    pub fn oldest(&self) -> u64 {
        let rings = [&self.young, &self.old, &self.main].map(Ring::front);
        let placed = rings.into_iter().flatten().map(|slot| self.time.age(slot.stamp));
        let doomed = self.doomed.front().map(|victim| self.time.now - victim.origin.stamp());
        placed.chain(doomed).max().unwrap_or(0)
    }

    /// How many entries there are, with those that are gone and have not been met yet.
    pub fn len(&self) -> usize {
        let rings = self.young.len() + self.old.len() + self.main.len();
        rings + self.incoming.len() + self.returning.len() + self.doomed.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their weight, each as it was when last met.
    pub fn weight(&self) -> u64 {
        self.coming + self.window_weight() + self.main.weight() + self.aside
    }

    /// Forgets all entries that are gone. Walks through everything.
    pub fn remove_gone(&mut self) {
        for ring in [&mut self.young, &mut self.old, &mut self.main] {
            ring.remove(H::is_gone, |entry| self.gone.push(entry));
        }
        let (gone, kept) =
            std::mem::take(&mut self.incoming).into_iter().partition(|(entry, _)| entry.is_gone());
        self.incoming = kept;
        self.gone.extend(Vec::into_iter(gone).map(|(entry, _)| entry));
        self.coming = self.incoming.iter().map(|(_, weight)| weight).sum();
        for queue in [&mut self.returning, &mut self.doomed] {
            for victim in std::mem::take(queue) {
                match victim.entry.is_gone() {
                    true => self.gone.push(victim.entry),
                    false => queue.push_back(victim),
                }
            }
        }
        let aside = self.returning.iter().chain(&self.doomed);
        self.aside = aside.map(|victim| victim.weight).sum();
    }

    /// An entry that the owner has met gone: it goes with those of [`take_gone`](Self::take_gone).
    pub fn forget(&mut self, entry: H) {
        self.gone.push(entry);
    }

    /// The entries that were met gone since. What their drop does is none of the clock's business, nor of who holds its lock.
    pub fn take_gone(&mut self) -> Vec<H> {
        std::mem::take(&mut self.gone)
    }

    /// Lets go of any entry, until there is none.
    pub fn release(&mut self) -> Option<H> {
        let aside = self.returning.pop_front().or_else(|| self.doomed.pop_front());
        if let Some(victim) = aside {
            return Some(victim.entry);
        }
        let waiting = self.incoming.pop().map(|(entry, _)| entry).or_else(|| self.gone.pop());
        if waiting.is_some() {
            return waiting;
        }
        let rings = [&mut self.young, &mut self.old, &mut self.main];
        rings.into_iter().find_map(Ring::pop).map(|slot| slot.entry)
    }

    /// Heap bytes of rings and ghosts.
    pub fn bytes(&self) -> usize {
        let rings = [&self.young, &self.old, &self.main];
        let aside = self.returning.capacity() + self.doomed.capacity();
        rings.map(Ring::bytes).iter().sum::<usize>()
            + self.incoming.capacity() * size_of::<(H, u64)>()
            + aside * size_of::<Victim<H>>()
            + self.window_ghosts.bytes()
            + self.main_ghosts.bytes()
    }

    /// Steps that hands have made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl<H, G> fmt::Debug for Clock<H, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("policy", &self.policy)
            .field("budget", &self.budget)
            .field("balance", &self.balance)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
