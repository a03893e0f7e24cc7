//! What a case is called: "zipf0.99/100k/t2".

use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub what: String,
    pub entries: Option<usize>,
    pub threads: Option<usize>,
    /// What of several things measured at once: "p99".
    pub part: Option<&'static str>,
    pub unit: &'static str,
}

impl Label {
    pub fn new(what: impl Into<String>, unit: &'static str) -> Self {
        Self { what: what.into(), entries: None, threads: None, part: None, unit }
    }

    pub fn entries(self, entries: usize) -> Self {
        Self { entries: Some(entries), ..self }
    }

    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    pub fn part(self, part: &'static str, unit: &'static str) -> Self {
        Self { part: Some(part), unit, ..self }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.map(short);
        let threads = self.threads.map(|threads| format!("t{threads}"));
        let parts = [Some(self.what.clone()), entries, threads, self.part.map(String::from)];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("/"))
    }
}

/// 100k, 2M.
fn short(entries: usize) -> String {
    match entries {
        0 => "0".into(),
        _ if entries.is_multiple_of(1_000_000) => format!("{}M", entries / 1_000_000),
        _ if entries.is_multiple_of(1_000) => format!("{}k", entries / 1_000),
        _ => entries.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_their_order() {
        let label = Label::new("zipf0.99", "ops/s").entries(100_000).threads(2);
        assert_eq!(label.to_string(), "zipf0.99/100k/t2");
        assert_eq!(label.part("hits", "%").to_string(), "zipf0.99/100k/t2/hits");
        assert_eq!(Label::new("empty", "B").to_string(), "empty");
    }

    #[test]
    fn round_numbers_are_short() {
        assert_eq!([0, 64, 1_500, 10_000, 2_000_000].map(short), ["0", "64", "1500", "10k", "2M"]);
    }
}
