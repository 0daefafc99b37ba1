//! `churn`: who writes how much, as tables and as JSON.

use serde_json::{Map, Value, json};

use crate::k8s::meta::time_text;
use crate::query::churn::{Churn, ChurnRow, ChurnRows, Fight, NoChange, Period};
use crate::query::space::Group;

use super::answer_part::AnswerPart;
use super::human::{bytes, counted};
use super::record::{insert_text, key_text};
use super::rows::Rows;
use super::space::{group_name, insert_group};

/// Characters of a bar, from the lowest to the highest. A part without writes is a dot.
const BARS: [char; 8] = [
    '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}',
];

/// A list of `churn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChurnList {
    /// By field manager.
    Managers,
    /// By resource.
    Resources,
    /// By namespace.
    Namespaces,
    /// By key.
    Keys,
    /// Two managers that flip one field.
    Fights,
    /// Writes without a change.
    NoChanges,
    /// Lease objects.
    Leases,
}

impl ChurnList {
    /// All lists, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Managers,
        Self::Resources,
        Self::Namespaces,
        Self::Keys,
        Self::Fights,
        Self::NoChanges,
        Self::Leases,
    ];

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Managers => "managers",
            Self::Resources => "resources",
            Self::Namespaces => "namespaces",
            Self::Keys => "keys",
            Self::Fights => "fights",
            Self::NoChanges => "no_changes",
            Self::Leases => "leases",
        }
    }

    /// Its rows as JSON, at most so many.
    fn rows(self, churn: &Churn, most: usize) -> Vec<Value> {
        let rows = |rows: &ChurnRows| limited(rows.first.iter().map(row_json), rows.count, most);
        match self {
            Self::Managers => rows(&churn.managers),
            Self::Resources => rows(&churn.resources),
            Self::Namespaces => rows(&churn.namespaces),
            Self::Keys => rows(&churn.keys),
            Self::Leases => rows(&churn.leases),
            Self::Fights => {
                let rows = churn.fights.iter().map(fight_json);
                limited(rows, churn.fights.len(), most)
            }
            Self::NoChanges => {
                let rows = churn.no_changes.iter().map(no_change_json);
                limited(rows, churn.no_changes.len(), most)
            }
        }
    }

    /// Its table, at most so many rows.
    fn table(self, churn: &Churn, most: usize) -> Rows {
        let rows = |head, rows: &ChurnRows| row_table(head, rows, churn, most);
        match self {
            Self::Managers => rows("FIELD MANAGER", &churn.managers),
            Self::Resources => rows("RESOURCE", &churn.resources),
            Self::Namespaces => rows("NAMESPACE", &churn.namespaces),
            Self::Keys => rows("KEY", &churn.keys),
            Self::Leases => rows("LEASE", &churn.leases),
            Self::Fights => fight_table(&churn.fights, most),
            Self::NoChanges => no_change_table(&churn.no_changes, most),
        }
    }
}

/// The answer for people: the period, then the lists that are not empty.
#[must_use]
pub fn parts(churn: &Churn, lists: &[ChurnList], most: usize) -> Vec<AnswerPart> {
    let mut parts = vec![AnswerPart::Table(facts(churn))];
    for list in lists {
        let table = list.table(churn, most);
        if table.is_empty() {
            continue;
        }
        parts.push(AnswerPart::line(""));
        parts.push(AnswerPart::Table(table));
    }
    parts
}

/// The period and the sums over all events, one per line.
fn facts(churn: &Churn) -> Rows {
    let mut table = Rows::facts();
    let Period { revisions, times } = churn.period;
    let times = times.map_or_else(String::new, |(first, last)| {
        format!(", {} to {}", time_text(first), time_text(last))
    });
    let total = &churn.total;
    table.add(&[
        "revisions",
        &format!("{} to {}{times}", revisions.0, revisions.1),
    ]);
    let rate =
        rate(total, churn.period).map_or_else(String::new, |rate| format!(", {rate} per minute"));
    table.add(&["writes", &format!("{}{rate}", total.writes)]);
    table.add(&["bytes written", &bytes(total.bytes)]);
    table.add(&["over time", &chart(&total.over_time)]);
    table.add(&["fights", &churn.fights.len().to_string()]);
    let unchanged = churn.no_changes.iter().map(|row| row.writes);
    let unchanged = unchanged.fold(0, u64::saturating_add);
    table.add(&["without change", &counted(unchanged, "write", "writes")]);
    table
}

