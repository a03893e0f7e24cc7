//! What `weakmap` promises, tested from outside.

mod basics;
mod bounds;
mod builder;
mod collector;
mod destructors;
mod hashers;
mod held;
mod history;
mod laws;
mod loads;
mod naive;
mod oracle;
mod panics;
mod pins;
mod reentry;
mod resident;
mod stress;
mod support;
mod threads;
