//! Objects as `kubectl get` shows them: a table for each resource.

use std::collections::HashMap;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::arrange::Arrange as _;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::query::catalog::Catalog;
use crate::query::compare::Masker;
use crate::query::live_objects::{
    Budget, Builtin, Clock, Column, EncryptedValue, KeyEntry, MOST_COLUMNS, Record, Resource,
    ResourceColumns, TOO_EXPENSIVE, builtin, shown_name,
};
use crate::query::objects::{ReadValue, is_secret_key};
use crate::query::select::Selection;
use crate::view::kubectl_table::{KubectlTable, Options};
use crate::view::record::key_text;

/// What is shown beside the cells.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Columns of lower priority too.
    pub wide: bool,
    /// No line of names.
    pub no_headers: bool,
    /// All labels.
    pub show_labels: bool,
    /// Labels with a column of their own.
    pub label_columns: &'a [String],
    /// One namespace was asked for: it needs no column.
    pub one_namespace: bool,
    /// The store has several logical clusters: each row has a column for it.
    pub with_clusters: bool,
    /// What ages are measured against.
    pub clock: Clock,
}

/// Where the cells of one kind come from.
enum Layout {
    Builtin(&'static Builtin),
    Custom(ResourceColumns),
    /// No object of Kubernetes: what etcd keeps.
    Keys,
}

/// The columns of the API server's printers that show ages.
const AGES: [&str; 8] = [
    "Age",
    "Last Seen",
    "First Seen",
    "Last Schedule",
    "Duration",
    "Started",
    "Updated",
    "Created",
];

/// What OpenShift shows of namespaces, if they are asked for by this name: group and kind.
const PROJECT: (&str, &str) = ("project.openshift.io", "Project");

/// How many columns a note names.
const NAMED: usize = 3;

/// The columns of a key that holds no object.
const KEY_COLUMNS: [&str; 5] = ["Key", "Create Revision", "Mod Revision", "Version", "Size"];

impl Layout {
    fn new(resource: Option<&Resource>, definition: Option<&Value>, as_projects: bool) -> Self {
        let Some(resource) = resource else {
            return Self::Keys;
        };
        if as_projects {
            return Self::Builtin(builtin(PROJECT.0, PROJECT.1));
        }
        let custom = definition.and_then(|definition| {
            let version = ResourceColumns::preferred_version(definition)?;
            ResourceColumns::from_definition(definition, version)
        });
        match custom {
            Some(columns) => Self::Custom(columns),
            None => Self::Builtin(builtin(resource.group(), &resource.kind)),
        }
    }

    fn columns(&self) -> Vec<Column> {
        match self {
            Self::Builtin(builtin) => builtin.columns.to_vec(),
            Self::Custom(custom) => custom.columns().to_vec(),
            Self::Keys => KEY_COLUMNS
                .map(|name| Column {
                    name: name.into(),
                    wide: false,
                })
                .to_vec(),
        }
    }

    /// Whether a shown column has ages.
    fn has_ages(&self, wide: bool) -> bool {
        let is_age = |column: &Column| AGES.contains(&&*column.name) && (wide || !column.wide);
        match self {
            Self::Builtin(builtin) => builtin.columns.iter().any(is_age),
            Self::Custom(custom) => custom.has_ages(),
            Self::Keys => false,
        }
    }

    fn cells(&self, object: &Value, clock: Clock, budget: &Budget) -> Vec<String> {
        match self {
            Self::Builtin(builtin) => (builtin.cells)(object, clock),
            Self::Custom(custom) => custom.cells_within(budget, object, clock),
            Self::Keys => Vec::new(),
        }
    }

    /// Reports which cells and columns of a definition are not shown.
    fn note_what_is_missing(&self, resource: Option<&Resource>) {
        let (Self::Custom(custom), Some(resource)) = (self, resource) else {
            return;
        };
        let resource = resource.plural_with_group();
        let expensive: Vec<(&str, usize)> = custom.too_expensive().collect();
        if !expensive.is_empty() {
            let cells = expensive.iter().map(|(_, cells)| cells);
            let cells = cells.copied().fold(0, usize::saturating_add);
            let named = expensive.iter().take(NAMED);
            let named: Vec<_> = named.map(|(column, _)| shown_name(column)).collect();
            let more = match expensive.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            report::note(&format!(
                "{resource}: {TOO_EXPENSIVE} in {cells} cells: the paths of columns {}{more} need too many steps",
                named.join(", ")
            ));
        }
        if custom.left_out() > 0 {
            report::note(&format!(
                "{resource}: the first {MOST_COLUMNS} columns of its definition are shown, {} are not",
                custom.left_out()
            ));
        }
    }
}

/// The records of one resource, in key order.
struct Group<'c, 'e, 'a> {
    resource: Option<&'c Resource>,
    /// The definition of a custom resource. Logical clusters may have several.
    definition: Option<&'c Value>,
    entries: Vec<&'e KeyEntry<'a>>,
}

/// What came of printing tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Printed {
    /// A row was printed.
    pub any: bool,
    /// A column has ages.
    pub has_ages: bool,
}

