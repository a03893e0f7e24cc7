//! What was tuned, ready for use.

use super::pacer::Pacer;
use crate::{
    error::ConfigError,
    heap::{Limit, Origin, Source},
    sync::shared::Arc,
    tuning::Tuning,
};

/// Read at every insert, replaced as a whole.
#[derive(Clone)]
pub struct Settings {
    pub tuning: Tuning,
    pub pacer: Pacer,
    pub source: Source,
    /// The source knows what single threads take.
    pub measures: bool,
    /// What was told or found.
    pub limit: Arc<Limit>,
    /// The limit in force, in bytes: the outer loop may have moved it.
    pub bytes: u64,
}

impl Settings {
    pub fn new(tuning: Tuning) -> Result<Self, ConfigError> {
        tuning.check()?;
        let limit = Limit::given_or_detected(tuning.limit, tuning.resident_limit)?;
        let pacer = Pacer::new(tuning.law, limit.bytes, tuning.sensitivity);
        let source = Source::choose(tuning.heap.clone());
        Ok(Self {
            tuning,
            pacer,
            measures: source.measures(),
            source,
            bytes: limit.bytes,
            limit: Arc::new(limit),
        })
    }

    /// The same with another limit in force.
    pub fn corrected(&self, bytes: u64) -> Self {
        let pacer = Pacer::new(self.tuning.law, bytes, self.tuning.sensitivity);
        Self { pacer, bytes, ..self.clone() }
    }

    /// Whether the limit was found, and may be another by now. The environment is read once.
    pub fn is_found(&self) -> bool {
        let told = self.tuning.limit.is_some() || self.tuning.resident_limit.is_some();
        !told && self.limit.origin != Origin::Variable
    }

    /// The most that one value may weigh: what a limit was before it was corrected, where it is on weights, which may stand for any number of bytes.
    pub fn most_of_one(&self) -> u64 {
        if self.source.is_weights() { self.limit.bytes.max(self.bytes) } else { self.bytes }
    }

    /// Whether a tick finds anything to do.
    pub fn ticks(&self) -> bool {
        self.is_found() || self.limit.wall.is_some()
    }

    /// Tuned anew, with what the outer loop has found out so far, if the limit is the same, and in the same unit.
    pub fn keep_correction_of(self, old: &Self) -> Self {
        if self.limit.is_the_same(&old.limit) && self.source.is_weights() == old.source.is_weights() {
            Self { limit: Arc::clone(&old.limit), ..self.corrected(old.bytes) }
        } else {
            self
        }
    }

    /// Where the limit is another by now: the same with that. How far the outer loop had come with the old wall holds for the new one.
    pub fn found_anew(&self) -> Option<Self> {
        let now = Limit::detect_again().filter(|now| !now.is_the_same(&self.limit))?;
        let bytes = match (self.limit.wall, now.wall) {
            (Some(old), Some(new)) => (self.bytes as f64 * (new as f64 / old as f64)).max(1.0) as u64,
            _ => now.bytes,
        };
        Some(Self { limit: Arc::new(now), ..self.corrected(bytes) })
    }

    /// Which signal and which limit, and why not others; and what purges.
    pub fn explain(&self) -> String {
        let purge = self.tuning.purge.as_ref().map_or("none was given", |purge| purge.name());
        let mut text = format!("{}\n{}", self.source.explain(), self.limit.explain());
        if self.bytes != self.limit.bytes {
            let unit = if self.source.is_weights() { "of weight" } else { "bytes" };
            text += &format!("\n  corrected to {} {unit} by what is taken of the wall", self.bytes);
        }
        text + &format!("\npurge: {purge}")
    }
}
