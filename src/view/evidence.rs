//! The file of a report: what names it, and the run that looked at it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::source::{Following, PackedAs, TrailerCheck};

use super::record::{insert_text, key_text};
use super::rows::Rows;

/// The file as it was opened, this run, and the file at its end.
#[derive(Debug)]
pub struct Custody {
    /// The path as it was given.
    pub given_path: Vec<u8>,
    /// The path of the file that was opened.
    pub path: Vec<u8>,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// Its modification time at open, where the file system has one.
    pub modified: Option<SystemTime>,
    /// Device and inode number, on systems that have them.
    pub file_id: Option<(u64, u64)>,
    /// SHA-256 of all its bytes when it was opened.
    pub sha256: [u8; 32],
    /// The same after everything was read; none if it was not hashed again.
    pub sha256_after: Option<[u8; 32]>,
    /// Another sign that it changed meanwhile, as part of a sentence.
    pub change: Option<&'static str>,
    /// The result of checking the trailer of a snapshot.
    pub trailer: Option<TrailerCheck>,
    /// The archive that it was unpacked from; none if it was not.
    pub archive: Option<ArchiveCustody>,
    /// Whether the system promised to leave its access time alone.
    pub atime_untouched: bool,
    /// Name and version of the program.
    pub tool: &'static str,
    /// How the program was called, itself first.
    pub arguments: Vec<Vec<u8>>,
    /// When.
    pub run_at: SystemTime,
}

/// The archive that a database was unpacked from.
#[derive(Debug)]
pub struct ArchiveCustody {
    /// Its length in bytes.
    pub len_bytes: u64,
    /// SHA-256 of all its bytes; none if it can no longer be read.
    pub sha256: Option<[u8; 32]>,
    /// The layers that were unpacked, the outermost first.
    pub layers: Vec<PackedAs>,
}

impl ArchiveCustody {
    /// The layers as one line: `gzip, tar member backup/db`.
    fn layers(&self) -> String {
        let layers = self.layers.iter().map(|layer| match layer {
            PackedAs::StandardInput => "standard input".to_owned(),
            PackedAs::Compressed(packing) => (*packing).to_owned(),
            PackedAs::Member { archive, path } => {
                format!("{archive} member {}", key_text(path.as_bytes()))
            }
        });
        layers.collect::<Vec<_>>().join(", ")
    }

    fn json(&self) -> Value {
        let member = self.layers.iter().rev().find_map(|layer| match layer {
            PackedAs::Member { path, .. } => Some(path.as_str()),
            _ => None,
        });
        json!({
            "size": self.len_bytes,
            "sha256": self.sha256.map(|sha256| hex(&sha256)),
            "layers": self.layers(),
            "member": member,
        })
    }
}

impl Custody {
    fn is_unchanged(&self) -> bool {
        self.change.is_none() && self.sha256_after.is_none_or(|after| after == self.sha256)
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 3339 in UTC, as exact as the time is.
fn time_text(time: SystemTime) -> Option<String> {
    let nanoseconds = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).ok()?,
        Err(before) => i128::try_from(before.duration().as_nanos())
            .ok()?
            .checked_neg()?,
    };
    let time = Timestamp::from_nanosecond(nanoseconds).ok()?;
    Some(time.to_string())
}

/// What follows a trailer, with the verb.
#[must_use]
pub fn following(bytes: u64, by: Following) -> String {
    let what = match by {
        Following::LineEnds => "line end",
        Following::Zeros => "zeros",
        Following::Database => "another database",
        Following::Other => "bytes of something else",
    };
    let (count, verb) = match bytes {
        1 => ("1 byte".to_owned(), "follows"),
        bytes => (format!("{bytes} bytes"), "follow"),
    };
    format!("{count} ({what}) {verb}")
}

/// How a copy is made without what follows its trailer, which ends at `at`.
#[must_use]
pub fn mended(path: &Path, at: u64, by: Following) -> String {
    let file = quoted(path.as_os_str().as_encoded_bytes());
    let first =
        format!("`head -c {at} {file} > mended.db` makes a copy without what follows the SHA-256");
    if by == Following::Database {
        let second = at.saturating_add(1);
        return format!(
            "{first}, `tail -c +{second} {file} > second.db` one of the database after it"
        );
    }
    first
}