/// Prints the tables of records, a blank line between two resources, each object read by `read`; records for
/// which it gives nothing are left out.
///
/// # Errors
/// Those of the output.
pub fn print(
    entries: &[KeyEntry<'_>],
    selection: &Selection,
    catalog: &Catalog,
    beside: Beside<'_>,
    mut read: impl FnMut(&Record<'_>) -> Option<ReadValue>,
    out: &mut Out,
) -> Result<Printed, Failure> {
    let groups = groups(entries, selection, catalog);
    let many = groups.len() > 1;
    let mut printed = Printed::default();
    let budget = Budget::for_definitions();
    for group in &groups {
        let layout = Layout::new(group.resource, group.definition, selection.names_projects());
        let columns = layout.columns();
        let kind = group.resource.map(Resource::singular_with_group);
        let namespaced = group.resource.is_some_and(|resource| resource.namespaced);
        let mut table = KubectlTable::new(
            &columns,
            Options {
                no_headers: beside.no_headers,
                wide: beside.wide,
                cluster: beside.with_clusters,
                namespace: namespaced && !beside.one_namespace,
                show_labels: beside.show_labels,
                label_columns: beside.label_columns,
                kind: kind.as_deref().filter(|_| many),
            },
        );
        for entry in &group.entries {
            let record = &entry.record;
            let Some(value) = read(record) else { continue };
            if beside.with_clusters {
                let location = catalog.locate(record.key);
                let cluster = location.and_then(|location| location.cluster);
                table.in_cluster(&cluster.map(key_text).unwrap_or_default());
            }
            match (&layout, value) {
                (Layout::Keys, _) => table.push(&Value::Null, &key_cells(record)),
                (_, ReadValue::Object(object, _)) => {
                    let object = if is_secret_key(record.key) {
                        secret_row(record, catalog, &object)
                    } else {
                        object
                    };
                    table.push(&object, &layout.cells(&object, beside.clock, &budget));
                }
                (_, value) => {
                    let (object, cells) = unread(record, catalog, &value);
                    table.push(&object, &cells);
                }
            }
        }
        if table.is_empty() {
            continue;
        }
        if printed.any {
            out.write_all(b"\n")?;
        }
        if out.is_terminal() {
            out.table(&table.rows())?;
        } else {
            table.write(out)?;
        }
        printed.any = true;
        printed.has_ages |= layout.has_ages(beside.wide);
        layout.note_what_is_missing(group.resource);
    }
    Ok(printed)
}

/// Records by resource, in the order in which the resources were asked for.
fn groups<'c, 'e, 'a>(
    entries: &'e [KeyEntry<'a>],
    selection: &Selection,
    catalog: &'c Catalog,
) -> Vec<Group<'c, 'e, 'a>> {
    let mut groups: Vec<((usize, usize), Group<'c, 'e, 'a>)> = Vec::new();
    // A store may have as many folders as keys.
    let mut by_folder: HashMap<(Option<&str>, Option<*const Value>), usize> = HashMap::new();
    for entry in entries {
        let location = catalog.locate(&entry.key);
        let resource = location.map(|location| location.resource);
        let definition = location.and_then(|location| catalog.definition_of(&location));
        let place = selection.place_of(&entry.key);
        let folder = resource.map(|resource| &*resource.folder);
        let key = (folder, definition.map(std::ptr::from_ref));
        let index = *by_folder.entry(key).or_insert(groups.len());
        match groups.get_mut(index) {
            Some((first, group)) => {
                *first = place.min(*first);
                group.entries.push(entry);
            }
            None => groups.push((
                place,
                Group {
                    resource,
                    definition,
                    entries: vec![entry],
                },
            )),
        }
    }
    groups.arrange_by_key(|(place, _)| *place);
    groups.into_iter().map(|(_, group)| group).collect()
}

/// A Secret for a table, which has its name, type, labels and number of entries: named by its key, and without
/// anything that may be a part of the secret.
fn secret_row(record: &Record<'_>, catalog: &Catalog, object: &Value) -> Value {
    let mut row = Masker::new(false).mask(object, true).into_owned();
    let location = catalog.locate(record.key);
    if let (Some(location), Some(Value::Object(metadata))) = (location, row.get_mut("metadata")) {
        metadata.insert("name".to_owned(), key_text(location.name).into());
        if let Some(namespace) = location.namespace {
            metadata.insert("namespace".to_owned(), key_text(namespace).into());
        }
    }
    row
}

fn key_cells(record: &Record<'_>) -> Vec<String> {
    vec![
        key_text(record.key).into_owned(),
        record.create_revision.to_string(),
        record.mod_revision.to_string(),
        record.version.to_string(),
        record.value.len().to_string(),
    ]
}

/// The row of an object that cannot be read: what its key shows, and why the rest is missing.
fn unread(record: &Record<'_>, catalog: &Catalog, value: &ReadValue) -> (Value, Vec<String>) {
    let (namespace, name) = match catalog.locate(record.key) {
        Some(location) => (
            location.namespace.map(key_text),
            key_text(location.name).into_owned(),
        ),
        None => (None, key_text(record.key).into_owned()),
    };
    let why = match (value, EncryptedValue::parse(record.value)) {
        (ReadValue::Encrypted(_), Some(by)) => format!(
            "<encrypted: {} {}>",
            by.provider,
            shown_name(by.key_name).trim_matches('"')
        ),
        (ReadValue::Encrypted(_), None) => "<encrypted>".to_owned(),
        (ReadValue::Undecodable(_), _) => "<undecodable>".to_owned(),
        _ => "<no object>".to_owned(),
    };
    let object = match namespace {
        Some(namespace) => json!({"metadata": {"name": name, "namespace": namespace}}),
        None => json!({"metadata": {"name": name}}),
    };
    (object, vec![name, why])
}
