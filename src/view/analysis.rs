//! The report of `auger analyze` (`cmd/analyze.go`).

use std::fmt::Write as _;

use crate::k8s::analysis::{Analysis, ObjectSize};
use crate::query::analysis::Contents;

use super::record::key_text;

/// How many kinds, and how many objects, the report names.
const ROWS: usize = 12;

/// The report: totals, the most common kinds, the largest objects.
pub fn text(contents: &Contents) -> String {
    match contents {
        Contents::Objects(analysis) => text_of_objects(analysis),
        Contents::Keys(analysis) => text_of_keys(analysis),
    }
}

/// The same of a store without objects: keys and prefixes.
fn text_of_keys(analysis: &Analysis) -> String {
    let mut text = format!(
        "Total keys: {}\n\
         Total (all revisions) storage used by keys: {}\n\
         Current (latest revision) storage used by keys: {}\n\
         \nMost common prefixes:\n",
        analysis.objects, analysis.record_bytes, analysis.current_bytes
    );
    for (prefix, count) in analysis.most_common(ROWS) {
        let prefix = if prefix.is_empty() {
            "(no folder)"
        } else {
            prefix
        };
        let _ = writeln!(text, "\t{count}\t{prefix}");
    }
    text.push_str("\nLargest keys (byte size sum of all revisions):\n");
    for ObjectSize {
        key, version_bytes, ..
    } in analysis.largest(ROWS)
    {
        let _ = writeln!(text, "\t{version_bytes}\t{}", key_text(key));
    }
    text
}

/// The report of auger.
fn text_of_objects(analysis: &Analysis) -> String {
    let mut text = format!(
        "Total kubernetes objects: {}\n\
         Total (all revisions) storage used by kubernetes objects: {}\n\
         Current (latest revision) storage used by kubernetes objects: {}\n\
         \nMost common kubernetes types:\n",
        analysis.objects, analysis.record_bytes, analysis.current_bytes
    );
    // Writing to a string does not fail.
    for (kind, count) in analysis.most_common(ROWS) {
        let _ = writeln!(text, "\t{count}\t{}", key_text(kind.as_bytes()));
    }
    text.push_str("\nLargest objects (byte size sum of all revisions):\n");
    for object in analysis.largest(ROWS) {
        let (key, kind) = (key_text(&object.key), key_text(object.kind.as_bytes()));
        let _ = writeln!(text, "\t{}\t{key} ({kind})", object.version_bytes);
    }
    text
}
