//! The report as text.

use std::{collections::HashSet, fmt::Write};

use super::{
    best::Best,
    row::Row,
    standing::{Standing, baseline, standings},
    subject::Subject,
};

pub fn text(rows: &[Row], subjects: &[Box<dyn Subject>], best: Option<&Best>) -> String {
    let standings = standings(rows, subjects, best);
    let mut cells = vec![headings(baseline(rows, subjects).unwrap_or("nobody"))];
    cells.extend(standings.iter().map(line));
    drop_empty_columns(&mut cells);
    format!("{}\n{}", caption(rows, best.is_some()), aligned(&cells))
}

fn caption(rows: &[Row], references: bool) -> String {
    let places: HashSet<_> = rows.iter().map(|row| (&row.trace, row.capacity)).collect();
    let traces: HashSet<_> = rows.iter().map(|row| &row.trace).collect();
    let mut caption = format!("{} rows of {} traces; means over rows, in %\n", places.len(), traces.len());
    if references {
        caption +=
            "regret: the row's best reference policy, minus the subject; behind: where that is positive\n";
    }
    caption
}

fn headings(baseline: &str) -> Vec<String> {
    let against = format!("won/lost/tied against {baseline}");
    ["subject", "hit ratio", "bytes", &against, "regret", "behind", "worst", "at"].map(String::from).to_vec()
}

fn line(standing: &Standing) -> Vec<String> {
    let duel = standing.duel.as_ref();
    let regret = standing.regret.as_ref();
    vec![
        standing.subject.into(),
        points(Some(standing.hit_ratio)),
        points(standing.byte_hit_ratio),
        duel.map_or(String::new(), |duel| format!("{}/{}/{}", duel.wins, duel.losses, duel.ties)),
        points(regret.map(|regret| regret.mean)),
        points(regret.map(|regret| regret.behind)),
        points(regret.map(|regret| regret.worst)),
        regret.map_or(String::new(), |regret| regret.worst_row.clone()),
    ]
}

fn points(ratio: Option<f64>) -> String {
    let points = ratio.map(|ratio| format!("{:.2}", ratio * 100.0));
    points.map_or(String::new(), |points| points.replace("-0.00", "0.00"))
}

/// Columns with nothing below their heading.
fn drop_empty_columns(cells: &mut [Vec<String>]) {
    for column in (0..cells[0].len()).rev() {
        if cells[1..].iter().all(|line| line[column].is_empty()) {
            cells.iter_mut().for_each(|line| drop(line.remove(column)));
        }
    }
}

/// The first and the last column are words, the others numbers.
fn aligned(cells: &[Vec<String>]) -> String {
    let width = |column: usize| cells.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for line in cells {
        let mut out = format!("{:<1$}", line[0], width(0));
        for (column, cell) in line.iter().enumerate().skip(1) {
            let _ = match column {
                7 => write!(out, "  {cell}"),
                _ => write!(out, "  {cell:>0$}", width(column)),
            };
        }
        text += out.trim_end();
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let cells = [["name", "hits"], ["a", "1.25"], ["longer", "31.25"]]
            .map(|line| line.map(String::from).to_vec());
        assert_eq!(aligned(&cells), "name     hits\na        1.25\nlonger  31.25\n");
    }

    #[test]
    fn empty_columns_go() {
        let mut cells =
            [["name", "bytes", "hits"], ["a", "", "1"]].map(|line| line.map(String::from).to_vec());
        drop_empty_columns(&mut cells);
        assert_eq!(cells, [["name", "hits"], ["a", "1"]]);
    }
}
