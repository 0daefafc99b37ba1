//! auger's `--filter`: FIELD=VALUE, with commas between several that must all hold.
//!
//! In auger a field is the inside of a Go template over a KeySummary (`pkg/data/data.go`, ParseFilters), compared
//! as text. Taken here: a path such as `.Value.metadata.namespace`, and `index PATH "KEY"` for keys that are
//! no identifiers. A path that leads nowhere is told as `<no value>`, as Go does; it never ends the listing.

use serde_json::{Value, json};

use crate::etcd::Record;
use crate::etcd::history::VersionCounts;
use crate::go::value::{self, Layout};

/// Constraints that a key must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Vec<Constraint>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Constraint {
    path: Vec<Step>,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Number(usize),
}

/// The fields of a KeySummary, with those of the ones that are Go structs.
const FIELDS: [(&str, &[&str]); 5] = [
    ("Key", &[]),
    ("Version", &[]),
    ("Value", &[]),
    ("TypeMeta", &["APIVersion", "Kind"]),
    (
        "Stats",
        &[
            "VersionCount",
            "KeySize",
            "ValueSize",
            "AllVersionsKeySize",
            "AllVersionsValueSize",
        ],
    ),
];

/// How Go tells what is not there.
const NO_VALUE: &str = "<no value>";

impl Filter {
    /// Reads `FIELD=VALUE[,FIELD=VALUE...]`.
    ///
    /// # Errors
    /// The sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(
                |constraint| match constraint.split('=').collect::<Vec<_>>()[..] {
                    [field, value] => Ok(Constraint {
                        path: parse_field(field.trim())?,
                        text: value.trim().to_owned(),
                    }),
                    _ => Err(format!("'{constraint}' is not FIELD=VALUE")),
                },
            )
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether it asks for the object.
    pub fn needs_value(&self) -> bool {
        self.names("Value") || self.names("TypeMeta")
    }

    /// Whether it asks for the versions of a key.
    pub fn needs_counts(&self) -> bool {
        self.names("Stats")
    }

    fn names(&self, field: &str) -> bool {
        let of = |constraint: &Constraint| matches!(constraint.path.first(), Some(Step::Name(name)) if name == field);
        self.0.iter().any(of)
    }

    /// Whether a live key meets all of it. `object` is its decoded value, null for what is no object.
    pub fn accepts(&self, record: &Record<'_>, counts: VersionCounts, object: Value) -> bool {
        let key_size = record.key.len() as u64;
        let says = |name: &str| object.get(name).cloned().unwrap_or_default();
        let summary = json!({
            "Key": String::from_utf8_lossy(record.key),
            "Version": record.version,
            "TypeMeta": {"APIVersion": says("apiVersion"), "Kind": says("kind")},
            "Stats": {
                "VersionCount": counts.versions,
                "KeySize": key_size,
                "ValueSize": record.value.len(),
                "AllVersionsKeySize": key_size.saturating_mul(counts.versions),
                "AllVersionsValueSize": counts.value_bytes,
            },
            "Value": object,
        });
        self.0
            .iter()
            .all(|constraint| go_text(at(&summary, &constraint.path)) == constraint.text)
    }
}

fn at<'v>(summary: &'v Value, path: &[Step]) -> &'v Value {
    path.iter()
        .try_fold(summary, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Number(number) => value.get(number),
        })
        .unwrap_or(&Value::Null)
}

