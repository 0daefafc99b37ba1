//! `blame`: which revision last changed each line of an object, and who.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use crate::bbolt::Direction;
use crate::cli::args::{At, Database, RowFormat};
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::keys::{Keys, hint};
use crate::cli::missing::not_found_among;
use crate::cli::objects::Objects;
use crate::cli::out::Out;
use crate::cli::select::{Selection, Where};
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::check::compare_all;
use crate::etcd::{AtRevision, Keyspace, Record, Store};
use crate::k8s::blame::{Blame, Blamed, Version, is_manager_name};
use crate::k8s::object::{is_object, is_secret_key};
use crate::k8s::redact::Masker;
use crate::named::NameField;
use crate::view::blame::{Lines, line_json, lines, write_table};
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

    fn sources(&self) -> Sources {
        self.sources.clone()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        if !self.which.is_given() {
            return Err(Failure::cannot("which object?").hint("`blame DB deploy/web -n shop`"));
        }
        let store = evidence.records()?;
        let (which, at) = self.at.resolve(&store, &self.which, run.keyring)?;
        let selection = which.select(&[(&store, at)], run.keyring)?;
        let objects = Objects::new(run.keyring, evidence);
        let history = one_history(&store, at, &selection, &objects)?;
        let mut masker = Masker::new(self.show_secrets);
        let (blamed, unread) = self.blame(&history, &objects, &masker)?;
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
        if self.output == RowFormat::Table && lines.has_boundaries() {
            note_boundaries(&history, unread, &store);
        }
        objects.conclude();
        Ok(Answer::Yes)
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
        let [before, between, after] = match self.output {
            RowFormat::Json => ["[", ",", "]\n"],
            _ => ["", "\n", "\n"],
        };
        out.write_all(before.as_bytes())?;
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                out.write_all(between.as_bytes())?;
            }
            write!(out, "{}", line_json(lines, &line, name))?;
        }
        out.write_all(after.as_bytes())?;
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
        match hint(&error) {
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
    store: &Store<'a>,
    at: AtRevision,
    selection: &Selection,
    objects: &Objects<'_>,
) -> Result<Vec<Record<'a>>, Failure> {
    let mut histories = if selection.names_one() && selection.labels().is_none() {
        histories(store, at, |key| selection.covers(key))
    } else {
        // More keys than one may be covered: which is meant comes first.
        let keyspace = Keyspace::at(store, at, |key| selection.covers(key));
        let is_meant = |record: &Record<'_>| match selection.labels() {
            Some(labels) => objects.has_labels(record, labels),
            None => true,
        };
        let live = keyspace.live.iter();
        let meant: Vec<&[u8]> = live
            .filter(|entry| is_meant(&entry.record))
            .map(|entry| entry.record.key)
            .collect();
        if let ([], false) = (meant.as_slice(), keyspace.live.is_empty()) {
            let count = keyspace.live.len();
            return Err(Failure::not_found(format!(
                "none of {count} objects is selected"
            )));
        }
        match meant.as_slice() {
            [key] => histories(store, at, |other| other == *key),
            several => several.iter().map(|key| (*key, Vec::new())).collect(),
        }
    };
    match (histories.len(), histories.pop_first()) {
        (1, Some((_, history))) => Ok(history),
        (_, None) => Err(match selection.addresses().first() {
            Some(address) => not_found_among(address, selection.catalog(), store, at),
            None => Failure::not_found("nothing is there"),
        }),
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
            && !store.is_beyond(&record)
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
            .find(|record| store.tells_of(record, at));
        let newest = telling.filter(|record| !record.tombstone).copied();
        let is_old = |record: &Record<'_>| {
            newest.is_none_or(|newest| record.create_revision != newest.create_revision)
        };
        // What stands before the creation belongs to another incarnation.
        let ended = history
            .iter()
            .rposition(|record| record.tombstone || is_old(record));
        drop(history.drain(..ended.map_or(0, |ended| ended.saturating_add(1))));
    }
    histories.retain(|_, history| !history.is_empty());
    histories
}

/// Says what `^` stands for here.
fn note_boundaries(history: &[Record<'_>], unread: usize, store: &Store<'_>) {
    let mut reasons = Vec::new();
    if let Some(oldest) = history.first()
        && oldest.version > 1
    {
        reasons.push(format!(
            "{} earlier versions since it was created at revision {} were compacted (the store is compacted to {}; --carve looks for them in freed pages)",
            oldest.version.saturating_sub(1),
            oldest.create_revision,
            store.compact_revision()
        ));
    }
    if unread > 0 {
        reasons.push(format!("{unread} versions cannot be read"));
    }
    let reasons = if reasons.is_empty() {
        "versions are missing".to_owned()
    } else {
        reasons.join("; ")
    };
    report::note(&format!("^ is this revision or an earlier one: {reasons}"));
}
