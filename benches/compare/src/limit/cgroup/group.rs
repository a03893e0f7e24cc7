//! A memory cgroup of our own, with nothing in it but our child.

use std::{fs, path::PathBuf, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};

/// Removed when dropped.
pub struct Group(PathBuf);

impl Group {
    pub fn make(bytes: u64) -> Result<Self> {
        let path = PathBuf::from(format!("/sys/fs/cgroup/memory/weakmap-compare-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        let group = Self(path);
        // In a directory that is no cgroup, the files would be made: then this is not the place.
        ensure!(
            group.0.join("memory.limit_in_bytes").exists(),
            "{} is no v1 memory cgroup",
            group.0.display()
        );
        group.write("memory.limit_in_bytes", bytes)?;
        Ok(group)
    }

    pub fn add(&self, process: u32) -> Result<()> {
        self.write("cgroup.procs", u64::from(process))
    }

    /// Bytes in use, without the page cache.
    pub fn used(&self) -> Result<u64> {
        let stat = self.read("memory.stat")?;
        let cache = ["total_active_file", "total_inactive_file"].map(|name| number_of(&stat, name));
        let usage: u64 = self.read("memory.usage_in_bytes")?.trim().parse()?;
        Ok(usage.saturating_sub(cache.iter().sum()))
    }

    /// The most bytes ever in use, page cache and all.
    pub fn most(&self) -> Result<u64> {
        Ok(self.read("memory.max_usage_in_bytes")?.trim().parse()?)
    }

    fn read(&self, file: &str) -> Result<String> {
        let file = self.0.join(file);
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    }

    fn write(&self, file: &str, number: u64) -> Result<()> {
        let file = self.0.join(file);
        fs::write(&file, number.to_string()).with_context(|| file.display().to_string())
    }
}

/// Out of lines of "name number"; 0 where it is not there.
fn number_of(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name).and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel lets go of a process a little after it ended.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        eprintln!("{} stays", self.0.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_their_whole_name() {
        let text = "inactive_file 1\ntotal_inactive_file 23\n";
        assert_eq!((number_of(text, "total_inactive_file"), number_of(text, "file")), (23, 0));
    }
}
