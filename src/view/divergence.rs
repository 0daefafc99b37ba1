//! The comparison of databases as text and as JSON.

mod cause;

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::etcd::KeyValue;
use crate::k8s::catalog::Catalog;
use crate::query::divergence::{
    Divergence, KeyDifference, Member, Shape, StoredRecord, Verdict, Version,
};
use crate::query::log_beside::LogBeside;

use super::answer_part::AnswerPart;
use super::command::quoted;
use super::human::plural;
use super::json_rows::with_object;
use super::key_names::KeyNames;
use super::log_beside;
use super::record::insert_text;
use super::rows::Rows;

/// A comparison with what is shown of it.
#[derive(Debug)]
pub struct Shown<'s, 'a> {
    /// The comparison.
    pub divergence: &'s Divergence<'a>,
    /// The databases, as they were typed.
    pub names: &'s [String],
    /// How keys are written.
    pub keys: KeyNames<'s>,
    /// How many keys are listed.
    pub limit: usize,
}

/// How many databases are named in one place.
const NAMED: usize = 3;

/// How many causes are listed for people. There may be one for every two databases.
const MOST_CAUSES: usize = 20;

impl Shown<'_, '_> {
    /// The name of a database, as it was typed.
    fn name(&self, database: usize) -> &str {
        self.names.get(database).map_or("", String::as_str)
    }

    /// The names of databases as part of a sentence: `a.db, b.db and c.db`. Of many only the first ones are named.
    fn list(&self, databases: &[usize]) -> String {
        let names = databases.iter().map(|database| self.name(*database));
        listed(databases.len(), names)
    }

    /// The same for the head of a column: of each name the shortest end that no other database has.
    fn head(&self, databases: &[usize]) -> String {
        let ends = databases.iter().map(|database| {
            let name = self.name(*database);
            let is_unique = |end: &str| {
                let mut others = self.names.iter().enumerate();
                others.all(|(other, name)| other == *database || !ends_in(name, end))
            };
            shortest_end(name, is_unique)
        });
        listed(databases.len(), ends)
    }

    /// The keys that are listed.
    fn listed(&self) -> impl Iterator<Item = &KeyDifference<'_>> {
        self.divergence.keys.iter().take(self.limit)
    }

    /// How many keys are not listed.
    fn left_out(&self) -> usize {
        self.divergence.keys.len().saturating_sub(self.limit)
    }
}

