//! What `grep` has to say, by a scan that knows no short cut; and the queries.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd;
use etcdive::k8s::object::tree_of;
use etcdive::k8s::search::Document;
use etcdive::source::Source;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use crate::support::Run;
use crate::support::random::Random;
use crate::verbs::jsonl;

/// One event of a store: a put, or a deletion without a value.
pub struct Event {
    pub revision: i64,
    pub key: String,
    pub create_revision: i64,
    pub value: Option<Vec<u8>>,
}

/// All records of a database file.
pub fn records_of(db: &Path) -> Vec<Event> {
    let source = Source::open(db).unwrap();
    let diagnostics = Diagnostics::new();
    let store = etcd::Store::open(&source, &diagnostics).unwrap();
    let event = |record: etcd::Record<'_>| Event {
        revision: record.revision.main,
        key: String::from_utf8(record.key.to_vec()).unwrap(),
        create_revision: record.create_revision,
        value: (!record.tombstone).then(|| record.value.to_vec()),
    };
    store.records(Direction::Forward).map(event).collect()
}

/// The events that a watch recorded.
pub fn recorded(path: &Path) -> Vec<Event> {
    let text = std::fs::read_to_string(path).unwrap();
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let bytes = |name: &str| STANDARD.decode(event[name].as_str().unwrap_or("")).unwrap();
        Event {
            revision: event["rev"].as_i64().unwrap(),
            key: String::from_utf8(bytes("key_b64")).unwrap(),
            create_revision: event["create_revision"].as_i64().unwrap_or(0),
            value: (event["type"] == "PUT").then(|| bytes("value_b64")),
        }
    };
    text.lines().map(event).collect()
}

/// A line as a naive scan has it.
pub struct Line {
    /// The path as text, and where the field's own part begins in it; none for what is no object.
    pub path: String,
    pub own: usize,
    /// The path without places in lists.
    pub field: String,
    pub number: Option<usize>,
    pub text: Vec<u8>,
    pub decoded: bool,
    /// Whether it is after the path, in the line that is searched.
    pub joined: bool,
    /// The whole text of which this is a line.
    pub whole: String,
}

pub fn lines_of_text(text: &[u8]) -> Vec<(Option<usize>, Vec<u8>)> {
    let mut lines: Vec<Vec<u8>> = text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.len() > 1 && lines.last().unwrap().is_empty() {
        lines.pop();
    }
    let several = lines.len() > 1;
    let number = |(nth, line)| (several.then_some(nth + 1), line);
    lines.into_iter().enumerate().map(number).collect()
}

/// All lines of an object, by recursion.
pub fn lines_of(
    value: &Value,
    path: &str,
    own: Option<usize>,
    field: &str,
    top: &Top<'_>,
    into: &mut Vec<Line>,
) {
    let mut push = |number, text: &[u8], decoded, joined: bool, whole: &str| {
        into.push(Line {
            path: path.to_owned(),
            own: own.unwrap_or(path.len()),
            field: field.to_owned(),
            number,
            text: text.to_vec(),
            decoded,
            joined,
            whole: whole.to_owned(),
        });
    };
    match value {
        Value::Object(map) => {
            if own.is_some() {
                push(
                    None,
                    if map.is_empty() { b"{}" } else { b"" },
                    false,
                    true,
                    "",
                );
            }
            for (key, value) in map {
                if field == "metadata" && key == "managedFields" {
                    continue;
                }
                let plain = key.chars().enumerate().all(|(at, c)| {
                    c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit())
                });
                let (dot, name) = match (plain && !key.is_empty(), path.is_empty()) {
                    (true, true) => ("", key.clone()),
                    (true, false) => (".", key.clone()),
                    (false, _) => ("", format!("[{}]", Value::String(key.clone()))),
                };
                let dot_in_field = if field.is_empty() { "" } else { dot };
                let own = Some(path.len() + dot.len());
                lines_of(
                    value,
                    &format!("{path}{dot}{name}"),
                    own,
                    &format!("{field}{dot_in_field}{name}"),
                    top,
                    into,
                );
            }
        }
        Value::Array(items) => {
            if own.is_some() {
                push(
                    None,
                    if items.is_empty() { b"[]" } else { b"" },
                    false,
                    true,
                    "",
                );
            }
            for (at, item) in items.iter().enumerate() {
                lines_of(item, &format!("{path}[{at}]"), None, field, top, into);
            }
        }
        Value::String(text) if top.is_bytes(path, text) => {
            for (nth, (number, line)) in lines_of_text(&STANDARD.decode(text).unwrap())
                .iter()
                .enumerate()
            {
                push(*number, line, true, nth == 0, text);
            }
        }
        Value::String(text) => {
            for (nth, (number, line)) in lines_of_text(text.as_bytes()).iter().enumerate() {
                push(*number, line, false, nth == 0, text);
            }
        }
        other => push(
            None,
            other.to_string().as_bytes(),
            false,
            true,
            &other.to_string(),
        ),
    }
}

