//! What is refused.

/// A setting that cannot work: which, what it was, and what is allowed.
///
/// ```
/// use weakmap::WeakMap;
///
/// let error = WeakMap::<u32, u32>::builder().limit(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "`limit` is 0 B: must be above 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is {value}: must be {allowed}")]
pub struct ConfigError {
    field: &'static str,
    value: String,
    allowed: String,
}

impl ConfigError {
    pub(crate) fn new(field: &'static str, value: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { field, value: value.into(), allowed: allowed.into() }
    }

    /// The setting that was refused, as the builder's method is called, or the environment variable.
    pub fn field(&self) -> &'static str {
        self.field
    }
}
