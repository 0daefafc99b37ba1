//! The report of `auger analyze` (`cmd/analyze.go`).

use std::fmt::Write as _;

use crate::k8s::analysis::Analysis;

use super::record::key_text;

/// How many kinds, and how many objects, the report names.
const ROWS: usize = 12;

/// The report: totals, the most common kinds, the largest objects.
pub fn text(analysis: &Analysis) -> String {
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
