//! Rows as a file, written as they come: a long run can be followed, and cut off.

use std::{fs::File, io::Write, path::Path};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;

pub struct Record(Option<File>);

impl Record {
    pub fn create(path: Option<&Path>) -> Result<Self> {
        let create = |path: &Path| File::create(path).with_context(|| path.display().to_string());
        path.map(create).transpose().map(Self)
    }

    /// The part is named in the row.
    pub fn write(&mut self, part: &str, row: &impl Serialize) -> Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let mut object = json!({ "part": part });
        if let (Some(object), serde_json::Value::Object(row)) =
            (object.as_object_mut(), serde_json::to_value(row)?)
        {
            object.extend(row);
        }
        Ok(writeln!(file, "{object}")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_per_row() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.json");
        let mut record = Record::create(Some(&file)).unwrap();
        record.write("loads", &json!({ "mean": 0.5 })).unwrap();
        record.write("hits", &json!({ "mean": 1 })).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let rows: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows, [json!({ "part": "loads", "mean": 0.5 }), json!({ "part": "hits", "mean": 1 })]);
        Record::create(None).unwrap().write("loads", &1).unwrap();
    }
}
