//! What is found in the same memory: weakmap with nothing set but the limit, and each peer with the capacity at which it
//! uses as much.

mod replay;
mod requests;
mod search;

use anyhow::Result;
use bytesize::ByteSize;
use serde::Serialize;

pub use self::replay::Replay;
use self::{replay::Kept, requests::Requests, search::Search};
use super::{
    Options,
    job::{self, Job},
    record::Record,
    subject::Subject,
    text::{self, percent},
};
use crate::allocator::Allocator;

const HEADINGS: [&str; 7] = ["requests", "limit", "cache", "capacity", "in use", "hits %", "bytes hit %"];

#[derive(Serialize)]
struct Row {
    requests: String,
    limit: u64,
    subject: &'static str,
    /// In bytes of values; none where there is only the limit.
    capacity: Option<u64>,
    #[serde(flatten)]
    kept: Kept,
}

pub fn run(options: &Options, record: &mut Record) -> Result<()> {
    let mut rows = Vec::new();
    for requests in Requests::all(options.traces.as_deref(), options.quick)? {
        for row in rows_of(&requests, peers(options))? {
            eprintln!("{}", row.cells().join("  "));
            record.write("hits", &row)?;
            rows.push(row);
        }
    }
    println!("\n{}", text::table(&HEADINGS, 3, rows.iter().map(Row::cells)));
    println!(
        "One thread, get, else insert; larger values are cut to {}. in use: counted bytes, the mean over the second half \
         of the requests; each peer's capacity was searched for the same.",
        ByteSize::b(requests::LARGEST as u64)
    );
    Ok(())
}

fn peers(options: &Options) -> &'static [Subject] {
    if options.quick { &Subject::PEERS[..1] } else { &Subject::PEERS }
}

fn rows_of(requests: &Requests, peers: &[Subject]) -> Result<Vec<Row>> {
    let limit = requests.limit()?;
    let replay = |subject, bytes| {
        let replay = Replay { subject, requests: requests.clone(), bytes };
        job::run::<Kept>(&Job::Replay(replay), Allocator::Glibc)
    };
    let row = |subject: Subject, capacity, kept| Row {
        requests: requests.name().into(),
        limit,
        subject: subject.name(),
        capacity,
        kept,
    };
    let ours = replay(Subject::Weakmap, limit)?;
    let mut rows = vec![
        row(Subject::Weakmap, None, ours),
        row(Subject::Weighed, None, replay(Subject::Weighed, limit)?),
    ];
    for &peer in peers {
        let search = Search { target: ours.live, from: limit };
        let (capacity, kept) = search.run(|capacity| replay(peer, capacity))?;
        rows.push(row(peer, Some(capacity), kept));
    }
    Ok(rows)
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let size = |bytes| ByteSize::b(bytes).to_string();
        vec![
            self.requests.clone(),
            size(self.limit),
            self.subject.into(),
            self.capacity.map_or(String::new(), size),
            size(self.kept.live),
            percent(self.kept.hit_ratio),
            percent(self.kept.byte_hit_ratio),
        ]
    }
}
