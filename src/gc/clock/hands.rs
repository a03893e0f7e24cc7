//! The hands: how entries move from ring to ring.

use super::ring::{Ring, Slot, Weight};
use super::{Budget, Clock, Handle, Left, Origin, Policy, Time, Victim, WINDOW_GHOSTS};
use crate::gc::ghost::Ghosts;

/// How much longer than the newcomer was away main's coldest must have idled. 1 to 1.25 are best,
/// 2 costs 0.07 points.
const ADVANTAGE: f64 = 1.25;

/// Entries that the incoming keep room for.
const ROOM: usize = 256;
/// Smaller clocks' entries are in a cache anyway.
const LARGE: usize = 1 << 12;

impl<H: Handle, G: Ghosts> Clock<H, G> {
    #[inline]
    pub(super) fn adopt(&mut self, budget: Budget) {
        let resized = budget.capacity != self.budget.capacity;
        self.budget = budget;
        if resized {
            self.balance.resize(budget.capacity);
            if let Some(time) = self.time.suit(budget.capacity) {
                self.restamp(time);
            }
        }
    }

    fn restamp(&mut self, time: Time) {
        let was = std::mem::replace(&mut self.time, time);
        let time = &self.time;
        let stamp = |stamp| time.stamp_of(was.age(stamp));
        for ring in [&mut self.young, &mut self.old, &mut self.main] {
            ring.restamp(stamp);
        }
    }

    /// A slot with the entry's present weight and the present time.
    pub(super) fn count(&self, entry: H) -> Slot<H> {
        let weight = Weight::of(entry.weight());
        let stamp = self.time.stamp();
        Slot { entry, stamp, weight }
    }

    pub(super) fn count_aside(&mut self, entry: &H) -> u64 {
        let weight = Weight::of(entry.weight()).value();
        self.aside += weight;
        weight
    }

    pub(super) fn window_weight(&self) -> u64 {
        self.young.weight() + self.old.weight()
    }

    fn main_has_room(&self, weight: u64) -> bool {
        self.main.weight() + weight + self.balance.window() <= self.budget.target
    }

    pub(super) fn window_is_due(&self) -> bool {
        self.window_weight() > self.balance.window() || self.main.is_empty()
    }

    /// Gives a ring to at most so many entries that wait, and tells how many there were.
    pub(super) fn take_in(&mut self, at_most: usize) -> usize {
        let mut taken = if self.returning.is_empty() { 0 } else { self.take_back(at_most) };
        taken += self.take_in_new(at_most - taken);
        self.steps += taken as u64;
        taken
    }

    #[cold]
    fn take_back(&mut self, at_most: usize) -> usize {
        let mut taken = 0;
        while taken < at_most {
            let Some(Victim { entry, weight, origin }) = self.returning.pop_front() else { break };
            taken += 1;
            self.aside -= weight;
            self.place(entry, Some(origin));
        }
        taken
    }

    fn take_in_new(&mut self, at_most: usize) -> usize {
        let mut incoming = std::mem::take(&mut self.incoming);
        let taken = at_most.min(incoming.len());
        for (entry, weight) in incoming.drain(..taken) {
            self.coming -= weight;
            self.place(entry, None);
        }
        incoming.shrink_to(ROOM);
        self.incoming = incoming;
        taken
    }

    /// Has so many ghosts of each kind loaded that this sweep will ask for: in a large clock they are in no processor's cache, and so they are waited for
    /// together.
    pub(super) fn prefetch_ghosts(&self, ahead: usize) {
        if !self.is_large() {
            return;
        }
        for (entry, _) in self.incoming.iter().take(ahead) {
            self.window_ghosts.prefetch(entry.hash());
            self.main_ghosts.prefetch(entry.hash());
        }
        let (ring, ghosts) = self.due();
        ring.firsts(ahead).for_each(|entry| ghosts.prefetch(entry.hash()));
    }

    /// Has so many entries of each ring loaded that the hands will meet next (of main for duels alone, half as many): best asked for when a sweep is
    /// over, and again when another thread's begins.
    pub fn prefetch_entries(&self, ahead: usize) {
        if self.is_large() {
            let (ring, _) = self.due();
            let duels = if self.window_is_due() { ahead / 2 } else { 0 };
            let entries = self.young.firsts(ahead).chain(ring.firsts(ahead)).chain(self.main.firsts(duels));
            entries.for_each(Handle::prefetch);
        }
    }

    /// The ring whose hand moves next, and the ghosts of what goes from there.
    fn due(&self) -> (&Ring<H>, &G) {
        match self.window_is_due() {
            true => (&self.old, &self.window_ghosts),
            false => (&self.main, &self.main_ghosts),
        }
    }

    /// Whether most of it is in no processor's cache.
    pub fn is_large(&self) -> bool {
        self.young.len() + self.old.len() + self.main.len() >= LARGE
    }

    #[inline(always)] // into the loop over what is new
    fn place(&mut self, entry: H, origin: Option<Origin>) {
        if entry.is_gone() {
            return self.gone.push(entry);
        }
        let counted = Weight::of(entry.weight());
        let (weight, capacity) = (counted.value(), self.budget.capacity);
        self.time.now += weight.min(capacity);
        if weight > capacity {
            let origin = Origin::new(Left::Window, self.time.now);
            return self.set_aside(Victim { entry, weight, origin });
        }
        if self.policy == Policy::ThreeHands && self.returns_soon(&entry, weight, origin) {
            return self.enter_main(entry);
        }
        let slot = Slot { entry, stamp: self.time.stamp(), weight: counted };
        match self.policy {
            Policy::ThreeHands => self.young.push(slot),
            Policy::Clock => self.main.push(slot),
        }
    }