/// Names in a row, of so many.
fn listed<'n>(count: usize, names: impl Iterator<Item = &'n str>) -> String {
    let named: Vec<&str> = names.take(NAMED).collect();
    match count.saturating_sub(NAMED) {
        0 => match named.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        },
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// The shortest end of a path, in whole components, for which a test is true; else the path.
fn shortest_end(path: &str, mut is_unique: impl FnMut(&str) -> bool) -> &str {
    let mut starts = path.rmatch_indices('/');
    let end = starts.find_map(|(at, _)| {
        let end = path.get(at.saturating_add(1)..)?;
        (!end.is_empty() && is_unique(end)).then_some(end)
    });
    end.unwrap_or(path)
}

/// Whether a path has this end, in whole components.
fn ends_in(path: &str, end: &str) -> bool {
    let before = path.strip_suffix(end);
    before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The comparison for people.
#[must_use]
pub fn parts(shown: &Shown<'_, '_>) -> Vec<AnswerPart> {
    let mut parts = vec![AnswerPart::Table(members(shown)), AnswerPart::line("")];
    let sentences = sentences(shown);
    parts.extend(sentences.into_iter().map(AnswerPart::line));
    let causes = &shown.divergence.shapes;
    let first = causes.iter().take(MOST_CAUSES);
    parts.extend(first.map(|cause| AnswerPart::line(cause::sentence(cause, shown))));
    if let Some(more) = causes
        .len()
        .checked_sub(MOST_CAUSES)
        .filter(|more| *more > 0)
    {
        let more = plural(more, "more cause", "more causes");
        parts.push(AnswerPart::line(format!("and {more}; -o json lists all")));
    }
    if !shown.divergence.keys.is_empty() {
        parts.push(AnswerPart::line(""));
        parts.push(AnswerPart::Table(keys(shown)));
    }
    match shown.left_out() {
        0 => {}
        more => parts.push(AnswerPart::line(format!("and {more} more; -n 0 lists all"))),
    }
    parts
}

/// A row for each database.
fn members(shown: &Shown<'_, '_>) -> Rows {
    let heads = ["FILE", "REVISION", "COMPACTED", "HASHKV", "RESULT"];
    let mut rows = Rows::new(&heads, &[1, 2, 3]).sentences(&[4]);
    for (index, member) in shown.divergence.members.iter().enumerate() {
        let number = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
        let compacted = Some(member.compacted).filter(|compacted| *compacted > 0);
        rows.add(&[
            shown.name(index),
            &member.revision.to_string(),
            &number(compacted.map(|compacted| compacted.to_string())),
            &number(member.hash.map(|hash| hash.to_string())),
            &result(shown, index, member),
        ]);
    }
    rows
}

/// The result for one database: equal or not, since when, and whether it is damaged.
fn result(shown: &Shown<'_, '_>, index: usize, member: &Member) -> String {
    let divergence = shown.divergence;
    let is_of_majority = divergence
        .majority()
        .is_some_and(|group| group.contains(&index));
    let has_lost = |cause: &Shape<'_>| {
        let is_this = matches!(cause, Shape::Ends { database, .. } if *database == index);
        is_this && cause.lacks_applied_writes()
    };
    let differs = match member.differs_since {
        None if divergence.shapes.iter().any(has_lost) => {
            format!("equal, but ends at {}", member.revision)
        }
        Some(_) if is_of_majority => "equal to the majority".to_owned(),
        Some(since) => format!("differs since {since}"),
        None if divergence.verdict == Verdict::NotComparable => "not comparable".to_owned(),
        None if divergence.verdict == Verdict::Unknown => "no difference found".to_owned(),
        None => "equal".to_owned(),
    };
    if member.is_damaged {
        return format!("damaged, {differs}");
    }
    differs
}

/// The verdict as a sentence. None if keys differ: the sentences about the groups say it.
fn verdict_sentence(divergence: &Divergence<'_>) -> Option<String> {
    let common = divergence.common;
    Some(match divergence.verdict {
        Verdict::Equal => format!("equal at revision {common}: all records are the same"),
        Verdict::NotComparable => {
            "not comparable: two of the databases have no revision in common".to_owned()
        }
        Verdict::Unknown if divergence.keys.is_empty() => format!(
            "unknown: no difference was found up to revision {common}, but damage may hide one"
        ),
        Verdict::Unknown => {
            "unknown: the only difference is that records cannot be read in a damaged file"
                .to_owned()
        }
        // A database ends earlier, and no other cause than lost writes or a restore explains it.
        Verdict::Different if divergence.keys.is_empty() => format!(
            "different: equal up to revision {common}, but later writes are missing in a database"
        ),
        Verdict::Different => return None,
    })
}

/// What the comparison found, in sentences.
fn sentences(shown: &Shown<'_, '_>) -> Vec<String> {
    let divergence = shown.divergence;
    let mut sentences: Vec<String> = verdict_sentence(divergence).into_iter().collect();
    let count = plural(divergence.keys.len(), "key", "keys");
    match divergence.groups.as_slice() {
        [first, others @ ..] if divergence.majority().is_some() => {
            for group in others {
                let verb = if group.len() == 1 {
                    "differs"
                } else {
                    "differ"
                };
                let rest = match first.len() {
                    2 => "the other two".to_owned(),
                    rest => format!("{rest} others"),
                };
                let since = since(divergence, group);
                sentences.push(format!("{} {verb} from {rest}{since}", shown.list(group)));
            }
            sentences.push(format!("{count} with a different history"));
        }
        [_] | [] => {}
        groups => {
            let firsts: Vec<usize> = groups
                .iter()
                .filter_map(|group| group.first().copied())
                .collect();
            let first = divergence.first_difference();
            let since = first.map_or(String::new(), |first| format!(" since revision {first}"));
            sentences.push(format!(
                "{} differ{since}: {count} with a different history",
                shown.list(&firsts)
            ));
        }
    }
    if divergence.compacted > 0
        && divergence
            .members
            .iter()
            .any(|member| member.compacted < divergence.compacted)
    {
        sentences.push(compaction(shown));
    }
    let members = divergence.members.iter().enumerate();
    let logs = members.filter_map(|(index, member)| Some((index, member.log.as_ref()?)));
    sentences.extend(logs.map(|(index, log)| log_not_read(shown.name(index), log)));
    sentences
}

/// That requests of the write-ahead log next to a database are not compared.
fn log_not_read(name: &str, log: &LogBeside) -> String {
    let entries = plural(log.entries, "more entry", "more entries");
    format!(
        "{name}: its write-ahead log has {entries}, up to {}. They are not compared: `etcdive restore {} --wal --out NEW.db` applies them",
        log_beside::end(log),
        quoted(name)
    )
}

/// Since when a group differs, as the end of a sentence; empty if that is not known.
fn since(divergence: &Divergence<'_>, group: &[usize]) -> String {
    let members = group
        .iter()
        .filter_map(|index| divergence.members.get(*index));
    let since = members.filter_map(|member| member.differs_since).min();
    since.map_or(String::new(), |since| format!(" since revision {since}"))
}

/// What different compactions mean for the comparison.
fn compaction(shown: &Shown<'_, '_>) -> String {
    let compacted = shown.divergence.compacted;
    let members = shown.divergence.members.iter().enumerate();
    let compacted_here: Vec<usize> = members
        .filter(|(_, member)| member.compacted == compacted)
        .map(|(index, _)| index)
        .collect();
    format!(
        "{} {} compacted at {compacted}. From revision {} on every version is compared; up to {compacted} only the keys that were live then",
        shown.list(&compacted_here),
        if compacted_here.len() == 1 {
            "is"
        } else {
            "are"
        },
        compacted.saturating_add(1),
    )
}

/// A row for each key that differs.
fn keys(shown: &Shown<'_, '_>) -> Rows {
    let groups = &shown.divergence.groups;
    let heads: Vec<String> = groups.iter().map(|group| shown.head(group)).collect();
    let fixed = ["REVISION", "KEY", "NOW"].map(str::to_owned);
    let heads: Vec<&str> = fixed.iter().chain(&heads).map(String::as_str).collect();
    let versions: Vec<usize> = (fixed.len()..heads.len()).collect();
    let mut rows = Rows::new(&heads, &[0]).sentences(&versions).whole(&[2]);
    for difference in shown.listed() {
        let mut row = vec![
            difference.revision.main.to_string(),
            key_text(difference, &shown.keys).into_owned(),
            now(difference).to_owned(),
        ];
        let of_groups = groups.iter().map(|group| version_of(difference, group));
        let of_groups: Vec<Version<'_>> = of_groups.collect();
        let mut texts: Vec<String> = of_groups
            .iter()
            .map(|one| version_text(one, false))
            .collect();
        // Records that look the same differ in what is not shown yet.
        let is_ambiguous = texts.windows(2).all(|pair| pair.first() == pair.last());
        if is_ambiguous {
            texts = of_groups
                .iter()
                .map(|one| version_text(one, true))
                .collect();
        }
        row.extend(texts);
        rows.add(&row);
    }
    rows
}

/// What a group has of a key: the version in the first of its databases that can show it.
fn version_of<'a>(difference: &KeyDifference<'a>, group: &[usize]) -> Version<'a> {
    let versions = group
        .iter()
        .filter_map(|index| difference.versions.get(*index));
    let mut known = versions.filter(|version| **version != Version::Unknown);
    known.next().copied().unwrap_or(Version::Unknown)
}

