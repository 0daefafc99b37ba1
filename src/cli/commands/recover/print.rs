//! Deleted objects, as a table and as JSON lines.

use std::io::Write;

use serde_json::{Map, Value};

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::query::deletions::{Cause, Item};
use crate::query::updates::BATCH;
use crate::view::json_rows::{Form, JsonRows, kcp_parts};
use crate::view::key_names::KeyNames;
use crate::view::record::insert_text;
use crate::view::rows::Rows;
use crate::view::time;

use super::{Output, Printer, Written};

impl Printer<'_, '_> {
    /// Prints what comes back, with what is left out in JSON; whether there was anything.
    pub(super) fn print(&self, out: &mut Out) -> Result<Written, Failure> {
        let items = self.recovery.items();
        let back = || items.iter().filter(|item| self.recovery.comes_back(item));
        match self.args.output {
            Output::Json | Output::Jsonl => {
                let rows = items.chunks(BATCH).flat_map(|batch| {
                    let batch: Vec<&Item> = batch.iter().collect();
                    let managers = self.managers(&batch);
                    let rows = batch.into_iter().zip(managers);
                    rows.map(|(item, managers)| self.json_of(item, managers))
                        .collect::<Vec<_>>()
                });
                self.write_json(rows, out)?;
                return Ok(Written::any(!items.is_empty()));
            }
            Output::Name => {
                for item in back() {
                    out.write_all(&item.key)?;
                    out.write_all(b"\n")?;
                }
            }
            Output::Table | Output::Wide | Output::Yaml => {
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
                let mut table = Rows::new(&heads, &[0, 2, 3, 4])
                    .whole(&[1])
                    .names(&[6])
                    .sentences(&[7])
                    .drop_first(&[4, 5, 2, 7, 1]);
                let names = self.key_names(out);
                let is_listed =
                    |item: &&Item| item.left_out.is_none_or(|reason| reason.is_listed());
                let listed: Vec<&Item> = items.iter().filter(is_listed).collect();
                for batch in listed.chunks(BATCH) {
                    for (item, managers) in batch.iter().zip(self.managers(batch)) {
                        table.add(&self.row(item, &managers, &names));
                    }
                }
                out.table(&table)?;
            }
        }
        Ok(Written::any(back().next().is_some()))
    }

    /// Writes rows as JSON. In an array the summary is the last row.
    pub(super) fn write_json(
        &self,
        rows: impl Iterator<Item = Value>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let is_array = self.args.output == Output::Json;
        let mut json = JsonRows::new(Form::array_if(is_array));
        for row in rows.chain(is_array.then(|| self.summary_row())) {
            json.row(&row, out)?;
        }
        json.finish(out)?;
        Ok(())
    }

    /// The names of keys in a table here.
    pub(super) fn key_names(&self, out: &Out) -> KeyNames<'_> {
        if out.is_cut() {
            KeyNames::short(self.recovery.question().catalog())
        } else {
            KeyNames::whole()
        }
    }

    fn row(&self, item: &Item, managers: &[String], names: &KeyNames<'_>) -> Vec<String> {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let restored = self.recovery.restored_place(item);
        let began = match item.began {
            Some((main, Cause::Itself)) => main.to_string(),
            Some((main, cause)) => format!("{main} ({})", cause.as_str()),
            None => "-".to_owned(),
        };
        let deleted = match (item.deleted_at, self.recovery.at()) {
            (Some(main), _) => main.to_string(),
            (None, Some(_)) => "-".to_owned(),
            (None, None) => format!("<={}", self.recovery.question().store().compact_revision()),
        };
        let time = item
            .deleted_at
            .map(|main| time::text(&self.recovery.question().timeline().bounds(main)));
        vec![
            deleted,
            time.unwrap_or_else(|| "-".to_owned()),
            began,
            match (item.unreadable, item.left_out) {
                (Some(why), _) => why.as_str().to_owned(),
                (None, Some(reason)) => format!("({})", reason.word()),
                (None, None) => number(restored.map(|placed| placed.revision.main)),
            },
            number(restored.map(|placed| placed.version)),
            restored
                .map_or("-", |placed| placed.origin().as_str())
                .to_owned(),
            names.text(&item.key).into_owned(),
            match managers {
                [] => "-".to_owned(),
                managers => managers.join(", "),
            },
        ]
    }

    /// The managers of the last write of each item.
    pub(super) fn managers(&self, items: &[&Item]) -> Vec<Vec<String>> {
        let question = self.recovery.question();
        let managers = self.recovery.managers_of_each(items);
        if managers.iter().any(|managers| !managers.is_empty()) {
            question.notices().add_who();
        }
        managers
    }

    /// An item as a JSON object, with the managers of its last write.
    pub(super) fn json_of(&self, item: &Item, managers: Vec<String>) -> Value {
        let mut fields = Map::new();
        insert_text(&mut fields, "key", &item.key);
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        if let Some(location) = self.recovery.question().catalog().locate(&item.key) {
            put("resource", location.resource.plural_with_group().into());
            for (part, text) in kcp_parts(&location) {
                put(part, text);
            }
        }
        if let Some(facts) = &item.facts {
            put("kind", facts.common.kind.clone().into());
            put("group", facts.common.group.clone().into());
            if !facts.common.namespace.is_empty() {
                put("namespace", facts.common.namespace.clone().into());
            }
            put("name", facts.name.to_string().into());
        }
        if let Some(main) = item.deleted_at {
            put("deleted_at", main.into());
        } else if self.recovery.at().is_none() {
            put(
                "deleted_at_or_before",
                self.recovery.question().store().compact_revision().into(),
            );
        }
        if let Some((main, cause)) = item.began {
            put("deletion_began", main.into());
            put("deletion_of", cause.as_str().into());
        }
        put("comes_back", self.recovery.comes_back(item).into());
        if !item.nameless.is_empty() {
            put("incomplete", true.into());
        }
        if let Some(why) = item.unreadable {
            put("unreadable", why.as_str().into());
        }
        if let Some(reason) = item.left_out {
            put("left_out", reason.word().into());
        }
        if let Some(placed) = self.recovery.restored_place(item) {
            put("restored_revision", placed.revision.main.into());
            put("restored_version", placed.version.into());
            put("create_revision", placed.create_revision.into());
            put("value_size", placed.value_bytes.into());
            put("origin", placed.origin().as_str().into());
            if item.is_late {
                put("after_deletion_began", true.into());
            }
            if item.missing_after > 0 {
                put("versions_missing_behind", item.missing_after.into());
            }
        }
        if !managers.is_empty() {
            put("managers", managers.into());
        }
        if let Some(main) = item.deleted_at {
            time::insert(
                &mut fields,
                &self.recovery.question().timeline().bounds(main),
            );
        }
        Value::Object(fields)
    }
}
