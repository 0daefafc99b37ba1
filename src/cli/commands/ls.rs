//! `ls`: the keys, live or deleted; how many each resource or namespace has.

mod narrow;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::bbolt::Direction;
use crate::cli::args::{At, Database};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::{AtRevision, KeyEntry, Keyspace, Record, Store};
use crate::k8s::catalog::Catalog;
use crate::query::Origins;
use crate::query::address::Address;
use crate::query::catalog;
use crate::query::filters::Filter;
use crate::query::select::Selection;
use crate::query::tally;
use crate::query::{Notice, Question};
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::listing;
use crate::view::record::key_json;
use crate::view::rows::Rows;

use narrow::{Narrow, Narrowed};

/// List the live keys, one a line, in key order
///
/// With --deleted the deleted keys, with --kinds and --namespaces how many there are of what. All that narrows
/// can be combined, and so can --at: `ls DB pods -n prod --match '*web*' --sort mod --limit 5`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Count the keys of each resource, the one with the most first; what is of no known resource, by its folder
    #[arg(long, conflicts_with_all = ["namespaces", "sort"])]
    kinds: bool,
    /// Count the keys in each namespace, by name
    #[arg(long, conflicts_with = "sort")]
    namespaces: bool,
    #[command(flatten)]
    narrow: Narrow,
    /// The deleted keys instead, of which the deletion is retained and nothing was put since
    #[arg(long)]
    deleted: bool,
    /// In which order: by revisions the newest first, by version and size the largest
    #[arg(
        long,
        value_name = "BY",
        default_value = "key",
        hide_default_value = true
    )]
    sort: Sort,
    /// In the opposite order
    #[arg(long)]
    reverse: bool,
    /// Print the first N only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How to print them: keys by name, counts as a table, unless given
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Output>,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The key, the resource or the namespace alone
    Name,
    /// One JSON array of the objects that jsonl has
    Json,
    /// A JSON object a line: key, create_revision, mod_revision, version, lease, value_size, and resource, namespace and name of a Kubernetes key; of a deleted key:
    /// key, deleted_at; of --kinds: resource, kind, custom (or folder), keys, value_bytes; of --namespaces:
    /// namespace, keys, value_bytes
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// By key, unless given
    Key,
    /// By the last put, of deleted keys by the deletion
    Mod,
    /// By creation
    Create,
    /// By the number of puts since creation
    Version,
    /// By the length of the value
    Size,
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
        if self.deleted && matches!(self.sort, Sort::Create | Sort::Version | Sort::Size) {
            return Err(Failure::cannot(
                "a deletion has no create_revision, no version and no value to sort by",
            )
            .hint("--sort key or --sort mod"));
        }
        let question = run.question()?;
        let store = question.store();
        let (which, at) = self.at.resolve(&question, &self.which.asked())?;
        let selection = which.select(&[(store, at)], run.keyring)?;
        let catalog = (self.kinds || self.namespaces || self.narrow.needs_catalog())
            .then(|| catalog::read_full(&[(store, at)], run.keyring));
        let narrowed = self.narrow.resolve(&question, &which, catalog.as_ref())?;
        let keyspace = Keyspace::at(store, at, |key| selection.covers(key));
        let entries = if self.deleted {
            &keyspace.deleted
        } else {
            &keyspace.live
        };
        let values = Values {
            question: &question,
            last_puts: self.last_puts(store, at, &selection, entries),
        };
        let mut chosen = values.choose(entries, &selection, &narrowed);
        let any = self.print(&mut chosen, catalog.as_ref(), &question, out)?;
        question.note_unproved(at, &keyspace.live);
        if self.deleted {
            question.note_compacted(&|key| selection.covers(key), None);
        }
        let is_there = |address: &_| entries.iter().any(|entry| covers(address, entry));
        let live = |address: &_| keyspace.live.iter().any(|entry| covers(address, entry));
        if self.deleted
            && let Some(address) = selection.unanswered(is_there)
            && live(address)
        {
            let text = address.text();
            return Err(Failure::not_found(format!(
                "no retained deletion: {text} exists"
            )));
        }
        match selection.why_empty(&question, at, is_there, entries.is_empty()) {
            Some(why) => Err(why.into()),
            None if any || !self.is_narrowed(&selection) => Ok(question.finish(Answer::Yes)),
            None => Err(self.nothing(&selection, &question)),
        }
    }
}

fn covers(address: &Address, entry: &KeyEntry<'_>) -> bool {
    address.covers(&entry.key)
}

impl Args {
    fn is_narrowed(&self, selection: &Selection) -> bool {
        selection.labels().is_some() || self.narrow.is_given() || self.deleted || self.namespaces
    }

    /// Nothing is left of what the addresses cover.
    fn nothing(&self, selection: &Selection, question: &Question<'_>) -> Failure {
        if let Some(why) = question.emptied() {
            let failure = Failure::from(why);
            if self.narrow.is_any_custom() && !selection.addresses().is_empty() {
                return failure.hint(
                    "--custom=NAME names a custom resource, also one called like a built-in",
                );
            }
            failure
        } else if self.deleted {
            Failure::not_found("no deletion is retained")
        } else {
            Failure::not_found("no key is in a namespace")
        }
    }

