//! `get`: live objects as kubectl shows them.

mod files;
mod format;
mod sort;
mod table;

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::ArgAction;
use serde_json::{Value, json};

use crate::cli::args::{At, Database};
use crate::cli::etcdctl::{EtcdctlArgs, answer};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::{AtRevision, KeyEntry, Keyspace, Record, Store};
use crate::k8s::catalog::Catalog;
use crate::k8s::columns::Clock;
use crate::k8s::custom_columns::CustomColumns;
use crate::k8s::decode::{Decoder, Note, Options};
use crate::k8s::encrypt::{OpenError, Sealed};
use crate::k8s::envelope::PROTOBUF_MAGIC;
use crate::k8s::jsonpath::{Budget, JsonPath, MAX_PRINTED_BYTES};
use crate::k8s::meta::time_text;
use crate::k8s::object::as_kubectl_shows;
use crate::k8s::selector::FieldSelector;
use crate::k8s::shown::AsShown;
use crate::k8s::{Order, Sink};
use crate::query::Origins;
use crate::query::Question;
use crate::query::address::Address;
use crate::query::catalog;
use crate::query::filters::Filter;
use crate::query::objects::{Objects, Told, newest_time};
use crate::query::revision::RevisionExpr;
use crate::query::select::Selection;
use crate::view::encryption::sealed_json;
use crate::view::human;
use crate::view::json::{JsonStyle, JsonWriter, write_value};
use crate::view::kubectl_table::VerbatimTable;
use crate::view::manifest::write_checked;
use crate::view::record::{key_text, record_json};
use crate::view::yaml::YamlWriter;

use format::Format;
use sort::SortBy;

/// Print live objects as kubectl shows them
///
/// Objects of resources are printed as a table, those of raw keys as YAML, unless -o says otherwise.
/// Ages are told against the newest time in the store, never against today. In YAML and JSON
/// metadata.resourceVersion is etcd's mod_revision, which the stored value does not hold;
/// managedFields are left out unless asked for. `extract` prints an object as it is stored.
/// What is no Kubernetes object is printed as its etcd record.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Only objects with these values in fields: `status.phase=Running,spec.nodeName!=n1`
    #[arg(long, value_name = "SELECTOR", value_parser = FieldSelector::parse)]
    field_selector: Option<FieldSelector>,
    /// How to print them: table, wide, name, yaml, json, jsonl, jsonpath=TEMPLATE,
    /// jsonpath-file=FILE, jsonpath-as-json=TEMPLATE, custom-columns=SPEC, custom-columns-file=FILE
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    output: Option<Format>,
    /// Print metadata.managedFields too
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    show_managed_fields: bool,
    /// Print what the writer did not write as an API server of today would: `status: {}`
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    as_served: bool,
    /// Add a column with all labels
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    show_labels: bool,
    /// Add a column for each of these labels
    #[arg(short = 'L', long, value_name = "LABELS", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Sort by what this path finds, objects without it first: `.status.startTime`; or as etcdctl by CREATE,
    /// KEY, MODIFY, VALUE or VERSION
    #[arg(long, value_name = "PATH|FIELD", value_parser = SortBy::parse)]
    sort_by: Option<SortBy>,
    /// Say nothing, and answer 0, where nothing is found
    #[arg(long)]
    ignore_not_found: bool,
    /// Print no line of column names
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    no_headers: bool,
    /// Write each object into a file of its own below this folder, DIR/NAMESPACE/RESOURCE/NAME.yaml (or .json), and
    /// print the files' names: YAML, or JSON with -o json. Nothing that exists is overwritten
    #[arg(long, value_name = "DIR", conflicts_with_all = ["show_labels", "label_columns", "no_headers"])]
    out: Option<PathBuf>,
    #[command(flatten)]
    etcdctl: EtcdctlArgs,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

