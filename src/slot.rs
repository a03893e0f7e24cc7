//! The slot: where an entry's value hangs. One atomic word.
//!
//! # States
//!
//! ```text
//!           replace (a new value swapped in)
//!           ┌────┐
//!           ▼    │      strip
//!  closed ─► STRONG(p) ───────► WEAK(p) ──reap──► closed: the entry leaves the index
//!  fill         ▲    revive       │ │                ▲
//!               └─────────────────┘ └─close──────────┤
//!               └────────close───────────────────────┘
//! ```
//!
//! | word | state | the slot owns |
//! |---|---|---|
//! | null | closed (or not filled yet) | nothing |
//! | p | WEAK(p) | one weak count of p |
//! | p with bit 0 | STRONG(p) | one weak and one strong count of p |
//!
//! p comes from `Arc::into_raw`. Bit 0 is free because std lays a value behind two counts, so p is a multiple of
//! four at least; std does not promise that, so [`Slot::fill`] and [`Slot::replace`] check each pointer.
//!
//! # Invariants
//!
//! 1. Whoever changes the word owns the counts that the old word owned and the new one does not.
//! 2. A weak count taken out of a slot ([`Retired`]) is given back only through [`defer`](crate::sync::defer), or when those
//!    [`Readers`](crate::sync::Readers) of then have gone that may see its part: after every guard that could have seen the word. So a pointer seen under a guard of the entry's part
//!    stays readable, counts and all, and its memory is not used again (no ABA) while the guard lives.
//! 3. A strong count taken out of a slot is given back as `sync::pin` says. So a STRONG(p) seen under a pin stays a
//!    live value while the pin lives.
//! 4. STRONG(p) implies a count of one at least; a count that was zero once stays zero. So a pointer whose upgrade fails
//!    belongs to a word that has changed, or to a WEAK word whose value is gone for good.
//! 5. A slot that was closed after it was filled stays closed.
//!
//! # Orderings
//!
//! Every change of the word is AcqRel, every load Acquire: who sees p sees the value behind it, and who takes a
//! count out sees what was done under it. The counts themselves follow `Arc`'s own orderings.

use crate::quiet::Quiet;
use crate::sync::{Arc, AtomicPtr, Guard, Ordering::*, Weak, fence, pin::Pin, urn::Pointer};
use std::{hint, mem, ptr};

const STRONG: usize = 1;

/// The state of a slot, for those who decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The map holds the value.
    Strong,
    /// Only callers may hold the value.
    Weak,
    /// Removed or reaped, for good.
    Closed,
}

/// What a read found.
#[derive(Debug)]
pub struct Found<V> {
    pub value: Arc<V>,
    /// The slot was weak: worth a revival.
    pub weak: bool,
}

/// What a replacement or a close took out.
#[derive(Debug)]
pub struct Displaced<V> {
    /// The value, if it was still alive. Where `state` is `Strong`, its count came from the slot (invariant 3).
    pub value: Option<Arc<V>>,
    pub state: State,
    pub retired: Retired<V>,
}

