//! What the heap may grow to, where nobody said.

use crate::builder::ConfigError;
use bytesize::ByteSize;

/// The variable that sets the limit from outside, as "512MiB".
pub const VARIABLE: &str = "WEAKMAP_LIMIT";

/// Assumed where the machine's memory cannot be told.
const UNKNOWN: u64 = 1 << 30;

/// `WEAKMAP_LIMIT`, else half of physical memory.
pub fn detect() -> Result<u64, ConfigError> {
    match std::env::var(VARIABLE) {
        Ok(text) => parse(&text),
        Err(_) => Ok(physical_memory().map_or(UNKNOWN, |bytes| bytes / 2)),
    }
}

fn parse(text: &str) -> Result<u64, ConfigError> {
    let bytes = text.trim().parse::<ByteSize>().map(|size| size.as_u64());
    match bytes {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => {
            Err(ConfigError::new(VARIABLE, format!("{text:?}"), "a size above 0, such as 512MiB or 1000000"))
        }
    }
}

#[cfg(target_os = "linux")]
fn physical_memory() -> Option<u64> {
    total_of(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn physical_memory() -> Option<u64> {
    None
}

#[cfg(any(target_os = "linux", test))]
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [("512MiB", 512 << 20), ("1GB", 1_000_000_000), (" 4096 ", 4096)] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn no_sizes() {
        for text in ["", "lots", "-1", "0", "12 parsecs"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("WEAKMAP_LIMIT") && error.contains("512MiB"), "{error}");
        }
    }

    #[test]
    fn meminfo() {
        assert_eq!(total_of("MemTotal:       24 kB\nMemFree: 1 kB\n"), Some(24 * 1024));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
    }
}