/// kubectl indents its JSON by four.
const JSON_INDENT: usize = 4;

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
        let field = match &self.sort_by {
            Some(SortBy::Field(field)) => Some(*field),
            _ => None,
        };
        if field.is_some() && self.output.is_some() {
            return Err(Failure::cannot(
                "--sort-by of a field sorts as etcdctl, -o prints as kubectl",
            )
            .hint("a path sorts objects: --sort-by .metadata.name"));
        }
        let etcdctl = self.etcdctl.sorted_by(field);
        if self.out.is_some() && etcdctl.is_given() {
            return Err(Failure::cannot(
                "--out writes objects, etcdctl's flags print keys and values",
            ));
        }
        let file_format = self.file_format()?;
        if etcdctl.is_given() {
            let question = run.question()?;
            // etcd's own sentences about revisions come from the answer.
            let at = match self.at.at {
                None if self.at.at_time.is_some() => {
                    Some(self.at.revision(&question, &self.which.asked())?.0)
                }
                None | Some(RevisionExpr::Head(0)) => None,
                Some(RevisionExpr::Main(main)) => Some(main),
                Some(_) => Some(self.at.revision(&question, &self.which.asked())?.0),
            };
            return answer(&question, self.which.asked().words(), at, &etcdctl, out);
        }
        if !self.which.asked().is_given() {
            return Err(Failure::cannot("what is to be printed?")
                .hint("`get DB pods`, `get DB deploy/web -n shop`, `get DB all -A`; `ls DB` lists the keys"));
        }
        let question = run.question()?;
        let store = question.store();
        let (which, at) = self.at.resolve(&question, &self.which.asked())?;
        let selection = which.select(&[(store, at)], run.keyring)?;
        let keyspace = Keyspace::at(store, at, |key| selection.covers(key));
        let there =
            |address: &Address| keyspace.live.iter().any(|entry| address.covers(&entry.key));
        let missing = selection.why_empty(&question, at, there, keyspace.live.is_empty());
        let get = Get {
            args: self,
            selection: &selection,
            objects: question.objects(),
            question: &question,
            run,
            store,
            at,
            failure: RefCell::default(),
            decoder: RefCell::default(),
            seen_fields: RefCell::default(),
            full_catalog: OnceCell::new(),
        };
        let mut entries = keyspace.live;
        // Stable: within a resource the keys stay in order.
        entries.sort_by_key(|entry| selection.place_of(&entry.key));
        get.sort(&mut entries)?;
        let printed = match (&self.out, file_format) {
            (Some(folder), Some(format)) => get.write_files(&entries, folder, format, out)?,
            _ => get.print(&entries, out)?,
        };
        get.note_what_is_odd(&entries);
        question.note_unproved(at, &entries);
        question.finish(Answer::Yes);
        if let Some(failure) = get.failure.take() {
            return Err(failure);
        }
        match missing {
            Some(_) | None if self.ignore_not_found => Ok(Answer::Yes),
            Some(missing) => Err(missing.into()),
            None if printed => Ok(Answer::Yes),
            None => Err(question
                .emptied()
                .map_or_else(|| Failure::not_found("nothing found"), Failure::from)),
        }
    }
}

/// One run of the verb.
struct Get<'g, 'a> {
    args: &'g Args,
    selection: &'g Selection,
    question: &'g Question<'a>,
    objects: &'g Objects<'a>,
    run: &'g Run<'g>,
    store: &'g Store<'a>,
    at: AtRevision,
    /// Of a selector that has no meaning for an object.
    failure: RefCell<Option<Failure>>,
    decoder: RefCell<Decoder>,
    /// The paths of the field selector that an object has.
    seen_fields: RefCell<HashSet<String>>,
    /// The resources of the store, where the selection did not need them. Read once: it is a pass over the store.
    full_catalog: OnceCell<Catalog>,
}

