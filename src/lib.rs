#![doc = include_str!("../README.md")]
#![cfg_attr(weakmap_loom, allow(missing_docs, missing_debug_implementations))]

mod sync;

mod slot;

mod prefetch;
mod quiet;

mod index;

mod entry;

mod stats;

mod error;

pub mod heap;

mod gc;

mod tuning;

mod flight;

mod builder;

mod map;

mod pinned;

pub use builder::Builder;
pub use equivalent::Equivalent;
pub use error::ConfigError;
pub use gc::{Collector, Law, Policy};
pub use map::{DefaultHasher, Iter, WeakMap};
pub use pinned::Pinned;
pub use stats::{CollectorStats, PassReport, Stats};
pub use tuning::Tuning;

/// What the models in `loom-tests` see beside the public face.
#[cfg(weakmap_loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::{
        gc::model::*,
        index::{Index, Keyed, part_of},
        slot::*,
        sync::{model::*, *},
    };
}