/// A value as Go's fmt prints it, except that numbers stay as they are written: Go makes 1e+06 of 1000000.
fn go_text(value: &Value) -> String {
    if value.is_null() {
        return NO_VALUE.to_owned();
    }
    let mut text = Vec::new();
    // Writing to a vector does not fail.
    let _ = value::write(value, Layout::SprintPlainNumbers, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn parse_field(field: &str) -> Result<Vec<Step>, String> {
    let Some(arguments) = field.strip_prefix("index ") else {
        return parse_path(field);
    };
    let arguments = arguments.trim_start();
    let (path, mut rest) = arguments
        .split_once(char::is_whitespace)
        .ok_or_else(|| unsupported(field))?;
    let mut steps = parse_path(path)?;
    while !rest.trim_start().is_empty() {
        let (step, behind) = parse_argument(rest.trim_start()).ok_or_else(|| unsupported(field))?;
        steps.push(step);
        rest = behind;
    }
    Ok(steps)
}

/// A quoted key or a number, and what is behind it.
fn parse_argument(text: &str) -> Option<(Step, &str)> {
    for quote in ['"', '`'] {
        if let Some(quoted) = text.strip_prefix(quote) {
            let (key, rest) = quoted.split_once(quote)?;
            let escaped = quote == '"' && key.contains('\\');
            return (!escaped).then(|| (Step::Name(key.to_owned()), rest));
        }
    }
    let (number, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Some((Step::Number(number.parse().ok()?), rest))
}

fn parse_path(path: &str) -> Result<Vec<Step>, String> {
    let names: Vec<&str> = path
        .strip_prefix('.')
        .ok_or_else(|| unsupported(path))?
        .split('.')
        .collect();
    let is_identifier = |name: &&str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if !names.iter().all(is_identifier) {
        return Err(unsupported(path));
    }
    let first = names.first().copied().unwrap_or_default();
    let Some((_, inner)) = FIELDS.iter().find(|(name, _)| *name == first) else {
        return Err(format!(
            "no field .{first}: there are .Key, .Version, .Value, .TypeMeta, .Stats"
        ));
    };
    match names.get(1) {
        Some(second) if first != "Value" && !inner.contains(second) => {
            return Err(format!("no field .{second} in .{first}"));
        }
        None if !inner.is_empty() => {
            return Err(format!(".{first} has .{}", inner.join(", .")));
        }
        _ => {}
    }
    Ok(names
        .into_iter()
        .map(|name| Step::Name(name.to_owned()))
        .collect())
}

fn unsupported(field: &str) -> String {
    format!(
        "'{field}' is no field: expected a path such as .Value.metadata.namespace, or index PATH \"KEY\" \
         such as index .Value.metadata.labels \"app.kubernetes.io/name\""
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::etcd::record::Origin;
    use crate::etcd::revision::Revision;

    fn accepts(filter: &str) -> bool {
        let record = Record {
            revision: Revision { main: 9, sub: 0 },
            tombstone: false,
            key: b"/k",
            create_revision: 2,
            mod_revision: 9,
            version: 3,
            value: b"12345",
            lease: 0,
            origin: Origin::Live,
            pgid: None,
            element: None,
            offset: 0,
        };
        let counts = VersionCounts {
            versions: 2,
            value_bytes: 8,
        };
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "a": {"b": "x", "n": 1_000_000, "f": 1.5, "t": true, "z": null, "l": ["p", 2, null], "m": {"k b": 1, "a": "q"}}
        });
        Filter::parse(filter)
            .unwrap()
            .accepts(&record, counts, object)
    }

    /// The right sides are what Go's text/template prints of these fields, but for the number.
    #[test]
    fn a_field_is_compared_with_the_text_that_go_prints_of_it() {
        for filter in [
            ".Key=/k",
            ".Version=3",
            ".Value.a.b=x",
            " .Value.a.b = x ",
            ".Value.a.n=1000000",
            ".Value.a.f=1.5",
            ".Value.a.t=true",
            ".Value.a.z=<no value>",
            ".Value.q.r=<no value>",
            ".Value.a.l=[p 2 <nil>]",
            ".Value.a.m=map[a:q k b:1]",
            "index .Value.a.m \"k b\"=1",
            "index .Value \"a\" \"m\" `a`=q",
            "index .Value.a.l 1=2",
            ".TypeMeta.Kind=Pod",
            ".TypeMeta.APIVersion=v1",
            ".Stats.VersionCount=2",
            ".Stats.KeySize=2",
            ".Stats.ValueSize=5",
            ".Stats.AllVersionsKeySize=4",
            ".Stats.AllVersionsValueSize=8",
            ".Key=/k,.Version=3",
        ] {
            assert!(accepts(filter), "{filter}");
        }
        for filter in [
            ".Key=/",
            ".Value.a.b=",
            ".Value.q=",
            ".Value.a.b.c=x",
            ".Key=/k,.Version=4",
            "index .Value.a.l 9=p",
        ] {
            assert!(!accepts(filter), "{filter}");
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused_with_a_sentence() {
        for (filter, sentence) in [
            ("", "'' is not FIELD=VALUE"),
            (".Key", "'.Key' is not FIELD=VALUE"),
            (".Key==a", "'.Key==a' is not FIELD=VALUE"),
            (".Key=a,", "'' is not FIELD=VALUE"),
            (".Nope=1", "no field .Nope"),
            (".Key.x=1", "no field .x in .Key"),
            (".Stats=1", ".Stats has .VersionCount"),
            (".TypeMeta.kind=Pod", "no field .kind in .TypeMeta"),
            (".Value.a-b=1", "'.Value.a-b' is no field"),
            ("len .Value=1", "'len .Value' is no field"),
            (".=1", "'.' is no field"),
            ("Value.a=1", "'Value.a' is no field"),
            ("index .Value=1", "is no field"),
            ("index .Value x=1", "is no field"),
            ("index .Value \"x=1", "is no field"),
        ] {
            let error = Filter::parse(filter).unwrap_err();
            assert!(error.contains(sentence), "{filter}: {error}");
        }
    }
}
