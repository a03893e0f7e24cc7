//! What is asked for: a trace that has sizes, or zipf draws.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    hit_ratio::{source, trace::Trace},
    limit::load::{Keys, Sizes},
};

/// Of all bytes, where the requests come from a trace.
const SHARE: u64 = 10;
/// Bytes of a value.
pub const LARGEST: usize = 1 << 20;
/// Of the draws.
const LIMIT: u64 = 64 << 20;
const DRAWS: usize = 400_000;
const DRAWS_IF_QUICK: usize = 40_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Requests {
    Zipf { draws: usize },
    Trace { folder: PathBuf, name: String },
}

/// Keys and sizes, and how many they are.
pub type Stream = (usize, Box<dyn Iterator<Item = (u64, usize)>>);

impl Requests {
    /// Zipf, and the folder's traces that have sizes.
    pub fn all(folder: Option<&Path>, quick: bool) -> Result<Vec<Self>> {
        let mut all = vec![Self::Zipf { draws: if quick { DRAWS_IF_QUICK } else { DRAWS } }];
        if let Some(folder) = folder {
            let names = source::names(folder, ".sizes.zst").with_context(|| folder.display().to_string())?;
            all.extend(names.into_iter().map(|name| Self::Trace { folder: folder.into(), name }));
        }
        Ok(all)
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Zipf { .. } => "zipf 0.9",
            Self::Trace { name, .. } => name,
        }
    }

    pub fn limit(&self) -> Result<u64> {
        match self {
            Self::Zipf { .. } => Ok(LIMIT),
            Self::Trace { folder, name } => Ok(total(&Trace::read(folder, name, true)?) / SHARE),
        }
    }

    /// Of the keys' sizes.
    pub fn mean(&self) -> Result<f64> {
        match self {
            Self::Zipf { .. } => Ok(Sizes::Mixed.mean()),
            Self::Trace { folder, name } => {
                let trace = Trace::read(folder, name, true)?;
                Ok(total(&trace) as f64 / trace.unique as f64)
            }
        }
    }

    pub fn stream(&self) -> Result<Stream> {
        match self {
            Self::Zipf { draws } => Ok((*draws, Box::new(zipf().take(*draws)))),
            Self::Trace { folder, name } => {
                let trace = Trace::read(folder, name, true)?;
                let count = trace.keys.len();
                let request = move |at: usize| {
                    let key = trace.keys[at];
                    (u64::from(key), size(&trace, key))
                };
                Ok((count, Box::new((0..count).map(request))))
            }
        }
    }
}

fn zipf() -> impl Iterator<Item = (u64, usize)> {
    let mut keys = Keys::new(Sizes::Mixed, LIMIT, 0, 1);
    let draw = move || {
        let key = keys.zipf();
        (key, Sizes::Mixed.of(key))
    };
    std::iter::repeat_with(draw)
}

/// Cut off where a value alone would overflow the limit while it is made: whatever is kept then, it is not kept in the limit.
fn size(trace: &Trace, key: u32) -> usize {
    (trace.weight(key) as usize).min(LARGEST)
}

fn total(trace: &Trace) -> u64 {
    (0..trace.unique).map(|key| size(trace, key as u32) as u64).sum()
}
