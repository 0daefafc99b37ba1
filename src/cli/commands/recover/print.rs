//! What is gone, as a table and as JSON lines; and the deletion explained.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value};

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::etcd::KeyEntry;
use crate::etcd::record::Origin;
use crate::k8s::controlled::Reason;
use crate::query::writers::managers_of;
use crate::view::json_rows::{Form, JsonRows};
use crate::view::record::{insert_text, key_text};
use crate::view::rows::Rows;
use crate::view::table::cell;
use crate::view::time;

use super::{Output, Recovery};
use crate::query::deletions::{Cause, Item};

/// How many kinds are named in a sentence.
const NAMED: usize = 6;

impl Recovery<'_, '_> {
    /// Prints what comes back, with what is left out in JSON; whether anything comes back.
    pub(super) fn print(&self, items: &[Item<'_>], out: &mut Out) -> Result<bool, Failure> {
        let back = || items.iter().filter(|item| self.comes_back(item));
        match self.args.output {
            form @ (Output::Json | Output::Jsonl) => {
                let mut rows = JsonRows::new(Form::array_if(form == Output::Json));
                for item in items {
                    rows.row(&self.json_of(item), out)?;
                }
                rows.finish(out)?;
                return Ok(!items.is_empty());
            }
            Output::Name => {
                for item in back() {
                    out.write_all(item.key)?;
                    out.write_all(b"\n")?;
                }
            }
            Output::Table | Output::Yaml => {
                let heads = [
                    "DELETED",
                    "TIME",
                    "BEGAN",
                    "BACK AS OF",
                    "VERSION",
                    "ORIGIN",
                    "OBJECT",
                    "FIELD MANAGERS OF LAST WRITE",
                ];
                let mut table = Rows::new(&heads, &[0, 2, 3, 4]);
                let is_listed =
                    |item: &&Item<'_>| self.comes_back(item) || item.unreadable.is_some();
                for item in items.iter().filter(is_listed) {
                    table.add(&self.row(item));
                }
                table.write(out)?;
            }
        }
        Ok(back().next().is_some())
    }

    fn row(&self, item: &Item<'_>) -> Vec<String> {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let restored = item.restored.map(|event| event.record);
        let began = match item.began {
            Some((main, Cause::Itself)) => main.to_string(),
            Some((main, cause)) => format!("{main} ({})", cause.as_str()),
            None => "-".to_owned(),
        };
        let deleted = match (item.deleted_at, self.at) {
            (Some(main), _) => main.to_string(),
            (None, Some(_)) => "-".to_owned(),
            (None, None) => format!("<={}", self.question.store().compact_revision()),
        };
        let time = item
            .deleted_at
            .map(|main| time::text(&self.timeline.bounds(main)));
        vec![
            deleted,
            time.unwrap_or_else(|| "-".to_owned()),
            began,
            match item.unreadable {
                Some(why) => why.as_str().to_owned(),
                None => number(restored.map(|record| record.revision.main)),
            },
            number(restored.map(|record| record.version)),
            restored
                .map_or("-", |record| record.origin.as_str())
                .to_owned(),
            key_text(item.key).into_owned(),
            match self.managers(item).as_slice() {
                [] => "-".to_owned(),
                managers => managers.join(", "),
            },
        ]
    }

    fn managers(&self, item: &Item<'_>) -> Vec<String> {
        let managers = item
            .restored
            .map_or_else(Vec::new, |event| managers_of(&event, self.objects));
        if !managers.is_empty() {
            self.question.notices().add_who();
        }
        managers
    }

    fn json_of(&self, item: &Item<'_>) -> Value {
        let mut fields = Map::new();
        insert_text(&mut fields, "key", item.key);
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        if let Some(location) = self.question.catalog().locate(item.key) {
            put("resource", location.resource.plural_with_group().into());
        }
        if let Some(facts) = &item.facts {
            put("kind", facts.kind.clone().into());
            put("group", facts.group.clone().into());
            if !facts.namespace.is_empty() {
                put("namespace", facts.namespace.clone().into());
            }
            put("name", facts.name.clone().into());
        }
        if let Some(main) = item.deleted_at {
            put("deleted_at", main.into());
        } else if self.at.is_none() {
            put(
                "deleted_at_or_before",
                self.question.store().compact_revision().into(),
            );
        }
        if let Some((main, cause)) = item.began {
            put("deletion_began", main.into());
            put("deletion_of", cause.as_str().into());
        }
        put("comes_back", self.comes_back(item).into());
        if let Some(why) = item.unreadable {
            put("unreadable", why.as_str().into());
        }
        if let Some(reason) = item.facts.as_ref().and_then(|facts| facts.reason) {
            put("made_by_controllers", reason.word().into());
        }
        if let Some(event) = item.restored {
            let record = event.record;
            put("restored_revision", record.revision.main.into());
            put("restored_version", record.version.into());
            put("create_revision", record.create_revision.into());
            put("value_size", record.value.len().into());
            put("origin", record.origin.as_str().into());
            if item.is_late {
                put("after_deletion_began", true.into());
            }
            if item.missing_behind > 0 {
                put("versions_missing_behind", item.missing_behind.into());
            }
        }
        let managers = self.managers(item);
        if !managers.is_empty() {
            put("managers", managers.into());
        }
        if let Some(main) = item.deleted_at {
            time::insert(&mut fields, &self.timeline.bounds(main));
        }
        Value::Object(fields)
    }

    /// Says what happened, what is left out and why, and what cannot be certain.
    pub(super) fn explain(&self, items: &[Item<'_>]) {
        self.explain_namespaces(items);
        self.explain_what_is_left_out(items);
        if self.args.out.is_some() || self.args.output == Output::Yaml {
            self.explain_two_runs(items);
        }
        let made_late: Vec<_> = items
            .iter()
            .filter(|item| item.restored.is_none())
            .collect();
        if !made_late.is_empty() {
            report::note(&format!(
                "{} were made while the deletion went on, and are left out: {}; --last brings them back",
                made_late.len(),
                kinds(&made_late)
            ));
        }
        let unreadable = keys(items, |item| item.unreadable.is_some());
        if !unreadable.is_empty() {
            report::note(&format!(
                "{} cannot be read, and do not come back ({})",
                unreadable.len(),
                first_of(&unreadable)
            ));
        }
        self.explain_what_is_older(items);
    }

    /// Says which may have been, or were, something else when their deletion began.
    fn explain_what_is_older(&self, items: &[Item<'_>]) {
        let back: Vec<&Item<'_>> = items.iter().filter(|item| self.comes_back(item)).collect();
        let of = |is_it: fn(&Item<'_>) -> bool| keys(back.iter().copied(), is_it);
        let carved = of(|item| {
            let origin = item.restored.map(|event| event.record.origin);
            matches!(origin, Some(Origin::Carved(_)))
        });
        if !carved.is_empty() && self.at.is_none() {
            report::note(&format!(
                "{} of {} come from freed pages: a later version of them may be in no page any more",
                carved.len(),
                back.len()
            ));
        }
        let late = of(|item| item.is_late);
        if !late.is_empty() {
            let hint = if self.args.sources.carve {
                ""
            } else {
                "; --carve may have it"
            };
            report::note(&format!(
                "{} of them are as they were after their deletion began: what was before is not retained ({}){hint}",
                late.len(),
                first_of(&late)
            ));
        }
        let older = of(|item| item.missing_behind > 0);
        if !older.is_empty() {
            report::note(&format!(
                "{} of them are older than they were: versions behind them are in no page ({})",
                older.len(),
                first_of(&older)
            ));
        }
        if let Some(at) = self.at {
            let entries: Vec<KeyEntry<'_>> = back
                .iter()
                .filter_map(|item| {
                    Some(KeyEntry {
                        key: item.key.into(),
                        record: item.restored?.record,
                    })
                })
                .collect();
            self.question.note_unproved(at, &entries);
        }
    }

    /// kubectl looks for all kinds before it makes the first object.
    fn explain_two_runs(&self, items: &[Item<'_>]) {
        let any = |is_it: fn(&crate::query::deletions::Facts) -> bool| {
            let mut back = items.iter().filter(|item| self.comes_back(item));
            back.any(|item| item.facts.as_ref().is_some_and(is_it))
        };
        if any(|facts| facts.kind == "CustomResourceDefinition") && any(|facts| facts.is_custom) {
            report::hint(
                "run `kubectl apply` twice: custom resources are refused until their definitions are there",
            );
        }
    }

    fn explain_namespaces(&self, items: &[Item<'_>]) {
        for item in items {
            let Some(facts) = item
                .facts
                .as_ref()
                .filter(|facts| facts.kind == "Namespace")
            else {
                continue;
            };
            let (Some((began, _)), true) = (item.began, facts.group.is_empty()) else {
                continue;
            };
            let inside = || {
                items.iter().filter(|other| {
                    other
                        .facts
                        .as_ref()
                        .is_some_and(|other| other.namespace == facts.name)
                })
            };
            let deleted = || inside().filter_map(|other| other.deleted_at);
            let when = time::text(&self.timeline.bounds(began));
            let mut text = format!(
                "namespace {} turned Terminating at revision {began} ({when})",
                facts.name
            );
            if let (Some(first), Some(last)) = (deleted().min(), deleted().max()) {
                text.push_str(&format!(
                    "; {} of its objects went from revision {first} to {last}",
                    inside().count()
                ));
            }
            if let Some(gone) = item.deleted_at {
                text.push_str(&format!(", it itself at {gone}"));
            }
            if !self.args.last {
                text.push_str("; the values are those from before it did");
            }
            report::note(&text);
        }
    }

    fn explain_what_is_left_out(&self, items: &[Item<'_>]) {
        if self.args.controlled {
            return;
        }
        let mut by_reason: BTreeMap<Reason, Vec<&Item<'_>>> = BTreeMap::new();
        for item in items.iter().filter(|item| item.restored.is_some()) {
            if let Some(reason) = item.facts.as_ref().and_then(|facts| facts.reason) {
                by_reason.entry(reason).or_default().push(item);
            }
        }
        if by_reason.is_empty() {
            return;
        }
        let count: usize = by_reason.values().map(Vec::len).sum();
        let parts: Vec<String> = by_reason
            .iter()
            .map(|(reason, items)| {
                format!("{} {} ({})", items.len(), reason.as_str(), kinds(items))
            })
            .collect();
        report::note(&format!(
            "{count} are left out: {}; --controlled brings them back too",
            parts.join("; ")
        ));
    }
}

/// The keys of the items that are so.
fn keys<'i, 'a: 'i>(
    items: impl IntoIterator<Item = &'i Item<'a>>,
    is_it: impl Fn(&Item<'_>) -> bool,
) -> Vec<&'a [u8]> {
    let items = items.into_iter().filter(|item| is_it(item));
    items.map(|item| item.key).collect()
}

/// The first of some keys, and that there are more.
pub(super) fn first_of(keys: &[&[u8]]) -> String {
    let first = keys.first().map(|key| key_text(key)).unwrap_or_default();
    let more = if keys.len() > 1 { ", ..." } else { "" };
    format!("{first}{more}")
}

/// `12 Pod, 3 ReplicaSet`: the kinds of items, the most frequent first.
fn kinds(items: &[&Item<'_>]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        let kind = item
            .facts
            .as_ref()
            .map_or("keys", |facts| facts.kind.as_str());
        let count = counts.entry(kind).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let named: Vec<String> = counts
        .iter()
        .take(NAMED)
        .map(|(kind, count)| format!("{count} {}", cell(kind)))
        .collect();
    let more = if counts.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", named.join(", "))
}