impl Get<'_, '_> {
    /// Prints the selected records; whether there were any.
    fn print(&self, entries: &[KeyEntry<'_>], out: &mut Out) -> Result<bool, Failure> {
        let raw = self.selection.is_raw();
        let default = if raw {
            Format::Yaml
        } else {
            Format::Table { wide: false }
        };
        match self.args.output.as_ref().unwrap_or(&default) {
            Format::Table { wide } => self.print_table(entries, *wide, out),
            Format::Name => self.print_names(entries, out),
            Format::Yaml => {
                let mut writer = YamlWriter::new(out);
                let one = |writer: &mut YamlWriter<_>, record: &Record<'_>| {
                    let told = self.tell_loadable(writer, record);
                    (told, writer.error().is_some())
                };
                let told = self.tell(&mut writer, entries, one);
                writer.finish()?;
                Ok(told)
            }
            Format::Json => {
                let mut writer = JsonWriter::new(out, JsonStyle::Indent(JSON_INDENT));
                let told = self.tell(&mut writer, entries, |writer, record| {
                    let told = self.tell_one(writer, Order::Sorted, record);
                    (told, writer.error().is_some())
                });
                writer.finish()?;
                Ok(told)
            }
            Format::Jsonl => {
                let mut writer = JsonWriter::new(out, JsonStyle::Compact);
                let told = self.tell_each(&mut writer, entries, &|writer, record| {
                    let told = self.tell_one(writer, Order::Sorted, record);
                    (told, writer.error().is_some())
                });
                writer.finish()?;
                Ok(told)
            }
            Format::JsonPath(path) => self.print_path(entries, path, false, out),
            Format::JsonPathAsJson(path) => self.print_path(entries, path, true, out),
            Format::Columns(columns) => self.print_columns(entries, columns, out),
        }
    }

    fn options(&self, order: Order) -> Options {
        Options {
            order,
            as_served: self.args.as_served,
        }
    }

    fn selects(&self) -> bool {
        self.args.field_selector.is_some() || self.selection.labels().is_some()
    }

    /// Whether the selectors select an object. Of what cannot be read only its key tells: a selector that asks
    /// for more cannot be answered.
    fn is_selected(&self, record: &Record<'_>, told: &Told) -> Result<bool, Failure> {
        if !self.selects() {
            return Ok(true);
        }
        let stub = || {
            self.selection
                .catalog()
                .map(|catalog| from_key(record.key, catalog))
        };
        let (object, by_key) = match told {
            Told::Object(object, _) => (Cow::Borrowed(object), false),
            Told::Plain => return Ok(false),
            Told::Closed(_) | Told::Undecodable(_) => {
                (Cow::Owned(stub().unwrap_or_default()), true)
            }
        };
        let fields = self.args.field_selector.as_ref();
        let untold = |path: &str| path != "metadata.name" && path != "metadata.namespace";
        let asks_more = self.selection.labels().is_some()
            || fields.is_some_and(|fields| fields.paths().any(untold));
        if by_key && asks_more {
            self.objects.count_untested();
            return Ok(false);
        }
        let labels = self.selection.labels();
        let labelled = labels.is_none_or(|labels| labels.matches(&object));
        let filters = self.question.filters();
        if labels.is_some() && !filters.test(Filter("-l"), labelled) {
            return Ok(false);
        }
        let Some(fields) = fields else {
            return Ok(true);
        };
        let mut seen = self.seen_fields.borrow_mut();
        for path in fields.paths() {
            let mut steps = path.split('.');
            let found = steps.try_fold(&*object, |at, step| at.get(step));
            if found.is_some() && !seen.contains(path) {
                seen.insert(path.to_owned());
            }
        }
        let matches = fields
            .matches(&object)
            .map_err(|error| Failure::cannot(format!("--field-selector: {error}")))?;
        Ok(filters.test(Filter("--field-selector"), matches))
    }

