//! Time per operation from small to large, on one thread, beside std's HashMap.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::SPARE;
use crate::ops::{
    cache::{Cache, value},
    cell::Cell,
    crew::Shift,
    label::Label,
    lineup::{self, Entrant},
    peers::std::Std,
    run::Run,
    scene::{self, Scene, Stage},
    stream::{Draw, Skew, Stream, shuffled},
};

struct Growth {
    sizes: Vec<usize>,
    draws: usize,
    shift: Shift,
}

struct Script {
    /// In the order in which they are inserted.
    keys: Vec<u32>,
    gets: Stream,
}

const OPERATIONS: [&str; 2] = ["insert", "get"];

pub fn measure(run: &mut Run) -> Result<Vec<Cell>> {
    let sizes = [1_000, 10_000, 100_000, 1_000_000, 10_000_000].map(|entries| run.options.entries(entries));
    let scene = Growth { sizes: sizes.to_vec(), draws: run.options.draws(), shift: run.options.shift() };
    let mut lineup = lineup::maps();
    lineup.insert(1, Entrant { name: <Std<u64> as Cache<u64>>::NAME, stage: Growth::grow::<Std<u64>> });
    let mut cells = scene::play(run, &[scene], lineup)?;
    let slopes = OPERATIONS.into_iter().filter_map(|operation| slope(&cells, operation)).collect();
    cells.extend(run.keep(slopes)?);
    Ok(cells)
}

impl Scene for Growth {
    type Key = u64;
    type Case = usize;
    type Script = Script;

    fn cases(&self) -> Vec<usize> {
        self.sizes.clone()
    }

    fn labels(&self, &entries: &usize) -> Vec<Label> {
        OPERATIONS.map(|operation| Label::new(operation, "ns").entries(entries)).to_vec()
    }

    fn script(&self, &entries: &usize) -> Script {
        let draw = Draw { skew: Skew::Uniform, keys: entries, writes: 0, length: self.draws, series: 0 };
        Script { keys: shuffled(entries), gets: draw.streams(1).remove(0) }
    }

    fn stage<C: Cache<u64> + Sync>(&self) -> Result<Stage<Script>> {
        self.grow::<C>()
    }
}

impl Growth {
    /// Each round grows maps of its own: one subject's at a time is in memory.
    fn grow<C: Cache<u64>>(&self) -> Result<Stage<Script>> {
        let shift = self.shift;
        Ok(Box::new(move |script| {
            let (cache, insert) = grown::<C>(&script.keys, shift.duration);
            cache.settle();
            read(&cache, &script.gets, shift.warm_up);
            Ok(vec![insert, read(&cache, &script.gets, shift.duration)])
        }))
    }
}

/// The last of as many maps as the time allows, and nanoseconds an insert.
fn grown<C: Cache<u64>>(keys: &[u32], duration: Duration) -> (C, f64) {
    let (mut time, mut maps) = (Duration::ZERO, 0);
    loop {
        let start = Instant::now();
        let cache = C::with_room(keys.len() * SPARE);
        keys.iter().for_each(|&key| cache.insert(key.into(), value(key.into())));
        (time, maps) = (time + start.elapsed(), maps + 1);
        if time >= duration {
            return (cache, nanos(time, maps * keys.len()));
        }
    }
}

/// Nanoseconds a read.
fn read<C: Cache<u64>>(cache: &C, gets: &Stream, duration: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    for chunk in gets.chunks().take_while(|_| start.elapsed() < duration) {
        for step in chunk {
            black_box(cache.read(&step.key()));
        }
        count += chunk.len();
    }
    nanos(start.elapsed(), count)
}

fn nanos(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}

/// How much slower the largest is than the smallest, round by round; none if there are not two.
fn slope(cells: &[Cell], operation: &str) -> Option<Cell> {
    let of_operation = |cell: &&Cell| cell.label.what == operation;
    let small = cells.iter().filter(of_operation).min_by_key(|cell| cell.label.entries)?;
    let large = cells.iter().filter(of_operation).max_by_key(|cell| cell.label.entries)?;
    let rise = |(small, large): (&f64, &f64)| large / small;
    let pairs = small.samples.iter().zip(&large.samples);
    let samples = pairs.map(|(small, large)| (small.0, small.1.iter().zip(&large.1).map(rise).collect()));
    let label = Label::new(format!("{operation}/slope"), "times");
    (small.label != large.label).then(|| Cell { label, samples: samples.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(entries: usize, samples: [f64; 2]) -> Cell {
        Cell { label: Label::new("get", "ns").entries(entries), samples: vec![("std", samples.to_vec())] }
    }

    #[test]
    fn a_slope_is_the_largest_by_the_smallest() {
        let cells = [cell(100, [2.0, 3.0]), cell(10, [1.0, 1.0]), cell(1_000, [8.0, 12.0])];
        let slope = slope(&cells, "get").unwrap();
        assert_eq!(slope.of("std"), Some([8.0, 12.0].as_slice()));
        assert_eq!(slope.label.to_string(), "get/slope");
    }

    #[test]
    fn one_size_has_no_slope() {
        assert!(slope(&[cell(10, [1.0, 1.0])], "get").is_none());
        assert!(slope(&[cell(10, [1.0, 1.0])], "insert").is_none());
    }
}
