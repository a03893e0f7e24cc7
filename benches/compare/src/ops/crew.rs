//! Threads that start together and work until the time is over.

use std::{
    sync::{Barrier, OnceLock},
    thread,
    time::{Duration, Instant},
};

use super::stream::{Step, Stream};

/// How long: first unmeasured, then measured.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    pub warm_up: Duration,
    pub duration: Duration,
}

/// What all threads did in the measured time.
#[derive(Debug)]
pub struct Tally {
    pub operations: usize,
    pub hits: usize,
    pub time: Duration,
}

impl Tally {
    /// Operations per second, of all threads together.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.time.as_secs_f64()
    }

    /// Of all operations, in %.
    pub fn hit_ratio(&self) -> f64 {
        100.0 * self.hits as f64 / self.operations as f64
    }
}

/// One thread's part.
struct Part {
    operations: usize,
    hits: usize,
    end: Instant,
}

/// A thread for each stream. `work` does a chunk of steps and says how many were hits.
pub fn work(streams: &[Stream], shift: Shift, work: impl Fn(&[Step]) -> usize + Sync) -> Tally {
    let (gate, start) = (Barrier::new(streams.len()), OnceLock::new());
    let part = |stream: &Stream| {
        gate.wait();
        let start = *start.get_or_init(Instant::now) + shift.warm_up;
        run(stream, start, &work);
        run(stream, start + shift.duration, &work)
    };
    let parts: Vec<Part> = thread::scope(|scope| {
        let threads: Vec<_> = streams.iter().map(|stream| scope.spawn(|| part(stream))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a worker does not panic")).collect()
    });
    let begin = *start.get().expect("a thread has started") + shift.warm_up;
    tally(begin, &parts)
}

fn run(stream: &Stream, until: Instant, work: impl Fn(&[Step]) -> usize) -> Part {
    let mut part = Part { operations: 0, hits: 0, end: Instant::now() };
    for chunk in stream.chunks() {
        part.hits += work(chunk);
        part.operations += chunk.len();
        part.end = Instant::now();
        if part.end >= until {
            break;
        }
    }
    part
}

fn tally(begin: Instant, parts: &[Part]) -> Tally {
    let end = parts.iter().map(|part| part.end).max().expect("a stream at least");
    Tally {
        operations: parts.iter().map(|part| part.operations).sum(),
        hits: parts.iter().map(|part| part.hits).sum(),
        time: end - begin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::stream::{Draw, Skew};

    #[test]
    fn what_all_threads_did_is_added_up() {
        let streams = Draw { skew: Skew::Uniform, keys: 10, writes: 0, length: 1_000, series: 0 }.streams(3);
        let shift = Shift { warm_up: Duration::from_millis(1), duration: Duration::from_millis(5) };
        let tally = work(&streams, shift, |chunk| chunk.len() / 2);
        assert!(tally.time >= shift.duration && tally.operations >= 3 * 232, "{tally:?}");
        assert!((tally.hit_ratio() - 50.0).abs() < 1e-9 && tally.rate() > 0.0);
    }
}
