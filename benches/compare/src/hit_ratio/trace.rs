//! An access trace, and how it is read.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result, ensure};

#[derive(Debug)]
pub struct Trace {
    pub name: String,
    /// Dense: 0, 1, … in the order of first appearance.
    pub keys: Vec<u32>,
    pub unique: usize,
    /// The weight of each key, if weights are wanted.
    sizes: Option<Vec<u32>>,
}

impl Trace {
    pub fn new(name: &str, keys: Vec<u32>, sizes: Option<Vec<u32>>) -> Result<Self> {
        let unique = count_dense(&keys)?;
        if let Some(sizes) = &sizes {
            let count = sizes.len();
            ensure!(count == unique, "expected one size for each of {unique} keys, found {count}");
        }
        Ok(Self { name: name.into(), keys, unique, sizes })
    }

    /// Reads NAME.trace.zst and, if sizes are wanted, NAME.sizes.zst.
    pub fn read(folder: &Path, name: &str, sized: bool) -> Result<Self> {
        let path = folder.join(format!("{name}.trace.zst"));
        let keys = read_numbers(&path).with_context(|| expected(&path, "keys"))?;
        count_dense(&keys).with_context(|| expected(&path, "keys"))?;
        if !sized {
            return Self::new(name, keys, None);
        }
        let path = folder.join(format!("{name}.sizes.zst"));
        let sizes = read_numbers(&path).with_context(|| expected(&path, "sizes"))?;
        Self::new(name, keys, Some(sizes)).with_context(|| expected(&path, "sizes"))
    }

    pub fn weight(&self, key: u32) -> u32 {
        self.sizes.as_ref().map_or(1, |sizes| sizes[key as usize])
    }

    /// The bytes of all keys, if there are sizes.
    pub fn bytes(&self) -> Option<u64> {
        let sizes = self.sizes.as_ref()?;
        Some(sizes.iter().map(|&size| u64::from(size)).sum())
    }
}

fn expected(path: &Path, what: &str) -> String {
    let path = path.display();
    match what {
        "keys" => format!(
            "{path}: expected zstd-compressed little-endian u32 keys, dense ids from 0 in order of first appearance"
        ),
        _ => format!("{path}: expected zstd-compressed little-endian u32 sizes, one per key of the trace"),
    }
}

fn read_numbers(path: &Path) -> Result<Vec<u32>> {
    let mut bytes = Vec::new();
    zstd::Decoder::new(File::open(path)?)?.read_to_end(&mut bytes)?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    ensure!(rest.is_empty(), "{} bytes are no whole number of u32", bytes.len());
    ensure!(!numbers.is_empty(), "nothing in it");
    Ok(numbers.iter().copied().map(u32::from_le_bytes).collect())
}

/// How many keys there are; an error if they are not dense.
fn count_dense(keys: &[u32]) -> Result<usize> {
    let mut unique = 0;
    for (position, &key) in keys.iter().enumerate() {
        ensure!(key <= unique, "request {position} is for {key}, the next new id is {unique}");
        unique += u32::from(key == unique);
    }
    Ok(unique as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(keys: &[u8], sizes: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (kind, bytes) in [("trace", keys), ("sizes", sizes)] {
            let packed = zstd::encode_all(bytes, 3).unwrap();
            std::fs::write(folder.path().join(format!("t.{kind}.zst")), packed).unwrap();
        }
        folder
    }

    fn bytes(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn refusal(keys: &[u8], sizes: &[u8]) -> String {
        let folder = folder(keys, sizes);
        format!("{:#}", Trace::read(folder.path(), "t", true).unwrap_err())
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = folder(&bytes(&[0, 1, 0, 2]), &bytes(&[10, 20, 70_000]));
        let trace = Trace::read(folder.path(), "t", true).unwrap();
        assert_eq!((trace.keys.as_slice(), trace.unique), ([0, 1, 0, 2].as_slice(), 3));
        assert_eq!((trace.weight(2), trace.bytes()), (70_000, Some(70_030)));
    }

    #[test]
    fn without_sizes_everything_weighs_one() {
        let folder = folder(&bytes(&[0, 1]), b"");
        let trace = Trace::read(folder.path(), "t", false).unwrap();
        assert_eq!((trace.weight(1), trace.bytes()), (1, None));
    }

    #[test]
    fn a_refusal_names_file_and_format() {
        let cut = refusal(&bytes(&[0, 1])[..7], b"");
        assert!(cut.contains("t.trace.zst") && cut.contains("little-endian u32"), "{cut}");
        let sparse = refusal(&bytes(&[0, 7]), b"");
        assert!(sparse.contains("t.trace.zst") && sparse.contains("request 1"), "{sparse}");
        let few = refusal(&bytes(&[0, 1]), &bytes(&[5]));
        assert!(few.contains("t.sizes.zst") && few.contains("2 keys"), "{few}");
    }

    #[test]
    fn a_missing_or_unpacked_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = format!("{:#}", Trace::read(folder.path(), "t", false).unwrap_err());
        assert!(missing.contains("t.trace.zst"), "{missing}");
        std::fs::write(folder.path().join("t.trace.zst"), bytes(&[0, 1])).unwrap();
        let plain = format!("{:#}", Trace::read(folder.path(), "t", false).unwrap_err());
        assert!(plain.contains("t.trace.zst") && plain.contains("zstd"), "{plain}");
    }
}
