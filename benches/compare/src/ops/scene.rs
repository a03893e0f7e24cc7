//! How a benchmark is played: every subject is set up, then each case runs in rounds, the subjects in turn.

use anyhow::{Context, Result};

use super::{
    cache::{Cache, Key},
    cell::Cell,
    label::Label,
    lineup::Entrant,
    run::Run,
};
use crate::progress::Progress;

/// Measures one round of a case in one subject: a number for each label of the case.
pub type Stage<Script> = Box<dyn FnMut(&Script) -> Result<Vec<f64>>>;

/// Cases that are measured in the same maps.
pub trait Scene: Sized {
    type Key: Key;
    type Case;
    /// What a case needs, made once, before any clock runs.
    type Script;

    fn cases(&self) -> Vec<Self::Case>;

    /// What is measured at once in a case.
    fn labels(&self, case: &Self::Case) -> Vec<Label>;

    fn script(&self, case: &Self::Case) -> Self::Script;

    /// Sets a subject up. The loops that are timed are compiled for it alone.
    fn stage<C: Cache<Self::Key> + Sync>(&self) -> Result<Stage<Self::Script>>;
}

type Cast<S> = Vec<(&'static str, Stage<<S as Scene>::Script>)>;

/// Plays the scenes and records their rows; scenes without a case that is asked for are not set up.
pub fn play<S: Scene>(run: &mut Run, scenes: &[S], lineup: Vec<Entrant<S>>) -> Result<Vec<Cell>> {
    let lineup = run.pick(lineup)?;
    let cases: Vec<_> = scenes.iter().map(|scene| asked_for(scene, run)).collect();
    let count = cases.iter().map(Vec::len).sum::<usize>();
    let progress = Progress::new(count * run.rounds * lineup.len());
    let mut cells = Vec::new();
    for (scene, cases) in scenes.iter().zip(cases).filter(|(_, cases)| !cases.is_empty()) {
        let mut cast = cast(scene, &lineup)?;
        for case in cases {
            let measured = rounds(scene, &case, &mut cast, run.rounds, &progress)?;
            cells.extend(run.keep(measured)?);
        }
    }
    Ok(cells)
}

fn asked_for<S: Scene>(scene: &S, run: &Run) -> Vec<S::Case> {
    let mut cases = scene.cases();
    cases.retain(|case| scene.labels(case).iter().any(|label| run.admits(label)));
    cases
}

fn cast<S: Scene>(scene: &S, lineup: &[Entrant<S>]) -> Result<Cast<S>> {
    let stage = |entrant: &Entrant<S>| Ok((entrant.name, (entrant.stage)(scene).context(entrant.name)?));
    lineup.iter().map(stage).collect()
}

fn rounds<S: Scene>(
    scene: &S,
    case: &S::Case,
    cast: &mut Cast<S>,
    count: usize,
    progress: &Progress,
) -> Result<Vec<Cell>> {
    let (labels, script) = (scene.labels(case), scene.script(case));
    let mut cells: Vec<_> = labels.into_iter().map(|label| blank(label, cast)).collect();
    for _ in 0..count {
        for (place, (subject, stage)) in cast.iter_mut().enumerate() {
            progress.step(&cells[0].label.to_string(), subject);
            let numbers = stage(&script).with_context(|| format!("{subject}, {}", cells[0].label))?;
            let samples = cells.iter_mut().map(|cell| &mut cell.samples[place].1);
            samples.zip(numbers).for_each(|(samples, number)| samples.push(number));
        }
    }
    Ok(cells)
}

fn blank<T>(label: Label, cast: &[(&'static str, T)]) -> Cell {
    Cell { label, samples: cast.iter().map(|(subject, _)| (*subject, Vec::new())).collect() }
}