    fn set_aside(&mut self, victim: Victim<H>) {
        self.aside += victim.weight;
        self.doomed.push_back(victim);
    }

    fn enter_main(&mut self, entry: H) {
        entry.set_uses(0);
        let slot = self.count(entry);
        self.main.push(slot);
    }

    /// Whether a ghost of the entry speaks for it. It also tells which ring is too small.
    fn returns_soon(&mut self, entry: &H, weight: u64, origin: Option<Origin>) -> bool {
        let room = self.main_has_room(weight);
        match self.recall(entry, origin) {
            Some((Left::Window, age)) => {
                let held = self.window_weight();
                self.balance.widen(weight, age, held);
                room || self.duel(age + held)
            }
            Some((Left::Main, age)) => {
                self.balance.narrow(weight);
                room || self.duel(age)
            }
            None => false,
        }
    }

    fn recall(&mut self, entry: &H, origin: Option<Origin>) -> Option<(Left, u64)> {
        let now = self.time.now;
        if let Some(origin) = origin {
            return Some((origin.left(), now.saturating_sub(origin.stamp())));
        }
        let fresh = |age: &u64| *age <= WINDOW_GHOSTS * self.budget.capacity;
        let hash = entry.hash();
        let window = self.window_ghosts.take(hash, now).filter(fresh);
        let main = |ghosts: &mut G| ghosts.take(hash, now);
        match window {
            Some(age) => Some((Left::Window, age)),
            None => main(&mut self.main_ghosts).map(|age| (Left::Main, age)),
        }
    }

    /// Whether main's coldest gives way to an entry that was away for `distance`.
    fn duel(&mut self, distance: u64) -> bool {
        for _ in 0..2 {
            let Some(slot) = self.main.front() else {
                return true;
            };
            let age = self.time.age(slot.stamp) as f64;
            let stays = slot.entry.uses() > 0 || slot.entry.is_gone();
            if !stays && age <= distance as f64 * ADVANTAGE {
                self.balance.met_cold();
                return false;
            }
            if let Some(loser) = self.main_hand(true) {
                self.set_aside(loser);
                return true;
            }
        }
        false
    }

    /// Clears what the young half has been used for: a burst is not a habit.
    #[inline]
    pub(super) fn middle_hand(&mut self) {
        if self.young.weight() > self.balance.half() {
            self.clear_uses();
        }
    }

    fn clear_uses(&mut self) {
        while self.young.weight() > self.balance.half() {
            let Some(slot) = self.young.pop() else { return };
            self.steps += 1;
            if slot.entry.is_gone() {
                self.gone.push(slot.entry);
            } else {
                slot.entry.set_uses(0);
                let slot = Slot { weight: Weight::of(slot.entry.weight()), ..slot };
                self.old.push(slot);
            }
        }
    }

    /// Gives up what lost a duel, unless it was used since.
    pub(super) fn reprieve(&mut self, spares: bool) -> Option<Victim<H>> {
        let victim = self.doomed.pop_front()?;
        self.aside -= victim.weight;
        if victim.entry.is_gone() {
            return self.meet_gone(victim.entry);
        }
        if spares && victim.entry.uses() > 0 {
            self.put_back(victim);
            return None;
        }
        Some(victim)
    }

    /// Sends the window's last to main, or gives it up.
    #[inline]
    pub(super) fn tail_hand(&mut self, spares: bool) -> Option<Victim<H>> {
        let slot = self.old.pop().or_else(|| self.young.pop())?;
        self.steps += 1;
        if slot.entry.is_gone() {
            return self.meet_gone(slot.entry);
        }
        if spares && self.earns_main(&slot.entry) {
            self.enter_main(slot.entry);
            return None;
        }
        Some(self.doom(slot.entry, slot.weight, Left::Window, self.time.now))
    }

    fn earns_main(&mut self, entry: &H) -> bool {
        let weight = Weight::of(entry.weight()).value();
        let room = self.main_has_room(weight);
        if entry.uses() > 0 {
            room || self.duel(0)
        } else {
            self.balance.spend(weight, room) || (self.balance.lucky() && (room || self.duel(0)))
        }
    }

    /// Sends main's first round again, or gives it up.
    #[inline(never)]
    pub(super) fn main_hand(&mut self, spares: bool) -> Option<Victim<H>> {
        let slot = self.main.pop()?;
        self.steps += 1;
        let uses = slot.entry.uses();
        if slot.entry.is_gone() {
            return self.meet_gone(slot.entry);
        }
        if spares && uses > 0 {
            self.balance.met_used();
            slot.entry.set_uses(uses - 1);
            let slot = self.count(slot.entry);
            self.main.push(slot);
            return None;
        }
        self.balance.met_cold();
        let stamp = self.time.now - self.time.age(slot.stamp);
        Some(self.doom(slot.entry, slot.weight, Left::Main, stamp))
    }

    /// No victim.
    #[cold]
    fn meet_gone(&mut self, entry: H) -> Option<Victim<H>> {
        self.gone.push(entry);
        None
    }

    /// Lets go of an entry; its ghost stays.
    #[inline(always)] // a copy for each ring
    fn doom(&mut self, entry: H, weight: Weight, left: Left, stamp: u64) -> Victim<H> {
        if self.policy == Policy::ThreeHands {
            let (entries, now) = (self.len() + 1, self.time.now);
            let ghosts = match left {
                Left::Window => &mut self.window_ghosts,
                Left::Main => &mut self.main_ghosts,
            };
            ghosts.fit(entries, self.budget.capacity, now);
            ghosts.put(entry.hash(), stamp, now);
        }
        Victim { entry, weight: weight.value(), origin: Origin::new(left, stamp) }
    }
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests;
