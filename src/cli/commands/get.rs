//! `get`: live objects as kubectl shows them.

mod files;
mod format;
mod lines;
mod sort;
pub(super) mod table;

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
use crate::cli::v2_store::{V2Output, print, refuse};
use crate::cli::{Answer, Run, Verb, report};
use crate::query::key_list::KeyFilters;
use crate::query::live_objects::{
    Budget, CustomColumns, FieldSelector, JsonPath, KeyEntry, LiveEntries, LiveObjects,
    MAX_PRINTED_BYTES, Note, ObjectFilters, Record, Release, Sink, object_from_key,
};
use crate::query::objects::{DecryptError, Order, ReadValue};
use crate::query::resolve::AtRevision;
use crate::query::revision::RevisionExpr;
use crate::query::served_version::StoredVersion;
use crate::query::v2_store::V2Store;
use crate::query::{Evidence, Notice, Origins};
use crate::view::command::quoted;
use crate::view::encryption::encrypted_json;
use crate::view::human;
use crate::view::json::{JsonStyle, JsonWriter, write_value};
use crate::view::kubectl_table::VerbatimTable;
use crate::view::manifest::{WrittenObject, write_checked};
use crate::view::record::{key_text, record_json};
use crate::view::recovery_comment::{incomplete, of_version};
use crate::view::yaml::YamlWriter;

use format::Format;
use sort::SortBy;

/// Print objects as kubectl does: tables, YAML, JSON
///
/// Resources are printed as a table, raw keys as YAML, unless -o is given. Ages are measured against the newest time in
/// the file, not against today. In YAML and JSON, metadata.resourceVersion is etcd's mod_revision, as the API server
/// fills it in, and managedFields are left out. `extract` prints an object exactly as it is stored. A value that is not
/// a Kubernetes object is printed as its etcd record.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Only objects with these field values: status.phase=Running,spec.nodeName!=n1
    #[arg(long, value_name = "SELECTOR", value_parser = FieldSelector::parse)]
    field_selector: Option<FieldSelector>,
    /// Output format: wide, name, yaml, json, jsonl, ...
    ///
    /// One of: table, wide, name, yaml, json, jsonl, jsonpath=TEMPLATE, jsonpath-file=FILE, jsonpath-as-json=TEMPLATE,
    /// custom-columns=SPEC, custom-columns-file=FILE.
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    output: Option<Format>,
    /// Print metadata.managedFields too
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    show_managed_fields: bool,
    /// Fill in the fields that a current API server adds: `status: {}`
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    as_served: bool,
    /// Write built-in objects in versions that this release of Kubernetes serves, such as 1.35: with -o yaml, json or
    /// jsonl, or --out. What cannot be converted stays as stored; a comment in YAML and a note say what to do.
    /// `etcdive get DB deploy -A -o yaml --for 1.35`
    #[arg(long = "for", value_name = "RELEASE")]
    release: Option<Release>,
    /// Add a column with all labels
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    show_labels: bool,
    /// Add a column for each of these labels: app,tier
    #[arg(short = 'L', long, value_name = "LABELS", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Sort by a path: .status.startTime
    ///
    /// Objects without this field come first. With etcdctl's flags it is one of CREATE, KEY, MODIFY, VALUE, VERSION.
    #[arg(long, value_name = "PATH|FIELD", value_parser = SortBy::parse)]
    sort_by: Option<SortBy>,
    /// If nothing is found, print nothing and exit with 0
    #[arg(long)]
    ignore_not_found: bool,
    /// Print no column names
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set, hide_possible_values = true, hide_default_value = true, value_name = "BOOL")]
    no_headers: bool,
    /// Write one file per object into this folder
    ///
    /// The files are DIR/NAMESPACE/RESOURCE/NAME.yaml, or .json with -o json. Their names are printed. Existing files
    /// are never overwritten.
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

