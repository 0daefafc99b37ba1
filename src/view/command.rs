//! Command lines in hints, with the verb and the file that the user typed. They can be pasted as they are.

use std::path::Path;

use crate::query::address::Address;

/// The verb and the database of the current run, for its hints.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The verb.
    pub verb: &'static str,
    /// The database, as a word of a command line; `DB` if none was given.
    pub db: String,
}

impl Invocation {
    /// The run of a verb on a database.
    #[must_use]
    pub fn new(verb: &'static str, db: Option<&Path>) -> Self {
        Self {
            verb,
            db: db.map_or_else(|| "DB".to_owned(), |db| quoted(&db.to_string_lossy())),
        }
    }

    /// The line of another verb on the same database.
    #[must_use]
    pub fn line(&self, verb: &str, words: &[String]) -> String {
        let mut line = format!("etcdive {verb} {}", self.db);
        for word in words {
            line.push(' ');
            line.push_str(word);
        }
        line
    }

    /// The line that shows an address at a revision. It uses the verb of this run if that has a flag for the revision,
    /// otherwise `get`.
    #[must_use]
    pub fn line_at(&self, address: Option<&Address>, revision: i64) -> String {
        if let ("extract", Some(Address::Key(_))) = (self.verb, address) {
            let words = address.map(words).unwrap_or_default();
            let key = vec!["-k".to_owned()];
            return self.line(
                "extract",
                &[key, words, vec![format!("-r {revision}")]].concat(),
            );
        }
        let verb = match self.verb {
            verb @ ("ls" | "blame") => verb,
            _ => "get",
        };
        let words = address.map(words).unwrap_or_default();
        self.line(verb, &[words, vec![format!("--at {revision}")]].concat())
    }
}

/// A word, quoted if a POSIX shell would not read it as it is.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,~-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The words of an address, each quoted.
#[must_use]
pub fn words(address: &Address) -> Vec<String> {
    match address {
        Address::Objects(objects) => {
            let mut words = vec![quoted(&match &objects.name {
                Some(name) => format!("{}/{name}", objects.types),
                None => objects.types.clone(),
            })];
            if let Some(namespace) = &objects.namespace {
                words.extend(["-n".to_owned(), quoted(namespace)]);
            }
            if let Some(cluster) = &objects.cluster {
                words.extend(["--cluster".to_owned(), quoted(cluster)]);
            }
            words
        }
        _ => vec![quoted(&address.text())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_other_characters_is_quoted() {
        assert_eq!(quoted("snap/db"), "snap/db");
        assert_eq!(quoted("my db"), "'my db'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
