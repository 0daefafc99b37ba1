//! auger's `--filter`: FIELD=VALUE, with commas between several that must all hold.
//!
//! In auger a field is the inside of a Go template over a KeySummary (`pkg/data/data.go`, ParseFilters), compared
//! as text. Supported are a path such as `.Value.metadata.namespace`, and `index PATH "KEY"` for keys that are
//! no identifiers. A path that leads nowhere is `<no value>`, as in Go; it never ends the listing.

use serde_json::{Value, json};

use crate::etcd::Record;
use crate::etcd::history::VersionCounts;
use crate::go::value::{self, Layout};

/// Constraints that a key must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFilter(Vec<Constraint>);

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

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadKeyFilter {
    /// It is not FIELD=VALUE.
    NotAConstraint(String),
    /// A KeySummary has no such field.
    NoField(String),
    /// A field has no such field.
    NoInnerField {
        /// The field.
        field: String,
        /// What it does not have.
        inner: String,
    },
    /// Only the fields of a field have a text.
    InnerFieldNeeded {
        /// The field.
        field: String,
        /// What it has.
        has: &'static [&'static str],
    },
    /// It is neither a path nor `index PATH "KEY"`.
    NotAField(String),
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

/// What Go prints if nothing exists.
const NO_VALUE: &str = "<no value>";

impl KeyFilter {
    /// Reads `FIELD=VALUE[,FIELD=VALUE...]`.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Result<Self, BadKeyFilter> {
        text.split(',')
            .map(
                |constraint| match constraint.split('=').collect::<Vec<_>>()[..] {
                    [field, value] => Ok(Constraint {
                        path: parse_field(field.trim())?,
                        text: value.trim().to_owned(),
                    }),
                    _ => Err(BadKeyFilter::NotAConstraint(constraint.to_owned())),
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
        let is_of_field = |constraint: &Constraint| matches!(constraint.path.first(), Some(Step::Name(name)) if name == field);
        self.0.iter().any(is_of_field)
    }

    /// Whether a live key meets all of it. `object` is its decoded value, null for what is no object.
    pub fn accepts(&self, record: &Record<'_>, counts: VersionCounts, object: Value) -> bool {
        let key_size = record.key.len() as u64;
        let member = |name: &str| object.get(name).cloned().unwrap_or_default();
        let summary = json!({
            "Key": String::from_utf8_lossy(record.key),
            "Version": record.version,
            "TypeMeta": {"APIVersion": member("apiVersion"), "Kind": member("kind")},
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

fn parse_field(field: &str) -> Result<Vec<Step>, BadKeyFilter> {
    let Some(arguments) = field.strip_prefix("index ") else {
        return parse_path(field);
    };
    let arguments = arguments.trim_start();
    let (path, mut rest) = arguments
        .split_once(char::is_whitespace)
        .ok_or_else(|| unsupported(field))?;
    let mut steps = parse_path(path)?;
    while !rest.trim_start().is_empty() {
        let (step, after) = parse_argument(rest.trim_start()).ok_or_else(|| unsupported(field))?;
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

/// A quoted key or a number, and the text after it.
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

fn parse_path(path: &str) -> Result<Vec<Step>, BadKeyFilter> {
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
        return Err(BadKeyFilter::NoField(first.to_owned()));
    };
    match names.get(1) {
        Some(second) if first != "Value" && !inner.contains(second) => {
            return Err(BadKeyFilter::NoInnerField {
                field: first.to_owned(),
                inner: (*second).to_owned(),
            });
        }
        None if !inner.is_empty() => {
            return Err(BadKeyFilter::InnerFieldNeeded {
                field: first.to_owned(),
                has: inner,
            });
        }
        _ => {}
    }
    Ok(names
        .into_iter()
        .map(|name| Step::Name(name.to_owned()))
        .collect())
}

fn unsupported(field: &str) -> BadKeyFilter {
    BadKeyFilter::NotAField(field.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::etcd::record::Origin;
    use crate::etcd::revision::Revision;

    fn accepts(filter: &str) -> bool {
        let record = Record {
            create_revision: 2,
            mod_revision: 9,
            version: 3,
            value: b"12345",
            ..Record::empty(Revision { main: 9, sub: 0 }, b"/k", Origin::Live)
        };
        let counts = VersionCounts {
            versions: 2,
            value_bytes: 8,
        };
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "a": {"b": "x", "n": 1_000_000, "f": 1.5, "t": true, "z": null, "l": ["p", 2, null], "m": {"k b": 1, "a": "q"}}
        });
        KeyFilter::parse(filter)
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
}