/// A weak count that left a slot. Not to be dropped but under invariant 2.
#[derive(Debug)]
#[must_use = "it waits for the readers of now"]
pub struct Retired<V>(#[allow(dead_code)] Weak<V>);

impl<V> Pointer for Retired<V> {
    type Target = V;

    #[inline]
    fn into_pointer(self) -> *mut V {
        Weak::into_raw(self.0).cast_mut()
    }

    #[inline]
    #[allow(unsafe_code)]
    unsafe fn from_pointer(pointer: *mut V) -> Self {
        // SAFETY: by the contract.
        Self(unsafe { Weak::from_raw(pointer) })
    }
}

/// See the module.
#[derive(Debug)]
pub struct Slot<V>(AtomicPtr<V>);

impl<V> Slot<V> {
    /// A slot without a value yet.
    pub fn vacant() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Puts the first value in, before any other thread can see the slot.
    #[inline]
    pub fn fill(&self, value: Arc<V>) {
        // Release: pairs with the Acquire of every read.
        self.0.store(word_of(value), Release);
    }

    #[inline]
    pub fn state(&self) -> State {
        state_of(self.0.load(Acquire))
    }

    /// The value, if it is alive. Waits for nobody; goes round again only when another thread changed the word.
    #[inline]
    pub fn get(&self, _guard: &Guard) -> Option<Found<V>> {
        let word = self.0.load(Acquire);
        upgrade(word).or_else(|| self.get_since(word))
    }

    /// The value, if the map holds it. May miss one that was just put in the place of another.
    #[inline]
    pub fn get_strong(&self, _guard: &Guard) -> Option<Arc<V>> {
        let word = self.0.load(Acquire);
        if word.addr() & STRONG == 0 {
            return None;
        }
        borrow_of(pointer_of(word)).upgrade()
    }

    /// For who found nothing alive in `word`.
    #[cold]
    fn get_since(&self, mut word: *mut V) -> Option<Found<V>> {
        while !word.is_null() {
            word = self.changed_since(word)?;
            if let found @ Some(_) = upgrade(word) {
                return found;
            }
        }
        None
    }

    /// Whether `get` would find a value; takes no count, so it runs no destructor.
    #[inline]
    pub fn is_alive(&self, guard: &Guard) -> bool {
        self.downgrade(guard).is_some()
    }

    /// A weak handle on the value, if it is alive.
    #[inline]
    pub fn downgrade(&self, _guard: &Guard) -> Option<Weak<V>> {
        let mut word = self.0.load(Acquire);
        loop {
            let weak = borrow(word)?;
            if weak.strong_count() > 0 {
                return Some(Weak::clone(&weak));
            }
            word = self.changed_since(word)?;
        }
    }

    /// The value while it is strong, without touching its count.
    #[inline]
    #[allow(unsafe_code)]
    pub fn strong<'p>(&self, _pin: &'p Pin) -> Option<&'p V> {
        let word = self.0.load(Acquire);
        if word.addr() & STRONG == 0 {
            return None;
        }
        // SAFETY: STRONG(p) seen under a pin is a live value while the pin lives (invariant 3). It lies not at 0: told for who asks whether there is one.
        unsafe {
            hint::assert_unchecked(word.addr() != STRONG);
            Some(&*pointer_of(word))
        }
    }

    /// WEAK(p) to STRONG(p) for the value that a read just found.
    pub fn revive(&self, value: &Arc<V>) -> bool {
        let weak = Arc::as_ptr(value).cast_mut();
        let count = Arc::clone(value);
        // No ABA: `value` keeps p from being used again.
        let revived = self.0.compare_exchange(weak, strong(weak), AcqRel, Relaxed).is_ok();
        if revived {
            mem::forget(count); // now the slot's
        }
        revived
    }

    /// STRONG(p) to WEAK(p). The strong count is the caller's, to be given back under invariant 3.
    #[allow(unsafe_code)]
    pub fn strip(&self) -> Option<Arc<V>> {
        let word = self.0.load(Acquire);
        if state_of(word) != State::Strong {
            return None;
        }
        let weak = pointer_of(word).cast_mut();
        self.0.compare_exchange(word, weak, AcqRel, Relaxed).ok()?;
        // SAFETY: the strong count that STRONG(p) owned is ours (invariant 1).
        Some(unsafe { Arc::from_raw(weak) })
    }

    /// WEAK(p) to closed, if nobody holds the value any more.
    pub fn reap(&self, _guard: &Guard) -> Option<Retired<V>> {
        let word = self.0.load(Acquire);
        let dead = state_of(word) == State::Weak && borrow(word)?.strong_count() == 0;
        // A dead value stays dead (invariant 4), so the exchange closes what was looked at.
        (dead && self.0.compare_exchange(word, ptr::null_mut(), AcqRel, Relaxed).is_ok())
            .then(|| retire(word))
    }

    /// Swaps a new value in, in the place of one that is strong; else gives it back.
    #[inline]
    pub fn replace_strong(&self, value: Arc<V>, _guard: &Guard) -> Result<(Arc<V>, Retired<V>), Arc<V>> {
        let mut word = self.0.load(Acquire);
        if state_of(word) != State::Strong {
            return Err(value);
        }
        let new = word_of(value);
        loop {
            match self.0.compare_exchange(word, new, AcqRel, Acquire) {
                Ok(_) => return Ok((take_strong(word), retire(word))),
                Err(now) if state_of(now) != State::Strong => return Err(reclaim(new)),
                Err(now) => word = now,
            }
        }
    }

    /// Swaps a new value in; gives it back if the slot is closed.
    pub fn replace(&self, value: Arc<V>, _guard: &Guard) -> Result<Displaced<V>, Arc<V>> {
        let mut word = self.0.load(Acquire);
        if word.is_null() {
            return Err(value);
        }
        let new = word_of(value);
        loop {
            match self.0.compare_exchange(word, new, AcqRel, Acquire) {
                Ok(_) => return Ok(displaced(word)),
                Err(now) if now.is_null() => return Err(reclaim(new)),
                Err(now) => word = now,
            }
        }
    }

    /// Closes the slot; `None` if it was closed already.
    pub fn close(&self, _guard: &Guard) -> Option<Displaced<V>> {
        let word = self.0.swap(ptr::null_mut(), AcqRel);
        (!word.is_null()).then(|| displaced(word))
    }

    /// Closes the slot if this is still its value.
    pub fn close_if(&self, value: &Arc<V>, _guard: &Guard) -> Option<Displaced<V>> {
        let mut word = self.0.load(Acquire);
        // No ABA: `value` keeps p from being used again. Between WEAK and STRONG it is still the same value.
        while !word.is_null() && pointer_of(word) == Arc::as_ptr(value) {
            match self.0.compare_exchange(word, ptr::null_mut(), AcqRel, Acquire) {
                Ok(_) => return Some(displaced(word)),
                Err(now) => word = now,
            }
        }
        None
    }

    /// The word, if it is not `word` any more. For who found the count of `word` at zero.
    fn changed_since(&self, word: *mut V) -> Option<*mut V> {
        // Acquire: pairs with the Release of the drop that took the count to zero (all drops before it are in its release
        // sequence). Who gave the slot's own count back had changed the word: without the fence we might read it
        // unchanged, and miss the value that replaced this one.
        fence(Acquire);
        let now = self.0.load(Acquire);
        debug_assert!(now != word || state_of(word) == State::Weak, "invariant 4");
        (now != word).then_some(now)
    }
}

