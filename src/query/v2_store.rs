//! The keys of the v2 store in a raft snapshot (`TERM-INDEX.snap`).

use std::ffi::OsString;
use std::path::PathBuf;

use crate::diag::{Code, Diagnostic, Locus};
use crate::source::log_place;

use super::evidence::Evidence;
use super::key_list::KeyFilters;
use super::no_answer::NoAnswer;
use super::raft_snapshot::{newest, raft_snapshot, snap_of};

pub use crate::etcd::wal::snap::V2Key;

/// The v2 store of a raft snapshot.
#[derive(Debug)]
pub struct V2Store {
    keys: Vec<V2Key>,
}

impl V2Store {
    /// Reads the v2 store of a file. None if the file is no raft snapshot. A wrong checksum is reported as a finding,
    /// and the keys are still read.
    ///
    /// # Errors
    /// If the store cannot be read, or has no keys.
    pub fn read(evidence: &Evidence) -> Result<Option<Self>, NoAnswer> {
        let source = evidence.source();
        let Some((snap, wrong)) = snap_of(source) else {
            return Ok(None);
        };
        if let Some(wrong) = wrong {
            evidence.diagnostics().report(
                Diagnostic::new(Code::SnapInvalid, Locus::at(0))
                    .found(wrong)
                    .effect("etcd would take the snapshot before it"),
            );
        }
        let path = source.path().to_path_buf();
        match snap.store {
            Ok(store) if !store.keys.is_empty() => Ok(Some(Self { keys: store.keys })),
            store => Err(raft_snapshot(path, store.map(|store| store.keys.len()))),
        }
    }

    /// The keys at or below the paths in `words`, or all keys if there are none, that pass the filters.
    ///
    /// # Errors
    /// If a word names no key.
    pub fn select(
        &self,
        words: &[OsString],
        filters: &KeyFilters,
    ) -> Result<Vec<&V2Key>, NoAnswer> {
        let words: Vec<String> = words.iter().map(path_of).collect();
        for word in &words {
            if !self.keys.iter().any(|key| is_at(key, word)) {
                return Err(NoAnswer::NoV2Key(word.clone()));
            }
        }
        let is_named = |key: &&V2Key| words.is_empty() || words.iter().any(|word| is_at(key, word));
        let passes_filters = |key: &&V2Key| {
            let path = key.path.as_bytes();
            let matches_or_unset = |regex: &Option<regex::bytes::Regex>| {
                regex.as_ref().is_none_or(|regex| regex.is_match(path))
            };
            matches_or_unset(&filters.glob) && matches_or_unset(&filters.regex)
        };
        Ok(self
            .keys
            .iter()
            .filter(is_named)
            .filter(passes_filters)
            .collect())
    }
}

/// A typed path in the form of the v2 store: a slash at the start, none at the end.
fn path_of(word: &OsString) -> String {
    let word = word.to_string_lossy();
    format!("/{}", word.trim_matches('/'))
}

/// Whether a key is at a path, or below it.
fn is_at(key: &V2Key, path: &str) -> bool {
    path == "/"
        || key
            .path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The newest raft snapshot in the data directory of a database, and how many keys its v2 store has. None if there is
/// no such snapshot, or its v2 store has no keys.
pub fn beside(evidence: &Evidence) -> Option<(PathBuf, usize)> {
    newest(&log_place(evidence.source().path(), evidence.given_path())?)
}
