//! What to do about a large file, as hints.

use crate::query::notice::SpaceAdvice;

use super::human::bytes;
use super::line::Line;

/// A hint for each thing that would free space, and for a raised NOSPACE alarm.
#[must_use]
pub fn lines(advice: &SpaceAdvice) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut hint = |text: String| lines.push(Line::Hint(text));
    let (history, free) = (advice.history_bytes, advice.defragmentation.freed_bytes());
    if history > 0 {
        hint(format!(
            "`etcdctl compact {}`, then `etcdctl defrag` on each member: this frees {} of history",
            advice.revision,
            bytes(history)
        ));
    }
    if free > 0 {
        hint(format!(
            "`etcdctl defrag` on each member frees about {} without a compaction",
            bytes(free)
        ));
    }
    if advice.is_mostly_live {
        hint("more than half of the file is live data: delete objects, or start etcd with a larger `--quota-backend-bytes`".to_owned());
    }
    if advice.has_alarm {
        hint("the alarm NOSPACE is raised, so etcd refuses writes: run `etcdctl alarm disarm` after the defragmentation".to_owned());
    }
    lines
}
