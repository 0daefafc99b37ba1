//! `blame`: which revision last changed each line of an object, and who.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::bbolt::Direction;
use crate::cli::args::{At, Database, RowFormat};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::check::compare_all;
use crate::etcd::{AtRevision, Generation, KeyEntry, Keyspace, Record, Store};
use crate::k8s::blame::{Blame, Blamed, Version, is_manager_name};
use crate::k8s::object::{is_object, is_secret_key};
use crate::k8s::redact::Masker;
use crate::named::NameField;
use crate::query::Origins;
use crate::query::Question;
use crate::query::filters::Filter;
use crate::query::objects::Objects;
use crate::query::select::Selection;
use crate::view::blame::{Lines, line_json, lines, write_table};
use crate::view::human::plural;
use crate::view::json_rows::{Form, JsonRows};
use crate::view::notice::encryption_hint;
use crate::view::record::key_text;

/// Show which revision last changed each line of an object's YAML, who, and when
///
/// Items of lists are followed by their key (name, port, type, uid, ...). A line that opens a map, a
/// list or an item tells since when it has been there. MANAGER is the managedFields entry that owns the
/// field and changed at that revision; TIME is what the object says of it; `-` is unknown. `^` before
/// a revision: this or an earlier one, which was compacted; manager and time are those that managedFields
/// name for the field. Of deleted objects and earlier states, --at REV tells.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Print metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Print the values of Secrets
    #[arg(long)]
    show_secrets: bool,
    /// How to print the lines
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
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
        if !self.which.asked().is_given() {
            return Err(Failure::cannot("which object?").hint("`blame DB deploy/web -n shop`"));
        }
        let question = run.question()?;
        let (store, objects) = (question.store(), question.objects());
        let (which, at) = self.at.resolve(&question, &self.which.asked())?;
        let selection = which.select(&[(store, at)], run.keyring)?;
        let history = one_history(&question, at, &selection)?;
        let mut masker = Masker::new(self.show_secrets);
        let (blamed, unread) = self.blame(&history, objects, &masker)?;
        let secret = history.iter().any(|record| is_secret_key(record.key));
        let masked = masker.mask(blamed.tree(), secret);
        let has_secrets = matches!(masked, Cow::Owned(_));
        let lines = lines(&masked, &blamed);
        let mut name = |name: &str| {
            let is_secret = has_secrets && !is_manager_name(name);
            let mask = is_secret.then(|| masker.mask_bytes(name.as_bytes()));
            mask.flatten()
                .unwrap_or_else(|| NameField::Manager.shown(name).into_owned())
        };
        self.print(&lines, &mut name, out)?;
        if lines.has_boundaries() {
            note_boundaries(&question, &history, unread);
        }
        if let Some(newest) = history.last() {
            let shown = KeyEntry {
                key: newest.key.into(),
                record: *newest,
            };
            question.note_unproved(at, &[shown]);
        }
        if self.output == RowFormat::Table {
            question.notices().add_who();
        }
        Ok(question.finish(Answer::Yes))
    }
}

impl Args {
    /// The attribution of the newest of these versions, and how many of them could not be read.
    fn blame(
        &self,
        history: &[Record<'_>],
        objects: &Objects<'_>,
        masker: &Masker,
    ) -> Result<(Blamed, usize), Failure> {
        let version = |record: &Record<'_>, stored| {
            let number = record.version;
            Version::new(
                record.revision.main,
                number,
                stored,
                self.show_managed_fields,
            )
        };
        let mut versions = history.iter().rev();
        let Some(shown) = versions.next() else {
            return Err(Failure::not_found("nothing is there"));
        };
        let stored = read(shown, objects, masker)?;
        let mut blame = Blame::of(version(shown, stored));
        let mut unread = 0_usize;
        for record in versions {
            match read(record, objects, masker) {
                Ok(stored) => blame.older(version(record, stored)),
                Err(_) => unread = unread.saturating_add(1),
            }
        }
        Ok((blame.finish(), unread))
    }

    fn print(
        &self,
        lines: &Lines<'_>,
        name: &mut impl FnMut(&str) -> String,
        out: &mut Out,
    ) -> Result<(), Failure> {
        if self.output == RowFormat::Table {
            let style = out.style();
            return Ok(write_table(out.styled(), lines, &style, name)?);
        }
        let mut rows = JsonRows::new(Form::array_if(self.output == RowFormat::Json));
        for line in lines.iter() {
            rows.row(&line_json(lines, &line, name), out)?;
        }
        rows.finish(out)?;
        Ok(())
    }
}

