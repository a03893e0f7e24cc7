//! What each thread will ask for, drawn before any clock runs.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use rand_distr::{Distribution, Zipf};

/// Steps between two looks at the clock.
const CHUNK: usize = 256;
/// Seeds the order in which keys are hot.
const ORDER: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Skew {
    Zipf(f64),
    Uniform,
    OneHot,
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zipf(exponent) => write!(f, "zipf{exponent}"),
            Self::Uniform => f.write_str("uniform"),
            Self::OneHot => f.write_str("one-hot"),
        }
    }
}

/// A key, and whether it is written.
#[derive(Clone, Copy, Debug)]
pub struct Step(u32);

impl Step {
    #[inline]
    pub fn key(self) -> u64 {
        u64::from(self.0 >> 1)
    }

    #[inline]
    pub fn is_write(self) -> bool {
        self.0 & 1 == 1
    }
}

/// One thread's steps, without end. Each measurement goes on where the last one stopped.
pub struct Stream {
    steps: Vec<Step>,
    next: AtomicUsize,
}

impl Stream {
    /// The next steps, in chunks.
    pub fn chunks(&self) -> impl Iterator<Item = &[Step]> {
        let chunks = self.steps.len().div_ceil(CHUNK);
        std::iter::from_fn(move || {
            let start = self.next.fetch_add(1, Relaxed) % chunks * CHUNK;
            Some(&self.steps[start..self.steps.len().min(start + CHUNK)])
        })
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// How streams are drawn: from so many keys, with so many writes in a hundred steps.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    pub skew: Skew,
    pub keys: usize,
    pub writes: u32,
    pub length: usize,
    /// Other streams for another series.
    pub series: u64,
}

impl Draw {
    /// A stream for each thread, 1,024 at the most; always the same ones.
    pub fn streams(&self, threads: usize) -> Vec<Stream> {
        let keys = shuffled(self.keys);
        (0..threads as u64)
            .map(|thread| self.stream(&keys, ORDER + 1 + self.series * 1_024 + thread))
            .collect()
    }

    fn stream(&self, keys: &[u32], seed: u64) -> Stream {
        let mut dice = StdRng::seed_from_u64(seed);
        let places = self.places(&mut dice);
        let step = |place: usize| Step(keys[place] << 1 | u32::from(dice.random_range(0..100) < self.writes));
        Stream { steps: places.into_iter().map(step).collect(), next: AtomicUsize::new(0) }
    }

    /// 0 is the hottest.
    fn places(&self, dice: &mut StdRng) -> Vec<usize> {
        let mut draw: Box<dyn FnMut() -> usize> = match self.skew {
            Skew::Zipf(exponent) => {
                let zipf = Zipf::new(self.keys as f64, exponent).expect("keys, and an exponent above 0");
                Box::new(move || zipf.sample(dice) as usize - 1)
            }
            Skew::Uniform => Box::new(|| dice.random_range(0..self.keys)),
            Skew::OneHot => Box::new(|| 0),
        };
        (0..self.length).map(|_| draw()).collect()
    }
}

/// Hot keys must not lie side by side because they were inserted side by side.
pub fn shuffled(count: usize) -> Vec<u32> {
    let mut keys: Vec<u32> = (0..count as u32).collect();
    keys.shuffle(&mut StdRng::seed_from_u64(ORDER));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(skew: Skew, writes: u32) -> Draw {
        Draw { skew, keys: 1_000, writes, length: 10_000, series: 0 }
    }

    fn keys(skew: Skew) -> Vec<u64> {
        draw(skew, 0).streams(1)[0].steps().iter().map(|step| step.key()).collect()
    }

    #[test]
    fn draws_stay_in_range_and_repeat() {
        for skew in [Skew::Zipf(0.99), Skew::Uniform, Skew::OneHot] {
            assert!(keys(skew).iter().all(|&key| key < 1_000));
            assert_eq!(keys(skew), keys(skew));
        }
    }

    #[test]
    fn skews_differ() {
        let most = |skew| {
            let keys = keys(skew);
            (0..1_000).map(|key| keys.iter().filter(|&&other| other == key).count()).max()
        };
        assert_eq!(most(Skew::OneHot), Some(10_000));
        assert!((1_000..2_000).contains(&most(Skew::Zipf(0.99)).unwrap()));
        assert!(most(Skew::Uniform).unwrap() < 50);
    }

    #[test]
    fn threads_differ_and_writes_are_a_share() {
        let streams = draw(Skew::Uniform, 25).streams(2);
        let sum = |stream: &Stream| stream.steps[..100].iter().map(|step| step.0).sum::<u32>();
        assert_ne!(sum(&streams[0]), sum(&streams[1]));
        let writes = streams[0].steps().iter().filter(|step| step.is_write()).count();
        assert!((2_300..2_700).contains(&writes), "{writes}");
    }

    #[test]
    fn series_differ() {
        let first = |series| Draw { series, ..draw(Skew::Uniform, 0) }.streams(1)[0].steps[..100].to_vec();
        assert!(first(0).iter().zip(first(1)).any(|(one, other)| one.key() != other.key()));
    }

    #[test]
    fn chunks_go_round_and_on() {
        let stream = Draw { length: 300, ..draw(Skew::Uniform, 0) }.streams(1).remove(0);
        let lengths = |count| stream.chunks().take(count).map(<[Step]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(1), [256]);
        assert_eq!(lengths(2), [44, 256]);
    }
}
