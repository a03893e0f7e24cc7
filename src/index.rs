//! The index: the few operations that we use of [`scc::HashIndex`], and its only caller.
//!
//! It maps a hash and a key to a `StrongArc` of something that knows both ([`Keyed`]), and knows nothing else of it.
//! The `StrongArc` alone is stored, as scc's key with `()` as its value: a reader may be shown a stale *copy* of what is stored
//! while the table resizes, and a copied pointer is still the same thing. Hashes are computed once, by the caller:
//! a resize runs no user code.
//!
//! Before the table stands the [`front`]: what was read three times is found there, in one cache line.
//!
//! Reads take no lock, and write nothing shared but what the front is to know. Insert and remove lock one bucket of 32; under that lock a
//! user's `Eq` may run (and panic: the bucket is unlocked), and the destructors of keys that were removed earlier (whose panics
//! [`Quiet`](crate::quiet::Quiet) stops).

#[cfg(not(weakmap_loom))]
mod front;
#[cfg(weakmap_loom)]
pub mod front;

use self::front::{Front, Lent};
use crate::sync::{
    AtomicU8, Edge, Guard, HashIndex, Reserve, Shelter, StrongArc, TableGuard,
    tally::{self, Relaxed},
};
use equivalent::Equivalent;
use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    marker::PhantomData,
};

/// What can be indexed.
pub trait Keyed {
    type Key;
    fn key(&self) -> &Self::Key;
    /// The key's hash, the same at each call.
    fn hash(&self) -> u64;
    /// Whether its hash may be this one: looked at before the keys are compared.
    fn may_be(&self, hash: u64) -> bool;
    /// Whether it is about to be removed, or was.
    fn is_closed(&self) -> bool;
    /// Whether it has been read twice or more.
    fn is_in_use(&self) -> bool;
    /// The front's mark, at first 0.
    fn mark(&self) -> &AtomicU8;
}

/// See the module.
pub struct Index<T: Keyed> {
    front: Front<T>,
    table: HashIndex<Node<T>, (), Given>,
    published: Edge,
    /// Things in the table, as last told: the front is made for so many.
    expected: tally::AtomicUsize,
}

impl<T: Keyed<Key: Eq> + Send + Sync + 'static> Index<T> {
    pub fn new() -> Self {
        // The thread-local of the table's guards is registered before a thread-local map is, so it goes after it.
        drop(TableGuard::new());
        let expected = tally::AtomicUsize::new(usize::MAX);
        Self { front: Front::new(), table: HashIndex::with_hasher(Given), published: Edge::new(), expected }
    }

    /// Looks at what is there for the key. Takes no lock.
    #[inline]
    pub fn read<Q, R>(&self, hash: u64, key: &Q, look: impl FnOnce(&StrongArc<T>, &Guard) -> R) -> Option<R>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        let guard = Guard::new();
        match self.recent(hash, key, &guard).filter(|it| !it.is_closed()) {
            Some(it) => Some(look(&it, &guard)),
            None => self.read_table(hash, key, &guard, look),
        }
    }

    /// What the front knows of the key: maybe a thing that was closed, where the table has another.
    #[inline]
    pub fn recent<'g, Q>(&self, hash: u64, key: &Q, shelter: &'g impl Shelter) -> Option<Lent<'g, T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        self.front.find(hash, key, shelter)
    }

    /// As `read`, for who knows that the front has it not.
    #[inline]
    pub fn read_table<Q, R>(
        &self,
        hash: u64,
        key: &Q,
        guard: &Guard,
        look: impl FnOnce(&StrongArc<T>, &Guard) -> R,
    ) -> Option<R>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        self.table.peek_with(&Sought::by(hash, key, &look), |node, ()| {
            self.published.acquire();
            let it = node.get();
            if !self.front.has_met(it) && it.is_in_use() {
                self.front.publish(it, || self.words_wanted(), guard);
            }
            look(it, guard)
        })
    }

    /// What is there for the key.
    pub fn get<Q>(&self, hash: u64, key: &Q) -> Option<StrongArc<T>>
    where
        Q: Equivalent<T::Key> + ?Sized,
    {
        self.read(hash, key, |it, _| StrongArc::clone(it))
    }

    /// Adds it, unless the key is there: then gives it back.
    pub fn insert(&self, new: StrongArc<T>) -> Result<(), StrongArc<T>> {
        self.published.release();
        self.table.insert_sync(Node::new(new), ()).map_err(|(node, ())| node.into_inner())
    }

    /// Removes this very thing. For whoever closed it, just before, by an exchange. Calls no `Eq`. Whether readers may have found it past the
    /// table: then a count of it must wait for the guards of now.
    #[inline]
    pub fn remove(&self, it: &StrongArc<T>, guard: &Guard) -> bool {
        let met = self.front.withdraw(it, guard);
        self.help_remove(it);
        met
    }

    /// Removes this very thing, if it is still there. For who finds it closed: whoever closed it holds a count of it yet.
    pub fn help_remove(&self, it: &StrongArc<T>) {
        self.table.remove_sync(&Same(it));
    }

    /// Looks for it, so that its bucket is in the processor's cache. Does not wait for what it finds: several in a row overlap.
    pub fn fetch(&self, it: &StrongArc<T>, guard: &Guard) {
        self.front.fetch(it, guard);
        self.table.peek_with(&Same(it), |_, ()| ());
    }

    /// Visits all that is there throughout; one that moves in a resize meanwhile may be visited twice. Takes no lock.
    pub fn for_each(&self, mut visit: impl FnMut(&StrongArc<T>)) {
        for (node, ()) in self.table.iter(&TableGuard::new()) {
            self.published.acquire();
            visit(node.get());
        }
    }

    /// Tells how many things there are.
    pub fn expect(&self, count: u64) {
        self.expected.store(usize::try_from(count).unwrap_or(usize::MAX), Relaxed);
    }

    /// Gives up a front that has become far too large.
    pub fn trim(&self) {
        self.front.shrink(self.words_wanted());
    }

    /// Four fifths of them filled, at the most; not more than the table has slots, for that shrinks late.
    fn words_wanted(&self) -> usize {
        let slots = self.table.capacity();
        let count = self.expected.load(Relaxed).min(slots);
        (count + count / 4).next_power_of_two().min(slots)
    }

    /// See [`Braced`].
    pub fn brace(&self) -> Braced<'_, T> {
        let slots = self.table.capacity();
        let missing = slots.saturating_sub(*self.table.capacity_range().start());
        Braced { index: self, slots, reserve: self.table.reserve(missing) }
    }

    /// Moves what lies in a table of so many slots over to the one that took its place, and frees the old one.
    fn leave(&self, slots: usize) {
        for _ in 0..=slots / MOVED {
            self.table.contains(&Nothing);
        }
        // What scc retires in one epoch is freed three epochs later, in a guard of this thread.
        for _ in 0..4 {
            TableGuard::new().accelerate();
        }
    }

    /// Holds the write lock of the key's bucket while `f` runs.
    #[cfg(all(test, not(weakmap_loom)))]
    pub fn lock_bucket<R>(&self, it: &StrongArc<T>, f: impl FnOnce() -> R) -> R {
        let locked = self.table.get_sync(&Same(it)).expect("it is there");
        let result = f();
        drop(locked);
        result
    }
}

