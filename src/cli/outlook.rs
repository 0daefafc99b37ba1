//! What `restore` could write of a damaged file, as the last line of `fsck` and `status`.

use crate::query::Evidence;
use crate::query::restore::Outlook;
use crate::view::command::Invocation;
use crate::view::restore::refusal;

use super::report;

/// Prints a hint on standard error: what `restore` could write, if damage of the file may hide records. `restore` is
/// not proposed for a file of another program or for delta snapshots.
pub fn say(evidence: &Evidence, invocation: &Invocation) {
    let is_damaged = evidence.diagnostics().may_hide_records() && !evidence.is_foreign();
    if !is_damaged || evidence.deltas().is_some() {
        return;
    }
    if let Some(text) = refusal::outlook(Outlook::read(evidence), invocation) {
        report::hint(&text);
    }
}
