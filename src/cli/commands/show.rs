//! `show`: one transaction, or one object at a revision.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::args::{At, Database};
use crate::cli::by_manager::ManagerArg;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::sources::Sources;
use crate::cli::unified;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::Question;
use crate::query::compare::{Changed, Comparison};
use crate::query::description::{Description, described_key};
use crate::query::revision::RevisionExpr;
use crate::query::select::Which;
use crate::query::transaction::{
    Event, EventType, ObjectAt, OneRevision, RevisionRequest, Transaction,
};
use crate::query::writers::managers_of;
use crate::query::{Notice, Origins};
use crate::view;
use crate::view::answer_part::AnswerPart;
use crate::view::diff::write_object;
use crate::view::history::{Layout, Line, Place, Shown};
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::key_names::KeyNames;
use crate::view::record::{event_json, key_text, origin_text};
use crate::view::recovery_comment::incomplete;
use crate::view::table::cell;
use crate::view::time;
use crate::view::yaml::comment;

/// Describe an object, or show what one revision wrote
///
/// An ADDRESS alone describes the object: its head, its owners, its last changes and its Kubernetes events. ADDRESS@REV
/// prints the object as YAML as of a revision: `show DB pod/web-1@v3`; so does --at. A revision alone is a whole
/// transaction, with every key that it wrote and the change of each. Values of Secrets are masked.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// A revision (123, 123.2, @, @~5), an object, or an object at a revision
    #[arg(value_name = "REV|ADDRESS[@REV]", required_unless_present_any = ["at", "at_time"])]
    what: Vec<OsString>,
    /// The namespace of the object
    #[arg(short, long, value_name = "NS", value_delimiter = ',')]
    namespace: Vec<String>,
    /// The logical cluster of the object, in a store of kcp
    #[arg(long = "cluster", value_name = "CLUSTER", value_delimiter = ',')]
    clusters: Vec<String>,
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
    /// Show the values of Secrets instead of masking them
    #[arg(long)]
    show_secrets: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Text for people
    Text,
    /// One JSON array of events, each with its changed fields
    Json,
    /// One event per line
    Jsonl,
}

words!(Output);

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
        let show = Show {
            output: self.output,
            question: &question,
        };
        if let Some(key) = self.described(&question)?
            && let Some(about) = Description::read(&question, key, self.show_secrets)?
        {
            show.description(&about, out)?;
            return Ok(question.finish(Answer::Yes));
        }
        let request = self.request();
        let mut comparison = request.comparison(&question);
        match request.answer(&question, &comparison)? {
            OneRevision::Transaction(transaction) => {
                show.transaction(&transaction, &mut comparison, out)?;
            }
            OneRevision::Object(object) => show.object(&object, &mut comparison, out)?,
        }
        Ok(question.finish(Answer::Yes))
    }
}

impl Args {
    /// The object that is to be described: one that was named without a revision, for people.
    fn described(&self, question: &Question<'_>) -> Result<Option<Vec<u8>>, Failure> {
        // These are about the YAML of a version.
        let is_narrowed = self.by_manager.filter().name().is_some()
            || self.exclude_status
            || self.show_managed_fields;
        let is_other = self.at.at.is_some() || self.at.at_time.is_some() || is_narrowed;
        let is_revision = match self.what.as_slice() {
            [word] => word
                .to_str()
                .is_some_and(|text| text.parse::<RevisionExpr>().is_ok()),
            _ => false,
        };
        if is_other || is_revision || self.output != Output::Text {
            return Ok(None);
        }
        Ok(described_key(question, &self.request().which)?)
    }

    fn request(&self) -> RevisionRequest {
        RevisionRequest {
            which: Which::new(self.what.clone(), self.namespace.clone())
                .in_clusters(self.clusters.clone()),
            at: self.at.at,
            at_time: self.at.at_time.clone(),
            by_manager: self.by_manager.filter(),
            exclude_status: self.exclude_status,
            managed_fields: self.show_managed_fields,
            show_secrets: self.show_secrets,
        }
    }
}

/// One run.
struct Show<'g, 'a> {
    output: Output,
    question: &'g Question<'a>,
}