    /// Says what the answer does not show by itself.
    fn note_what_is_odd(&self, entries: &[KeyEntry<'_>]) {
        if let (Some(fields), false) = (&self.args.field_selector, entries.is_empty()) {
            let seen = self.seen_fields.borrow();
            let unseen: Vec<&str> = fields
                .paths()
                .filter(|path| !seen.contains(*path))
                .collect();
            if !unseen.is_empty() {
                report::note(&format!(
                    "--field-selector: none of the objects has {}",
                    unseen.join(", ")
                ));
            }
        }
        if self.selection.names_one() && entries.len() > 1 {
            report::note(&format!(
                "{} objects have this name; -n NS picks one",
                entries.len()
            ));
        }
        let Some(catalog) = self.selection.catalog() else {
            return;
        };
        let of = |prefix: &&[u8]| {
            let is_below = |key: &[u8]| {
                key.strip_prefix(*prefix)
                    .is_some_and(|rest| rest.starts_with(b"/"))
            };
            entries.iter().any(|entry| is_below(&entry.key))
        };
        let prefixes: Vec<_> = catalog.prefixes().filter(of).map(key_text).collect();
        if prefixes.len() > 1 {
            report::note(&format!(
                "the objects are of {} prefixes, {}: a prefix such as {}/pods/ picks one",
                prefixes.len(),
                prefixes.join(", "),
                prefixes.first().map_or("", |prefix| prefix)
            ));
        }
    }

    /// Sorts by what the path finds, as kubectl does: numbers as numbers, texts by their bytes, and what has
    /// nothing there first.
    fn sort(&self, entries: &mut [KeyEntry<'_>]) -> Result<(), Failure> {
        let Some(SortBy::Path(path)) = &self.args.sort_by else {
            return Ok(());
        };
        let budget = Budget::for_typed();
        let mut failed = None;
        entries.sort_by_cached_key(|entry| {
            if failed.is_some() {
                return sort::Key::Absent;
            }
            let told = self
                .objects
                .read(&entry.record, self.options(Order::Declared));
            let Told::Object(object, _) = told else {
                return sort::Key::Absent;
            };
            sort::Key::of(path, &budget, &object).unwrap_or_else(|error| {
                failed = Some(error);
                sort::Key::Absent
            })
        });
        match failed {
            Some(error) => Err(Failure::cannot(format!("--sort-by: {error}"))),
            None => Ok(()),
        }
    }

    /// A record's object as kubectl shows it, if it is selected.
    fn read(&self, record: &Record<'_>) -> Option<Told> {
        self.read_with(record, self.args.show_managed_fields)
    }

    fn read_with(&self, record: &Record<'_>, managed_fields: bool) -> Option<Told> {
        let mut told = self.objects.read(record, self.options(Order::Declared));
        match self.is_selected(record, &told) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(failure) => {
                self.failure.borrow_mut().get_or_insert(failure);
                return None;
            }
        }
        if let Told::Object(object, notes) = &mut told {
            as_kubectl_shows(object, record.mod_revision, managed_fields);
            say(record, notes);
        }
        Some(told)
    }

    /// The same as a tree, whatever it is.
    fn tree(&self, record: &Record<'_>, managed_fields: bool) -> Option<Value> {
        Some(match self.read_with(record, managed_fields)? {
            Told::Object(object, _) => object,
            Told::Closed(error) => {
                self.objects.report_closed(record, &error);
                closed_json(record, &error, self.catalog())
            }
            Told::Plain | Told::Undecodable(_) => record_json(record),
        })
    }

    /// Tells one record's object to a sink, without a tree where that is possible; whether it was selected.
    fn tell_one<S: Sink>(&self, sink: &mut S, order: Order, record: &Record<'_>) -> bool {
        if self.selects() || !record.value.starts_with(b"k8s") {
            let Some(tree) = self.tree(record, self.args.show_managed_fields) else {
                return false;
            };
            write_value(&tree, order, sink);
            return true;
        }
        let value = match self.objects.open(record) {
            Ok(value) if value.starts_with(PROTOBUF_MAGIC) => value,
            _ => {
                if let Some(tree) = self.tree(record, self.args.show_managed_fields) {
                    write_value(&tree, order, sink);
                }
                return true;
            }
        };
        let managed_fields = self.args.show_managed_fields;
        let mut shown = AsShown::new(sink, order, record.mod_revision, managed_fields);
        let told = self
            .decoder
            .borrow_mut()
            .decode(&value, self.options(order), &mut shown);
        match told {
            Ok(outcome) => say(record, &outcome.notes),
            Err(error) => {
                self.objects.report_undecodable(record, &error);
                write_value(&record_json(record), order, sink);
            }
        }
        true
    }

    /// The same to YAML, which is read back if it holds anything unusual.
    fn tell_loadable<W: Write>(&self, writer: &mut YamlWriter<W>, record: &Record<'_>) -> bool {
        let tell = |writer: &mut YamlWriter<W>| self.tell_one(writer, Order::Natural, record);
        match write_checked(writer, tell, || Some(self.shown_again(record))) {
            Ok(told) => told,
            Err(error) => {
                self.objects.report_unreadable(record, &error);
                true
            }
        }
    }

    /// The tree of what [`Self::tell_one`] told.
    pub(super) fn shown_again(&self, record: &Record<'_>) -> Value {
        match self.objects.read(record, self.options(Order::Declared)) {
            Told::Object(mut object, _) => {
                let managed_fields = self.args.show_managed_fields;
                as_kubectl_shows(&mut object, record.mod_revision, managed_fields);
                object
            }
            Told::Closed(error) => closed_json(record, &error, self.catalog()),
            Told::Plain | Told::Undecodable(_) => record_json(record),
        }
    }

    /// Tells one object as it is, or all in a List, one after the other. `one` tells an object: whether there was
    /// any, and whether nobody reads on.
    fn tell<S: Sink>(
        &self,
        sink: &mut S,
        entries: &[KeyEntry<'_>],
        one: impl Fn(&mut S, &Record<'_>) -> (bool, bool),
    ) -> bool {
        if entries.is_empty() {
            return false;
        }
        if self.is_single(entries) {
            return self.tell_each(sink, entries, &one);
        }
        sink.begin_map();
        sink.key("apiVersion");
        sink.string("v1");
        sink.key("items");
        sink.begin_list();
        let told = self.tell_each(sink, entries, &one);
        sink.end_list();
        sink.key("kind");
        sink.string("List");
        sink.key("metadata");
        sink.begin_map();
        sink.key("resourceVersion");
        sink.string("");
        sink.end_map();
        sink.end_map();
        told
    }

    /// Tells the objects, until nobody reads them any more.
    fn tell_each<S: Sink>(
        &self,
        sink: &mut S,
        entries: &[KeyEntry<'_>],
        one: &impl Fn(&mut S, &Record<'_>) -> (bool, bool),
    ) -> bool {
        let mut any = false;
        for KeyEntry { record, .. } in entries {
            let (told, failed) = one(sink, record);
            any |= told;
            if failed {
                break;
            }
        }
        any
    }

    fn is_single(&self, entries: &[KeyEntry<'_>]) -> bool {
        self.selection.names_one() && entries.len() == 1
    }

    fn print_path(
        &self,
        entries: &[KeyEntry<'_>],
        path: &JsonPath,
        as_json: bool,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let single = self.is_single(entries);
        // As in kubectl, a path sees all there is.
        let trees = entries
            .iter()
            .filter_map(|entry| self.tree(&entry.record, true));
        let mut items: Vec<Value> = trees.collect();
        let any = !items.is_empty();
        let root = match items.pop() {
            Some(only) if single => only,
            last => {
                items.extend(last);
                json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
            }
        };
        let cannot = |error| Failure::cannot(format!("-o jsonpath: {error}"));
        let results = path.find(&root).map_err(cannot)?;
        let printed = if as_json {
            results.print_json(out)
        } else {
            results.print(out)
        };
        match printed {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(Failure::cannot(format!(
                "-o jsonpath: the template prints more than {}; the output is not whole",
                human::bytes(MAX_PRINTED_BYTES)
            ))),
            printed => Ok(printed.map(|()| any)?),
        }
    }

    /// The resources of the store, for what the keys alone tell.
    fn catalog(&self) -> &Catalog {
        self.selection.catalog().unwrap_or_else(|| {
            let read = || catalog::read_full(&[(self.store, self.at)], self.run.keyring);
            self.full_catalog.get_or_init(read)
        })
    }

    fn print_names(&self, entries: &[KeyEntry<'_>], out: &mut Out) -> Result<bool, Failure> {
        let catalog = self.catalog();
        let mut any = false;
        for KeyEntry { key, record } in entries {
            if self.selects() && self.read(record).is_none() {
                continue;
            }
            any = true;
            match catalog.locate(key) {
                Some(location) => {
                    write!(out, "{}/", location.resource.singular_with_group())?;
                    out.write_all(location.name)?;
                }
                None => out.write_all(key)?,
            }
            out.write_all(b"\n")?;
        }
        Ok(any)
    }

    fn print_columns(
        &self,
        entries: &[KeyEntry<'_>],
        columns: &CustomColumns,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let budget = Budget::for_typed();
        let mut table = VerbatimTable::default();
        if !self.args.no_headers {
            table.push(&columns.headers().collect::<Vec<_>>());
        }
        let mut any = false;
        for tree in entries
            .iter()
            .filter_map(|entry| self.tree(&entry.record, true))
        {
            let cells = columns
                .cells_within(&budget, &tree)
                .map_err(|error| Failure::cannot(error.to_string()))?;
            table.push(&cells);
            any = true;
        }
        if any {
            table.write(out)?;
        }
        Ok(any)
    }

    fn clock(&self) -> Clock {
        Clock {
            now: newest_time(self.store, self.at, self.run.keyring),
        }
    }

    fn print_table(
        &self,
        entries: &[KeyEntry<'_>],
        wide: bool,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let clock = self.clock();
        let catalog = self.catalog();
        let namespaces = self.args.which.asked().namespaces();
        let beside = table::Beside {
            wide,
            no_headers: self.args.no_headers,
            show_labels: self.args.show_labels,
            label_columns: &self.args.label_columns,
            one_namespace: namespaces.is_some_and(|namespaces| namespaces.is_one()),
            clock,
        };
        let read = |record: &Record<'_>| self.read(record);
        let printed = table::print(entries, self.selection, catalog, beside, read, out)?;
        if printed.tells_ages && !self.args.no_headers {
            report::note(&match clock.now {
                Some(now) => format!(
                    "ages are as of {}, the newest time in the store",
                    time_text(now)
                ),
                None => "nothing in the store tells a time: ages are unknown".to_owned(),
            });
        }
        Ok(printed.any)
    }
}

/// What the reader of an object should know.
fn say(record: &Record<'_>, notes: &[Note]) {
    for note in notes {
        let (key, note) = (key_text(record.key), note.text_of(record.key));
        report::note(&format!("{key}: {note}"));
    }
}

/// The record of a value that stays encrypted: what its key tells, by what it is encrypted, and why it stays so.
fn closed_json(record: &Record<'_>, error: &OpenError, catalog: &Catalog) -> Value {
    let mut value = from_key(record.key, catalog);
    if let (Some(fields), Value::Object(record_fields)) =
        (value.as_object_mut(), record_json(record))
    {
        fields.extend(record_fields);
        if let Some(sealed) = Sealed::of(record.value) {
            fields.insert("encrypted".to_owned(), sealed_json(&sealed));
        }
        fields.insert("reason".to_owned(), error.to_string().into());
    }
    value
}

/// What a key tells of its object: kind, namespace and name.
fn from_key(key: &[u8], catalog: &Catalog) -> Value {
    let Some(location) = catalog.locate(key) else {
        return json!({});
    };
    let mut metadata = json!({"name": key_text(location.name)});
    if let (Some(fields), Some(namespace)) = (metadata.as_object_mut(), location.namespace) {
        fields.insert("namespace".to_owned(), key_text(namespace).into());
    }
    json!({"kind": location.resource.kind, "metadata": metadata})
}
