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

fn cases(options: &Options) -> impl Iterator<Item = (Subject, Load, u64, Allocator)> {
    let laws = if options.laws { &Subject::LAWS[..] } else { &Subject::LAWS[..1] };
    let of_limit = move |limit| {
        let allocators = options.allocators().iter();
        allocators.flat_map(move |&allocator| {
            let loads = options.loads().iter();
            loads.flat_map(move |&load| laws.iter().map(move |&law| (law, load, limit, allocator)))
        })
    };
    options.limits().flat_map(of_limit)
}
