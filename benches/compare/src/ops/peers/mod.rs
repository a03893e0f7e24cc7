//! The subjects, a file each.

pub mod dashmap;
pub mod foyer;
pub mod lru;
pub mod mini_moka;
pub mod moka;
pub mod papaya;
pub mod quick_cache;
pub mod scc;
pub mod std;
pub mod weakmap;