/// Slots that a look moves over while the table resizes: 64 buckets.
const MOVED: usize = 64 * 32;

/// Until it is let go, removals do not shrink the table. A removal frees nothing itself, a shrink frees all that was removed by then: so
/// there is to be one, about the last of many. Dropped, it leaves a table that shrank tidy.
pub struct Braced<'i, T: Keyed<Key: Eq> + Send + Sync + 'static> {
    index: &'i Index<T>,
    slots: usize,
    reserve: Option<Reserve<'i, Node<T>, (), Given>>,
}

impl<T: Keyed<Key: Eq> + Send + Sync + 'static> Braced<'_, T> {
    /// Shrinks if little is left, by a sample; if that errs, a removal to come will.
    pub fn let_go(&mut self) {
        drop(self.reserve.take());
    }
}

impl<T: Keyed<Key: Eq> + Send + Sync + 'static> Drop for Braced<'_, T> {
    fn drop(&mut self) {
        self.let_go();
        self.index.trim();
        if self.index.table.capacity() < self.slots {
            self.index.leave(self.slots);
        }
    }
}

impl<T: Keyed> fmt::Debug for Index<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

/// What scc stores. It may be dropped under a bucket's lock and inside any thread's read.
pub struct Node<T>(StrongArc<T>);

impl<T> Node<T> {
    pub fn new(it: StrongArc<T>) -> Self {
        Self(it)
    }

    pub fn get(&self) -> &StrongArc<T> {
        &self.0
    }

    fn into_inner(self) -> StrongArc<T> {
        self.0
    }
}

impl<T: Keyed> Hash for Node<T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.get().hash());
    }
}

impl<T: Keyed<Key: Eq>> PartialEq for Node<T> {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.get(), other.get());
        StrongArc::ptr_eq(one, other) || (one.hash() == other.hash() && one.key() == other.key())
    }
}

impl<T: Keyed<Key: Eq>> Eq for Node<T> {}

/// A key to look up, with its hash, and the type of who looks: a search of its own for each, which the compiler takes into the caller
/// where it is small.
pub struct Sought<'q, Q: ?Sized, By = ()> {
    pub hash: u64,
    pub key: &'q Q,
    by: PhantomData<fn(By)>,
}

impl<'q, Q: ?Sized, By> Sought<'q, Q, By> {
    pub fn by(hash: u64, key: &'q Q, _: &By) -> Self {
        Self { hash, key, by: PhantomData }
    }
}

impl<Q: ?Sized, By> Hash for Sought<'_, Q, By> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

impl<T: Keyed, Q: Equivalent<T::Key> + ?Sized, By> Equivalent<Node<T>> for Sought<'_, Q, By> {
    #[inline]
    fn equivalent(&self, node: &Node<T>) -> bool {
        let it = node.get();
        it.may_be(self.hash) && self.key.equivalent(it.key())
    }
}

/// A thing to look up by identity.
pub struct Same<'a, T>(pub &'a StrongArc<T>);

impl<T: Keyed> Hash for Same<'_, T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0.hash());
    }
}

impl<T: Keyed> Equivalent<Node<T>> for Same<'_, T> {
    fn equivalent(&self, node: &Node<T>) -> bool {
        StrongArc::ptr_eq(self.0, node.get())
    }
}

/// What is nowhere.
struct Nothing;

impl Hash for Nothing {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(0);
    }
}

impl<T> Equivalent<Node<T>> for Nothing {
    fn equivalent(&self, _: &Node<T>) -> bool {
        false
    }
}

/// Passes a hash through that was computed before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given;

/// See [`Given`].
#[derive(Debug, Default)]
pub struct GivenHasher(u64);

impl BuildHasher for Given {
    type Hasher = GivenHasher;

    fn build_hasher(&self) -> GivenHasher {
        GivenHasher::default()
    }
}

impl Hasher for GivenHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
