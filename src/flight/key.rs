//! What the table of flights knows them by: entries as keys, with the hash that these have already.

use crate::{index::Keyed, sync::StrongArc};
use equivalent::Equivalent;
use std::hash::{BuildHasher, Hash, Hasher};

/// What scc stores. It may be dropped under a bucket's lock.
pub struct Node<T: Keyed>(StrongArc<T>);

impl<T: Keyed> Node<T> {
    pub fn new(it: StrongArc<T>) -> Self {
        Self(it)
    }

    pub fn get(&self) -> &StrongArc<T> {
        &self.0
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

/// A key to look up, with its hash.
pub struct Sought<'q, Q: ?Sized> {
    pub hash: u64,
    pub key: &'q Q,
}

impl<Q: ?Sized> Hash for Sought<'_, Q> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

impl<T: Keyed, Q: Equivalent<T::Key> + ?Sized> Equivalent<Node<T>> for Sought<'_, Q> {
    fn equivalent(&self, node: &Node<T>) -> bool {
        let it = node.get();
        it.may_be(self.hash) && self.key.equivalent(it.key())
    }
}

/// A thing to look up by identity.
pub struct Same<'a, T: Keyed>(pub &'a StrongArc<T>);

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
        // Entries keep the upper half; scc looks at low bits, too.
        self.0 = hash >> 32 | hash >> 32 << 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
