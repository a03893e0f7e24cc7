//! Rows as JSON, one object a line, written as they come.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::cell::Row;

/// None: nothing is recorded.
pub struct Record(Option<(PathBuf, File)>);

impl Record {
    pub fn create(path: Option<&Path>) -> Result<Self> {
        let file = |path: &Path| {
            let file = File::create(path).with_context(|| format!("{}", path.display()))?;
            Ok::<_, anyhow::Error>((path.into(), file))
        };
        Ok(Self(path.map(file).transpose()?))
    }

    pub fn write(&mut self, rows: &[Row]) -> Result<()> {
        let Some((path, file)) = &mut self.0 else { return Ok(()) };
        for row in rows {
            let line = serde_json::to_string(row)?;
            writeln!(file, "{line}").with_context(|| format!("{}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_a_row() {
        let path = tempfile::tempdir().unwrap().path().join("rows.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let row = |ratio| Row {
            bench: "lookup",
            case: "zipf0.99/100k/t2".into(),
            subject: "quick_cache",
            median: 2.5e7,
            spread: 0.1,
            unit: "ops/s",
            ratio,
        };
        Record::create(Some(&path)).unwrap().write(&[row(Some(1.5)), row(None)]).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects[0]["case"], "zipf0.99/100k/t2");
        assert_eq!((&objects[0]["median"], &objects[0]["ratio"]), (&2.5e7.into(), &1.5.into()));
        assert!(objects[1]["ratio"].is_null());
    }
}
