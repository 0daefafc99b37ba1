//! What `restore` could write of a damaged file, as the last line of `fsck`, `status` and `verify`.

use crate::query::Evidence;
use crate::query::restore::Outlook;
use crate::view::command::Invocation;
use crate::view::restore::refusal;

use super::report;

/// Prints a hint on standard error: what `restore` could write, if damage of the file may hide records.
pub fn say(evidence: &Evidence, invocation: &Invocation) {
    if let Some(text) = hint(evidence, invocation) {
        report::hint(&text);
    }
}

/// The text of the hint; none if no damage may hide records. `restore` is not proposed for a file of another program or
/// for delta snapshots.
pub fn hint(evidence: &Evidence, invocation: &Invocation) -> Option<String> {
    let is_damaged = evidence.diagnostics().may_hide_records() && !evidence.is_foreign();
    if !is_damaged || evidence.deltas().is_some() {
        return None;
    }
    refusal::outlook(Outlook::read(evidence), invocation)
}