/// The order of the fields of a record that is no Kubernetes object: as `docs/reference/formats.md` has them.
const RECORD_ORDER: Order = Order::Declared;

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

    fn is_wide(&self) -> bool {
        matches!(self.output, Some(Format::Table { wide: true }))
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
            .hint("a path sorts objects: `--sort-by .metadata.name`"));
        }
        let etcdctl = self.etcdctl.sorted_by(field);
        if self.out.is_some() && etcdctl.is_given() {
            return Err(Failure::cannot(
                "--out writes objects, etcdctl's flags print keys and values",
            ));
        }
        let file_format = self.file_format()?;
        if self.release.is_some() && (etcdctl.is_given() || !self.writes_objects()) {
            return Err(Failure::cannot(
                "--for writes objects: it needs -o yaml, json or jsonl, or --out",
            )
            .hint("`-o yaml`"));
        }
        if let Some(store) = V2Store::read(Evidence::only(run.evidence)?)? {
            return self.print_v2(&store, etcdctl.is_given(), out);
        }
        if etcdctl.is_given() {
            return self.as_etcdctl(&etcdctl, run, out);
        }
        if !self.which.asked().is_given() {
            return Err(Failure::cannot("nothing to get: name a resource or a key")
                .hint("`get DB pods`, `get DB deploy/web -n shop`, `get DB all -A`; `ls DB` lists the keys"));
        }
        let question = run.question()?;
        let (which, at) = self.at.resolve(&question, &self.which.asked())?;
        let filters = self.filters();
        let get = Get {
            args: self,
            run,
            live: LiveObjects::read(&question, &which, at, &filters)?,
        };
        let printed = match (&self.out, file_format) {
            (Some(folder), Some(format)) => get.write_files(folder, format, out)?,
            _ => get.print(out)?,
        };
        if printed && out.is_terminal() && self.out.is_none() {
            self.hint_to_apply(run, at);
        }
        for notice in get.live.notices() {
            report::notices(&[notice], run.invocation);
        }
        Ok(get.live.finish(printed, self.ignore_not_found)?)
    }
}

impl Args {
    /// Says how to bring printed manifests into a cluster: what the server owns in them makes kubectl refuse them.
    fn hint_to_apply(&self, run: &Run<'_>, at: AtRevision) {
        let asked = self.which.asked();
        let is_manifest = matches!(self.output, Some(Format::Yaml | Format::Json));
        // A selector is kept as what it means, not as it was typed.
        if !is_manifest || asked.labels.is_some() || self.field_selector.is_some() {
            return;
        }
        let addresses = asked.words().iter().map(|word| word.to_string_lossy());
        let mut words: Vec<String> = addresses.map(|word| quoted(&word)).collect();
        for namespace in &asked.namespace {
            words.extend(["-n".to_owned(), quoted(namespace)]);
        }
        let at = match at {
            AtRevision::HEAD => "@".to_owned(),
            at => at.0.to_string(),
        };
        words.extend(["--at".to_owned(), at, "-o yaml".to_owned()]);
        let line = run.invocation.line("recover", &words);
        report::hint(&format!(
            "for `kubectl create -f -` use `{line}`: it leaves out uid, resourceVersion and status"
        ));
    }

    fn filters(&self) -> ObjectFilters {
        ObjectFilters {
            fields: self.field_selector.clone(),
            sort_by: match &self.sort_by {
                Some(SortBy::Path(path)) => Some(path.clone()),
                _ => None,
            },
            as_served: self.as_served,
            release: self.release,
        }
    }

    /// Whether whole objects are written, whatever the addresses are.
    fn writes_objects(&self) -> bool {
        let is_whole = |format| matches!(format, &Format::Yaml | &Format::Json | &Format::Jsonl);
        self.out.is_some() || self.output.as_ref().is_some_and(is_whole)
    }

