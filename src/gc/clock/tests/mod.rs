//! Drives the policy alone, as a cache would, on one thread.

mod cache;
mod exact;
mod limits;
mod reference;
mod same_victims;
mod traces;
