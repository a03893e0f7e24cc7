//! `get` and `insert` of present keys.

use std::hint::black_box;

use anyhow::Result;

use super::{check_present, filled};
use crate::ops::{
    cache::{Cache, value},
    cell::Cell,
    crew::{self, Shift},
    label::Label,
    lineup,
    run::Run,
    scene::{self, Scene, Stage},
    stream::{Draw, Skew, Step, Stream},
};

struct Mixed {
    entries: usize,
    threads: Vec<usize>,
    draws: usize,
    shift: Shift,
}

struct Case {
    /// In a hundred steps.
    writes: u32,
    threads: usize,
}

pub fn measure(run: &mut Run) -> Result<Vec<Cell>> {
    let scene = Mixed {
        entries: run.options.entries(100_000),
        threads: run.options.threads(&[1, 2, 4]),
        draws: run.options.draws(),
        shift: run.options.shift(),
    };
    scene::play(run, &[scene], lineup::maps())
}

impl Scene for Mixed {
    type Key = u64;
    type Case = Case;
    type Script = Vec<Stream>;

    fn cases(&self) -> Vec<Case> {
        let writes = [5, 25, 50];
        writes
            .into_iter()
            .flat_map(|writes| self.threads.iter().map(move |&threads| Case { writes, threads }))
            .collect()
    }

    fn labels(&self, Case { writes, threads }: &Case) -> Vec<Label> {
        let what = format!("{}-{writes}", 100 - writes);
        vec![Label::new(what, "ops/s").entries(self.entries).threads(*threads)]
    }

    fn script(&self, case: &Case) -> Vec<Stream> {
        let draw = Draw {
            skew: Skew::Zipf(0.99),
            keys: self.entries,
            writes: case.writes,
            length: self.draws,
            series: 0,
        };
        draw.streams(case.threads)
    }

    fn stage<C: Cache<u64> + Sync>(&self) -> Result<Stage<Vec<Stream>>> {
        let (cache, shift) = (filled::<C>(self.entries), self.shift);
        Ok(Box::new(move |streams| {
            let tally = crew::work(streams, shift, |steps| {
                steps.iter().filter(|step| access(&cache, **step)).count()
            });
            check_present(&tally)?;
            Ok(vec![tally.rate()])
        }))
    }
}

/// Whether the key was present, as far as can be told.
#[inline]
fn access<C: Cache<u64>>(cache: &C, step: Step) -> bool {
    if step.is_write() {
        cache.insert(step.key(), value(step.key()));
        return true;
    }
    black_box(cache.read(&step.key())).is_some()
}