/// Counts as a bar chart of one line.
fn chart(counts: &[u32]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0);
    let bar = |count: &u32| {
        // The highest bar is for the largest count only. The lowest one is for every small count except zero.
        let steps = BARS.len().saturating_sub(1) as u128;
        let height = (u128::from(*count) * steps).checked_div(u128::from(most));
        let height = height.and_then(|height| usize::try_from(height).ok());
        match count {
            0 => '.',
            _ => height
                .and_then(|height| BARS.get(height))
                .copied()
                .unwrap_or('.'),
        }
    };
    counts.iter().map(bar).collect()
}

/// Writes per minute with one decimal, over the whole period; none without times, or if the period is shorter than a
/// second.
fn rate(row: &ChurnRow, period: Period) -> Option<String> {
    let (first, last) = period.times?;
    let seconds = u128::try_from(last.saturating_sub(first)).ok()?;
    let tenths = (u128::from(row.writes) * 600).checked_div(seconds)?;
    Some(format!("{}.{}", tenths / 10, tenths % 10))
}

/// The columns of a table of rows, without the first one, which names the group.
const COLUMNS: [&str; 6] = [
    "WRITES",
    "DELETIONS",
    "BYTES",
    "PER MINUTE",
    "LAST REVISION",
    "OVER TIME",
];

/// A table of the first rows. `head` is the name of the first column.
fn row_table(head: &str, rows: &ChurnRows, churn: &Churn, most: usize) -> Rows {
    let mut heads = vec![head];
    heads.extend(COLUMNS);
    let mut table = Rows::new(&heads, &[1, 2, 3, 4, 5])
        .names(&[0])
        .whole(&[6])
        .drop_first(&[2, 3, 5, 4, 6]);
    for row in rows.first.iter().take(most) {
        table.add(&[
            group_name(&row.group),
            row.writes.to_string(),
            row.deletions.to_string(),
            bytes(row.bytes),
            rate(row, churn.period).unwrap_or_else(|| "-".to_owned()),
            row.example.to_string(),
            chart(&row.over_time),
        ]);
    }
    add_rest(&mut table, rows.count, most);
    table
}

/// The first of `count` rows as JSON, and one more row with the number of the others, if there are any.
fn limited(rows: impl Iterator<Item = Value>, count: usize, most: usize) -> Vec<Value> {
    let rest = count.saturating_sub(most);
    let mut rows: Vec<Value> = rows.take(most).collect();
    if rest > 0 {
        let mut fields = Map::new();
        insert_group(&mut fields, &Group::Rest(rest));
        rows.push(Value::Object(fields));
    }
    rows
}

/// Adds a row with the number of rows that are not shown, if there are any.
fn add_rest(table: &mut Rows, count: usize, most: usize) {
    let rest = count.saturating_sub(most);
    if rest > 0 {
        table.add(&[group_name(&Group::Rest(rest))]);
    }
}

fn fight_table(fights: &[Fight], most: usize) -> Rows {
    let heads = ["FLIPS", "LAST REVISION", "FIGHT"];
    let mut table = Rows::new(&heads, &[0, 1]).wrapped();
    for fight in fights.iter().take(most) {
        let [one, other] = &fight.managers;
        let key = key_text(&fight.key);
        table.add(&[
            fight.flips.to_string(),
            fight.example.to_string(),
            format!("{one} and {other} over {} of {key}", fight.path),
        ]);
    }
    if let Some(rest) = fights.len().checked_sub(most).filter(|rest| *rest > 0) {
        let [empty, more] = ["", &group_name(&Group::Rest(rest))];
        table.add(&[empty, empty, more]);
    }
    table
}