/// As a table, one fact a line.
pub fn table(custody: &Custody) -> Rows {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let other = custody
        .sha256_after
        .filter(|after| *after != custody.sha256);
    let after = match (custody.change, other) {
        (None, None) => "the same".to_owned(),
        (Some(change), None) => format!("the same, but THE FILE CHANGED: {change}"),
        (_, Some(after)) => format!("{}: THE FILE CHANGED", hex(&after)),
    };
    let trailer = match &custody.trailer {
        None => "not verified".to_owned(),
        Some(TrailerCheck::Absent) => "none: a db file".to_owned(),
        Some(TrailerCheck::Good) => "right".to_owned(),
        Some(TrailerCheck::Followed { bytes, by, .. }) => {
            format!("right, but {} it", following(*bytes, *by))
        }
        Some(TrailerCheck::Bad { computed, stored }) => format!(
            "WRONG: it says {}, the bytes before it have {}",
            hex(stored),
            hex(computed)
        ),
    };
    let atime = if custody.atime_untouched {
        "left alone"
    } else {
        "may have been set by reading: the system leaves it alone for the owner only"
    };
    let arguments: Vec<String> = custody.arguments.iter().map(|word| quoted(word)).collect();
    let inode = custody
        .file_id
        .map(|(device, inode)| format!("{inode} on device {device}"));
    let archive = custody.archive.as_ref();
    let is_shown = |name: &str| archive.is_some() || !ARCHIVE_FACTS.contains(&name);
    let mut facts = Rows::new(&["EVIDENCE", ""], &[]).wrapped();
    for (name, fact) in [
        ("path given", key_text(&custody.given_path).into_owned()),
        ("path opened", key_text(&custody.path).into_owned()),
        ("packed as", or_dash(archive.map(ArchiveCustody::layers))),
        (
            "archive size",
            or_dash(archive.map(|archive| format!("{} bytes", archive.len_bytes))),
        ),
        (
            "archive sha256",
            or_dash(archive.map(|archive| or_dash(archive.sha256.map(|sha256| hex(&sha256))))),
        ),
        ("size", format!("{} bytes", custody.len_bytes)),
        ("modified", or_dash(custody.modified.and_then(time_text))),
        ("inode", or_dash(inode)),
        ("access time", atime.to_owned()),
        ("sha256", hex(&custody.sha256)),
        ("sha256 at the end", after),
        ("trailer", trailer),
        ("program", custody.tool.to_owned()),
        ("arguments", arguments.join(" ")),
        ("run at", or_dash(time_text(custody.run_at))),
    ] {
        if is_shown(name) {
            facts.add(&[name, &fact]);
        }
    }
    facts
}

/// The facts of a database that was unpacked.
const ARCHIVE_FACTS: [&str; 3] = ["packed as", "archive size", "archive sha256"];

/// A word as a shell would read it.
fn quoted(word: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./=:,@+%".contains(byte);
    let text = key_text(word);
    if !word.is_empty() && word.iter().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// As JSON.
pub fn json(custody: &Custody) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "given_path", &custody.given_path);
    insert_text(&mut fields, "path", &custody.path);
    if let Some(archive) = &custody.archive {
        fields.insert("archive".to_owned(), archive.json());
    }
    fields.insert("size".to_owned(), custody.len_bytes.into());
    fields.insert(
        "modified".to_owned(),
        custody.modified.and_then(time_text).into(),
    );
    if let Some((device, inode)) = custody.file_id {
        fields.insert("device".to_owned(), device.into());
        fields.insert("inode".to_owned(), inode.into());
    }
    fields.insert("atime_untouched".to_owned(), custody.atime_untouched.into());
    fields.insert("sha256".to_owned(), hex(&custody.sha256).into());
    let after = custody.sha256_after.map(|after| hex(&after));
    fields.insert("sha256_after".to_owned(), after.into());
    fields.insert("unchanged".to_owned(), custody.is_unchanged().into());
    fields.insert("change".to_owned(), custody.change.into());
    if let Some(TrailerCheck::Bad { computed, stored }) = &custody.trailer {
        let trailer = json!({ "stored": hex(stored), "computed": hex(computed) });
        fields.insert("wrong_trailer".to_owned(), trailer);
    }
    fields.insert("program".to_owned(), custody.tool.into());
    let arguments = custody.arguments.iter().map(|argument| {
        let mut word = Map::new();
        insert_text(&mut word, "argument", argument);
        Value::Object(word)
    });
    fields.insert("arguments".to_owned(), arguments.collect());
    fields.insert("run_at".to_owned(), time_text(custody.run_at).into());
    Value::Object(fields.into_iter().filter(|(_, v)| !v.is_null()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_time_is_as_exact_as_it_is() {
        let time = UNIX_EPOCH.checked_add(Duration::new(1_764_110_000, 120_000_000));
        assert_eq!(
            time.and_then(time_text).as_deref(),
            Some("2025-11-25T22:33:20.12Z")
        );
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(1));
        assert_eq!(
            before.and_then(time_text).as_deref(),
            Some("1969-12-31T23:59:59Z")
        );
    }

    #[test]
    fn a_word_is_quoted_as_a_shell_takes_it() {
        assert_eq!(quoted(b"--at=3"), "--at=3");
        assert_eq!(quoted(b"a b"), "'a b'");
        assert_eq!(quoted(b"it's"), "'it'\\''s'");
        assert_eq!(quoted(b""), "''");
    }
}
