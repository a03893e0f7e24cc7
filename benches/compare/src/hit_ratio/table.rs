//! The report as text.

use std::collections::HashSet;

use super::{
    best::Best,
    row::Row,
    standing::{Standing, baseline, standings},
    subject::Subject,
};
use crate::columns::{aligned, drop_empty};

pub fn text(rows: &[Row], subjects: &[Box<dyn Subject>], best: Option<&Best>) -> String {
    let standings = standings(rows, subjects, best);
    let mut cells = vec![headings(baseline(rows, subjects).unwrap_or("nobody"))];
    cells.extend(standings.iter().map(line));
    drop_empty(&mut cells);
    format!("{}\n{}", caption(rows, best.is_some()), aligned(&cells, &[0, 7]))
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
