//! Loads by tasks: `cargo test --features async --test tasks`. Tasks are polled by hand, so each step comes when the test says.

use futures::{
    channel::oneshot::{self, Sender},
    executor::block_on,
    task::{ArcWake, waker_ref},
};
use std::{
    cell::{Cell, RefCell},
    future::{pending, ready},
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::channel,
    },
    task::{Context, Poll, Waker},
    thread,
};
use weakmap::{WeakMap, heap::Scripted};

fn map() -> WeakMap<u64, u64> {
    let builder = WeakMap::builder().limit(1 << 30).background(false).heap(Scripted::new());
    builder.weigher(|_, _| 1_000).build().unwrap()
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl ArcWake for Wakes {
    fn wake_by_ref(wakes: &Arc<Self>) {
        wakes.0.fetch_add(1, SeqCst);
    }
}

/// A task that runs where and when it is told.
struct Task<'t, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 't>>,
    wakes: Arc<Wakes>,
}

impl<'t, T> Task<'t, T> {
    fn new(future: impl Future<Output = T> + Send + 't) -> Self {
        Self { future: Box::pin(future), wakes: Arc::default() }
    }

    /// What came of it, if it is done.
    fn run(&mut self) -> Option<T> {
        match self.future.as_mut().poll(&mut Context::from_waker(&waker_ref(&self.wakes))) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    fn is_woken(&self) -> bool {
        self.wakes.0.load(SeqCst) > 0
    }
}

/// A task that loads, and has begun to: the value is what will be sent.
fn begun<'m>(map: &'m WeakMap<u64, u64>, key: u64) -> (Task<'m, Arc<u64>>, Sender<u64>) {
    let (sender, value) = oneshot::channel();
    let mut task = Task::new(map.get_or_insert_async(key, async { value.await.unwrap() }));
    assert!(task.run().is_none());
    (task, sender)
}

/// Larger than its load by what waiting takes, not by times.
#[test]
fn tasks_have_room_for_their_loads_once() {
    async fn load() -> u64 {
        let large = [1; 1_000];
        ready(()).await;
        large.iter().sum()
    }
    let (map, own) = (map(), size_of_val(&load()));
    let (sure, unsure) = (
        map.get_or_insert_async(1, load()),
        map.get_or_try_insert_async(1, async { Err::<u64, _>(load().await) }),
    );
    assert!(own >= 8_000 && size_of_val(&sure) < own + 2_000 && size_of_val(&unsure) < own + 2_000);
    let (key, load) = (1, async { Err::<u64, _>(load().await) });
    assert!(size_of_val(&map.get_or_insert_async_by_ref(&key, ready(1))) < 2_000);
    assert!(size_of_val(&map.get_or_try_insert_async_by_ref(&key, load)) < own + 2_000);
}

/// A load that must not begin.
async fn never() -> u64 {
    unreachable!("another task loads, or has")
}

#[test]
fn tasks_that_want_one_key_load_it_once() {
    let map = map();
    let (mut first, value) = begun(&map, 1);
    let mut others = [(); 3].map(|()| Task::new(map.get_or_insert_async(1, never())));
    assert!(others.iter_mut().all(|other| other.run().is_none()), "they wait");
    value.send(7).unwrap();
    assert!(first.is_woken() && !others[0].is_woken());
    let loaded = first.run().expect("it has its value");
    for mut other in others {
        assert!(other.is_woken());
        assert!(Arc::ptr_eq(&loaded, &other.run().expect("they are given it")));
    }
    assert!(Arc::ptr_eq(&loaded, &block_on(map.get_or_insert_async(1, never()))));
    assert_eq!((map.stats().loads, map.len(), map.stats().hits), (1, 1, 1));
}

