//! The best of the reference policies, row by row, as far as the folder of traces has it.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result};

use super::row::Row;

/// Knows the future: nobody is blamed for staying behind it.
const UNREACHABLE: &str = "OPT";

/// By trace and capacity.
pub struct Best(HashMap<(String, u64), f64>);

impl Best {
    /// Reads the reference file of a folder, if it has one.
    pub fn beside(folder: Option<&Path>, sized: bool) -> Result<Option<Self>> {
        let columns = Columns::new(sized);
        match folder.map(|folder| folder.join(columns.file)) {
            Some(path) if path.exists() => Self::read(&path, &columns).map(Some),
            _ => Ok(None),
        }
    }

    fn read(path: &Path, columns: &Columns) -> Result<Self> {
        let expected = || format!("{}: expected a header with {}", path.display(), columns.list());
        let mut reader = csv::Reader::from_path(path).with_context(expected)?;
        let mut best = Self(HashMap::new());
        for line in reader.deserialize() {
            let line: HashMap<String, String> = line.with_context(expected)?;
            best.learn(&line, columns).with_context(expected)?;
        }
        Ok(best)
    }

    fn learn(&mut self, line: &HashMap<String, String>, columns: &Columns) -> Result<()> {
        let field = |name: &str| line.get(name).with_context(|| format!("no {name}"));
        if field("policy")? == UNREACHABLE {
            return Ok(());
        }
        let row = (field("trace")?.clone(), field(columns.capacity)?.parse()?);
        let ratio: f64 = field(columns.ratio)?.parse()?;
        let best = self.0.entry(row).or_insert(ratio);
        *best = best.max(ratio);
        Ok(())
    }

    /// How far the row stays behind the best, if that is known; less than nothing if ahead.
    pub fn regret(&self, row: &Row) -> Option<f64> {
        let best = self.0.get(&(row.trace.clone(), row.capacity))?;
        Some(best - row.hit_ratio)
    }
}

struct Columns {
    file: &'static str,
    capacity: &'static str,
    ratio: &'static str,
}

impl Columns {
    fn new(sized: bool) -> Self {
        let [file, capacity, ratio] = match sized {
            false => ["reference_hit_ratios.csv", "size", "hit_ratio"],
            true => ["reference_hit_ratios_sized.csv", "capacity_bytes", "object_hit_ratio"],
        };
        Self { file, capacity, ratio }
    }

    fn list(&self) -> String {
        format!("trace, {}, policy, {}", self.capacity, self.ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit_ratio::room::Percent;

    fn beside(content: &str) -> Result<Option<Best>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("reference_hit_ratios.csv"), content).unwrap();
        Best::beside(Some(folder.path()), false)
    }

    #[test]
    fn the_best_that_can_be_reached() {
        let lines = "trace,size,policy,hit_ratio\nt,10,LRU,0.2\nt,10,ARC,0.4\nt,10,OPT,0.9\n";
        let best = beside(lines).unwrap().unwrap();
        let row = |capacity| Row {
            trace: "t".into(),
            percent: Percent(1.0),
            capacity,
            subject: "x",
            hit_ratio: 0.3,
            byte_hit_ratio: None,
        };
        assert!((best.regret(&row(10)).unwrap() - 0.1).abs() < 1e-9);
        assert!(best.regret(&row(11)).is_none());
    }

    #[test]
    fn a_malformed_file_is_named() {
        let error = format!("{:#}", beside("trace,policy\nt,LRU\n").err().unwrap());
        assert!(error.contains("reference_hit_ratios.csv") && error.contains("size"), "{error}");
    }

    #[test]
    fn no_file_no_best() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Best::beside(Some(folder.path()), false).unwrap().is_none());
    }
}
