//! `get` of present keys.

use std::hint::black_box;

use anyhow::Result;

use super::{check_present, filled};
use crate::ops::{
    cache::Cache,
    cell::Cell,
    crew::{self, Shift},
    label::Label,
    lineup,
    run::Run,
    scene::{self, Scene, Stage},
    stream::{Draw, Skew, Stream},
};

/// Maps of one size.
pub struct Lookup {
    entries: usize,
    threads: Vec<usize>,
    draws: usize,
    shift: Shift,
}

pub struct Case {
    skew: Skew,
    threads: usize,
}

pub fn measure(run: &mut Run) -> Result<Vec<Cell>> {
    let options = run.options;
    let scene = |entries| Lookup {
        entries: options.entries(entries),
        threads: options.threads(&[1, 2, 4, 8]),
        draws: options.draws(),
        shift: options.shift(),
    };
    scene::play(run, &[10_000, 100_000, 2_000_000].map(scene), lineup::readers())
}

impl Scene for Lookup {
    type Key = u64;
    type Case = Case;
    type Script = Vec<Stream>;

    fn cases(&self) -> Vec<Case> {
        let skews = [Skew::Zipf(0.99), Skew::Uniform, Skew::OneHot];
        skews
            .into_iter()
            .flat_map(|skew| self.threads.iter().map(move |&threads| Case { skew, threads }))
            .collect()
    }

    fn labels(&self, case: &Case) -> Vec<Label> {
        vec![Label::new(case.skew.to_string(), "ops/s").entries(self.entries).threads(case.threads)]
    }

    fn script(&self, case: &Case) -> Vec<Stream> {
        Draw { skew: case.skew, keys: self.entries, writes: 0, length: self.draws, series: 0 }
            .streams(case.threads)
    }

    fn stage<C: Cache<u64> + Sync>(&self) -> Result<Stage<Vec<Stream>>> {
        let (cache, shift) = (filled::<C>(self.entries), self.shift);
        Ok(Box::new(move |streams| {
            let tally = crew::work(streams, shift, |steps| {
                steps.iter().filter(|step| black_box(cache.read(&step.key())).is_some()).count()
            });
            check_present(&tally)?;
            Ok(vec![tally.rate()])
        }))
    }
}
