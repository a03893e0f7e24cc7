//! Where the bytes go, measured by the counting allocator as this program's own.

use std::{
    alloc::{Layout, System, alloc, alloc_zeroed, dealloc, realloc},
    cell::RefCell,
    sync::{
        Arc, Barrier,
        mpsc::{channel, sync_channel},
    },
    thread,
};
use weakmap::{Collector, Law, Tuning, WeakMap, heap::Counting, heap::Scripted};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

/// What a running thread keeps to itself at the most.
const ERROR: i64 = Counting::<System>::FLUSH as i64;
const LIMIT: u64 = 1 << 30;
const ENTRIES: u64 = 10_000;

/// The count is the process's: one case at a time.
#[test]
fn memory() {
    let cases: [(&str, fn()); 12] = [
        ("what is allocated in any way is counted", counts_each_way_to_allocate),
        ("a block may be freed by another thread", counts_across_threads),
        ("threads that end leave nothing uncounted", counts_threads_that_end),
        ("thread-local destructors are counted", counts_thread_local_destructors),
        ("a full pass gives back what values own", || strips_to_nothing(|_| vec![1u8; 4096])),
        ("a full pass gives back the values themselves", || strips_to_nothing(|_| [1u8; 4096])),
        ("a full pass gives back what an idle thread put in and stripped", strips_what_an_idle_thread_left),
        ("a pass that leaves a tenth leaves little more than that takes", sheds_what_it_does_not_keep),
        ("removal gives back values and entries", removes_to_nothing),
        ("the index shrinks with what is in it", the_index_shrinks),
        ("dropped maps leave no bytes", drops_without_a_trace),
        ("dropped maps leave no threads", drops_without_a_thread),
    ];
    let failed = cases.map(|(name, case)| thread::spawn(case).join().is_err().then_some(name));
    let failed: Vec<_> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

fn live() -> i64 {
    Counting::<System>::live() as i64
}

/// The count after `work` less that before is `expected`, to the error of so many threads.
fn grows_by<R>(expected: i64, threads: i64, what: &str, work: impl FnOnce() -> R) -> R {
    let before = live();
    let result = work();
    let grown = live() - before;
    assert!((grown - expected).abs() <= threads * ERROR, "{what}: {grown} bytes instead of {expected}");
    result
}

fn counts_each_way_to_allocate() {
    const MIB: usize = 1 << 20;
    for align in [1, 16, 4096] {
        let layout = |size| Layout::from_size_align(size, align).unwrap();
        for zeroed in [false, true] {
            // SAFETY: the sizes are not zero, and each block is given back with the layout that it has by then.
            #[allow(unsafe_code)]
            unsafe {
                let get = if zeroed { alloc_zeroed } else { alloc };
                let block = grows_by(MIB as i64, 1, "alloc", || get(layout(MIB)));
                assert!(block.addr() % align == 0 && (!zeroed || block.read() == 0));
                block.write(7);
                let block = grows_by(2 * MIB as i64, 1, "grow", || realloc(block, layout(MIB), 3 * MIB));
                let block = grows_by(-(MIB as i64), 1, "shrink", || realloc(block, layout(3 * MIB), 2 * MIB));
                assert_eq!(block.read(), 7);
                grows_by(-2 * MIB as i64, 1, "dealloc", || dealloc(block, layout(2 * MIB)));
            }
        }
    }
    grows_by(0, 1, "many small ones, back again", || {
        (0..100_000).for_each(|n| drop(std::hint::black_box(Box::new(n))));
    });
    let boxes = || (0..100_000u64).map(|n| Box::new([n; 2])).collect::<Vec<_>>();
    let small = grows_by(100_000 * (16 + 8), 1, "many small ones", boxes);
    drop(small);
}

fn counts_across_threads() {
    const BLOCK: i64 = 1 << 20;
    let (give, take) = channel::<Vec<u8>>();
    let (done, is_done) = channel();
    let taker = thread::spawn(move || {
        take.into_iter().for_each(drop);
        done.send(()).unwrap();
    });
    grows_by(0, 2, "given away and freed there", || {
        (0..20).for_each(|_| give.send(vec![1; BLOCK as usize]).unwrap());
        drop(give);
        is_done.recv().unwrap();
    });
    taker.join().unwrap();
}

fn counts_threads_that_end() {
    const THREADS: usize = 10_000;
    const KEPT: usize = 100;
    let before = live();
    let mut kept = Vec::with_capacity(THREADS);
    for _ in 0..THREADS / 8 {
        // Each passes nothing on by itself: it stays below the error.
        let threads: Vec<_> = (0..8).map(|_| thread::spawn(|| vec![1u8; KEPT])).collect();
        kept.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
    }
    let grown = live() - before;
    let expected = (THREADS * (KEPT + size_of::<Vec<u8>>())) as i64;
    // 10,000 threads that each forgot its last 100 bytes would make a million; what runs is this thread and the test's.
    assert!((grown - expected).abs() <= 3 * ERROR, "{grown} bytes instead of {expected}");
    drop(kept);
    assert!((live() - before).abs() <= 3 * ERROR, "{} bytes are left", live() - before);
}

/// Allocates and frees when its thread ends, before or after the count's own end.
struct Late(Vec<u8>, &'static thread::LocalKey<RefCell<Vec<u8>>>);

impl Drop for Late {
    fn drop(&mut self) {
        let more = vec![2u8; 3 * self.0.len()];
        let _ = self.1.try_with(|kept| kept.borrow_mut().extend(&more[..100]));
        self.0.extend(&more);
    }
}

fn counts_thread_local_destructors() {
    thread_local! {
        static EARLY: RefCell<Vec<Late>> = const { RefCell::new(Vec::new()) };
        static LATE: RefCell<Vec<Late>> = const { RefCell::new(Vec::new()) };
        static KEPT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    grows_by(0, 3, "threads whose locals allocate at their end", || {
        for size in 100..2000 {
            let run = move || {
                EARLY.with(|late| late.borrow_mut().push(Late(vec![1; size], &KEPT)));
                KEPT.with(|kept| kept.borrow_mut().push(1));
                LATE.with(|late| late.borrow_mut().push(Late(vec![1; 20 * size], &KEPT)));
            };
            thread::spawn(run).join().unwrap();
        }
    });
}

fn filled<V: Send + Sync + 'static>(value: impl Fn(u64) -> V) -> (WeakMap<u64, V>, Scripted) {
    filled_with(ENTRIES, value)
}

fn filled_with<V: Send + Sync + 'static>(
    entries: u64,
    value: impl Fn(u64) -> V,
) -> (WeakMap<u64, V>, Scripted) {
    let heap = Scripted::new();
    let map = WeakMap::builder().limit(LIMIT).background(false).heap(heap.clone()).build().unwrap();
    (0..entries).for_each(|n| drop(map.insert(n, value(n))));
    (map, heap)
}

/// At most 2 % of what `fill` took is left after `empty`.
fn gives_back<M>(fill: impl FnOnce() -> M, empty: impl FnOnce(&M)) {
    let before = live();
    let map = fill();
    let full = live() - before;
    assert!(full > ENTRIES as i64 * 4096, "{full}");
    empty(&map);
    let left = live() - before;
    assert!(left * 50 <= full, "{left} of {full} bytes are left: {:.1} %", 100.0 * left as f64 / full as f64);
}

fn strips_to_nothing<V: Send + Sync + 'static>(value: fn(u64) -> V) {
    gives_back(
        || filled(value),
        |(map, heap)| {
            heap.set(4 * LIMIT);
            assert_eq!(map.collect().stripped, ENTRIES);
            assert_eq!((map.len(), map.stats().pending), (0, 0));
        },
    );
}