impl<'a> Show<'_, 'a> {
    /// One object in short: its head, its last changes, the Events about it.
    fn description(&self, about: &Description<'a>, out: &mut Out) -> Result<(), Failure> {
        let time_of = |event: &Event<'_>| {
            let main = event.record.revision.main;
            time::text(&self.question.timeline().bounds(main))
        };
        let newest = about.history.events.last().map(time_of);
        let head = view::description::head(about, newest.as_deref());
        let head: Vec<AnswerPart> = AnswerPart::lines(&head).collect();
        out.parts(&head)?;
        let heading = view::description::changes_heading(about);
        out.parts(&[AnswerPart::line(""), AnswerPart::heading(&heading)])?;
        let line = |event: &Event<'a>| Line {
            event: *event,
            managers: managers_of(event, self.question.objects()),
            time: time_of(event),
            age: None,
            place: Place::Alone,
        };
        let lines: Vec<Line<'_>> = about.changes().map(line).collect();
        if lines.iter().any(|line| !line.managers.is_empty()) {
            self.question.notices().add_who();
        }
        let layout = Layout::new(
            lines.iter().cloned(),
            Shown::default(),
            KeyNames::whole(),
            out.style(),
        );
        writeln!(out.styled(), "{}", layout.head())?;
        for line in &lines {
            writeln!(out.styled(), "{}", layout.row(line))?;
        }
        out.leave_out(layout.left_out().iter().copied());
        let (heading, rows) = view::description::events(about);
        out.parts(&[AnswerPart::line(""), AnswerPart::heading(&heading)])?;
        if !rows.is_empty() {
            out.table(&rows)?;
            let ages = Notice::AgesAsOf(about.clock.now);
            self.question.notices().add(ages);
        }
        Ok(())
    }

    /// Everything that a revision wrote, in the order of writing.
    fn transaction(
        &self,
        Transaction { main, events }: &Transaction<'_>,
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        if self.output != Output::Text {
            return self.print_json(events, comparison, out);
        }
        let many = if events.len() == 1 { "" } else { "s" };
        let when = time::text(&self.question.timeline().bounds(*main));
        let header = out.style().header;
        writeln!(
            out.clipped(),
            "{}revision {main}{}  {when}  {} key{many}",
            header.before,
            header.after,
            events.len()
        )?;
        for event in events {
            self.print_change(event, comparison, out)?;
        }
        Ok(())
    }

    fn print_json(
        &self,
        events: &[Event<'_>],
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let mut rows = JsonRows::new(Form::array_if(self.output == Output::Json));
        for event in events {
            rows.row(&self.json_of(event, comparison), out)?;
        }
        rows.finish(out)?;
        Ok(())
    }

    /// The managers of an event; if it has some, that they are not users is a notice.
    fn managers(&self, event: &Event<'_>) -> Option<String> {
        let managers = managers_of(event, self.question.objects());
        if managers.is_empty() {
            return None;
        }
        self.question.notices().add_who();
        Some(cell(&managers.join(", ")))
    }

    /// One change: what a put changed field by field, what a first put wrote as YAML.
    fn print_change(
        &self,
        event: &Event<'_>,
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let changed = Changed::from_event(event);
        if let Some(origin) = origin_text(&event.record) {
            out.line(&format!("# {origin}"))?;
        }
        if let Some(managers) = self.managers(event) {
            out.line(&format!("# by {managers}"))?;
        }
        if event.event_type == EventType::Create {
            let style = out.style();
            return unified::write_change(comparison, &changed, &style, out);
        }
        let fields = if changed.is_in_both() {
            comparison.fields(&changed)
        } else {
            Vec::new()
        };
        let style = out.style();
        let object = comparison.object(&changed, &fields);
        write_object(&mut out.clipped(), &object, &style)?;
        Ok(())
    }

    fn json_of(&self, event: &Event<'_>, comparison: &mut Comparison<'_>) -> Value {
        let mut value = event_json(event, &managers_of(event, self.question.objects()));
        let changed = Changed::from_event(event);
        if let Some(members) = value.as_object_mut() {
            time::insert(
                members,
                &self.question.timeline().bounds(event.record.revision.main),
            );
            let fields = comparison.fields(&changed);
            let fields: Vec<Value> = fields
                .iter()
                .filter_map(|field| serde_json::from_str(&field.to_json()).ok())
                .collect();
            members.insert("fields".to_owned(), fields.into());
        }
        with_object(value, event.record.key, self.question.catalog())
    }

    /// One object at its revision.
    fn object(
        &self,
        ObjectAt { key, event }: &ObjectAt<'_>,
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let record = &event.record;
        let notes = self.question.objects().report_if_incomplete(record);
        if self.output != Output::Text {
            return self.print_json(std::slice::from_ref(event), comparison, out);
        }
        let when = time::text(&self.question.timeline().bounds(record.revision.main));
        let managers = self.managers(event);
        let by = managers.map_or_else(String::new, |managers| format!("  by {managers}"));
        let head = format!(
            "# {}  revision {}  {}  {when}{by}",
            key_text(key),
            record.revision,
            event.event_type.as_str()
        );
        out.parts(&[AnswerPart::line(head)])?;
        if let Some(origin) = origin_text(record) {
            out.line(&format!("# {origin}"))?;
        }
        if event.event_type != EventType::Delete {
            writeln!(
                out,
                "# version {}, created at {}",
                record.version, record.create_revision
            )?;
            for line in incomplete(&notes, record.key) {
                writeln!(out, "{}", comment(&line))?;
            }
            let text = unified::yaml(comparison, record, self.question.objects());
            out.write_all(text.as_bytes())?;
            if !text.ends_with('\n') {
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }
}
