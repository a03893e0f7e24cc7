//! Names picked by pattern.

/// Whether one of the patterns covers the name; without patterns every name is admitted.
pub fn admits(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name))
}

/// Whether the pattern, in which * is any run of characters, covers the whole name.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices().any(|(at, _)| matches(rest, &tail[at..])) || matches(rest, "")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run() {
        assert!(matches("loop", "loop") && !matches("cs", "scarab_recs"));
        assert!(matches("arc_*", "arc_p3") && matches("*_p3", "arc_p3") && matches("a*p*", "arc_p3"));
        assert!(matches("*", "") && matches("loop*", "loop") && !matches("arc_*", "oltp"));
    }

    #[test]
    fn no_pattern_admits_all_and_one_of_several_is_enough() {
        let patterns = ["a*", "b"].map(String::from);
        assert!(admits(&[], "c") && admits(&patterns, "b") && admits(&patterns, "ab"));
        assert!(!admits(&patterns, "c"));
    }
}
