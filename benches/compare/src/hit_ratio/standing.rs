//! How a subject did over all rows.

use std::collections::HashMap;

use super::{best::Best, lineup::OURS, row::Row, subject::Subject};

/// Less than a twentieth of a point apart is a tie.
const TIE: f64 = 0.0005;

pub struct Standing {
    pub subject: &'static str,
    pub hit_ratio: f64,
    pub byte_hit_ratio: Option<f64>,
    /// Against the baseline; not for yardsticks, nor for the baseline itself.
    pub duel: Option<Duel>,
    /// Against the references, where they are known.
    pub regret: Option<Regret>,
}

#[derive(Debug, Default, PartialEq)]
pub struct Duel {
    pub wins: usize,
    pub losses: usize,
    pub ties: usize,
}

pub struct Regret {
    pub mean: f64,
    /// The mean of what is above zero: gains elsewhere make up for nothing.
    pub behind: f64,
    pub worst: f64,
    /// Where.
    pub worst_row: String,
}

/// Whom the others are compared with: ours, or the crate that does best.
pub fn baseline(rows: &[Row], subjects: &[Box<dyn Subject>]) -> Option<&'static str> {
    let crates = subjects.iter().filter(|subject| !subject.is_yardstick()).map(|subject| subject.name());
    let score = |name: &&str| {
        if *name == OURS { f64::INFINITY } else { mean(rows, name) }
    };
    crates.max_by(|one, other| score(one).total_cmp(&score(other)))
}

/// By mean hit ratio, the best first.
pub fn standings(rows: &[Row], subjects: &[Box<dyn Subject>], best: Option<&Best>) -> Vec<Standing> {
    let baseline = baseline(rows, subjects);
    let mut standings: Vec<_> = subjects
        .iter()
        .map(|subject| {
            let rival = baseline.filter(|&name| name != subject.name() && !subject.is_yardstick());
            Standing::new(rows, subject.name(), rival, best)
        })
        .filter(|standing| standing.hit_ratio.is_finite())
        .collect();
    standings.sort_by(|one, other| other.hit_ratio.total_cmp(&one.hit_ratio));
    standings
}

impl Standing {
    fn new(rows: &[Row], subject: &'static str, rival: Option<&str>, best: Option<&Best>) -> Self {
        let bytes: Vec<_> = of(rows, subject).filter_map(|row| row.byte_hit_ratio).collect();
        Self {
            subject,
            hit_ratio: mean(rows, subject),
            byte_hit_ratio: (!bytes.is_empty()).then(|| average(&bytes)),
            duel: rival.map(|rival| Duel::new(rows, subject, rival)),
            regret: best.and_then(|best| Regret::new(rows, subject, best)),
        }
    }
}

impl Duel {
    fn new(rows: &[Row], subject: &str, rival: &str) -> Self {
        let theirs: HashMap<_, _> = of(rows, rival).map(|row| (place(row), row.hit_ratio)).collect();
        let mut duel = Self::default();
        for row in of(rows, subject) {
            match theirs.get(&place(row)).map(|ratio| row.hit_ratio - ratio) {
                Some(lead) if lead >= TIE => duel.wins += 1,
                Some(lead) if lead <= -TIE => duel.losses += 1,
                Some(_) => duel.ties += 1,
                None => {}
            }
        }
        duel
    }
}

impl Regret {
    fn new(rows: &[Row], subject: &str, best: &Best) -> Option<Self> {
        let regrets: Vec<_> =
            of(rows, subject).filter_map(|row| Some((best.regret(row)?, place(row)))).collect();
        let (worst, (trace, capacity)) = *regrets.iter().max_by(|one, other| one.0.total_cmp(&other.0))?;
        let signed: Vec<_> = regrets.iter().map(|(regret, _)| *regret).collect();
        let behind: Vec<_> = signed.iter().map(|regret| regret.max(0.0)).collect();
        Some(Self {
            mean: average(&signed),
            behind: average(&behind),
            worst,
            worst_row: format!("{trace}@{capacity}"),
        })
    }
}

fn of<'a>(rows: &'a [Row], subject: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.subject == subject)
}

fn place(row: &Row) -> (&str, u64) {
    (&row.trace, row.capacity)
}

fn mean(rows: &[Row], subject: &str) -> f64 {
    average(&of(rows, subject).map(|row| row.hit_ratio).collect::<Vec<_>>())
}

fn average(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit_ratio::room::Percent;

    fn row(subject: &'static str, capacity: u64, hit_ratio: f64) -> Row {
        let trace = "t".into();
        Row { trace, percent: Percent(1.0), capacity, subject, hit_ratio, byte_hit_ratio: None }
    }

    #[test]
    fn close_is_a_tie() {
        let ours = [(1, 0.5), (2, 0.5), (3, 0.5)].map(|(size, ratio)| row("a", size, ratio));
        let theirs = [(1, 0.6), (2, 0.5001), (3, 0.2), (4, 0.9)].map(|(size, ratio)| row("b", size, ratio));
        let duel = Duel::new(&[ours.as_slice(), &theirs].concat(), "b", "a");
        assert_eq!(duel, Duel { wins: 1, losses: 1, ties: 1 });
    }

    #[test]
    fn rows_weigh_alike() {
        let rows = [row("a", 1, 0.2), row("a", 2, 0.4), row("b", 1, 0.9)];
        assert!((mean(&rows, "a") - 0.3).abs() < 1e-9);
    }
}
