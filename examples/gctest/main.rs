//! Allocates at a rate against a memory limit, and shows a row a second of what the map makes of it: the Go package's
//! `example/gctest`.
//!
//! ```text
//! cargo run --release --example gctest
//! cargo run --release --example gctest -- --pause 0 --threads 4
//! cargo run --release --example gctest -- --law every-pass --plot every-pass.svg
//! ```
//!
//! Under the default law the heap climbs to 96 % of the limit and stays there, each set paid with a strip; `--law every-pass`
//! is the Go package's own, to compare with. The map knows neither how many values fit nor how large they are: it goes
//! by what the counting allocator below says. `--help` tells the flags.

mod bytes;
mod flags;
mod plot;
mod recording;
mod setter;
mod span;
mod summary;
mod table;

use flags::Flags;
use plot::Plot;
use recording::Recording;
use setter::Setter;
use span::Span;
use std::{
    alloc::System,
    error::Error,
    io::{self, Write},
    process::exit,
    sync::atomic::AtomicU64,
    thread,
};
use summary::Summary;
use table::Table;
use weakmap::{WeakMap, heap::Counting};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

type Cache = WeakMap<u64, Vec<u8>>;

fn main() {
    run(&Flags::read()).unwrap_or_else(|error| quit(&*error));
}

fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    // Opened first: a file that cannot be written is told before the run, not after.
    let plot = flags.plot.as_deref().map(Plot::create).transpose()?;
    let cache = Cache::builder().limit(flags.memlimit).law(flags.law.into()).build()?;
    let table = Table::new(flags);
    table.header()?;

    let recording = allocate(&cache, flags, &table);
    table.finish();
    report(&Summary::new(flags, &recording, &cache.stats(), &cache.collector().stats()), flags.json)?;
    plot.map_or(Ok(()), |plot| plot.draw(flags, &recording))
}

/// The run itself: the setters, the sampling thread, and the rows, until the time is over.
fn allocate(cache: &Cache, flags: &Flags, table: &Table) -> Recording {
    let keys = AtomicU64::new(0);
    let mut recording = Recording::new(flags.duration);
    let span = Span::from_now(flags.duration);
    thread::scope(|scope| {
        scope.spawn(|| recording.sample(cache, span));
        for number in 0..flags.threads {
            let mut setter = Setter::new(cache, &keys, flags.allocsize, flags.hold_of(number));
            scope.spawn(move || setter.run(span.ticks(flags.pause)));
        }
        table.rows(cache, span).unwrap_or_else(|error| quit(&error));
    });
    recording
}

fn report(summary: &Summary, json: bool) -> Result<(), Box<dyn Error>> {
    let text = if json { serde_json::to_string(summary)? } else { summary.to_string() };
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// Says what went wrong; a reader that wanted no more (`| head`) is nothing wrong.
fn quit(error: &(dyn Error + 'static)) -> ! {
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        exit(0);
    }
    eprintln!("gctest: {error}");
    exit(1);
}
