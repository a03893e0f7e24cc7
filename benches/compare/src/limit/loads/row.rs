//! A line of the table, and what was to be reached.

use bytesize::ByteSize;
use serde::Serialize;

use crate::{
    allocator::Allocator,
    limit::{
        job::Run,
        load::Load,
        pauses::Pauses,
        stage::Outcome,
        text::{millis, percent},
    },
};

/// Of the limit: the least mean, where memory comes and goes as the cache likes.
const MEAN: f64 = 0.94;
const BEYOND_NEED: f64 = 0.06;
/// Where memory comes and goes as others like.
const BEYOND_NEED_IN_STEPS: f64 = 0.08;

#[derive(Serialize)]
pub struct Row {
    subject: &'static str,
    #[serde(skip)]
    ours: bool,
    load: Load,
    allocator: Allocator,
    limit: u64,
    seconds: f64,
    /// Shares of the limit.
    mean: f64,
    highest: f64,
    /// The limit, the count's error, and what was in hand then.
    allowed: f64,
    /// The highest that was beyond error and hand at any time.
    surplus: f64,
    strips_beyond_need: f64,
    hit_ratio: Option<f64>,
    pauses: Pauses,
    bystander: Pauses,
    overruns: u64,
    missed: Vec<&'static str>,
}

impl Row {
    pub const HEADINGS: [&str; 14] = [
        "load",
        "limit",
        "allocator",
        "cache",
        "mean %",
        "highest %",
        "allowed %",
        "beyond need %",
        "hits %",
        "p99.99 ms",
        "longest ms",
        "blocked ms",
        "without a map ms",
        "overruns",
    ];
    pub const WORDS: usize = 4;

    pub fn new(run: &Run, allocator: Allocator, outcome: &Outcome) -> Self {
        let share = |bytes: f64| bytes / run.room.bytes as f64;
        let (recording, peak) = (&outcome.recording, outcome.recording.peak);
        let mut row = Self {
            subject: run.subject.name(),
            ours: run.subject.is_ours(),
            load: run.load,
            allocator,
            limit: run.room.bytes,
            seconds: run.span.as_secs_f64(),
            mean: share(recording.mean),
            highest: share(peak.live as f64),
            allowed: 1.0 + share((peak.error + peak.in_hand) as f64),
            surplus: share(peak.surplus as f64),
            strips_beyond_need: recording.beyond_need,
            hit_ratio: (outcome.requests > 0).then(|| outcome.hits as f64 / outcome.requests as f64),
            pauses: outcome.pauses,
            bystander: outcome.bystander,
            overruns: outcome.overruns,
            missed: Vec::new(),
        };
        row.missed = row.misses();
        row
    }

    fn misses(&self) -> Vec<&'static str> {
        if !self.ours {
            return Vec::new();
        }
        let calm = matches!(self.load, Load::Steady | Load::Bursty);
        let most = if self.load == Load::Step { BEYOND_NEED_IN_STEPS } else { BEYOND_NEED };
        let targets = [
            ("highest", self.surplus > 1.0),
            ("mean", calm && self.mean < MEAN),
            ("strips", self.strips_beyond_need > most),
            ("blocked", self.pauses.is_long()),
        ];
        targets.into_iter().filter(|(_, missed)| *missed).map(|(name, _)| name).collect()
    }

    /// What was missed is marked.
    pub fn cells(&self) -> Vec<String> {
        let marked =
            |name, text: String| if self.missed.contains(&name) { format!("**{text}**") } else { text };
        vec![
            self.load.name().into(),
            ByteSize::b(self.limit).to_string(),
            self.allocator.name().into(),
            self.subject.into(),
            marked("mean", percent(self.mean)),
            marked("highest", percent(self.highest)),
            percent(self.allowed),
            marked("strips", percent(self.strips_beyond_need)),
            self.hit_ratio.map_or(String::new(), percent),
            millis(self.pauses.p9999),
            millis(self.pauses.longest),
            marked("blocked", millis(self.pauses.blocked)),
            format!("{} / {}", millis(self.bystander.longest), millis(self.bystander.blocked)),
            self.overruns.to_string(),
        ]
    }

    /// In a line, while others run.
    pub fn told(&self) -> String {
        let missed = if self.missed.is_empty() {
            String::new()
        } else {
            format!(" missed: {}", self.missed.join(", "))
        };
        let cells = self.cells().join("  ").replace("**", "");
        cells + &missed
    }
}

pub fn legend() -> String {
    format!(
        "Of the limit after the fill; bold: missed. To reach: never more than allowed, mean >= {} % (steady, bursty), beyond \
         need <= {} % (step: {} %), blocked <= 10 ms.\n\
         allowed: the limit, the count's error, and the values in hand of inserting threads at that moment.\n\
         beyond need: bytes evicted, against an ideal cache all of whose memory is values.\n\
         blocked: the longest call, the time that its thread waited for a processor left out. without a map: longest and \
         blocked of a thread that makes and drops the same values at the same time.",
        percent(MEAN),
        percent(BEYOND_NEED),
        percent(BEYOND_NEED_IN_STEPS)
    )
}
