//! The report of `auger analyze` (`cmd/analyze.go`).

use std::fmt::Write as _;

use crate::k8s::analysis::{Analysis, ObjectSize};
use crate::query::analysis::Contents;

use super::answer_part::AnswerPart;
use super::record::key_text;
use super::rows::Rows;

/// How many kinds, and how many objects, the report names.
const ROWS: usize = 12;

/// A line of the report.
enum ReportLine {
    /// A total, a heading, or a blank line.
    Sentence(String),
    /// A number, and what it is of.
    Row(u64, String),
}

/// The report as auger prints it: totals, the most common kinds, the largest objects.
pub fn text(contents: &Contents) -> String {
    let mut text = String::new();
    for line in lines(contents) {
        // Writing to a string does not fail.
        let _ = match line {
            ReportLine::Sentence(sentence) => writeln!(text, "{sentence}"),
            ReportLine::Row(number, what) => writeln!(text, "\t{number}\t{what}"),
        };
    }
    text
}

/// The same for a terminal.
pub fn parts(contents: &Contents) -> Vec<AnswerPart> {
    let table = || Rows::without_head(2, &[0]).names(&[1]);
    let (mut parts, mut rows) = (Vec::new(), table());
    for line in lines(contents) {
        match line {
            ReportLine::Row(number, what) => rows.add(&[format!("    {number}"), what]),
            ReportLine::Sentence(sentence) => {
                if !rows.is_empty() {
                    parts.push(AnswerPart::Table(std::mem::replace(&mut rows, table())));
                }
                parts.push(match sentence.ends_with(':') {
                    true => AnswerPart::heading(&sentence),
                    false => AnswerPart::line(sentence),
                });
            }
        }
    }
    parts.push(AnswerPart::Table(rows));
    parts
}

fn lines(contents: &Contents) -> Vec<ReportLine> {
    match contents {
        Contents::Objects(analysis) => lines_of_objects(analysis),
        Contents::Keys(analysis) => lines_of_keys(analysis),
    }
}

/// The labels before the numbers, for totals of `things`.
fn totals(analysis: &Analysis, total: &str, used_by: &str) -> Vec<ReportLine> {
    [
        format!("Total {total}: {}", analysis.objects),
        format!(
            "Total (all revisions) storage used by {used_by}: {}",
            analysis.record_bytes
        ),
        format!(
            "Current (latest revision) storage used by {used_by}: {}",
            analysis.current_bytes
        ),
        String::new(),
    ]
    .map(ReportLine::Sentence)
    .into()
}

/// The same of a store without objects: keys and prefixes.
fn lines_of_keys(analysis: &Analysis) -> Vec<ReportLine> {
    let sentence = |text: &str| ReportLine::Sentence(text.to_owned());
    let mut lines = totals(analysis, "keys", "keys");
    lines.push(sentence("Most common prefixes:"));
    for (prefix, count) in analysis.most_common(ROWS) {
        let prefix = if prefix.is_empty() {
            "(no folder)"
        } else {
            prefix
        };
        lines.push(ReportLine::Row(count, prefix.to_owned()));
    }
    lines.push(sentence(""));
    lines.push(sentence("Largest keys (byte size sum of all revisions):"));
    for ObjectSize {
        key, version_bytes, ..
    } in analysis.largest(ROWS)
    {
        let key = key_text(key).into_owned();
        lines.push(ReportLine::Row(*version_bytes, key));
    }
    lines
}

/// The report of auger.
fn lines_of_objects(analysis: &Analysis) -> Vec<ReportLine> {
    let sentence = |text: &str| ReportLine::Sentence(text.to_owned());
    let mut lines = totals(analysis, "kubernetes objects", "kubernetes objects");
    lines.push(sentence("Most common kubernetes types:"));
    for (kind, count) in analysis.most_common(ROWS) {
        let kind = key_text(kind.as_bytes()).into_owned();
        lines.push(ReportLine::Row(count, kind));
    }
    lines.push(sentence(""));
    lines.push(sentence(
        "Largest objects (byte size sum of all revisions):",
    ));
    for object in analysis.largest(ROWS) {
        let (key, kind) = (key_text(&object.key), key_text(object.kind.as_bytes()));
        lines.push(ReportLine::Row(
            object.version_bytes,
            format!("{key} ({kind})"),
        ));
    }
    lines
}
