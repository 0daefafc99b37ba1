//! Why packed evidence and incremental backups have no answer.

use std::path::Path;

use crate::named::key_text;
use crate::near::near;
use crate::query::NoAnswer;
use crate::source::{Member, MemberKind, UnpackError, archive_of};

use super::super::command::{Invocation, quoted};
use super::super::human::{self, first_of};
use super::{Text, hinted, plain};

/// How many members a list has.
const LISTED: usize = 20;

/// How many names a sentence has.
const NAMED: usize = 5;

/// Why a packed file cannot be unpacked; `given` is its path as typed.
pub(super) fn text(given: &Path, error: &UnpackError, run: &Invocation) -> Text {
    let name = match given.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => key_text(given.as_os_str().as_encoded_bytes()).into_owned(),
    };
    let sentence = format!("{name}: {error}");
    match error {
        UnpackError::TooLong { up_to_bytes } => hinted(
            sentence,
            format!(
                "if the file is really that large, `--unpack-limit` allows more than {}",
                human::bytes(*up_to_bytes)
            ),
        ),
        UnpackError::NoSpace { needed, free, .. } => {
            let sentence = match (needed, free) {
                (Some(needed), Some(free)) => format!(
                    "{sentence}: it needs at least {}, and {} are free",
                    human::bytes(*needed),
                    human::bytes(*free)
                ),
                _ => sentence,
            };
            hinted(sentence, ANOTHER_FOLDER)
        }
        UnpackError::Temporary { .. } => hinted(sentence, ANOTHER_FOLDER),
        UnpackError::Password { path } => hinted(
            format!(
                "{name}: {} in it is protected by a password",
                key_text(path.as_bytes())
            ),
            "unpack it, for example with `7z x`, and give the file",
        ),
        UnpackError::Method { path, how } => hinted(
            format!(
                "{name}: {} in it is stored {how}, which is not read",
                key_text(path.as_bytes())
            ),
            "unpack it and give the file",
        ),
        UnpackError::Empty => plain(sentence),
        UnpackError::TooDeep => hinted(sentence, "unpack the outer ones and give the inner one"),
        UnpackError::Damaged { .. } | UnpackError::Archive(_) | UnpackError::Unreadable(_) => {
            hinted(
                sentence,
                "fetch the file again and compare its size or checksum",
            )
        }
        UnpackError::NoDatabase { .. }
        | UnpackError::Several { .. }
        | UnpackError::NoMember { .. } => choice(given, &name, error, run),
    }
}

/// Why no member of an archive is taken.
fn choice(given: &Path, name: &str, error: &UnpackError, run: &Invocation) -> Text {
    let command = |inside: &[String], member: &str| {
        let path: Vec<&str> = inside.iter().map(String::as_str).chain([member]).collect();
        let word = word(&archive_of(given), &path.join("::"));
        format!("`etcdive {} {word}`", run.verb)
    };
    match error {
        UnpackError::NoDatabase { members } => hinted(
            list(format!("{name}: no etcd database in it"), members),
            "a database is a copied member/snap/db or an `etcdctl snapshot save` file",
        ),
        UnpackError::Several { members, inside } => {
            let what = several(members);
            let first = members.first().map_or("", |member| member.path.as_str());
            hinted(
                list(format!("{name}: {what} in it; name one"), members),
                command(inside, first),
            )
        }
        UnpackError::NoMember {
            path,
            members,
            inside,
        } => {
            let sentence = format!("{name}: no {} in it", key_text(path.as_bytes()));
            if members.is_empty() {
                return plain(format!("{sentence}: it is not an archive"));
            }
            let known = members.iter().map(|member| member.path.as_str());
            match near(path, known).first() {
                Some(near) => hinted(sentence, command(inside, near)),
                None => plain(list(sentence, members)),
            }
        }
        _ => plain(name),
    }
}

const ANOTHER_FOLDER: &str = "the variable TMPDIR names another folder for temporary files";

fn several(members: &[Member]) -> String {
    let what = match members.first().map(|member| member.kind) {
        Some(MemberKind::Delta) => "delta snapshots",
        Some(MemberKind::Packed(_)) => "compressed files",
        _ => "databases",
    };
    format!("{} {what}", members.len())
}

/// A member of an archive as a word of a command line.
fn word(archive: &Path, member: &str) -> String {
    let shown = key_text(member.as_bytes());
    quoted(&format!("{}::{shown}", archive.to_string_lossy()))
}

/// A sentence with members after it, one per line.
fn list(sentence: String, members: &[Member]) -> String {
    let rows = members.iter().take(LISTED).map(|member| {
        let what = match member.kind {
            MemberKind::Database | MemberKind::Unknown => String::new(),
            MemberKind::CompressedDatabase(packing) => format!(", {packing}"),
            MemberKind::Packed(packing) => format!(", a {packing} file"),
            MemberKind::Delta => ", a delta snapshot".to_owned(),
            MemberKind::Log => ", a segment of a write-ahead log".to_owned(),
            MemberKind::Encrypted => ", protected by a password".to_owned(),
            MemberKind::Other => String::new(),
        };
        let path = key_text(member.path.as_bytes());
        format!("\n  {path} ({}{what})", human::bytes(member.len_bytes))
    });
    let rows: String = rows.collect();
    let more = match members.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!("\n  and {more} more"),
        _ => String::new(),
    };
    match members.is_empty() {
        true => format!("{sentence}: it is empty"),
        false => format!("{sentence}:{rows}{more}"),
    }
}

/// Why incremental backups have no answer.
pub(super) fn of_backups(no: &NoAnswer, run: &Invocation) -> Text {
    match no {
        NoAnswer::NoFullSnapshot {
            folder,
            asked,
            known,
        } => {
            let sentence = format!(
                "{}: no full snapshot {} in it",
                folder.display(),
                key_text(asked.as_bytes())
            );
            match known.last() {
                None => plain(sentence),
                Some(newest) => hinted(
                    sentence,
                    format!(
                        "it has {}; the newest: `etcdive {} {}`",
                        first_of(known, NAMED),
                        run.verb,
                        word(folder, newest)
                    ),
                ),
            }
        }
        NoAnswer::NoDeltaEvents(path) => plain(format!(
            "{}: delta snapshots without an event that can be read",
            path.display()
        )),
        _ => plain("no answer"),
    }
}