/// Most of an entry here is its key, which the index drops late where it does not shrink.
fn sheds_what_it_does_not_keep() {
    const SHED: u64 = 9 * ENTRIES;
    let law = Law::Proportional { low: 0.5, high: 1.0 };
    let made = |entries| {
        let heap = Scripted::new();
        let tuning = Tuning::new().limit(LIMIT).law(law).heap(heap.clone()).background(false);
        let collector = Collector::new(tuning).unwrap();
        let map = WeakMap::<[u64; 32], u64>::builder().collector(collector).build().unwrap();
        (0..entries).for_each(|n| drop(map.insert([n; 32], n)));
        (map, heap)
    };
    let before = live();
    let tenth = made(ENTRIES);
    let between = live();
    let (map, heap) = made(10 * ENTRIES);
    heap.set(LIMIT / 20 * 19);
    let stripped = map.collector().collect().stripped;
    assert!(stripped.abs_diff(SHED) < ENTRIES / 10, "{stripped} were stripped");
    let (fresh, shed) = (between - before, live() - between);
    assert!(shed * 4 <= fresh * 5, "{shed} bytes after a pass, {fresh} in a new map");
    drop((map, tenth));
}

/// A thread strips all and then does nothing more; another one's `collect` brings the memory back.
fn strips_what_an_idle_thread_left() {
    let before = live();
    let (map, heap) = filled_with(ENTRIES / 10, |_| [1u8; 40960]);
    let full = live() - before;
    let map = Arc::new(map);
    let ((stripped, is_stripped), (end, is_end)) = (channel(), sync_channel::<()>(0));
    let idle = thread::spawn({
        let map = map.clone();
        move || {
            heap.set(4 * LIMIT);
            map.insert(ENTRIES, [0; 40960]); // makes room
            stripped.send(()).unwrap();
            let _ = is_end.recv();
        }
    });
    is_stripped.recv().unwrap();
    map.collect();
    let (left, pending) = (live() - before, map.stats().pending);
    drop(end);
    idle.join().unwrap();
    let share = 100.0 * left as f64 / full as f64;
    assert!(left * 50 <= full, "{left} of {full} bytes are left: {share:.1} %, {pending} pending");
}

