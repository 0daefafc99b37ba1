//! What a check of a file found: for people one line a finding, the worst first; and as JSON.

use std::borrow::Cow;
use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use crate::arrange::Arrange as _;
use crate::diag::{Code, Damage, Diagnostic, Severity};
use crate::named::NameField;
use crate::query::check::{PageCounts, Scope};
use crate::query::verdict::Verdict;

use super::answer_part::AnswerPart;
use super::record::insert_text;
use super::style::{Paint, Style};
use super::verdict;

/// What was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether the file is intact.
    pub verdict: Verdict,
    /// What was looked at.
    pub scope: Scope,
    /// Every code, with its count and the findings that were kept.
    pub findings: Vec<(Code, u64, Vec<Damage>)>,
}

/// The text about the file of another program.
const FOREIGN: &str = "a bbolt file, not etcd's";

impl Report {
    /// The findings that were kept, the worst first, then by their position in the file.
    fn ordered(&self) -> Vec<&Diagnostic> {
        let kept = self.findings.iter().flat_map(|(_, _, kept)| kept);
        let mut kept: Vec<&Diagnostic> = kept.map(|finding| &**finding).collect();
        kept.arrange_by_key(|finding| {
            let locus = &finding.locus;
            (
                Reverse(finding.code.severity()),
                locus.offset,
                locus.element,
                finding.code,
            )
        });
        kept
    }

    fn count(&self, severity: Severity) -> u64 {
        let of = self.findings.iter();
        let of = of.filter(|(code, ..)| code.severity() == severity);
        of.fold(0, |sum, (_, count, _)| sum.saturating_add(*count))
    }

    /// How many findings of each code there are besides those that were kept.
    pub fn not_kept(&self) -> impl Iterator<Item = (Code, u64)> {
        let more = self.findings.iter().map(|(code, count, kept)| {
            let more = count.saturating_sub(kept.len() as u64);
            (*code, more)
        });
        more.filter(|(_, more)| *more > 0)
    }
}

/// For people: the verdict, one line a finding, a line of numbers.
pub fn parts(report: &Report) -> Vec<AnswerPart> {
    let (mark, text) = match report.verdict.is_intact() {
        true if report.scope.is_foreign => {
            ("OK", format!("{FOREIGN}: {}", looked_at(&report.scope)))
        }
        true => ("OK", looked_at(&report.scope)),
        false => ("DAMAGED", verdict::sentence(&report.verdict).to_owned()),
    };
    let verdict_paint: fn(&Style) -> Paint = match report.verdict.is_intact() {
        true => |style| style.added,
        false => |style| style.error,
    };
    let mut parts = vec![AnswerPart::painted(
        format!("{mark}: {text}"),
        mark.len(),
        verdict_paint,
    )];
    for finding in report.ordered() {
        parts.push(finding_line(finding.code.severity(), &finding.to_string()));
    }
    for (code, more) in report.not_kept() {
        parts.push(finding_line(
            code.severity(),
            &format!("{code}: {more} more"),
        ));
    }
    if !report.verdict.is_intact() {
        parts.push(AnswerPart::line(format!(
            "{}, {}, {}; `etcdive explain CODE` shows what to do",
            many(report.count(Severity::Error), "error"),
            many(report.count(Severity::Warning), "warning"),
            many(report.count(Severity::Info), "info"),
        )));
    }
    parts
}

/// A finding after its severity.
fn finding_line(severity: Severity, text: &str) -> AnswerPart {
    let paint: fn(&Style) -> Paint = match severity {
        Severity::Error => |style| style.error,
        Severity::Warning => |style| style.warning,
        Severity::Info => |style| style.note,
    };
    let word = severity.as_str();
    AnswerPart::painted(format!("{word}: {text}"), word.len(), paint)
}

fn many(count: u64, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

fn looked_at(scope: &Scope) -> String {
    let mut parts = Vec::new();
    if let Some(PageCounts { pages, in_use, .. }) = scope.pages {
        parts.push(format!("{pages} pages ({in_use} in use)"));
    }
    if let Some((records, keys)) = scope.records {
        parts.push(format!(
            "{} of {}",
            many(records, "record"),
            many(keys, "key")
        ));
    }
    if let Some(objects) = scope.objects.filter(|objects| *objects > 0) {
        parts.push(format!("{} of Kubernetes", many(objects, "value")));
    }
    if scope.former_is_whole == Some(true) {
        parts.push("the former state is whole, too".to_owned());
    }
    if parts.is_empty() {
        return "there are no records and no objects to check".to_owned();
    }
    format!("nothing wrong in {}", parts.join(", "))
}

/// The whole as one JSON object.
pub fn json(report: &Report) -> Value {
    let scope = &report.scope;
    let fields = json!({
        "sound": report.verdict.is_intact(),
        "verdict": verdict::sentence(&report.verdict),
        "torn": report.verdict.torn.is_some(),
        "kind": scope.is_foreign.then_some("bbolt"),
        "pages": scope.pages.map(|counts| counts.pages),
        "pages_in_use": scope.pages.map(|counts| counts.in_use),
        "former_state_is_whole": scope.former_is_whole,
        "records": scope.records.map(|(records, _)| records),
        "keys": scope.records.map(|(_, keys)| keys),
        "objects": scope.objects,
        "counts": report.findings.iter().map(|(code, count, _)| json!({
            "code": code.as_str(),
            "severity": code.severity().as_str(),
            "layer": code.layer(),
            "count": count,
        })).collect::<Vec<_>>(),
        "findings": rows(report).collect::<Vec<_>>(),
    });
    let Value::Object(fields) = fields else {
        return fields;
    };
    let known = fields.into_iter().filter(|(_, field)| !field.is_null());
    Value::Object(known.collect())
}

/// One object a finding.
pub fn rows(report: &Report) -> impl Iterator<Item = Value> {
    report.ordered().into_iter().map(finding_json)
}

fn finding_json(finding: &Diagnostic) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
    let locus = &finding.locus;
    put("code", text(finding.code.as_str()));
    put("severity", text(finding.code.severity().as_str()));
    put("layer", text(finding.code.layer()));
    put("file", locus.file.as_deref().and_then(text));
    put("page", locus.pgid.map(Value::from));
    put("offset", locus.offset.map(Value::from));
    put("element", locus.element.map(Value::from));
    put("bucket", locus.bucket.as_deref().and_then(text));
    put("revision", locus.revision.map(|(main, _)| main.into()));
    put("sub", locus.revision.map(|(_, sub)| sub.into()));
    if let Some(key) = &locus.key {
        if let Cow::Owned(size) = NameField::Key.shown_bytes(key) {
            fields.insert("key".to_owned(), size.into());
        } else {
            insert_text(&mut fields, "key", key);
        }
    }
    let mut put = |name: &str, value: &str| {
        if let Some(value) = text(value) {
            fields.insert(name.to_owned(), value);
        }
    };
    put("expected", &finding.expected);
    put("found", &finding.found);
    put("effect", finding.effect);
    Value::Object(fields)
}
