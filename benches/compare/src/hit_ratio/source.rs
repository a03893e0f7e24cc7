//! Where the traces come from: a folder, or the program itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::{Options, synthetic::Synthetic, trace::Trace};
use crate::pattern;

/// Traces in a quick run.
const QUICK_TRACES: usize = 3;
/// A trace that packs into less is a mere loop, on which every policy does the same.
const TELLING_BYTES: u64 = 8 << 10;

#[derive(Clone, Debug)]
pub enum Source {
    File { folder: PathBuf, name: String },
    Synthetic(Synthetic),
}

impl Source {
    pub fn load(&self, sized: bool) -> Result<Trace> {
        match self {
            Self::File { folder, name } => Trace::read(folder, name, sized),
            Self::Synthetic(synthetic) => synthetic.trace(sized),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::File { name, .. } => name,
            Self::Synthetic(synthetic) => synthetic.name(),
        }
    }

    /// Where a quick run prefers the smaller.
    fn bulk(&self) -> (bool, u64) {
        match self {
            Self::File { folder, name } => {
                let path = folder.join(format!("{name}.trace.zst"));
                let bytes = fs::metadata(path).map_or(u64::MAX, |meta| meta.len());
                (bytes < TELLING_BYTES, bytes)
            }
            Self::Synthetic(_) => (false, 0),
        }
    }
}

/// The traces asked for; an error if there are none.
pub fn pick(options: &Options) -> Result<Vec<Source>> {
    let mut sources = match &options.traces {
        Some(folder) => files(folder, options.sized)?,
        None => Synthetic::ALL.map(Source::Synthetic).to_vec(),
    };
    let patterns = &options.trace;
    sources.retain(|source| pattern::admits(patterns, source.name()));
    ensure!(!sources.is_empty(), "no trace matches {}", patterns.join(" or "));
    if options.quick {
        sources.sort_by_key(Source::bulk);
        sources.truncate(QUICK_TRACES);
    }
    Ok(sources)
}

/// The traces of a folder, by name; those with sizes, if sizes are wanted.
fn files(folder: &Path, sized: bool) -> Result<Vec<Source>> {
    let suffix = if sized { ".sizes.zst" } else { ".trace.zst" };
    let expected = || format!("{}: expected a folder of NAME{suffix} files", folder.display());
    let names = names(folder, suffix).with_context(expected)?;
    ensure!(!names.is_empty(), expected());
    Ok(names.into_iter().map(|name| Source::File { folder: folder.into(), name }).collect())
}

/// Of the files that end so.
pub fn names(folder: &Path, suffix: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.file_name();
        names.extend(file.to_str().and_then(|file| file.strip_suffix(suffix)).map(String::from));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_traces_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for folder in [folder.path(), &folder.path().join("missing")] {
            let error = files(folder, false).unwrap_err().to_string();
            assert!(error.contains("NAME.trace.zst"), "{error}");
        }
    }

    #[test]
    fn files_come_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["b.trace.zst", "a.trace.zst", "a.sizes.zst", "notes.md"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let names = |sized| -> Vec<String> {
            let sources = files(folder.path(), sized).unwrap();
            sources.iter().map(|source| source.name().into()).collect()
        };
        assert_eq!((names(false).join(" "), names(true).join(" ")), ("a b".into(), "a".into()));
    }
}