    /// Prints keys and values of a v2 store.
    fn print_v2(
        &self,
        store: &V2Store,
        is_etcdctl: bool,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let asked = self.which.asked();
        let output = match self.output.as_ref() {
            None | Some(Format::Table { .. }) => V2Output::Table,
            Some(Format::Name) => V2Output::Name,
            Some(Format::Json | Format::Jsonl) => V2Output::Json {
                with_values: true,
                is_array: matches!(self.output, Some(Format::Json)),
            },
            Some(_) => {
                return Err(Failure::cannot(
                    "the keys of a v2 store are printed as table, name, json or jsonl",
                ));
            }
        };
        refuse(&[
            ("--at", self.at.at.is_some()),
            ("--at-time", self.at.at_time.is_some()),
            ("-n", !asked.namespace.is_empty()),
            ("--cluster", !asked.clusters.is_empty()),
            ("-l", asked.labels.is_some()),
            ("--field-selector", self.field_selector.is_some()),
            ("--sort-by", self.sort_by.is_some()),
            ("--out", self.out.is_some()),
            ("--for", self.release.is_some()),
            ("an option of etcdctl", is_etcdctl),
        ])?;
        let keys = store.select(&asked.addresses, &KeyFilters::default())?;
        print(&keys, output, out)?;
        Ok(Answer::Yes)
    }

    /// Answers as etcdctl does.
    fn as_etcdctl(
        &self,
        etcdctl: &EtcdctlArgs,
        run: &Run<'_>,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let question = run.question()?;
        let which = self.which.asked();
        // etcd's own sentences about revisions come from the answer.
        let at = match self.at.at {
            None if self.at.at_time.is_some() => Some(self.at.revision(&question, &which)?.0),
            None | Some(RevisionExpr::Head(0)) => None,
            Some(RevisionExpr::Main(main)) => Some(main),
            Some(_) => Some(self.at.revision(&question, &which)?.0),
        };
        answer(&question, which.words(), at, etcdctl, out)
    }
}

/// One run of the verb.
struct Get<'g, 'a> {
    args: &'g Args,
    run: &'g Run<'g>,
    live: LiveObjects<'g, 'a>,
}