pub struct Top<'v> {
    pub tree: &'v Value,
    pub bytes: &'v HashSet<String>,
}

impl Top<'_> {
    pub fn is_bytes(&self, path: &str, text: &str) -> bool {
        (self.tree["kind"] == "Secret" && path.starts_with("data"))
            || (self.tree["kind"] == "ConfigMap" && path.starts_with("binaryData"))
            || self.bytes.contains(text)
    }
}

pub fn naive_lines(value: &[u8]) -> Vec<Line> {
    naive_lines_of(value, &Document::read(value).unwrap().bytes)
}

pub fn naive_lines_of(value: &[u8], bytes: &HashSet<String>) -> Vec<Line> {
    let mut lines = Vec::new();
    let (tree, _) = tree_of(value).unwrap();
    if tree.get("kind").is_some_and(Value::is_string) {
        let top = Top { tree: &tree, bytes };
        lines_of(&tree, "", None, "", &top, &mut lines);
        return lines;
    }
    for (number, text) in lines_of_text(value) {
        let (path, field, whole) = Default::default();
        lines.push(Line {
            path,
            own: 0,
            field,
            number,
            text,
            decoded: false,
            joined: false,
            whole,
        });
    }
    lines
}

/// Whether a line matches, and whether in its text and not only in its name.
pub fn matches(regex: &Regex, line: &Line) -> Option<bool> {
    if line.joined {
        let colon = if line.text.is_empty() { ":" } else { ": " };
        let joined = [line.path.as_bytes(), colon.as_bytes(), &line.text].concat();
        let text_at = line.path.len() + colon.len();
        if regex.is_match(&joined) {
            // Wherever one looks from.
            let reaching = (0..=joined.len()).filter_map(|from| regex.find_at(&joined, from));
            let ends: Vec<usize> = reaching
                .map(|m| m.end())
                .filter(|end| *end > line.own)
                .collect();
            if !ends.is_empty() {
                return Some(ends.iter().any(|end| *end > text_at));
            }
        }
    }
    regex.is_match(&line.text).then_some(true)
}

/// A query: its arguments, and the same as a regular expression.
pub struct Query {
    pub arguments: Vec<String>,
    pub regex: Regex,
    pub base64: Option<String>,
}

/// A seeded query about something in the lines.
pub fn query(seed: u64, lines: &[Vec<u8>]) -> Query {
    let mut random = Random::new(seed);
    let piece = |random: &mut Random| loop {
        let line = &lines[random.below(lines.len())];
        let Ok(text) = std::str::from_utf8(line) else {
            continue;
        };
        let text: Vec<char> = text.chars().collect();
        if text.is_empty() {
            continue;
        }
        let from = random.below(text.len());
        let most = (text.len() - from).min(14);
        break text[from..=from + random.below(most)]
            .iter()
            .collect::<String>();
    };
    let mut arguments = Vec::new();
    let mut written = match random.below(6) {
        0 | 1 => {
            arguments.push("-F".to_owned());
            regex::escape(&piece(&mut random))
        }
        2 => {
            let mut parts: Vec<String> = piece(&mut random)
                .chars()
                .map(|c| regex::escape(&c.to_string()))
                .collect();
            let at = random.below(parts.len());
            parts[at] = random
                .pick(&[".", ".?", "[a-m0-5]", r"\w", ".*"])
                .to_owned();
            parts.concat()
        }
        3 => format!(
            "{}|{}",
            regex::escape(&piece(&mut random)),
            regex::escape(&piece(&mut random))
        ),
        4 => format!(
            "^{}$",
            regex::escape(&String::from_utf8_lossy(&lines[random.below(lines.len())]))
        ),
        _ => format!(r"{}.*[0-9]{{2,}}", regex::escape(&piece(&mut random))),
    };
    let text = if arguments.is_empty() {
        written.clone()
    } else {
        unescaped(&written)
    };
    let (ignore_case, word) = (random.one_in(4), random.one_in(6));
    if ignore_case {
        arguments.push("-i".to_owned());
    }
    if word {
        arguments.push("-w".to_owned());
        written = format!(r"\b{{start-half}}(?:{written})\b{{end-half}}");
    }
    arguments.push(format!("--regexp={text}"));
    let literal = unescaped(&written);
    let is_base64 = literal.len() >= 8
        && !ignore_case
        && !word
        && regex::escape(&literal) == written
        && literal
            .trim_end_matches('=')
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b));
    Query {
        arguments,
        regex: RegexBuilder::new(&written)
            .case_insensitive(ignore_case)
            .build()
            .unwrap(),
        base64: is_base64.then_some(literal),
    }
}