#[test]
fn a_hit_polls_no_load_and_makes_no_key() {
    #[derive(PartialEq, Eq, Hash)]
    struct Name(&'static str);
    thread_local!(static MADE: Cell<u32> = const { Cell::new(0) });
    impl Clone for Name {
        fn clone(&self) -> Self {
            MADE.set(MADE.get() + 1);
            Self(self.0)
        }
    }
    let map = WeakMap::<Name, usize>::builder().limit(1 << 30).heap(Scripted::new()).build().unwrap();
    let name = Name("weak");
    let failed = block_on(map.get_or_try_insert_async_by_ref(&name, ready(Err::<usize, _>("no"))));
    assert_eq!((failed.unwrap_err(), map.len(), MADE.get()), ("no", 0, 1));
    assert_eq!(*block_on(map.get_or_insert_async_by_ref(&name, ready(4))), 4);
    assert_eq!(*block_on(map.get_or_insert_async_by_ref(&name, async { unreachable!() })), 4);
    assert_eq!((MADE.get(), map.stats().loads), (2, 2));
}

#[test]
fn where_a_task_is_dropped_the_next_ones_load_begins() {
    let map = map();
    let (first, _value) = begun(&map, 1);
    let mut second = Task::new(map.get_or_insert_async(1, ready(5)));
    let mut third = Task::new(map.get_or_insert_async(1, never()));
    assert!(second.run().is_none() && third.run().is_none());
    assert_eq!(map.collector().stats().reserved, 0, "an empty map knows no size");
    drop(first);
    assert!(second.is_woken());
    assert_eq!(second.run().as_deref(), Some(&5));
    assert_eq!(third.run().as_deref(), Some(&5));
    assert_eq!((map.get(&1).as_deref(), map.stats().loads), (Some(&5), 2));
}

#[test]
fn a_load_goes_before_the_next_ones_turn_comes() {
    struct Going<'g>(&'g dyn Fn());
    impl Drop for Going<'_> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let map = map();
    let wakes = Arc::<Wakes>::default();
    let early = Cell::new(None);
    let going = || early.set(Some(wakes.0.load(SeqCst)));
    let load = async {
        let _going = Going(&going);
        pending().await
    };
    let mut first = Box::pin(map.get_or_insert_async(1, load));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let mut second = Task::new(map.get_or_insert_async(1, ready(5)));
    second.wakes = wakes.clone();
    assert!(second.run().is_none());
    drop(first);
    assert_eq!((early.get(), second.is_woken()), (Some(0), true));
    assert_eq!(second.run().as_deref(), Some(&5));
}

#[test]
fn a_waiter_that_was_woken_and_dropped_passes_its_turn_on() {
    let map = map();
    let (first, _value) = begun(&map, 1);
    let mut second = Task::new(map.get_or_insert_async(1, never()));
    let mut third = Task::new(map.get_or_insert_async(1, ready(5)));
    assert!(second.run().is_none() && third.run().is_none());
    drop(first);
    assert!(second.is_woken());
    drop(second);
    assert!(third.is_woken(), "or it would wait for ever");
    assert_eq!(third.run().as_deref(), Some(&5));
}

#[test]
fn where_a_load_fails_or_panics_the_next_ones_begins() {
    let map = map();
    let (sender, failure) = oneshot::channel();
    let mut first =
        Task::new(map.get_or_try_insert_async(1, async { Err::<u64, &str>(failure.await.unwrap()) }));
    let mut second = Task::new(map.get_or_insert_async(1, async { panic!("bang") }));
    let mut third = Task::new(map.get_or_try_insert_async(1, ready(Ok::<_, &str>(5))));
    assert!(first.run().is_none() && second.run().is_none() && third.run().is_none());
    sender.send("no").unwrap();
    assert_eq!(first.run(), Some(Err("no")), "each has its own error");
    assert!(catch_unwind(AssertUnwindSafe(|| second.run())).is_err());
    drop(second);
    assert_eq!(third.run(), Some(Ok(Arc::new(5))));
    assert_eq!((map.get(&1).as_deref(), map.len()), (Some(&5), 1));
}

#[test]
fn what_is_written_during_a_load_wins() {
    type Write = fn(&WeakMap<u64, u64>);
    let writes: [(Write, Option<u64>); 3] = [
        (|map| drop(map.insert(1, 70)), Some(70)),
        (|map| drop(map.remove(&1)), None),
        (|map| map.clear(), None),
    ];
    for (write, there) in writes {
        let map = map();
        let (mut load, value) = begun(&map, 1);
        let mut waiter = Task::new(map.get_or_insert_async(1, never()));
        assert!(waiter.run().is_none());
        write(&map);
        value.send(7).unwrap();
        assert_eq!((load.run().as_deref(), waiter.run().as_deref()), (Some(&7), Some(&7)));
        assert_eq!(map.get(&1).as_deref(), there.as_ref());
    }
}

#[test]
fn a_task_that_is_dropped_leaves_nothing_behind() {
    let map = map();
    map.insert(0, 0);
    let load = Task::new(map.get_or_insert_async(1, pending()));
    drop(load); // never polled
    let mut load = Task::new(map.get_or_insert_async(1, pending()));
    assert!(load.run().is_none());
    assert_eq!(map.collector().stats().reserved, 1_000, "as much as entries weigh on average");
    drop(load);
    assert_eq!((map.collector().stats().reserved, map.len()), (0, 1));
    assert_eq!(*block_on(map.get_or_insert_async(1, ready(8))), 8);
}

