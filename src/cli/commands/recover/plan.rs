//! The plan of a recovery: what would be created, in which order, and what is left out and why.

use std::io::Write;

use serde_json::{Map, Value};

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::query::deletions::Item;
use crate::query::recovery::Content;
use crate::view::answer_part::AnswerPart;
use crate::view::key_names::KeyNames;
use crate::view::record::key_text;
use crate::view::recovery_comment::short;
use crate::view::recovery_notice::{self, reason_text};
use crate::view::rows::Rows;

use super::write::{file_name, width};
use super::{Output, Printer, Written};

/// One line of a plan.
struct Step<'i> {
    item: &'i Item,
    /// The main revision of the version that comes back.
    restored: Option<i64>,
    /// The file that --out would write; empty of what does not come back.
    file: String,
    remarks: Vec<String>,
}

impl Printer<'_, '_> {
    /// Prints the plan; whether anything comes back.
    pub(super) fn print_plan(&self, out: &mut Out) -> Result<Written, Failure> {
        let steps = self.steps();
        let summary = self.recovery.summary();
        match self.args.output {
            Output::Json | Output::Jsonl => self.print_plan_json(&steps, out)?,
            Output::Name => {
                for step in steps.iter().filter(|step| !step.file.is_empty()) {
                    writeln!(out, "{}", step.file)?;
                }
            }
            Output::Table | Output::Wide | Output::Yaml => {
                let heads = ["ORDER", "AS OF", "OBJECT", "REMARKS"];
                let mut table = Rows::new(&heads, &[0, 1]).names(&[2]).wrapped();
                let names = self.key_names(out);
                for (number, step) in (1_usize..).zip(&steps) {
                    table.add(&plan_row(number, step, &names));
                }
                out.table(&table)?;
                out.parts(&[AnswerPart::line("")])?;
                let (sentence, table) = recovery_notice::summary(&summary);
                let table = table.map(AnswerPart::Table);
                let parts: Vec<AnswerPart> = std::iter::once(AnswerPart::line(sentence))
                    .chain(table)
                    .collect();
                out.parts(&parts)?;
            }
        }
        Ok(Written::any(summary.back.count() > 0))
    }

    /// What comes back in its order, then what does not.
    fn steps(&self) -> Vec<Step<'_>> {
        let items = self.recovery.items();
        let width = width(items.len());
        let options = self.args.manifest_options();
        let mut number = 0_usize;
        let mut steps = Vec::new();
        for item in items.iter().filter(|item| self.recovery.comes_back(item)) {
            let (extension, remarks) = match self.recovery.content(item, options) {
                Some(Content::Object(_, remarks)) => (".yaml", remarks),
                Some(Content::Plain(_)) => (".value", Vec::new()),
                None => continue,
            };
            number = number.saturating_add(1);
            let name = file_name(number, width, item);
            let folder = self.recovery.cluster_of(item);
            let folder =
                folder.map_or_else(String::new, |cluster| format!("{}/", key_text(cluster)));
            steps.push(Step {
                item,
                restored: self
                    .recovery
                    .restored_place(item)
                    .map(|placed| placed.revision.main),
                file: format!("{folder}{}{extension}", key_text(&name)),
                remarks: remarks.iter().filter_map(short).collect(),
            });
        }
        for item in items.iter().filter(|item| !self.recovery.comes_back(item)) {
            let reason = item.left_out.map(reason_text).unwrap_or_default();
            steps.push(Step {
                item,
                restored: None,
                file: String::new(),
                remarks: vec![format!("left out: {reason}")],
            });
        }
        steps
    }

    fn print_plan_json(&self, steps: &[Step<'_>], out: &mut Out) -> Result<(), Failure> {
        let rows = steps.iter().map(|step| {
            let managers = self.managers(&[step.item]).pop();
            let mut row = self.json_of(step.item, managers.unwrap_or_default());
            if let Some(fields) = row.as_object_mut() {
                if !step.file.is_empty() {
                    fields.insert("file".to_owned(), step.file.clone().into());
                }
                let remarks = step.remarks.iter().cloned().map(Value::String).collect();
                fields.insert("remarks".to_owned(), Value::Array(remarks));
            }
            row
        });
        self.write_json(rows, out)
    }

    /// Counts by reason, as the last row of JSON.
    pub(super) fn summary_row(&self) -> Value {
        let summary = self.recovery.summary();
        let left_out = summary.left_out.iter().map(|(reason, kinds)| {
            let mut fields = Map::new();
            fields.insert("reason".to_owned(), reason.word().into());
            fields.insert("count".to_owned(), kinds.count().into());
            let kinds = kinds
                .0
                .iter()
                .map(|(kind, count)| (kind.clone(), (*count).into()));
            fields.insert("kinds".to_owned(), Value::Object(kinds.collect()));
            Value::Object(fields)
        });
        let left_out = Value::Array(left_out.collect());
        let mut counts = serde_json::json!({"comes_back": summary.back.count()});
        if let Some(counts) = counts.as_object_mut() {
            if summary.incomplete > 0 {
                counts.insert("incomplete".to_owned(), summary.incomplete.into());
            }
            counts.insert("left_out".to_owned(), left_out);
        }
        serde_json::json!({"summary": counts})
    }
}

fn plan_row(number: usize, step: &Step<'_>, names: &KeyNames<'_>) -> Vec<String> {
    let (number, revision) = match step.restored {
        Some(main) => (number.to_string(), main.to_string()),
        _ => ("-".to_owned(), "-".to_owned()),
    };
    let object = names.text(&step.item.key).into_owned();
    vec![number, revision, object, step.remarks.join("; ")]
}
