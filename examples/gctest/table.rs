//! The rows, one a second, and a live line below them on a terminal.

use crate::{Cache, bytes::Bytes, flags::Flags, span::Span, summary::passes};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

const ROW: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(100);

pub struct Table {
    rate: String,
    limit: u64,
    /// No rows.
    quiet: bool,
    line: ProgressBar,
}

impl Table {
    pub fn new(flags: &Flags) -> Self {
        let live = io::stderr().is_terminal() && (flags.json || io::stdout().is_terminal());
        let line = if live { line(flags.duration) } else { ProgressBar::hidden() };
        Self { rate: rate(flags), limit: flags.memlimit, quiet: flags.json, line }
    }

    pub fn header(&self) -> io::Result<()> {
        self.say(format_args!("allocating at {} to a memory limit of {}", self.rate, Bytes(self.limit)))?;
        let names = ["Map Size", "Total Sets", "Mem Alloc", "Next Pass", "Passes", "Stripped", "Weak"];
        self.row(names.map(String::from))
    }

    /// Shows rows until the time is over.
    pub fn rows(&self, cache: &Cache, span: Span) -> io::Result<()> {
        let mut due = ROW;
        for at in span.ticks(REDRAW) {
            let cells = self.cells(cache);
            let [entries, sets, used, ..] = &cells;
            self.line.set_message(format!("{used}, {entries} entries, {sets} sets"));
            self.line.set_position(at.as_millis() as u64);
            if at >= due {
                due += ROW;
                self.row(cells)?;
            }
        }
        Ok(())
    }

    pub fn finish(&self) {
        self.line.finish_and_clear();
    }

    fn cells(&self, cache: &Cache) -> [String; 7] {
        let (map, heap) = (cache.stats(), cache.collector().stats());
        [
            map.entries.to_string(),
            map.inserts.to_string(),
            format!("{} ({:.0}%)", Bytes(heap.live), heap.pressure * 100.0),
            // While a pass is under way, the next one is not decided yet.
            if heap.next_pass == u64::MAX { "now".into() } else { Bytes(heap.next_pass).to_string() },
            passes(&heap).to_string(),
            map.stripped.to_string(),
            map.weak.to_string(),
        ]
    }

    fn row(&self, [entries, sets, used, next, passes, stripped, weak]: [String; 7]) -> io::Result<()> {
        self.say(format_args!(
            "{entries:<10} {sets:<11} {used:<16} {next:<10} {passes:<9} {stripped:<11} {weak}"
        ))
    }

    fn say(&self, line: std::fmt::Arguments) -> io::Result<()> {
        if self.quiet { Ok(()) } else { self.line.suspend(|| writeln!(io::stdout(), "{line}")) }
    }
}

fn line(duration: Duration) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed:>3} {bar:24} {msg}").expect("a valid template");
    ProgressBar::new(duration.as_millis() as u64).with_style(style)
}

fn rate(flags: &Flags) -> String {
    if flags.pause.is_zero() {
        return "full speed".into();
    }
    let a_second = flags.allocsize as f64 * flags.threads as f64 / flags.pause.as_secs_f64();
    format!("a rate of {}/s", Bytes(a_second as u64))
}