/// The key of a difference, if one can be decoded.
fn key_text<'k>(difference: &KeyDifference<'k>, keys: &KeyNames<'_>) -> Cow<'k, str> {
    match difference.key {
        Some(key) => keys.text(key),
        None => Cow::Borrowed("(no key can be decoded)"),
    }
}

/// Whether a key differs at the revision of the comparison, too.
fn now(difference: &KeyDifference<'_>) -> &'static str {
    if difference.differs_now {
        "differs"
    } else {
        "same"
    }
}

/// What a database has of a key. The hash is first, because a narrow terminal cuts the end. `is_full` adds the fields that
/// are seldom the only ones to differ.
fn version_text(version: &Version<'_>, is_full: bool) -> String {
    let record = match version {
        Version::Record(record) => record,
        Version::NoRecord => return "no record".to_owned(),
        Version::Unknown => return "not retained".to_owned(),
    };
    if record.place.tombstone {
        return "deleted".to_owned();
    }
    let Some(content) = record.content() else {
        return format!(
            "unreadable, {}",
            plural(record.stored.len(), "byte", "bytes")
        );
    };
    let KeyValue {
        version,
        value,
        create_revision,
        lease,
        ..
    } = content;
    let more = if is_full {
        format!(", created at {create_revision}, lease {lease:x}")
    } else {
        String::new()
    };
    let bytes = plural(value.len(), "byte", "bytes");
    format!("{}, version {version}, {bytes}{more}", short_hash(value))
}

/// The first digits of the SHA-256 of a value.
fn short_hash(value: &[u8]) -> String {
    let mut hash = sha256(value);
    hash.truncate(8);
    hash
}

fn sha256(value: &[u8]) -> String {
    let hash = Sha256::digest(value);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The comparison as one JSON object.
#[must_use]
pub fn json(shown: &Shown<'_, '_>, catalog: &Catalog) -> Value {
    let divergence = shown.divergence;
    let verdict = match divergence.verdict {
        Verdict::Equal => "equal",
        Verdict::Different => "different",
        Verdict::Unknown => "unknown",
        Verdict::NotComparable => "not-comparable",
    };
    let group_of = |index: usize| {
        let mut groups = divergence.groups.iter();
        groups.position(|group| group.contains(&index))
    };
    let files = divergence
        .members
        .iter()
        .enumerate()
        .map(|(index, member)| {
            json!({
                "path": shown.name(index),
                "revision": member.revision,
                "compact_revision": member.compacted,
                "consistent_index": member.consistent_index,
                "hash_kv": member.hash,
                "damaged": member.is_damaged,
                "log_not_read": member.log.as_ref().map(log_beside::json),
                "group": group_of(index),
                "differs_since": member.differs_since,
            })
        });
    let causes = divergence.shapes.iter();
    let causes = causes
        .map(|cause| json!({"cause": cause::word(cause), "text": cause::sentence(cause, shown)}));
    json!({
        "verdict": verdict,
        "revision": divergence.common,
        "compact_revision": divergence.compacted,
        "first_difference": divergence.first_difference(),
        "files": files.collect::<Vec<_>>(),
        "causes": causes.collect::<Vec<_>>(),
        "keys": key_rows(shown, catalog).collect::<Vec<_>>(),
        "keys_total": divergence.keys.len(),
    })
}

/// A JSON row for each key that differs.
pub fn key_rows<'r>(
    shown: &'r Shown<'_, '_>,
    catalog: &'r Catalog,
) -> impl Iterator<Item = Value> + 'r {
    shown.listed().map(move |difference| {
        let mut row = Map::new();
        row.insert("revision".to_owned(), difference.revision.main.into());
        row.insert("sub".to_owned(), difference.revision.sub.into());
        if let Some(key) = difference.key {
            insert_text(&mut row, "key", key);
        }
        row.insert("differs_now".to_owned(), difference.differs_now.into());
        let versions = difference.versions.iter().enumerate();
        let versions = versions.map(|(index, version)| version_json(shown.name(index), version));
        row.insert("files".to_owned(), versions.collect());
        with_object(
            Value::Object(row),
            difference.key.unwrap_or_default(),
            catalog,
        )
    })
}

fn version_json(path: &str, version: &Version<'_>) -> Value {
    match version {
        Version::Record(record) => record_json(path, record),
        Version::NoRecord => json!({"path": path, "type": "none"}),
        Version::Unknown => json!({"path": path, "type": "not-retained"}),
    }
}

fn record_json(path: &str, record: &StoredRecord<'_>) -> Value {
    if record.place.tombstone {
        return json!({"path": path, "type": "delete"});
    }
    match record.content() {
        Some(content) => json!({
            "path": path,
            "type": "put",
            "create_revision": content.create_revision,
            "mod_revision": content.mod_revision,
            "version": content.version,
            "lease": (content.lease != 0).then(|| format!("{:016x}", content.lease)),
            "value_size": content.value.len(),
            "value_sha256": sha256(content.value),
        }),
        None => json!({"path": path, "type": "unreadable", "size": record.stored.len()}),
    }
}