fn no_change_table(rows: &[NoChange], most: usize) -> Rows {
    let heads = [
        "WRITTEN WITHOUT A CHANGE",
        "MANAGERS",
        "WRITES",
        "BYTES",
        "LAST REVISION",
    ];
    let mut table = Rows::new(&heads, &[2, 3, 4])
        .names(&[0])
        .sentences(&[1])
        .drop_first(&[3, 4]);
    for row in rows.iter().take(most) {
        table.add(&[
            key_text(&row.key).into_owned(),
            row.managers.join(", "),
            row.writes.to_string(),
            bytes(row.bytes),
            row.example.to_string(),
        ]);
    }
    add_rest(&mut table, rows.len(), most);
    table
}

/// The whole answer as one JSON object.
#[must_use]
pub fn json(churn: &Churn, lists: &[ChurnList], most: usize) -> Value {
    let mut fields = Map::new();
    let Period { revisions, times } = churn.period;
    fields.insert("first_revision".to_owned(), revisions.0.into());
    fields.insert("last_revision".to_owned(), revisions.1.into());
    insert_times(&mut fields, times);
    fields.insert("total".to_owned(), row_json(&churn.total));
    for list in lists {
        fields.insert(list.name().to_owned(), list.rows(churn, most).into());
    }
    Value::Object(fields)
}

/// The rows of all lists; the field `list` of a row names its list.
pub fn json_rows(churn: &Churn, lists: &[ChurnList], most: usize) -> impl Iterator<Item = Value> {
    lists.iter().flat_map(move |list| {
        list.rows(churn, most).into_iter().map(|row| {
            let mut fields = Map::new();
            fields.insert("list".to_owned(), list.name().into());
            if let Value::Object(row) = row {
                fields.extend(row);
            }
            Value::Object(fields)
        })
    })
}

/// Inserts the estimated times of the first and the last event.
fn insert_times(fields: &mut Map<String, Value>, times: Option<(i64, i64)>) {
    if let Some((first, last)) = times {
        fields.insert("first_time".to_owned(), time_text(first).into());
        fields.insert("last_time".to_owned(), time_text(last).into());
    }
}

fn row_json(row: &ChurnRow) -> Value {
    let mut fields = Map::new();
    insert_group(&mut fields, &row.group);
    for (name, number) in [
        ("writes", row.writes),
        ("deletions", row.deletions),
        ("bytes", row.bytes),
    ] {
        fields.insert(name.to_owned(), number.into());
    }
    fields.insert("newest_revision".to_owned(), row.example.into());
    insert_times(&mut fields, row.times);
    fields.insert("over_time".to_owned(), row.over_time.to_vec().into());
    Value::Object(fields)
}

fn fight_json(fight: &Fight) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", &fight.key);
    fields.insert("path".to_owned(), fight.path.as_str().into());
    fields.insert("managers".to_owned(), json!(fight.managers));
    fields.insert("flips".to_owned(), fight.flips.into());
    fields.insert("newest_revision".to_owned(), fight.example.into());
    Value::Object(fields)
}

fn no_change_json(row: &NoChange) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", &row.key);
    fields.insert("managers".to_owned(), json!(row.managers));
    fields.insert("writes".to_owned(), row.writes.into());
    fields.insert("bytes".to_owned(), row.bytes.into());
    fields.insert("newest_revision".to_owned(), row.example.into());
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_bar_for_each_count() {
        assert_eq!(
            chart(&[0, 1, 7, 14, 100]),
            ".\u{2581}\u{2581}\u{2581}\u{2588}"
        );
        assert_eq!(chart(&[0, 2, 4, 7]), ".\u{2583}\u{2585}\u{2588}");
        assert_eq!(chart(&[0, 0]), "..");
        assert_eq!(chart(&[u32::MAX]), "\u{2588}");
    }
}
