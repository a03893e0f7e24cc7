//! Bytes as people read them.

use bytesize::ByteSize;
use std::fmt;

/// Shown as "100 MB" or "95.3 MB".
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = ByteSize::b(self.0).display().si().to_string();
        f.write_str(&text.replacen(".0 ", " ", 1))
    }
}
