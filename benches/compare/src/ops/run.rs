//! One run of a benchmark: what was asked for, and where the rows go.

use anyhow::Result;

use super::{Options, cell::Cell, label::Label, lineup::Entrant, record::Record, scene::Scene};
use crate::{names, pattern};

pub struct Run<'a> {
    pub options: &'a Options,
    pub rounds: usize,
    bench: &'static str,
    record: Record,
}

impl<'a> Run<'a> {
    pub fn new(bench: &'static str, options: &'a Options) -> Result<Self> {
        let record = Record::create(options.json.as_deref())?;
        Ok(Self { options, rounds: options.rounds(), bench, record })
    }

    /// The subjects asked for.
    pub fn pick<S: Scene>(&self, mut lineup: Vec<Entrant<S>>) -> Result<Vec<Entrant<S>>> {
        let known: Vec<_> = lineup.iter().map(|entrant| entrant.name).collect();
        names::check(&self.options.only, &known)?;
        lineup.retain(|entrant| names::admit(&self.options.only, entrant.name, &known));
        Ok(lineup)
    }

    pub fn admits(&self, label: &Label) -> bool {
        pattern::admits(&self.options.case, &label.to_string())
    }

    /// Records the cells that were asked for, and gives them back.
    pub fn keep(&mut self, mut cells: Vec<Cell>) -> Result<Vec<Cell>> {
        cells.retain(|cell| self.admits(&cell.label));
        for cell in &cells {
            self.record.write(&cell.rows(self.bench))?;
        }
        Ok(cells)
    }
}
