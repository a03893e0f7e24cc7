//! What the process takes of the machine.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs::File;
use std::io;

/// What this process takes of the machine: `/proc/self/statm`, through a descriptor that is kept.
///
/// For the slow correction of a limit, after a [`Purge`](super::Purge), never as a [`Heap`](super::Heap): resident memory falls late or
/// not at all after a free.
///
/// A reading costs a system call of about 1 µs and allocates nothing. Linux only; elsewhere [`open`](Self::open) fails with
/// [`Unsupported`](io::ErrorKind::Unsupported). The descriptor is the opening process's: open another after a `fork`.
///
/// ```
/// use weakmap::heap::Process;
///
/// match Process::open().and_then(|process| process.read()) {
///     Ok(usage) => println!("{} bytes resident", usage.resident),
///     Err(error) => println!("cannot be told here: {error}"),
/// }
/// ```
#[derive(Debug)]
pub struct Process {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    statm: File,
    /// Bytes.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    page: u64,
}

/// What a process takes, in bytes. The kernel counts in pages and in batches for each processor: exact to some 100 KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// In memory: heap, stacks, code, and mapped files. What a machine or a container runs out of.
    pub resident: u64,
    /// Writable and private, touched or not: what `RLIMIT_DATA` bounds (and the stacks).
    pub data: u64,
    /// All that is mapped: what `RLIMIT_AS` bounds.
    pub address_space: u64,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Process {
    /// Opens this process's figures.
    ///
    /// # Errors
    ///
    /// Where `/proc` is not mounted; on other systems than Linux, always.
    pub fn open() -> io::Result<Self> {
        Ok(Self { statm: File::open("/proc/self/statm")?, page: rustix::param::page_size() as u64 })
    }

    /// What is in use now.
    ///
    /// # Errors
    ///
    /// Where the kernel does not answer, or not in the documented form.
    pub fn read(&self) -> io::Result<Usage> {
        use std::os::unix::fs::FileExt;
        let mut line = [0; 160]; // seven numbers of 20 digits at the most
        let length = self.statm.read_at(&mut line, 0)?;
        parse(&line[..length], self.page).ok_or_else(|| {
            let line = String::from_utf8_lossy(&line[..length]);
            io::Error::new(io::ErrorKind::InvalidData, format!("/proc/self/statm says {line:?}"))
        })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Process {
    /// Opens this process's figures.
    ///
    /// # Errors
    ///
    /// Where `/proc` is not mounted; on other systems than Linux, always.
    pub fn open() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "resident memory is read on Linux only"))
    }

    /// What is in use now.
    ///
    /// # Errors
    ///
    /// Where the kernel does not answer, or not in the documented form.
    pub fn read(&self) -> io::Result<Usage> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// "size resident shared text lib data dt", in pages.
#[cfg(any(target_os = "linux", target_os = "android", test))]
fn parse(line: &[u8], page: u64) -> Option<Usage> {
    let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let mut bytes = |skip| Some(fields.nth(skip)?.parse::<u64>().ok()? * page);
    Some(Usage { address_space: bytes(0)?, resident: bytes(0)?, data: bytes(3)? })
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let usage = parse(b"40 10 5 4 0 20 0\n", 4096).unwrap();
        assert_eq!(usage, Usage { resident: 40960, data: 81920, address_space: 163_840 });
    }

    #[test]
    fn no_fields() {
        for line in ["", "1 2 3", "a b c d e f g"] {
            assert_eq!(parse(line.as_bytes(), 4096), None, "{line}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn grows_and_falls() {
        const BLOCK: usize = 64 << 20;
        let process = Process::open().unwrap();
        let before = process.read().unwrap();
        let block = std::hint::black_box(vec![1u8; BLOCK]);
        let full = process.read().unwrap();
        drop(block);
        let after = process.read().unwrap();
        let columns = |usage: Usage| [usage.resident, usage.data, usage.address_space];
        let [before, full, after] = [before, full, after].map(columns);
        for column in 0..3 {
            assert!(full[column] >= before[column] + BLOCK as u64 / 2, "{before:?} {full:?}");
            assert!(after[column] + BLOCK as u64 / 2 <= full[column], "{full:?} {after:?}");
        }
    }
}
