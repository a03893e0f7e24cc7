//! What readings cost, and what `heap::Counting` costs: the same allocations through a bare allocator and through a counted one, over glibc,
//! jemalloc and mimalloc. `cargo run --release -p counting [ROUNDS]`.
//!
//! Bare and counted rounds alternate, each goes first as often as second, and what is told is the median of the ratios of
//! neighbours, with the quartiles. Time is the threads' own processor time, so a busy machine blurs it less. Both call the allocator directly, so the counted one has nothing to hide behind.

use rustix::time::{ClockId, clock_gettime};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::Barrier,
    time::Instant,
};
use weakmap::heap::Counting;

const THREADS: usize = 2;

/// A thread's work: so many blocks held, each step frees the oldest and takes another.
struct Work {
    name: &'static str,
    least: usize,
    most: usize,
    held: usize,
    steps: usize,
    /// Bytes written at each block's start: an allocation that nobody writes to is no use.
    written: usize,
}

const WORK: [Work; 4] = [
    Work { name: "64 B, one at a time", least: 64, most: 64, held: 1, steps: 100_000, written: 8 },
    Work { name: "16 to 512 B, 1,000 held", least: 16, most: 512, held: 1_000, steps: 50_000, written: 16 },
    Work { name: "16 to 512 B, filled", least: 16, most: 512, held: 1_000, steps: 50_000, written: 512 },
    Work {
        name: "1 to 8 KiB, 1,000 held",
        least: 1 << 10,
        most: 8 << 10,
        held: 1_000,
        steps: 10_000,
        written: 64,
    },
];

fn main() {
    readings();
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(301);
    println!(
        "{THREADS} threads, {rounds} pairs of rounds; ns per alloc and free, ratio: quartile, median, quartile"
    );
    for work in &WORK {
        report(work, "glibc", rounds, || System);
        report(work, "jemalloc", rounds, || tikv_jemallocator::Jemalloc);
        report(work, "mimalloc", rounds, || mimalloc::MiMalloc);
    }
}

/// What a reading of the machine costs, at best.
fn readings() {
    use weakmap::heap::{Cgroup, Limit, Process};
    let process = Process::open().expect("Linux");
    cost("Process::read", || process.read());
    cost("Limit::detect", Limit::detect);
    cost("Cgroup::find", Cgroup::find);
    if let Ok(cgroup) = Cgroup::find() {
        cost("Cgroup::limit", || cgroup.limit());
        cost("Cgroup::used", || cgroup.used());
    }
    cost("Counting::live and error", || (Counting::<System>::live(), Counting::<System>::error()));
}

fn cost<T>(name: &str, act: impl Fn() -> T) {
    let took = (0..200).map(|_| {
        let begin = Instant::now();
        (0..10).for_each(|_| {
            black_box(act());
        });
        begin.elapsed().as_nanos() as f64 / 10.0
    });
    println!("{name:26} {:9.0} ns", took.fold(f64::INFINITY, f64::min));
}

fn report<A: GlobalAlloc + Sync>(work: &Work, allocator: &str, rounds: usize, make: impl Fn() -> A) {
    let (bare, counted) = (make(), Counting::new(make()));
    round(work, &bare);
    round(work, &counted);
    let mut ratios = Vec::new();
    let mut times = Vec::new();
    for turn in 0..rounds {
        let (mut plain, mut count) = (0.0, 0.0);
        for half in 0..2 {
            if (turn + half) % 2 == 0 {
                plain = round(work, &bare);
            } else {
                count = round(work, &counted);
            }
        }
        ratios.push(count / plain);
        times.push(plain);
    }
    let at = |sorted: &[f64], quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
    ratios.sort_by(f64::total_cmp);
    times.sort_by(f64::total_cmp);
    println!(
        "{:24} {allocator:9} {:6.1} ns   {:.3}  {:.3}  {:.3}",
        work.name,
        at(&times, 2),
        at(&ratios, 1),
        at(&ratios, 2),
        at(&ratios, 3)
    );
}

/// Nanoseconds per alloc and free, of the slowest thread.
fn round<A: GlobalAlloc + Sync>(work: &Work, allocator: &A) -> f64 {
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    churn(work, allocator, thread as u64)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(0.0, f64::max)
    })
}

#[inline(never)]
fn churn<A: GlobalAlloc>(work: &Work, allocator: &A, seed: u64) -> f64 {
    let mut ring = vec![(std::ptr::null_mut::<u8>(), Layout::new::<u8>()); work.held];
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let begin = processor_time();
    for step in 0..work.steps {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let size = work.least + (random as usize >> 8) % (work.most - work.least + 1);
        let layout = Layout::from_size_align(size, 8).expect("small");
        let place = &mut ring[step % work.held];
        // SAFETY: the layout's size is not 0; what is freed was allocated with the layout beside it, once.
        unsafe {
            if !place.0.is_null() {
                allocator.dealloc(place.0, place.1);
            }
            let block = allocator.alloc(layout);
            block.write_bytes(1, size.min(work.written));
            *place = (black_box(block), layout);
        }
    }
    let took = processor_time() - begin;
    for (block, layout) in ring.into_iter().filter(|(block, _)| !block.is_null()) {
        // SAFETY: as above.
        unsafe { allocator.dealloc(block, layout) };
    }
    took / work.steps as f64
}

/// Nanoseconds that this thread has run.
fn processor_time() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}