fn removes_to_nothing() {
    gives_back(
        || filled(|_| vec![1u8; 4096]),
        |(map, _)| {
            (0..ENTRIES).for_each(|n| drop(map.remove(&n)));
            map.collect();
        },
    );
}

/// The index: a cache line for seven places, of which a quarter stays free, so 12 bytes an entry at least.
fn the_index_shrinks() {
    const MANY: u64 = 10 * ENTRIES;
    type Take = fn(&WeakMap<u64, u64>);
    let ways: [(&str, Take); 3] = [
        ("clear", WeakMap::clear),
        ("retain", |map| map.retain(|_, _| false)),
        ("remove", |map| (0..MANY).for_each(|n| drop(map.remove(&n)))),
    ];
    for (how, take_all) in ways {
        let before = live();
        let (map, _) = filled_with(MANY, |n| n);
        let full = live() - before;
        take_all(&map);
        map.collect();
        let left = live() - before - map.stats().policy_bytes as i64;
        assert!(left < 4 * MANY as i64, "{how}: {left} bytes of {full} are left");
    }
}

fn drops_without_a_trace() {
    let round = |values: usize| {
        let (map, heap) = filled(|_| vec![1u8; values]);
        (0..ENTRIES / 2).for_each(|n| drop(map.insert(n, vec![2; values])));
        let held: Vec<_> = (0..100).map(|n| map.get(&n)).collect();
        heap.set(LIMIT / 100 * 97);
        map.collect();
        drop((map.pin(), held));
        map.get_or_insert_with(ENTRIES, Vec::new);
    };
    (0..5).for_each(|_| round(100)); // what the crates below keep per thread, and the table's garbage
    let before = live();
    for _ in 0..10 {
        round(100);
    }
    let grown = live() - before;
    // A leak of one round's entries alone would be several megabytes.
    assert!(grown < 200_000, "{grown} bytes more after ten more maps");
}

fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

fn drops_without_a_thread() {
    let Some(before) = threads() else { return };
    for _ in 0..5 {
        let (map, heap) = filled(|_| 0u8);
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let user = || {
                start.wait();
                heap.set(2 * LIMIT);
                map.collect();
            };
            scope.spawn(user);
            user();
        });
    }
    // A joined thread may be listed for a moment longer.
    let mut now = threads().unwrap();
    for _ in 0..1_000_000 {
        if now <= before {
            return;
        }
        thread::yield_now();
        now = threads().unwrap();
    }
    panic!("{now} threads instead of {before}");
}
