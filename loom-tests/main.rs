//! Model checks of the protocols in `src`: run `cargo loom`, or `cargo loom slot::`.
//!
//! One file per protocol. Every race is between spawned threads, in both spawn orders: loom skips interleavings of the
//! main thread (tokio-rs/loom #166, #392). README.md lists the mutants that each model caught.

#[cfg(not(weakmap_loom))]
compile_error!("run `cargo loom`; RUSTFLAGS in the environment hides its cfg");

mod alarm;
mod flight;
mod grace;
mod graves;
mod index;
mod number;
mod pin;
mod region;
mod slot;
mod strong;
mod witness;
