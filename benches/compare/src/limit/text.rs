//! Tables as text, ready for a Markdown page.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

/// The first `words` columns are words, the others numbers.
pub fn table(headings: &[&str], words: usize, rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(headings).add_rows(rows);
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// In %.
pub fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

/// In ms.
pub fn millis(nanos: u64) -> String {
    format!("{:.2}", nanos as f64 / 1e6)
}
