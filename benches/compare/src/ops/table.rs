//! Cells as text.

use super::cell::{Cell, Row};
use crate::columns::aligned;

/// A block a case, a line a subject.
pub fn text(bench: &'static str, cells: &[Cell]) -> String {
    let mut lines =
        vec![["case", "subject", "median", "unit", "spread", "weakmap / it"].map(String::from).to_vec()];
    for cell in cells {
        let rows = cell.rows(bench);
        lines.extend(rows.iter().enumerate().map(|(place, row)| line(row, place == 0)));
    }
    aligned(&lines, &[0, 1, 3])
}

fn line(row: &Row, is_first: bool) -> Vec<String> {
    let case = if is_first { row.case.clone() } else { String::new() };
    let ratio = row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let (median, unit) = scaled(row.median, row.unit);
    vec![case, row.subject.into(), median, unit, format!("{:.0} %", row.spread * 100.0), ratio]
}

/// Operations in millions; three or four digits.
fn scaled(number: f64, unit: &str) -> (String, String) {
    match unit {
        "ops/s" => (digits(number / 1e6), "Mops/s".into()),
        _ => (digits(number), unit.into()),
    }
}

fn digits(number: f64) -> String {
    match number.abs() {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::label::Label;

    #[test]
    fn a_block_a_case() {
        let samples = vec![("weakmap", vec![2e7]), ("moka", vec![4e6])];
        let cell = Cell { label: Label::new("uniform", "ops/s"), samples };
        let text = text("lookup", &[cell]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "uniform  weakmap    20.0  Mops/s     0 %          1.00");
        assert_eq!(lines[2], "         moka       4.00  Mops/s     0 %          5.00");
    }

    #[test]
    fn few_digits() {
        assert_eq!([1234.5, 67.89, 0.123].map(digits), ["1234", "67.9", "0.12"]);
    }
}
