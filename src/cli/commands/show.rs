//! `show`: one transaction, or one object at a revision.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::bbolt::Direction;
use crate::cli::args::{At, Database};
use crate::cli::by_manager::ManagerArg;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::sources::Sources;
use crate::cli::unified;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::record::Origin;
use crate::etcd::{AtRevision, Event, EventType, Events, KeyEntry, KeyHistory, Record, Store};
use crate::k8s::diff::Scope;
use crate::k8s::encrypt::Keyring;
use crate::k8s::redact::Masker;
use crate::query::Origins;
use crate::query::Question;
use crate::query::compare::Comparison;
use crate::query::filters::Filter;
use crate::query::objects::Objects;
use crate::query::resolve::event_of_object;
use crate::query::resolve::only_one;
use crate::query::resolve::revision_of_store;
use crate::query::revision::RevisionExpr;
use crate::query::select::Which;
use crate::query::timeline::Timeline;
use crate::query::writers::managers_of;
use crate::view::diff::write_object;
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::record::{event_json, key_text};
use crate::view::time;

use super::log::changed;

/// Show all that one revision wrote and deleted, or one object at a revision
///
/// `show DB 2185` is a whole transaction: every key, with the change against the version before.
/// `show DB pod/web-1@v3` is one object: its YAML as of its third version; after the @ stands any
/// revision (2185, v3, ~1, created, deleted). Values of Secrets are masked.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// A revision (123, 123.2, @, @~5), or objects: ADDRESS, ADDRESS@REV
    #[arg(value_name = "REV|ADDRESS[@REV]", required_unless_present_any = ["at", "at_time"])]
    what: Vec<OsString>,
    /// The namespace of the object
    #[arg(short, long, value_name = "NS", value_delimiter = ',')]
    namespace: Vec<String>,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    by_manager: ManagerArg,
    /// Leave out the status of objects
    #[arg(long)]
    exclude_status: bool,
    /// Show metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Show the values of Secrets
    #[arg(long)]
    show_secrets: bool,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// One JSON array of events, each with its changed fields
    Json,
    /// The same, an event a line
    Jsonl,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn origins(&self) -> Origins {
        self.sources.origins()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let objects = question.objects();
        let show = Show {
            args: self,
            timeline: question.timeline(),
            objects,
            store: question.store(),
            question: &question,
            keyring: run.keyring,
        };
        let mut comparison = Comparison {
            scope: Scope {
                status: !self.exclude_status,
                managed_fields: self.show_managed_fields,
            },
            masker: Masker::new(self.show_secrets),
            old: objects,
            new: objects,
        };
        let answer = show.answer(&mut comparison, out);
        answer.map(|answer| question.finish(answer))
    }
}

struct Show<'g, 'a> {
    args: &'g Args,
    timeline: &'g Timeline,
    objects: &'g Objects<'g>,
    store: &'g Store<'a>,
    question: &'g Question<'a>,
    keyring: &'g Keyring,
}

