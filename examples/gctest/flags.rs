//! The flags, and what is refused.

use crate::bytes::Bytes;
use bytesize::ByteSize;
use clap::{CommandFactory, Parser, ValueEnum, error::ErrorKind};
use std::{path::PathBuf, time::Duration};

/// A year: what is longer is a slip of the pen.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Allocates at a rate against a memory limit, and shows a row a second of what the map makes of it.
///
/// Sizes are written as 100MB, 64MiB or plain bytes; durations as 10ms, 1m 30s or plain milliseconds.
#[derive(Debug, Parser)]
#[command(name = "gctest", max_term_width = 100)]
pub struct Flags {
    /// The most bytes of heap that may be in use
    #[arg(long, value_name = "SIZE", default_value = "100MB", value_parser = size)]
    pub memlimit: u64,
    /// Bytes of a value; at most the memory limit
    #[arg(long, value_name = "SIZE", default_value = "1MB", value_parser = size)]
    pub allocsize: u64,
    /// Between two sets of a thread; 0 for none
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = duration)]
    pub pause: Duration,
    /// Threads that set
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: u64,
    /// How long to run
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = above_zero)]
    pub duration: Duration,
    /// How much is stripped at which pressure
    #[arg(long, value_enum, default_value_t = Law::Pacer)]
    pub law: Law,
    /// Keep the last N values alive outside the map: stripped ones stay findable, and are strong again when asked for.
    /// They count as heap in use. Each is asked for once, before it is let go
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub hold: u64,
    /// Draw heap, limit and map size over time into this file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// No rows: print the summary alone, as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Law {
    /// Go's pacer: above 93 % of the limit each set is paid with strips
    Pacer,
    /// Passes that strip nothing at 80 % of the limit and everything at 100 %
    Proportional,
    /// The Go package's: each pass strips the share of entries that the heap is of the limit
    EveryPass,
}

impl Flags {
    /// The program's. Wrong ones end it, with exit code 2.
    pub fn read() -> Self {
        let flags = Self::parse();
        if flags.allocsize > flags.memlimit {
            let (size, most) = (Bytes(flags.allocsize), Bytes(flags.memlimit));
            let message = format!(
                "invalid value '{size}' for '--allocsize <SIZE>': must be at most --memlimit, {most}"
            );
            Self::command().error(ErrorKind::ValueValidation, message).exit();
        }
        flags
    }

    /// How many of the held values are the setter's of that number.
    pub fn hold_of(&self, number: u64) -> u64 {
        self.hold / self.threads + u64::from(number < self.hold % self.threads)
    }
}

impl From<Law> for weakmap::Law {
    fn from(law: Law) -> Self {
        match law {
            Law::Pacer => Self::Pacer,
            Law::Proportional => Self::Proportional { low: 0.8, high: 1.0 },
            Law::EveryPass => Self::EveryPass,
        }
    }
}

fn size(text: &str) -> Result<u64, String> {
    let size = text.parse::<ByteSize>().map(|size| size.as_u64());
    let allowed = |&size: &u64| (1..=i64::MAX as u64).contains(&size);
    size.ok().filter(allowed).ok_or_else(|| "must be a size above 0, such as 100MB, 64MiB or 1000000".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    let plain = text.parse().map(Duration::from_millis);
    let time = plain.or_else(|_| humantime::parse_duration(text));
    time.ok().filter(|&time| time <= LONGEST).ok_or_else(|| {
        "must be a time of at most a year, such as 10ms, 1m 30s, or 250 for milliseconds".into()
    })
}

fn above_zero(text: &str) -> Result<Duration, String> {
    duration(text)
        .and_then(|time| if time.is_zero() { Err("must be above 0, such as 10s".into()) } else { Ok(time) })
}
