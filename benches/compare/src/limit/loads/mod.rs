//! A given limit under load: how much of it is in use, and who waits for that.

mod row;

use anyhow::Result;

use self::row::Row;
use super::{
    Options,
    job::{self, Job, Run},
    load::Load,
    record::Record,
    subject::Subject,
    text,
};
use crate::allocator::Allocator;

pub fn run(options: &Options, record: &mut Record) -> Result<()> {
    let mut rows = Vec::new();
    for (subject, load, limit, allocator) in cases(options) {
        let run = Run::new(subject, load, limit, options.span());
        let outcome = job::run(&Job::Load(run.clone()), allocator)?;
        let row = Row::new(&run, allocator, &outcome);
        eprintln!("{}", row.told());
        record.write("loads", &row)?;
        rows.push(row);
    }
    println!("\n{}", text::table(&Row::HEADINGS, Row::WORDS, rows.iter().map(Row::cells)));
    println!("{}", row::legend());
    Ok(())
}

fn cases(options: &Options) -> Vec<(Subject, Load, u64, Allocator)> {
    let mut cases = Vec::new();
    for limit in options.limits() {
        for &allocator in options.allocators() {
            for &load in options.loads() {
                cases.extend(options.subjects().into_iter().map(|subject| (subject, load, limit, allocator)));
            }
        }
    }
    cases
}