/// A text that was escaped for a regular expression.
pub fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::new();
    while let Some(c) = characters.next() {
        plain.push(if c == '\\' {
            characters.next().unwrap()
        } else {
            c
        });
    }
    plain
}

pub fn is_secret(key: &str) -> bool {
    key.contains("/secrets/")
}

/// Key and create_revision, field, text (of a Secret: its whole value, which is not shown); and first, last,
/// gone at, times.
pub type Rows = BTreeMap<RowKey, RowSpan>;
pub type RowKey = (String, i64, String, Vec<u8>);
pub type RowSpan = (i64, i64, Option<i64>, u64);

/// The rows that the newest version of a key holds.
type Held = BTreeSet<(String, Vec<u8>)>;

/// What `grep --history` has to say, from the events.
pub fn naive_history(events: &[(Event, Vec<Line>)], query: &Query) -> Rows {
    let mut rows = Rows::new();
    // By key: life, and the rows that its newest version holds.
    let mut present: BTreeMap<&str, (i64, Held)> = BTreeMap::new();
    for (event, lines) in events {
        let mut now = BTreeSet::new();
        for line in lines {
            let in_base64 = line.decoded
                && query
                    .base64
                    .as_ref()
                    .is_some_and(|text| line.whole.contains(text));
            let found = matches(&query.regex, line);
            // Of bytes of which only the name matches the base64 is shown.
            let as_base64 = in_base64 || (line.decoded && found == Some(false));
            if is_secret(&event.key) && (found.is_some() || in_base64) {
                now.insert((line.field.clone(), line.whole.clone().into_bytes()));
                continue;
            }
            if as_base64 {
                now.insert((line.field.clone(), line.whole.clone().into_bytes()));
            }
            if found == Some(true) || (found.is_some() && !line.decoded) {
                now.insert((line.field.clone(), line.text.clone()));
            }
        }
        let (life, before) = present.entry(&event.key).or_default();
        let row = |life: i64, (field, text): &(String, Vec<u8>)| {
            (event.key.clone(), life, field.clone(), text.clone())
        };
        for gone in before
            .iter()
            .filter(|line| event.create_revision != *life || !now.contains(*line))
        {
            rows.get_mut(&row(*life, gone)).unwrap().2 = Some(event.revision);
        }
        for line in &now {
            let span = rows.entry(row(event.create_revision, line)).or_insert((
                event.revision,
                0,
                Some(0),
                0,
            ));
            span.3 += u64::from(span.2.take().is_some());
            span.1 = event.revision;
        }
        *present.get_mut(event.key.as_str()).unwrap() = (event.create_revision, now);
    }
    rows
}

/// Of a row: all but the text of a Secret.
pub fn comparable(rows: &Rows) -> Vec<String> {
    let row = |((key, life, field, text), span): (&RowKey, &RowSpan)| {
        let shown = if is_secret(key) {
            "masked".into()
        } else {
            text.escape_ascii().to_string()
        };
        format!("{key} {life} {field} {shown} {span:?}")
    };
    let mut rows: Vec<String> = rows.iter().map(row).collect();
    rows.sort();
    rows
}

pub fn text_of(row: &Value) -> Vec<u8> {
    match (row["value"].as_str(), row["value_base64"].as_str()) {
        (Some(text), _) => text.into(),
        (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
        _ => panic!("{row}"),
    }
}

pub fn field_of(row: &Value) -> String {
    let path: etcdive::k8s::diff::Path = row["path"].as_str().unwrap().parse().unwrap();
    let named = path
        .segments()
        .into_iter()
        .filter(|s| !matches!(s, etcdive::k8s::diff::Segment::Index(_)));
    let named: etcdive::k8s::diff::Path = named.cloned().collect();
    named.to_string()
}

pub fn told(run: &Run) -> Vec<String> {
    let row = |row: Value| {
        let key = row["key"].as_str().unwrap().to_owned();
        let shown = if is_secret(&key) {
            "masked".into()
        } else {
            text_of(&row).escape_ascii().to_string()
        };
        assert_eq!(
            row["still_there"] == true,
            row.get("gone_at_revision").is_none()
        );
        let span = (
            row["first_revision"].as_i64().unwrap(),
            row["last_revision"].as_i64().unwrap(),
            row["gone_at_revision"].as_i64(),
            row["times"].as_u64().unwrap(),
        );
        format!(
            "{key} {} {} {shown} {span:?}",
            row["create_revision"],
            field_of(&row)
        )
    };
    let mut rows: Vec<String> = jsonl(run).into_iter().map(row).collect();
    rows.sort();
    rows
}
