//! A real memory cgroup: weakmap finds its limit out by itself, peers get the capacity that a user would work out.

mod group;

use std::{
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::Result;
use bytesize::ByteSize;
use serde::Serialize;

use self::group::Group;
use super::{
    Options,
    job::{End, Job, Run, Running},
    load::Load,
    record::Record,
    stage::Outcome,
    subject::Subject,
    text::{self, percent},
};
use crate::allocator::Allocator;

const WALL: u64 = 80 << 20;
const EVERY: Duration = Duration::from_millis(10);
const LOADS: [Load; 2] = [Load::Flood, Load::FloodMixed];
const ALLOCATORS: [Allocator; 2] = [Allocator::Jemalloc, Allocator::Glibc];

const HEADINGS: [&str; 8] =
    ["cache", "capacity", "load", "allocator", "end", "mean use %", "highest use %", "unused"];

/// Peers get all of the cgroup for values, or the share that weakmap takes.
const CAPACITIES: [u64; 2] = [WALL, WALL / 4 * 3];

#[derive(Serialize)]
struct Row {
    subject: &'static str,
    /// Bytes of values; none where it is found out.
    capacity: Option<u64>,
    load: Load,
    allocator: Allocator,
    /// Seconds.
    killed_after: Option<f64>,
    seconds: f64,
    wall: u64,
    /// Shares of the cgroup, page cache left out: the mean after the fill, or all the time where it was killed before.
    mean_use: f64,
    highest_use: f64,
}

pub fn run(options: &Options, record: &mut Record) -> Result<()> {
    if let Err(why) = Group::make(WALL) {
        println!("\nno cgroup part: no v1 memory cgroup can be made here: {why}");
        return Ok(());
    }
    let mut rows = Vec::new();
    for (run, allocator) in cases(options) {
        let row = measure(&run, allocator)?;
        eprintln!("{}", row.cells().join("  "));
        record.write("cgroup", &row)?;
        rows.push(row);
    }
    println!("\nA v1 memory cgroup of {}, {} s each:", ByteSize::b(WALL), options.cgroup_span().as_secs());
    println!("{}", text::table(&HEADINGS, 5, rows.iter().map(Row::cells)));
    println!(
        "To reach: weakmap, its limit detected, is not killed and uses >= 75 % on average after the fill."
    );
    Ok(())
}

fn cases(options: &Options) -> Vec<(Run, Allocator)> {
    let (loads, allocators) =
        if options.quick { (&LOADS[..1], &ALLOCATORS[..1]) } else { (&LOADS[..], &ALLOCATORS[..]) };
    let peers = [Subject::Moka, Subject::QuickCache].into_iter();
    let peers = peers.flat_map(|peer| CAPACITIES.map(|bytes| (peer, bytes)));
    let ours = [(Subject::Weakmap, WALL), (Subject::Trimming, WALL)];
    let subjects: Vec<_> = ours.into_iter().chain(peers).collect();
    let mut cases = Vec::new();
    for &load in loads {
        for &allocator in allocators {
            let run = |&(subject, bytes)| {
                (Run::new(subject, load, bytes, options.cgroup_span()).detecting(), allocator)
            };
            let fits = |(subject, _): &&_| *subject != Subject::Trimming || allocator == Allocator::Glibc;
            cases.extend(subjects.iter().filter(fits).map(run));
        }
    }
    cases
}

fn measure(run: &Run, allocator: Allocator) -> Result<Row> {
    let group = Group::make(WALL)?;
    let mut running = Running::start(allocator)?;
    group.add(running.id())?;
    let start = Instant::now();
    running.give(&Job::Load(run.clone()))?;
    let child = thread::spawn(|| running.end::<Outcome>());
    let mut samples = Vec::new();
    while !child.is_finished() {
        samples.push((start.elapsed().as_secs_f64(), group.used()?));
        sleep(EVERY);
    }
    let end = child.join().expect("it only waits")?;
    Ok(Row::new(run, allocator, &samples, &end, start.elapsed(), group.most()?))
}

impl Row {
    fn new(
        run: &Run,
        allocator: Allocator,
        samples: &[(f64, u64)],
        end: &End<Outcome>,
        took: Duration,
        most: u64,
    ) -> Self {
        let (fill, killed) = match end {
            End::Told(outcome) => (outcome.fill, false),
            End::Killed => (0.0, true),
        };
        let full: Vec<_> = samples.iter().filter(|(at, _)| *at > fill).map(|(_, used)| *used).collect();
        let mean = full.iter().sum::<u64>() as f64 / full.len().max(1) as f64;
        Self {
            subject: run.subject.name(),
            capacity: (!run.subject.is_ours()).then_some(run.room.bytes),
            load: run.load,
            allocator,
            killed_after: killed.then_some(took.as_secs_f64()),
            seconds: run.span.as_secs_f64(),
            wall: WALL,
            mean_use: mean / WALL as f64,
            highest_use: most as f64 / WALL as f64,
        }
    }

    fn cells(&self) -> Vec<String> {
        let unused = ByteSize::b(WALL - (WALL as f64 * self.mean_use.min(1.0)) as u64);
        vec![
            self.subject.into(),
            self.capacity.map_or("detected".into(), |bytes| ByteSize::b(bytes).to_string()),
            self.load.name().into(),
            self.allocator.name().into(),
            self.killed_after.map_or("alive".into(), |after| format!("killed after {after:.1} s")),
            percent(self.mean_use),
            percent(self.highest_use),
            self.killed_after.map_or(unused.to_string(), |_| String::new()),
        ]
    }
}