impl<V> Drop for Slot<V> {
    fn drop(&mut self) {
        // Relaxed: `&mut` is ordered after every other use.
        let word = self.0.load(Relaxed);
        if !word.is_null() {
            let Displaced { value, retired, .. } = displaced(word);
            drop(retired); // no guard can see this word: the slot itself is going
            // Others' destructors may be waiting behind it.
            drop(value.map(Quiet::new));
        }
    }
}

fn strong<V>(pointer: *mut V) -> *mut V {
    pointer.map_addr(|address| address | STRONG)
}

fn pointer_of<V>(word: *mut V) -> *const V {
    word.map_addr(|address| address & !STRONG)
}

fn state_of<V>(word: *mut V) -> State {
    match word.addr() {
        0 => State::Closed,
        address if address & STRONG == 0 => State::Weak,
        _ => State::Strong,
    }
}

/// STRONG(value): both counts become the word's.
#[inline]
fn word_of<V>(value: Arc<V>) -> *mut V {
    let pointer = Weak::into_raw(Arc::downgrade(&value)).cast_mut();
    assert!(pointer.addr() & STRONG == 0, "weakmap needs the lowest bit of an Arc's pointer to be free");
    mem::forget(value);
    strong(pointer)
}

/// The value of a word that never got into a slot.
#[allow(unsafe_code)]
fn reclaim<V>(word: *mut V) -> Arc<V> {
    // SAFETY: `word_of` made this word from one strong and one weak count, and nobody else has seen it.
    unsafe {
        drop(Weak::from_raw(pointer_of(word)));
        Arc::from_raw(pointer_of(word))
    }
}

/// The weak count of a word that was taken out.
#[allow(unsafe_code)]
fn retire<V>(word: *mut V) -> Retired<V> {
    // SAFETY: the caller took this word out of the slot, its weak count is the caller's (invariant 1).
    Retired(unsafe { Weak::from_raw(pointer_of(word)) })
}

/// The strong count of a STRONG word that was taken out.
#[allow(unsafe_code)]
fn take_strong<V>(word: *mut V) -> Arc<V> {
    debug_assert_eq!(state_of(word), State::Strong);
    // SAFETY: the caller took this word out of the slot, its strong count is the caller's (invariant 1).
    unsafe { Arc::from_raw(pointer_of(word)) }
}

fn displaced<V>(word: *mut V) -> Displaced<V> {
    let retired = retire(word);
    let state = state_of(word);
    let value = match state {
        State::Strong => Some(take_strong(word)),
        _ => retired.0.upgrade(),
    };
    Displaced { value, state, retired }
}

/// The value of such a word as `borrow` takes, if it is alive.
#[inline]
fn upgrade<V>(word: *mut V) -> Option<Found<V>> {
    let value = borrow(word)?.upgrade()?;
    Some(Found { value, weak: state_of(word) == State::Weak })
}

/// The weak count of a word that is (or, under the caller's guard, was) in the slot: to look at, not to own.
fn borrow<V>(word: *mut V) -> Option<mem::ManuallyDrop<Weak<V>>> {
    if word.is_null() { None } else { Some(borrow_of(pointer_of(word))) }
}

/// The same for the pointer of such a word.
#[allow(unsafe_code)]
fn borrow_of<V>(pointer: *const V) -> mem::ManuallyDrop<Weak<V>> {
    // SAFETY: a non-null word's counts stay readable while the caller's guard lives (invariant 2); ManuallyDrop: not ours.
    mem::ManuallyDrop::new(unsafe { Weak::from_raw(pointer) })
}