impl Get<'_, '_> {
    /// Prints the selected records; whether there were any.
    fn print(&self, out: &mut Out) -> Result<bool, Failure> {
        let entries = self.live.entries();
        let default = if self.live.selection().is_raw() {
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
                    let is_written = self.write_loadable(writer, record);
                    (is_written, writer.error().is_some())
                };
                let any = self.write_list(&mut writer, entries, one);
                writer.finish()?;
                Ok(any)
            }
            Format::Json => {
                let mut writer = JsonWriter::new(out, JsonStyle::Indent(JSON_INDENT));
                let any = self.write_list(&mut writer, entries, |writer, record| {
                    let noted = self.write_one(writer, Order::Sorted, record);
                    (self.report_noted(record, noted), writer.error().is_some())
                });
                writer.finish()?;
                Ok(any)
            }
            Format::Jsonl => self.print_lines(entries, out),
            Format::JsonPath(path) => self.print_path(entries, path, false, out),
            Format::JsonPathAsJson(path) => self.print_path(entries, path, true, out),
            Format::Columns(columns) => self.print_columns(entries, columns, out),
        }
    }

    /// A record's object as kubectl shows it, if it is selected.
    fn read(&self, record: &Record<'_>) -> Option<ReadValue> {
        self.read_with(record, self.args.show_managed_fields)
    }

    fn read_with(&self, record: &Record<'_>, managed_fields: bool) -> Option<ReadValue> {
        let read = self.live.selected(record, managed_fields)?;
        if let ReadValue::Object(_, notes) = &read {
            report_notes(record, notes);
        }
        Some(read)
    }

    /// The same as a tree: the object, or the record if its value is not an object.
    fn tree(&self, record: &Record<'_>, managed_fields: bool) -> Option<Value> {
        let read = self.selected(record, managed_fields)?;
        let (tree, noted) = self.tree_of(record, read);
        report_notes(record, &noted.notes);
        Some(tree)
    }

    /// What a record holds, if it is selected. That a value is still encrypted is reported.
    fn selected(&self, record: &Record<'_>, managed_fields: bool) -> Option<ReadValue> {
        let read = self.live.selected(record, managed_fields)?;
        if let ReadValue::Encrypted(error) = &read {
            self.live
                .question()
                .objects()
                .report_encrypted(record, error);
        }
        Some(read)
    }

    /// What was read of a record as a tree, in a version of the release that was asked for.
    fn tree_of(&self, record: &Record<'_>, read: ReadValue) -> (Value, Noted) {
        let tree = match read {
            ReadValue::Object(mut object, notes) => {
                let version = self.live.put_into_release(record, &mut object);
                return (object, Noted { notes, version });
            }
            ReadValue::Encrypted(error) => self.encrypted(record, &error),
            ReadValue::Plain | ReadValue::Undecodable(_) => record_json(record),
        };
        (tree, Noted::default())
    }

    fn encrypted(&self, record: &Record<'_>, error: &DecryptError) -> Value {
        let object = object_from_key(record.key, self.live.catalog());
        encrypted_json(record, error, object)
    }

    /// Writes one record's object to a sink, without a tree where that is possible. Returns what the reader of the
    /// object should know, or None if the record is not selected. The fields of an object are in `order`, those of a
    /// record that is no object in the order that is documented, in every format.
    fn write_one<S: Sink>(&self, sink: &mut S, order: Order, record: &Record<'_>) -> Option<Noted> {
        let managed_fields = self.args.show_managed_fields;
        if self.live.may_stream(record) {
            match self.live.stream(record, order, managed_fields, sink) {
                Some(Ok(notes)) => {
                    let version = None;
                    return Some(Noted { notes, version });
                }
                Some(Err(_)) => {
                    write_value(&record_json(record), RECORD_ORDER, sink);
                    return Some(Noted::default());
                }
                None => {}
            }
        }
        let read = self.selected(record, managed_fields)?;
        let order = match read {
            ReadValue::Object(..) => order,
            _ => RECORD_ORDER,
        };
        let (tree, noted) = self.tree_of(record, read);
        // The decoder writes this remark into the stream. A tree does not contain it.
        let unknown = noted
            .notes
            .iter()
            .find(|note| matches!(note, Note::UnknownKind { .. }));
        if let Some(note) = unknown {
            sink.comment(&note.text_of(record.key));
        }
        write_value(&tree, order, sink);
        Some(noted)
    }

    /// Reports what the reader of an object should know. Returns whether the object was written.
    fn report_noted(&self, record: &Record<'_>, noted: Option<Noted>) -> bool {
        let Some(Noted { notes, version }) = noted else {
            return false;
        };
        if let Some(version) = version {
            self.live.count_version(record, &version);
        }
        if !notes.is_empty() {
            report_notes(record, &notes);
            let objects = self.live.question().objects();
            objects.report_incomplete(record, &notes);
        }
        true
    }

    /// Writes one record's object as YAML. If it has anything unusual, the YAML is read back before it is printed.
    /// Returns whether the record is selected.
    fn write_loadable<W: Write>(&self, writer: &mut YamlWriter<W>, record: &Record<'_>) -> bool {
        let mut noted = None;
        let write = |writer: &mut YamlWriter<W>| {
            noted = self.write_one(writer, Order::Natural, record);
            let comments = noted.as_ref().map(|noted| noted.remarks(record));
            WrittenObject {
                any: noted.is_some(),
                comments: comments.unwrap_or_default(),
            }
        };
        let written = write_checked(writer, write, || Some(self.shown_again(record)));
        self.report_noted(record, noted);
        match written {
            Ok(is_written) => is_written,
            Err(error) => {
                self.report_unreadable(record, &error);
                true
            }
        }
    }

    fn report_unreadable(&self, record: &Record<'_>, error: &impl ToString) {
        let objects = self.live.question().objects();
        objects.report_unreadable(record, error);
    }

    /// What [`Self::write_one`] wrote, as a tree.
    pub(super) fn shown_again(&self, record: &Record<'_>) -> Value {
        let read = self.live.shown(record, self.args.show_managed_fields);
        self.tree_of(record, read).0
    }

    /// Writes one object as it is, and several as a List. `one` writes an object, and returns whether it was selected
    /// and whether writing failed.
    fn write_list<S: Sink>(
        &self,
        sink: &mut S,
        entries: &LiveEntries<'_>,
        one: impl Fn(&mut S, &Record<'_>) -> (bool, bool),
    ) -> bool {
        if entries.is_empty() {
            return false;
        }
        if self.live.is_single() {
            return self.write_each(sink, entries, &one);
        }
        sink.begin_map();
        sink.key("apiVersion");
        sink.string("v1");
        sink.key("items");
        sink.begin_list();
        let any = self.write_each(sink, entries, &one);
        sink.end_list();
        sink.key("kind");
        sink.string("List");
        sink.key("metadata");
        sink.begin_map();
        sink.key("resourceVersion");
        sink.string("");
        sink.end_map();
        sink.end_map();
        any
    }

    /// Writes the objects one after the other, until writing fails. Returns whether any was selected.
    fn write_each<S: Sink>(
        &self,
        sink: &mut S,
        entries: &LiveEntries<'_>,
        one: &impl Fn(&mut S, &Record<'_>) -> (bool, bool),
    ) -> bool {
        let mut any = false;
        for KeyEntry { record, .. } in entries.iter() {
            let (is_written, has_failed) = one(sink, &record);
            any |= is_written;
            if has_failed {
                break;
            }
        }
        any
    }

    fn print_path(
        &self,
        entries: &LiveEntries<'_>,
        path: &JsonPath,
        as_json: bool,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let single = self.live.is_single();
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

    fn print_names(&self, entries: &LiveEntries<'_>, out: &mut Out) -> Result<bool, Failure> {
        let catalog = self.live.catalog();
        let mut any = false;
        for KeyEntry { key, record } in entries.iter() {
            if self.live.has_selectors() && self.read(&record).is_none() {
                continue;
            }
            any = true;
            match catalog.locate(&key) {
                Some(location) => {
                    write!(out, "{}/", location.resource.singular_with_group())?;
                    out.write_all(location.name)?;
                }
                None => out.write_all(&key)?,
            }
            out.write_all(b"\n")?;
        }
        Ok(any)
    }

    fn print_columns(
        &self,
        entries: &LiveEntries<'_>,
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
        if any && out.is_terminal() {
            out.table(&table.rows(columns.headers().count(), !self.args.no_headers))?;
        } else if any {
            table.write(out)?;
        }
        Ok(any)
    }

    fn print_table(
        &self,
        entries: &LiveEntries<'_>,
        wide: bool,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let clock = self.live.clock();
        let catalog = self.live.catalog();
        let scope = self.args.which.asked().scope();
        let beside = table::Beside {
            wide,
            no_headers: self.args.no_headers,
            show_labels: self.args.show_labels,
            label_columns: &self.args.label_columns,
            one_namespace: scope.is_one_namespace(),
            with_clusters: catalog.has_several_clusters() && !scope.is_one_cluster(),
            clock,
        };
        let read = |record: &Record<'_>| self.read(record);
        let entries: Vec<KeyEntry<'_>> = entries.iter().collect();
        let printed = table::print(&entries, self.live.selection(), catalog, beside, read, out)?;
        if printed.has_ages && !self.args.no_headers {
            report::notices(&[Notice::AgesAsOf(clock.now)], self.run.invocation);
        }
        Ok(printed.any)
    }
}

/// What the reader of an object should know.
#[derive(Debug, Default)]
struct Noted {
    /// What its value has no names for.
    notes: Vec<Note>,
    /// What became of its version.
    version: Option<StoredVersion>,
}

impl Noted {
    /// The comments before the object.
    fn comments(&self, record: &Record<'_>) -> Vec<String> {
        let mut lines = incomplete(&self.notes, record.key);
        lines.extend(self.version.iter().map(of_version));
        lines
    }

    /// The same without the one that is always before an object of an unknown kind.
    fn remarks(&self, record: &Record<'_>) -> Vec<String> {
        let mut lines = self.comments(record);
        let is_remark = |note: &Note| matches!(note, Note::UnknownKind { .. });
        if self.notes.first().is_some_and(is_remark) && lines.len() > 1 {
            lines.remove(1);
        }
        lines
    }
}

/// Reports what the value of an object has no names for.
fn report_notes(record: &Record<'_>, notes: &[Note]) {
    for note in notes {
        let (key, note) = (key_text(record.key), note.text_of(record.key));
        report::note(&format!("{key}: {note}"));
    }
}