#[test]
fn a_thread_waits_for_a_task_and_a_task_for_a_thread() {
    let map = map();
    let (mut task, value) = begun(&map, 1);
    let waits = |key: u64, missed: u64| {
        let map = &map;
        move || {
            let loaded = map.get_or_insert_with(key, || missed);
            (Arc::as_ptr(&loaded) as usize, *loaded)
        }
    };
    thread::scope(|scope| {
        let thread = scope.spawn(waits(1, 9));
        until_misses(&map, 2);
        value.send(7).unwrap();
        let loaded = task.run().expect("it has its value");
        assert_eq!(thread.join().unwrap(), (Arc::as_ptr(&loaded) as usize, 7));
    });
    let (loading, is_loading) = channel();
    let (go, goes) = channel();
    let map = &map;
    thread::scope(|scope| {
        scope.spawn(move || {
            map.get_or_insert_with(2, || {
                loading.send(()).unwrap();
                goes.recv().unwrap()
            })
        });
        is_loading.recv().unwrap();
        let mut task = Task::new(map.get_or_insert_async(2, never()));
        assert!(task.run().is_none());
        go.send(6).unwrap();
        assert_eq!(*block_on(task.future), 6);
    });
    assert_eq!(map.stats().loads, 2);
}

fn until_misses(map: &WeakMap<u64, u64>, misses: u64) {
    while map.stats().misses < misses {
        thread::yield_now();
    }
}

thread_local! {
    static ON_EQ: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static ON_CLONE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Does something, once, where it is first compared or cloned by a thread.
struct Hooked(u64);

impl Hash for Hooked {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

impl PartialEq for Hooked {
    fn eq(&self, other: &Self) -> bool {
        ON_EQ.take().into_iter().for_each(|hook| hook());
        self.0 == other.0
    }
}

impl Eq for Hooked {}

impl Clone for Hooked {
    fn clone(&self) -> Self {
        ON_CLONE.take().into_iter().for_each(|hook| hook());
        Self(self.0)
    }
}

/// A caller missed; then its key got a value, which it finds in its flight, where a task joins it that is not polled for a long time.
#[test]
fn what_was_found_in_a_flight_and_removed_is_given_to_nobody_who_comes_later() {
    type Remove = fn(&WeakMap<Hooked, u64>);
    let ways: [Remove; 3] = [
        |map| drop(map.remove(&Hooked(1))),
        |map| drop(map.remove_if(&Hooked(1), |_| true)),
        |map| map.retain(|_, _| false),
    ];
    for remove in ways {
        let map =
            Arc::new(WeakMap::<Hooked, u64>::builder().limit(1 << 30).heap(Scripted::new()).build().unwrap());
        let [(missed, has_missed), (go, goes), (joined, has_joined), (end, ends)] =
            [(); 4].map(|()| channel::<()>());
        thread::scope(|scope| {
            let (map, end) = (&map, end); // where this fails, the task ends
            scope.spawn(move || {
                let wait = move || {
                    missed.send(()).unwrap();
                    goes.recv().unwrap();
                };
                ON_CLONE.set(Some(Box::new(wait)));
                let (key, load) = (Hooked(1), ready(3));
                let mut idle = Box::pin(map.get_or_insert_async_by_ref(&key, load));
                assert!(idle.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
                joined.send(()).unwrap();
                _ = ends.recv();
            });
            has_missed.recv().unwrap();
            let let_it_join = move || {
                go.send(()).unwrap();
                has_joined.recv().unwrap();
            };
            let insert = {
                let map = Arc::clone(map);
                move || {
                    map.insert(Hooked(1), 1);
                    ON_EQ.set(Some(Box::new(let_it_join)));
                }
            };
            ON_CLONE.set(Some(Box::new(insert)));
            assert_eq!(*map.get_or_insert_with_by_ref(&Hooked(1), || 2), 1);
            remove(map);
            assert_eq!(*map.get_or_insert_with(Hooked(1), || 4), 4, "what was removed came back");
            assert_eq!(map.peek(&Hooked(1)).as_deref(), Some(&4));
            end.send(()).unwrap();
        });
    }
}

/// More of them than a count of handles could say.
#[test]
fn any_number_of_tasks_may_wait() {
    let map = map();
    let (mut first, value) = begun(&map, 1);
    let mut others: Vec<_> = (0..40_000).map(|_| Task::new(map.get_or_insert_async(1, never()))).collect();
    assert!(others.iter_mut().all(|other| other.run().is_none()));
    value.send(7).unwrap();
    assert_eq!(first.run().as_deref(), Some(&7));
    assert!(others.iter_mut().all(|other| other.run().as_deref() == Some(&7)));
}

#[test]
fn tasks_on_many_threads_load_each_key_once() {
    let (map, loads) = (map(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for key in 0..2_000 {
                    let load = async {
                        loads.fetch_add(1, SeqCst);
                        key + 1
                    };
                    assert_eq!(*block_on(map.get_or_insert_async(key, load)), key + 1);
                }
            });
        }
    });
    assert_eq!((loads.load(SeqCst), map.len()), (2_000, 2_000));
}
