//! Memory limits: what is in use of them under load, what a real cgroup does, and what is kept in the same memory.
//!
//! Each run is a child process, under `heap::Counting` over the allocator in question.

mod cgroup;
mod disturbance;
mod hits;
mod job;
mod load;
mod loads;
mod need;
mod pauses;
mod plot;
mod record;
mod recording;
mod stage;
mod subject;
mod text;
mod worker;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use bytesize::ByteSize;
use clap::{Args, ValueEnum};

use self::{load::Load, record::Record, subject::Subject};
use crate::allocator::Allocator;

#[derive(Args)]
pub struct Options {
    /// Only these parts [default: loads,hits,cgroup]
    #[arg(long, value_name = "PARTS", value_delimiter = ',', hide_default_value = true)]
    part: Vec<Part>,

    /// Only these loads.
    #[arg(long, value_name = "LOADS", value_delimiter = ',')]
    load: Vec<Load>,

    /// Only these allocators.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    allocator: Vec<Allocator>,

    /// Limits of the loads.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "64MiB,512MiB")]
    limit: Vec<ByteSize>,

    /// Seconds of each load, after the fill.
    #[arg(long, value_name = "N", default_value_t = 5)]
    seconds: u64,

    /// Seconds of each flood in a cgroup.
    #[arg(long, value_name = "N", default_value_t = 30)]
    cgroup_seconds: u64,

    /// The loads under each of weakmap's laws, too.
    #[arg(long)]
    laws: bool,

    /// The loads on moka and quick_cache, too, their capacity in bytes of values the limit.
    #[arg(long)]
    peers: bool,

    /// Folder of NAME.trace.zst and NAME.sizes.zst files, for the hit ratios; made-up requests alone without it.
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,

    /// Write a JSON object per row.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Draw heap against limit over time, for each law and peer, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// A second of each: one allocator, one limit, one peer, three loads.
    #[arg(long)]
    quick: bool,

    /// Does what stdin says.
    #[arg(long, hide = true)]
    child: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Use of a given limit.
    Loads,
    /// Hit ratios in the same memory.
    Hits,
    /// A real memory cgroup, its limit detected.
    Cgroup,
    /// The picture alone.
    Plot,
}

impl Options {
    fn has(&self, part: Part) -> bool {
        if self.part.is_empty() { part != Part::Plot } else { self.part.contains(&part) }
    }

    fn loads(&self) -> &[Load] {
        match (self.load.is_empty(), self.quick) {
            (true, true) => &[Load::Flood, Load::Bursty, Load::Step],
            (true, false) => Load::value_variants(),
            _ => &self.load,
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        let laws = if self.laws { &Subject::LAWS[..] } else { &Subject::LAWS[..1] };
        let peers = if self.peers { &Subject::PEERS[..2] } else { &[] };
        [laws, peers].concat()
    }

    fn allocators(&self) -> &[Allocator] {
        match (self.allocator.is_empty(), self.quick) {
            (true, true) => &[Allocator::Glibc],
            (true, false) => Allocator::value_variants(),
            _ => &self.allocator,
        }
    }

    fn limits(&self) -> impl Iterator<Item = u64> {
        let count = if self.quick { 1 } else { self.limit.len() };
        self.limit.iter().take(count).map(ByteSize::as_u64)
    }

    fn span(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.seconds })
    }

    fn cgroup_span(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.cgroup_seconds })
    }
}

pub fn run(options: &Options) -> Result<()> {
    if options.child {
        return job::obey();
    }
    let mut record = Record::create(options.json.as_deref())?;
    if options.has(Part::Loads) {
        loads::run(options, &mut record)?;
    }
    if options.has(Part::Hits) {
        hits::run(options, &mut record)?;
    }
    if options.has(Part::Cgroup) {
        cgroup::run(options, &mut record)?;
    }
    match &options.plot {
        Some(file) => plot::draw(file, options.span()),
        None => Ok(()),
    }
}
