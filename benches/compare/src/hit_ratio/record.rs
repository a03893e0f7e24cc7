//! Rows as files, written as they come: a long run can be followed, and cut off.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::json;

use super::{Options, row::Row};

pub struct Record {
    csv: Option<(PathBuf, csv::Writer<File>)>,
    json: Option<(PathBuf, File)>,
}

impl Record {
    pub fn create(options: &Options) -> Result<Self> {
        let mut record = Self { csv: None, json: None };
        if let Some(path) = &options.csv {
            let mut writer = csv::Writer::from_writer(create(path)?);
            writer.write_record(headings(options.sized)).with_context(|| shown(path))?;
            record.csv = Some((path.clone(), writer));
        }
        if let Some(path) = &options.json {
            record.json = Some((path.clone(), create(path)?));
        }
        Ok(record)
    }

    pub fn write(&mut self, row: &Row) -> Result<()> {
        if let Some((path, writer)) = &mut self.csv {
            writer.write_record(fields(row)).with_context(|| shown(path))?;
            writer.flush().with_context(|| shown(path))?;
        }
        if let Some((path, file)) = &mut self.json {
            writeln!(file, "{}", object(row)).with_context(|| shown(path))?;
        }
        Ok(())
    }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| shown(path))
}

fn shown(path: &Path) -> String {
    format!("{}", path.display())
}

fn headings(sized: bool) -> &'static [&'static str] {
    match sized {
        false => &["trace", "size", "policy", "hit_ratio"],
        true => &["trace", "percent", "capacity_bytes", "policy", "object_hit_ratio", "byte_hit_ratio"],
    }
}

fn fields(row: &Row) -> Vec<String> {
    let (trace, policy) = (row.trace.clone(), row.subject.into());
    let (capacity, ratio) = (row.capacity.to_string(), format!("{:.6}", row.hit_ratio));
    match row.byte_hit_ratio {
        None => vec![trace, capacity, policy, ratio],
        Some(bytes) => {
            let percent = row.percent.0.to_string();
            vec![trace, percent, capacity, policy, ratio, format!("{bytes:.6}")]
        }
    }
}

fn object(row: &Row) -> serde_json::Value {
    let mut object = json!({
        "trace": row.trace,
        "percent": row.percent.0,
        "capacity": row.capacity,
        "policy": row.subject,
        "hit_ratio": row.hit_ratio,
    });
    if let Some(ratio) = row.byte_hit_ratio {
        object["byte_hit_ratio"] = ratio.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit_ratio::room::Percent;

    fn row(byte_hit_ratio: Option<f64>) -> Row {
        Row {
            trace: "a,b".into(),
            percent: Percent(0.1),
            capacity: 12,
            subject: "moka",
            hit_ratio: 2.0 / 3.0,
            byte_hit_ratio,
        }
    }

    fn written(sized: bool) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let [csv, json] = ["r.csv", "r.json"].map(|file| folder.path().join(file));
        let options =
            Options { csv: Some(csv.clone()), json: Some(json.clone()), sized, ..Options::default() };
        let mut record = Record::create(&options).unwrap();
        record.write(&row(sized.then_some(0.5))).unwrap();
        (std::fs::read_to_string(csv).unwrap(), std::fs::read_to_string(json).unwrap())
    }

    #[test]
    fn a_line_per_row() {
        let (csv, json) = written(false);
        assert_eq!(csv, "trace,size,policy,hit_ratio\n\"a,b\",12,moka,0.666667\n");
        let object: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&object["policy"], &object["capacity"]), (&"moka".into(), &12.into()));
        assert!(object.get("byte_hit_ratio").is_none());
    }

    #[test]
    fn sized_rows_have_bytes() {
        let (csv, json) = written(true);
        assert!(csv.ends_with("byte_hit_ratio\n\"a,b\",0.1,12,moka,0.666667,0.500000\n"), "{csv}");
        assert!(json.contains("\"byte_hit_ratio\":0.5"), "{json}");
    }
}