    /// The last put of deleted keys, where their labels are asked for: a deletion has none.
    fn last_puts<'a>(
        &self,
        store: &Store<'a>,
        at: AtRevision,
        selection: &Selection,
        entries: &[KeyEntry<'a>],
    ) -> Option<HashMap<Box<[u8]>, Record<'a>>> {
        if !self.deleted || selection.labels().is_none() {
            return None;
        }
        let mut puts: HashMap<Box<[u8]>, Record<'a>> = HashMap::new();
        for record in store.records(Direction::Forward) {
            let is_entry = |key| {
                entries
                    .binary_search_by(|entry| (*entry.key).cmp(key))
                    .is_ok()
            };
            if record.revision.main <= at.0 && !record.tombstone && is_entry(record.key) {
                puts.insert(record.key.into(), record);
            }
        }
        Some(puts)
    }

    /// Prints the answer; whether there is one, however few of it were asked for.
    fn print(
        &self,
        chosen: &mut [&KeyEntry<'_>],
        catalog: Option<&Catalog>,
        question: &Question<'_>,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let limit = self.limit.unwrap_or(usize::MAX);
        if let Some(catalog) = catalog.filter(|_| self.kinds || self.namespaces) {
            let (mut rows, table): (_, fn(&[tally::Row]) -> Rows) = if self.kinds {
                (tally::resources(chosen, catalog), listing::resources)
            } else {
                (tally::namespaces(chosen, catalog), listing::namespaces)
            };
            if self.reverse {
                rows.reverse();
            }
            let any = !rows.is_empty();
            rows.truncate(limit);
            match self.output {
                None | Some(Output::Name) if rows.is_empty() => {}
                None => table(&rows).write(out)?,
                Some(Output::Name) => out.write_all(listing::names(&rows).as_bytes())?,
                Some(form) => {
                    let mut json = JsonRows::new(Form::array_if(form == Output::Json));
                    for row in &rows {
                        json.row(&listing::json(row), out)?;
                    }
                    json.finish(out)?;
                }
            }
            return Ok(any);
        }
        self.sort(chosen);
        let form = match self.output {
            None | Some(Output::Name) => None,
            Some(form) => Some(Form::array_if(form == Output::Json)),
        };
        let mut rows = JsonRows::new(form.unwrap_or(Form::Lines));
        for KeyEntry { key, record } in chosen.iter().take(limit) {
            if form.is_none() {
                out.write_all(key)?;
                out.write_all(b"\n")?;
                continue;
            }
            let row = if self.deleted {
                listing::deleted_json(key, record.revision.main)
            } else {
                key_json(key, record)
            };
            rows.row(&with_object(row, key, question.catalog()), out)?;
        }
        if form.is_some() {
            rows.finish(out)?;
        }
        Ok(!chosen.is_empty())
    }

    /// Sorts keys that are in key order; equal ones stay in it, unless all is reversed.
    fn sort(&self, chosen: &mut [&KeyEntry<'_>]) {
        match self.sort {
            Sort::Key => {}
            Sort::Mod => chosen.sort_by_key(|entry| Reverse(entry.record.revision)),
            Sort::Create => chosen.sort_by_key(|entry| Reverse(entry.record.create_revision)),
            Sort::Version => chosen.sort_by_key(|entry| Reverse(entry.record.version)),
            Sort::Size => chosen.sort_by_key(|entry| Reverse(entry.record.value.len())),
        }
        if self.reverse {
            chosen.reverse();
        }
    }
}

/// What the values of keys are asked for.
struct Values<'r, 'a> {
    question: &'r Question<'a>,
    /// Of deleted keys.
    last_puts: Option<HashMap<Box<[u8]>, Record<'a>>>,
}

impl<'a> Values<'_, 'a> {
    /// The keys that are asked about. What could not be read for it is said.
    fn choose<'e>(
        &self,
        entries: &'e [KeyEntry<'a>],
        selection: &Selection,
        narrowed: &Narrowed<'_>,
    ) -> Vec<&'e KeyEntry<'a>> {
        let (objects, filters) = (self.question.objects(), self.question.filters());
        let (mut chosen, mut without_put) = (Vec::new(), 0_usize);
        for entry in entries
            .iter()
            .filter(|entry| narrowed.covers(entry, filters))
        {
            let Some(labels) = selection.labels() else {
                chosen.push(entry);
                continue;
            };
            let record = match &self.last_puts {
                None => &entry.record,
                Some(puts) => {
                    let Some(put) = puts.get(&entry.key) else {
                        without_put = without_put.saturating_add(1);
                        continue;
                    };
                    put
                }
            };
            if filters.test(Filter("-l"), objects.has_labels(record, labels)) {
                chosen.push(entry);
            }
        }
        if without_put > 0 {
            let notices = self.question.notices();
            notices.add(Notice::WithoutPut(without_put));
        }
        chosen
    }
}
