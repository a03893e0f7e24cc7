//! How long calls take, and how much of that a thread only waited for a processor.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Shorter calls are not worth asking the kernel for.
const WORTH_ASKING: u64 = 1_000_000;
/// What no thread may be blocked for.
const LONG: Duration = Duration::from_millis(10);

/// Nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pauses {
    /// Of 10,000 calls one takes longer.
    pub p9999: u64,
    pub longest: u64,
    /// The longest, the time that the thread waited for a processor left out.
    pub blocked: u64,
}

/// One thread's.
pub struct Stopwatch {
    calls: Histogram<u64>,
    blocked: u64,
    queue: Queue,
    /// Nanoseconds in the queue, as of the last time that we asked.
    queued: u64,
}

impl Pauses {
    pub fn of<'h>(watches: impl Iterator<Item = &'h Stopwatch>) -> Self {
        let (mut all, mut blocked) = (histogram(), 0);
        for watch in watches {
            all.add(&watch.calls).expect("alike");
            blocked = blocked.max(watch.blocked);
        }
        Self { p9999: all.value_at_quantile(0.9999), longest: all.max(), blocked }
    }

    pub fn is_long(self) -> bool {
        Duration::from_nanos(self.blocked) > LONG
    }
}

impl Stopwatch {
    /// The calling thread's.
    pub fn new() -> Self {
        Self { calls: histogram(), blocked: 0, queue: Queue::open(), queued: 0 }
    }

    /// A few calls follow. The fewer, the surer it is that what is queued for is queued for in a long one of them.
    pub fn batch(&mut self) {
        self.queued = self.queue.waited();
    }

    pub fn time<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let done = call();
        self.note(begin.elapsed().as_nanos() as u64);
        done
    }

    fn note(&mut self, took: u64) {
        self.calls.saturating_record(took.max(1));
        let mut blocked = took;
        if took > WORTH_ASKING {
            let queued = self.queue.waited();
            blocked = took.saturating_sub(queued - self.queued);
            self.queued = queued;
        }
        self.blocked = self.blocked.max(blocked);
    }
}

/// A nanosecond to a minute, in two digits: some 30 KiB.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 2).expect("sound bounds")
}

/// What the kernel tells of a thread; nothing where it does not.
struct Queue(Option<File>);

impl Queue {
    fn open() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    /// Nanoseconds that the thread was ready and no processor was free. "run wait slices"
    fn waited(&self) -> u64 {
        let mut line = [0; 64]; // three numbers of 20 digits
        let read = self.0.as_ref().and_then(|file| file.read_at(&mut line, 0).ok());
        let text = std::str::from_utf8(&line[..read.unwrap_or(0)]).unwrap_or_default();
        text.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{hint::spin_loop, thread};

    #[test]
    fn sleep_blocks() {
        let mut watch = Stopwatch::new();
        watch.batch();
        watch.time(|| thread::sleep(Duration::from_millis(20)));
        let pauses = Pauses::of([&watch].into_iter());
        assert!(pauses.is_long() && pauses.longest >= pauses.blocked, "{pauses:?}");
    }

    /// More threads than processors, each busy until it was kept waiting.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_queue_is_told_apart() {
        let wait = || {
            let (queue, begin) = (Queue::open(), Instant::now());
            while queue.waited() < 1_000_000 && begin.elapsed() < Duration::from_secs(30) {
                spin_loop();
            }
            let (mut watch, long) = (Stopwatch::new(), Duration::from_secs(1).as_nanos() as u64);
            watch.note(long);
            (queue.waited(), long - watch.blocked)
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(wait)).collect();
            for thread in threads {
                let (waited, left_out) = thread.join().unwrap();
                assert!(waited == 0 || (1..=waited).contains(&left_out), "{waited} {left_out}");
            }
        });
    }
}
