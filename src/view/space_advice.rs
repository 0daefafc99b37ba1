//! What to do about a large file, as hints.

use crate::query::notice::SpaceAdvice;

use super::human::bytes;
use super::line::Line;

/// A hint for each thing that would free space, and for a raised NOSPACE alarm.
#[must_use]
pub fn lines(advice: &SpaceAdvice) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut hint = |text: String| lines.push(Line::Hint(text));
    let (history, free) = (advice.history_bytes, advice.free_bytes);
    if history > 0 {
        hint(format!(
            "`etcdctl compact {}`, then `etcdctl defrag` of each member: they free {} of history",
            advice.revision,
            bytes(history)
        ));
    }
    if free > 0 {
        hint(format!(
            "`etcdctl defrag` of each member gives back {} of free pages",
            bytes(free)
        ));
    }
    if advice.is_mostly_live {
        hint("more than half of the file is live data: delete objects, or raise `--quota-backend-bytes` of etcd".to_owned());
    }
    if advice.has_alarm {
        hint("the alarm NOSPACE stays until `etcdctl alarm disarm`: run it after the defragmentation".to_owned());
    }
    lines
}
