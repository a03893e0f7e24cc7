//! Subjects picked by name.

use anyhow::{Result, bail};

/// An error where a name stands for nobody.
pub fn check(given: &[String], known: &[&str]) -> Result<()> {
    let stranger = |name: &&String| known.iter().all(|subject| !stands_for(name, subject, known));
    match given.iter().find(stranger) {
        Some(name) => bail!("no subject is called {name:?}; there are {}", known.join(", ")),
        None => Ok(()),
    }
}

/// Whether the subject is named; everyone is, if no name is given.
pub fn admit(given: &[String], subject: &str, known: &[&str]) -> bool {
    given.is_empty() || given.iter().any(|name| stands_for(name, subject, known))
}

/// A name stands for itself, or, when nobody bears it, for its family: foyer for foyer-lru.
fn stands_for(name: &str, subject: &str, known: &[&str]) -> bool {
    if known.contains(&name) {
        return name == subject;
    }
    subject.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_an_error() {
        let error = check(&["mokka".into()], &["moka", "mini-moka"]).unwrap_err().to_string();
        assert!(error.contains("mokka") && error.contains("mini-moka"));
    }

    #[test]
    fn a_bearer_goes_before_a_family() {
        let known = ["papaya", "papaya-pin"];
        let admitted = |name: &str| known.map(|subject| admit(&[name.into()], subject, &known));
        assert_eq!(admitted("papaya"), [true, false]);
        assert!(admit(&["foyer".into()], "foyer-lru", &["foyer-lru"]));
    }
}
