//! What is logged, through the crate `tracing` (feature `tracing`; without it nothing is). Nothing here is in a hot path.

#[cfg(feature = "tracing")]
mod on {
    use bytesize::ByteSize;

    /// Once for each collector: signal and limit, and why not others.
    pub fn started(explanation: &str) {
        tracing::info!(target: "weakmap", "{explanation}");
    }

    pub fn limit_changed(from: u64, to: u64, why: &str) {
        let [from, to] = [from, to].map(|bytes| ByteSize::b(bytes).to_string());
        tracing::debug!(target: "weakmap", from, to, why, "limit changed");
    }

    pub fn exhausted() {
        tracing::warn!(target: "weakmap", "nothing can be freed: callers hold all values, or floors do; strips pause");
    }

    pub fn recovered() {
        tracing::info!(target: "weakmap", "values can be freed again");
    }

    pub fn no_background(error: &std::io::Error) {
        tracing::warn!(target: "weakmap", %error, "no background thread: inserts alone answer pressure");
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    pub fn started(_explanation: &str) {}
    pub fn limit_changed(_from: u64, _to: u64, _why: &str) {}
    pub fn exhausted() {}
    pub fn recovered() {}
    pub fn no_background(_error: &std::io::Error) {}
}

#[cfg(not(feature = "tracing"))]
pub use off::*;
#[cfg(feature = "tracing")]
pub use on::*;

/// Whether what is logged goes anywhere: texts are not made for nothing.
pub const ON: bool = cfg!(feature = "tracing");