impl<'a> Show<'_, 'a> {
    fn answer(&self, comparison: &mut Comparison<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let word = match self.args.what.as_slice() {
            [word] => word.to_str().and_then(|text| text.parse().ok()),
            _ => None,
        };
        if word.is_none() && !self.args.what.is_empty() {
            return self.object(comparison, out);
        }
        let revision = self.revision(word)?.unwrap_or(RevisionExpr::Head(0));
        self.transaction(revision, comparison, out)
    }

    /// The one revision that was named, by a word or by a flag.
    fn revision(&self, word: Option<RevisionExpr>) -> Result<Option<RevisionExpr>, Failure> {
        let At { at, at_time: time } = &self.args.at;
        let Some(time) = time else {
            return Ok(only_one(word, *at, "--at")?);
        };
        if let Some(word) = word {
            return Err(Failure::cannot(format!(
                "two revisions are named: {word}, and --at-time {time}"
            )));
        }
        let at = self.question.revision_at(time)?;
        Ok(Some(RevisionExpr::Main(at.0)))
    }

    /// Everything that a revision wrote, in the order of writing.
    fn transaction(
        &self,
        revision: RevisionExpr,
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let sub = match revision {
            RevisionExpr::Record(_, sub) => Some(sub),
            _ => None,
        };
        let compacted = self.store.compact_revision();
        let main = match revision {
            RevisionExpr::Main(main) | RevisionExpr::Record(main, _) if main < compacted => main,
            _ => match revision_of_store(revision, self.store)?.0 {
                i64::MAX => self.store.current_revision(),
                main => main,
            },
        };
        let events = self.written(main, sub);
        if events.is_empty() {
            revision_of_store(revision, self.store)?;
            let sub = sub.map_or_else(String::new, |sub| format!(".{sub}"));
            self.question.note_compacted(&|_| true, None);
            return Err(Failure::not_found(format!(
                "nothing is retained of revision {main}{sub}"
            )));
        }
        let events = self.narrowed(events, comparison);
        if events.is_empty() {
            let by_manager = self.args.by_manager.filter();
            let unknown = by_manager
                .name()
                .and_then(|name| self.question.missing_manager(name));
            return Err(unknown.or_else(|| self.question.emptied()).map_or_else(
                || Failure::not_found(format!("nothing of revision {main} is left")),
                Failure::from,
            ));
        }
        let is_partial = events
            .iter()
            .any(|event| event.event_type == EventType::Update && event.previous.is_none());
        if main < compacted || is_partial {
            let written: HashSet<&[u8]> = events.iter().map(|event| event.record.key).collect();
            let is_whole = main >= compacted;
            let covers = |key: &[u8]| !is_whole || written.contains(key);
            self.question.note_compacted(&covers, None);
        }
        if self.args.output == Output::Text {
            let many = if events.len() == 1 { "" } else { "s" };
            let when = time::text(&self.timeline.bounds(main));
            writeln!(out, "revision {main}  {when}  {} key{many}", events.len())?;
        }
        self.print(&events, comparison, out, |show, event, comparison, out| {
            show.change(event, comparison, out)
        })
    }

    /// The events that the manager wrote, and those that changed more than what is left out.
    fn narrowed(&self, mut events: Vec<Event<'a>>, comparison: &Comparison<'_>) -> Vec<Event<'a>> {
        let (filters, by_manager) = (self.question.filters(), self.args.by_manager.filter());
        events.retain(|event| {
            filters.test(Filter("--manager"), by_manager.wrote(event, self.objects))
        });
        if self.args.exclude_status {
            // Another comparison: the numbers of masked values follow the order in which they are printed.
            let mut filter = comparison.again();
            events.retain(|event| {
                let is_kept = event.event_type != EventType::Update
                    || event.previous.is_none()
                    || !filter.fields(&changed(event)).is_empty();
                filters.test(Filter("--exclude-status"), is_kept)
            });
        }
        events
    }

    /// The retained events of a main revision, or the one of its records that is named.
    fn written(&self, main: i64, sub: Option<i64>) -> Vec<Event<'a>> {
        let is_it = |record: &Record<'_>| {
            record.revision.main == main && sub.is_none_or(|sub| record.revision.sub == sub)
        };
        let mut written = HashSet::new();
        for record in self.store.records(Direction::Forward) {
            if is_it(&record) && !record.is_bump_mark() {
                written.insert(record.key);
            }
        }
        let history = Events::read(self.store, |key| written.contains(key));
        let events = history.iter().filter(|event| is_it(&event.record));
        events.collect()
    }

    fn print(
        &self,
        events: &[Event<'a>],
        comparison: &mut Comparison<'_>,
        out: &mut Out,
        text: impl Fn(&Self, &Event<'a>, &mut Comparison<'_>, &mut Out) -> Result<(), Failure>,
    ) -> Result<Answer, Failure> {
        let mut rows = JsonRows::new(Form::array_if(self.args.output == Output::Json));
        for event in events {
            match self.args.output {
                Output::Text => text(self, event, comparison, out)?,
                Output::Json | Output::Jsonl => rows.row(&self.json_of(event, comparison), out)?,
            }
        }
        if self.args.output != Output::Text {
            rows.finish(out)?;
        }
        Ok(Answer::Yes)
    }

    /// One change: what a put changed field by field, what a first put wrote as YAML.
    fn change(
        &self,
        event: &Event<'a>,
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let changed = changed(event);
        if let Some(place) = place_of(&event.record) {
            writeln!(out, "# {place}")?;
        }
        let managers = managers_of(event, self.objects);
        if !managers.is_empty() {
            self.question.notices().add_who();
            writeln!(
                out,
                "# by {}",
                crate::view::table::cell(&managers.join(", "))
            )?;
        }
        if event.event_type == EventType::Create {
            return unified::write_change(comparison, &changed, out);
        }
        let fields = if changed.is_in_both() {
            comparison.fields(&changed)
        } else {
            Vec::new()
        };
        let style = out.style();
        let object = comparison.object(&changed, &fields);
        write_object(out.styled(), &object, &style)?;
        Ok(())
    }

    fn json_of(&self, event: &Event<'a>, comparison: &mut Comparison<'_>) -> Value {
        let mut value = event_json(event, &managers_of(event, self.objects));
        let changed = changed(event);
        if let Some(members) = value.as_object_mut() {
            time::insert(members, &self.timeline.bounds(event.record.revision.main));
            let fields = comparison.fields(&changed);
            let fields: Vec<Value> = fields
                .iter()
                .filter_map(|field| serde_json::from_str(&field.to_json()).ok())
                .collect();
            members.insert("fields".to_owned(), fields.into());
        }
        with_object(value, event.record.key, self.question.catalog())
    }

    /// One object or several, each at its revision.
    fn object(&self, comparison: &mut Comparison<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let words = self.args.what.clone();
        let which = Which::new(words, self.args.namespace.clone());
        let (which, own) = which.split_revision(self.store)?;
        let revision = self.revision(own)?.unwrap_or(RevisionExpr::Head(0));
        let head = self.store.at(None)?;
        let selection = which.select(&[(self.store, head)], self.keyring)?;
        let key = selection.one_key(self.question, head)?;
        let history = KeyHistory::read(self.store, &key);
        let name = key_text(&key).into_owned();
        if let (true, Some(address)) = (history.events.is_empty(), selection.addresses().first()) {
            let catalog = selection.catalog();
            return Err(self.question.missing(address, catalog, head).into());
        }
        let event = *event_of_object(revision, &history, self.store, &name)?;
        let by_manager = self.args.by_manager.filter();
        if !by_manager.wrote(&event, self.objects) {
            let (main, manager) = (event.record.revision.main, by_manager.name());
            return Err(Failure::not_found(format!(
                "{name}: revision {main} was not written by {}",
                manager.unwrap_or_default()
            )));
        }
        if event.event_type != EventType::Delete {
            let shown = KeyEntry {
                key: event.record.key.into(),
                record: event.record,
            };
            if let RevisionExpr::Main(main) = revision {
                self.question.note_unproved(AtRevision(main), &[shown]);
            }
        }
        self.print(&[event], comparison, out, |show, event, comparison, out| {
            let record = &event.record;
            let when = time::text(&show.timeline.bounds(record.revision.main));
            let managers = managers_of(event, show.objects).join(", ");
            let by = if managers.is_empty() {
                String::new()
            } else {
                show.question.notices().add_who();
                format!("  by {}", crate::view::table::cell(&managers))
            };
            let kind = event.event_type.as_str();
            writeln!(
                out,
                "# {name}  revision {}  {kind}  {when}{by}",
                record.revision
            )?;
            if let Some(place) = place_of(record) {
                writeln!(out, "# {place}")?;
            }
            if event.event_type != EventType::Delete {
                writeln!(
                    out,
                    "# version {}, created at {}",
                    record.version, record.create_revision
                )?;
                let text = unified::yaml(comparison, record, show.objects);
                out.write_all(text.as_bytes())?;
            }
            Ok(())
        })
    }
}

/// Where a record was found that is no part of the tree.
fn place_of(record: &Record<'_>) -> Option<String> {
    let origin = record.origin.as_str();
    match (record.origin, record.pgid) {
        (Origin::Live, _) => None,
        (_, Some(pgid)) => Some(format!("{origin}, page {pgid}")),
        (_, None) => Some(format!("{origin}, offset {}", record.offset)),
    }
}
