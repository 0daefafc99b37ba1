//! The verdict on a file as a sentence.

use serde_json::{Value, json};

use crate::source::TrailerCheck;

use crate::query::verdict::{Findings, Health, Torn, Verdict};

/// The verdict in one sentence.
#[must_use]
pub fn sentence(verdict: &Verdict) -> &'static str {
    match (verdict.health, verdict.torn) {
        (Health::Damaged, _) if verdict.is_foreign && !verdict.has_changed => {
            "this bbolt file, which is not etcd's, is damaged or was copied while it was written: keys may be missing"
        }
        (_, Some(torn)) => torn_sentence(torn),
        (Health::Damaged, None) if verdict.has_changed => {
            "this file changed while it was read: the answer may mix two states"
        }
        (Health::Damaged, None) if verdict.has_skipped_entries => {
            "this member skipped entries of its write-ahead log: its keys and revisions are not those of the cluster"
        }
        (Health::Damaged, None) => {
            "this file is damaged: records may be missing, or not be what was written"
        }
        (Health::Followed, None) => {
            "every record could be read, but etcdutl does not restore the file as it is: bytes follow its SHA-256"
        }
        (Health::PartsDisagree, None) => {
            "every record could be read, but the database, the log and the raft snapshots of this data directory do not belong together"
        }
        (Health::Harmless, None) => {
            "every record could be read, but the checks found something wrong"
        }
        (Health::Intact, None) => "nothing wrong was found",
    }
}

/// The sentence about a torn copy.
#[must_use]
pub fn torn_sentence(torn: Torn) -> &'static str {
    match torn {
        Torn::Foreign => {
            "this bbolt file, which is not etcd's, was copied while it was written, or is damaged: keys may be missing"
        }
        Torn::OrDamaged => {
            "this copy was taken while etcd was writing, or its pages are damaged: records may be missing"
        }
        // One page that was altered by something else looks the same.
        Torn::OrAltered => {
            "this copy was taken while etcd was writing, or a page of it was altered: records may be missing"
        }
        Torn::TwoStates => {
            "this copy was taken while etcd was writing: it mixes two states of the store, and records may be missing"
        }
        Torn::OutOfOrder => {
            "this copy was taken while etcd was writing: its pages and its meta pages are of different commits, and records may be missing"
        }
    }
}

/// What the SHA-256 of a file is, as one word of JSON.
#[must_use]
pub fn trailer_word(trailer: Option<&TrailerCheck>) -> &'static str {
    match trailer {
        Some(TrailerCheck::Good) => "good",
        Some(TrailerCheck::Followed { .. }) => "followed",
        Some(TrailerCheck::Bad { .. }) => "bad",
        Some(TrailerCheck::Absent) => "absent",
        None => "not verified",
    }
}

/// The findings by their codes, as JSON.
#[must_use]
pub fn findings_json(findings: &Findings) -> Value {
    let findings = findings.iter().map(|(code, count, kept)| {
        json!({
            "code": code.as_str(),
            "severity": code.severity().as_str(),
            "layer": code.layer(),
            "count": count,
            "first": kept.first().map(ToString::to_string),
        })
    });
    Value::Array(findings.collect())
}
