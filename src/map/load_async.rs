//! The same for tasks: values that futures make where a key has none. Feature `async`.

use super::WeakMap;
use crate::{
    entry::Entry,
    sync::{Arc, StrongArc},
};
use equivalent::Equivalent;
use std::{
    convert::Infallible,
    hash::{BuildHasher, Hash},
    pin::Pin,
};

impl<K, V, S> WeakMap<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// As [`get_or_insert_with`](Self::get_or_insert_with), for tasks: where the key has no value, `load` makes it; other tasks wait for that value without
    /// blocking their threads. Needs the feature `async`; knows no runtime.
    ///
    /// A hit does not poll `load`. A task that is dropped while its `load` runs leaves nothing behind: the next one's `load` begins. Tasks and threads
    /// that load with the same key are in one flight.
    ///
    /// Beside the wait for the value, it blocks its thread as an insert does: a few milliseconds at the most, where the heap is at its limit.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// # async fn fetch(name: &str) -> usize { name.len() }
    /// # futures::executor::block_on(async {
    /// let map = WeakMap::new();
    /// let length = map.get_or_insert_async("weak", fetch("weak")).await;
    /// assert_eq!(*length, 4);
    /// assert_eq!(*map.get_or_insert_async("weak", async { unreachable!() }).await, 4);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Where `load` does: then the next task's runs.
    ///
    /// # Deadlocks
    ///
    /// Where `load` asks for the key that it loads, directly or through another task. Where a thread that runs tasks
    /// [blocks](Self::get_or_insert_with) for a key that one of these loads: in tasks, use this for the keys of tasks. Where a task of this has begun and is
    /// neither polled nor dropped (held by reference beside a `select!`, say): who wants its key, threads too, waits until it is. One that is forgotten
    /// locks its key for good.
    pub async fn get_or_insert_async(&self, key: K, load: impl Future<Output = V>) -> Arc<V> {
        let hash = self.hash(&key);
        match self.region.get(hash, &key) {
            Some(found) => found,
            None => self.take_off_for_sure(hash, key, Box::pin(load)).await,
        }
    }

    /// As [`get_or_insert_async`](Self::get_or_insert_async), for a future that can fail.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// # async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
    /// # futures::executor::block_on(async {
    /// let map = WeakMap::new();
    /// let failed = map.get_or_try_insert_async("n", parse("x")).await;
    /// assert!(failed.is_err() && map.is_empty());
    /// assert_eq!(*map.get_or_try_insert_async("n", parse("7")).await?, 7);
    /// # Ok::<_, std::num::ParseIntError>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// The future's own. Each task gets the error of its own: where one fails, the next one's runs.
    pub async fn get_or_try_insert_async<E>(
        &self,
        key: K,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<Arc<V>, E> {
        let hash = self.hash(&key);
        match self.region.get(hash, &key) {
            Some(found) => Ok(found),
            None => self.take_off_async(hash, key, Box::pin(load)).await,
        }
    }

    /// As [`get_or_insert_async`](Self::get_or_insert_async), with the key made only where there is no value.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// # async fn fetch(name: &str) -> usize { name.len() }
    /// # futures::executor::block_on(async {
    /// let map = WeakMap::<String, usize>::new();
    /// assert_eq!(*map.get_or_insert_async_by_ref("weak", fetch("weak")).await, 4);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Where `load` does: then the next task's runs.
    ///
    /// # Deadlocks
    ///
    /// As [`get_or_insert_async`](Self::get_or_insert_async).
    pub async fn get_or_insert_async_by_ref<Q>(&self, key: &Q, load: impl Future<Output = V>) -> Arc<V>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hash(key);
        match self.region.get(hash, key) {
            Some(found) => found,
            None => self.take_off_for_sure(hash, key.to_owned(), Box::pin(load)).await,
        }
    }

    /// As [`get_or_try_insert_async`](Self::get_or_try_insert_async), with the key made only where there is no value.
    ///
    /// ```
    /// # use weakmap::WeakMap;
    /// # async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
    /// # futures::executor::block_on(async {
    /// let map = WeakMap::<String, u32>::new();
    /// assert!(map.get_or_try_insert_async_by_ref("n", parse("x")).await.is_err());
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// The future's own, as [`get_or_try_insert_async`](Self::get_or_try_insert_async).
    pub async fn get_or_try_insert_async_by_ref<Q, E>(
        &self,
        key: &Q,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<Arc<V>, E>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hash(key);
        match self.region.get(hash, key) {
            Some(found) => Ok(found),
            None => self.take_off_async(hash, key.to_owned(), Box::pin(load)).await,
        }
    }

    /// As `take_off`. The load comes boxed, for each function in between has room for it twice; and by value: it goes before the next one's turn comes.
    async fn take_off_async<E>(
        &self,
        hash: u64,
        key: K,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<Arc<V>, E> {
        let entry = StrongArc::new(Entry::vacant(hash, key));
        let seat = self.flights.join(&entry);
        let load = async {
            if let Some(found) = self.landed(&entry, &seat) {
                return Ok(found);
            }
            let room = self.make_room();
            let value = Arc::new(load.await?);
            Ok(self.land(&entry, &seat, value, room))
        };
        seat.value_async(load).await
    }

    /// For a load that cannot fail.
    async fn take_off_for_sure(&self, hash: u64, key: K, load: Pin<Box<impl Future<Output = V>>>) -> Arc<V> {
        match self.take_off_async(hash, key, async { Ok::<V, Infallible>(load.await) }).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}
