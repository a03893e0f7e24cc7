//! Hit ratios: every subject replays every trace at every size.
//!
//! On a miss the key is inserted; cold misses count. Means are taken over rows, a row being a
//! trace at a size: the long traces would drown the rest in a mean over requests.

mod belady;
mod best;
mod foyer;
mod halves;
mod lineup;
mod lru;
mod mini_moka;
mod moka;
mod plot;
mod quick_cache;
mod recency;
mod record;
mod room;
mod row;
pub mod source;
mod standing;
mod subject;
mod synthetic;
mod table;
pub mod trace;
mod weakmap;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use self::{
    best::Best, record::Record, room::Percent, row::Row, source::Source, subject::Subject, trace::Trace,
};
use crate::progress::Progress;

#[derive(Args, Default)]
pub struct Options {
    /// Folder of NAME.trace.zst (and NAME.sizes.zst) files.
    #[arg(long, value_name = "DIR", required_unless_present = "quick")]
    traces: Option<PathBuf>,

    /// Only these subjects, comma separated; "foyer" also stands for every "foyer-…".
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Only these traces, comma separated; * is any run of characters.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    trace: Vec<String>,

    /// Capacities and weights in bytes, on the traces that have sizes.
    #[arg(long)]
    sized: bool,

    /// Write a line per trace, size and subject.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write a JSON object per line: trace, size and subject.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Draw an SVG per trace: hit ratio against size.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,

    /// weakmap alone: what two threads lose against one, replaying the halves of each trace at once.
    #[arg(long)]
    halves: bool,

    /// Three small traces at two sizes; made-up traces if no folder is given.
    #[arg(long)]
    quick: bool,

    /// Cache sizes in % of the unique keys (of their bytes, if --sized)
    /// [default: 0.1,1,5,10,25, or 1,10 if --quick]
    #[arg(long, value_name = "PERCENTS", value_delimiter = ',', hide_default_value = true)]
    sizes: Vec<Percent>,
}

impl Options {
    fn percents(&self) -> Vec<Percent> {
        match (self.sizes.as_slice(), self.quick) {
            ([], true) => Percent::list(&[1.0, 10.0]),
            ([], false) => Percent::list(&[0.1, 1.0, 5.0, 10.0, 25.0]),
            (given, _) => given.to_vec(),
        }
    }
}

pub fn run(options: &Options) -> Result<()> {
    if options.halves {
        return halves::run(options);
    }
    let subjects = lineup::pick(&options.only)?;
    let sources = source::pick(options)?;
    let best = Best::beside(options.traces.as_deref(), options.sized)?;
    let rows = measure(options, &subjects, &sources)?;
    print!("{}", table::text(&rows, &subjects, best.as_ref()));
    match &options.plot {
        Some(folder) => plot::draw(folder, &rows),
        None => Ok(()),
    }
}

fn measure(options: &Options, subjects: &[Box<dyn Subject>], sources: &[Source]) -> Result<Vec<Row>> {
    let mut record = Record::create(options)?;
    let progress = Progress::new(sources.len() * options.percents().len() * subjects.len());
    let mut rows = Vec::new();
    for source in sources {
        let trace = source.load(options.sized)?;
        for row in replays(&trace, &options.percents(), subjects, &progress) {
            record.write(&row)?;
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The rows of one trace, each measured when asked for.
fn replays<'a>(
    trace: &'a Trace,
    percents: &[Percent],
    subjects: &'a [Box<dyn Subject>],
    progress: &'a Progress,
) -> impl Iterator<Item = Row> + 'a {
    let rooms = room::rooms(trace, percents);
    let pairs = rooms.into_iter().flat_map(|room| subjects.iter().map(move |subject| (room, subject)));
    pairs.filter_map(|(room, subject)| {
        progress.step(&trace.name, subject.name());
        let mut cache = subject.build(&room, trace)?;
        Some(Row::measure(trace, &room, subject.name(), &mut *cache))
    })
}