/// The stored object of a version.
fn read(record: &Record<'_>, objects: &Objects<'_>, masker: &Masker) -> Result<Value, Failure> {
    let cannot = |reason: &str| {
        let (key, revision) = (key_text(record.key), record.revision);
        Failure::cannot(format!("{key} at revision {revision}: {reason}"))
    };
    let value = objects.open(record).map_err(|error| {
        let failure = cannot(&error.to_string());
        match encryption_hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let decoded = masker.tree_of(&value, is_secret_key(record.key));
    let tree = decoded.map_err(|error| {
        objects.report_undecodable(record, &error);
        cannot(&error.to_string())
    })?;
    if !is_object(&tree) {
        return Err(cannot("it is no Kubernetes object").hint("`log` lists the revisions of a key"));
    }
    Ok(tree)
}

/// The retained versions of the one live object that is asked about, oldest first, since its creation.
fn one_history<'a>(
    question: &Question<'a>,
    at: AtRevision,
    selection: &Selection,
) -> Result<Vec<Record<'a>>, Failure> {
    let (store, objects) = (question.store(), question.objects());
    let mut histories = if selection.names_one() && selection.labels().is_none() {
        histories(store, at, |key| selection.covers(key))
    } else {
        // More keys than one may be covered: which is meant comes first.
        let keyspace = Keyspace::at(store, at, |key| selection.covers(key));
        let is_meant = |record: &Record<'_>| match selection.labels() {
            Some(labels) => {
                let has_labels = objects.has_labels(record, labels);
                question.filters().test(Filter("-l"), has_labels)
            }
            None => true,
        };
        let live = keyspace.live.iter();
        let meant: Vec<&[u8]> = live
            .filter(|entry| is_meant(&entry.record))
            .map(|entry| entry.record.key)
            .collect();
        if let ([], Some(why)) = (meant.as_slice(), question.emptied()) {
            return Err(why.into());
        }
        match meant.as_slice() {
            [key] => histories(store, at, |other| other == *key),
            several => several.iter().map(|key| (*key, Vec::new())).collect(),
        }
    };
    match (histories.len(), histories.pop_first()) {
        (1, Some((_, history))) => Ok(history),
        (_, None) => Err(selection
            .why_empty(question, at, |_| false, true)
            .map_or_else(|| Failure::not_found("nothing found"), Failure::from)),
        (count, Some((first, _))) => Err(too_many(count, first, histories.keys().copied())),
    }
}

fn too_many<'k>(count: usize, first: &[u8], others: impl Iterator<Item = &'k [u8]>) -> Failure {
    /// How many are named behind the first.
    const NAMED: usize = 4;
    let mut named = key_text(first).into_owned();
    for key in others.take(NAMED) {
        named.push_str(", ");
        named.push_str(&key_text(key));
    }
    let more = if count > NAMED.saturating_add(1) {
        ", ..."
    } else {
        ""
    };
    Failure::cannot(format!("blame takes one object, and these are {count}"))
        .hint(format!("{named}{more}"))
}

/// The versions of the live keys that are wanted, each since its creation, oldest first.
fn histories<'a>(
    store: &Store<'a>,
    at: AtRevision,
    wanted: impl Fn(&[u8]) -> bool,
) -> BTreeMap<&'a [u8], Vec<Record<'a>>> {
    let mut histories: BTreeMap<&[u8], Vec<Record<'_>>> = BTreeMap::new();
    for record in store.records(Direction::Forward) {
        if record.revision.main <= at.0
            && !store.is_newer_than_state(&record)
            && !record.is_bump_mark()
            && wanted(record.key)
        {
            histories.entry(record.key).or_default().push(record);
        }
    }
    for history in histories.values_mut() {
        // In a damaged file the walk need not go by revision.
        history.sort_by_key(|record| record.revision);
        compare_all(store, history);
        // Of a key that is not there any more what was carved may be a put.
        let telling = history
            .iter()
            .rev()
            .find(|record| store.is_evidence_for(record, at));
        *history = match telling.and_then(Generation::after) {
            Some(live) => live.last_puts(history).to_vec(),
            None => Vec::new(),
        };
    }
    histories.retain(|_, history| !history.is_empty());
    histories
}

/// Reports why a change may be older than the revision that a line shows.
fn note_boundaries(question: &Question<'_>, history: &[Record<'_>], unread: usize) {
    let missing = history
        .first()
        .map(|oldest| oldest.version.saturating_sub(1));
    if unread > 0 {
        report::note(&format!(
            "^ is this revision or an earlier one: {} cannot be read",
            plural(unread, "version", "versions")
        ));
    } else {
        report::note("^ is this revision or an earlier one: the version before is not retained");
    }
    let key = history.first().map_or(&[][..], |record| record.key);
    question.note_compacted(&|other| other == key, missing);
}
