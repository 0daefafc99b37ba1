//! Columns that somebody else than the API server's code defines: the user with
//! `-o custom-columns=` (upstream: `pkg/cmd/get/customcolumn.go` of k8s.io/kubectl), or the
//! definition of a custom resource (upstream: `pkg/registry/customresource/tableconvertor` of
//! k8s.io/apiextensions-apiserver).

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::Value;

use super::columns::{Clock, Column, age};
use super::jsonpath::{Budget, Found, JsonPath, JsonPathError, sprint_after_json};

/// Bytes of one cell; an object is smaller, unless `..` prints its parts again and again.
const MAX_CELL_BYTES: usize = 1 << 24;

/// Why columns cannot be read, or have no cells for an object.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CustomColumnsError {
    /// Nothing to read.
    #[error("custom columns: none given, wanted HEADER:PATH,HEADER:PATH")]
    Empty,
    /// A column without a colon.
    #[error("custom columns: '{0}' is not HEADER:PATH")]
    NoPath(String),
    /// A file of fewer than two lines.
    #[error("custom columns: wanted a line of headers, and a line of as many paths")]
    MissingLine,
    /// The two lines of a file do not fit each other.
    #[error("custom columns: there are {headers} headers, but {paths} paths")]
    UnevenLines {
        /// Words of the first line.
        headers: usize,
        /// Words of the second line.
        paths: usize,
    },
    /// A path has no meaning, or does not fit the object.
    #[error("custom columns: column {header}: {error}")]
    Path {
        /// The column's header.
        header: String,
        /// What is wrong.
        error: JsonPathError,
    },
    /// A cell of megabytes.
    #[error("custom columns: column {header} has a cell of more than 16 MiB")]
    TooLong {
        /// The column's header.
        header: String,
    },
}

/// The columns of `-o custom-columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomColumns {
    columns: Vec<(String, JsonPath)>,
}

impl CustomColumns {
    /// Reads `HEADER:PATH,HEADER:PATH`. Every comma separates columns, also within a path.
    ///
    /// # Errors
    /// There is no column, or one is not a header and a path.
    pub fn parse(spec: &str) -> Result<Self, CustomColumnsError> {
        if spec.is_empty() {
            return Err(CustomColumnsError::Empty);
        }
        let column = |column: &str| {
            let (header, path) = column
                .split_once(':')
                .ok_or_else(|| CustomColumnsError::NoPath(column.to_owned()))?;
            named_path(header, path)
        };
        let columns = spec.split(',').map(column).collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// Reads the text of a `custom-columns-file`: a line of headers and a line of paths, separated
    /// by white space. Further lines mean nothing.
    ///
    /// # Errors
    /// As [`CustomColumns::parse`].
    pub fn parse_file(text: &str) -> Result<Self, CustomColumnsError> {
        let mut lines = text.lines();
        let mut words = || {
            let line = lines.next().ok_or(CustomColumnsError::MissingLine)?;
            Ok(line.split_whitespace().collect::<Vec<_>>())
        };
        let (headers, paths) = (words()?, words()?);
        if headers.len() != paths.len() {
            return Err(CustomColumnsError::UnevenLines {
                headers: headers.len(),
                paths: paths.len(),
            });
        }
        let pairs = headers.into_iter().zip(paths);
        let columns = pairs
            .map(|(header, path)| named_path(header, path))
            .collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// The headers, as they are to be printed.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(header, _)| header.as_str())
    }

    /// The cells of an object: all that a path finds, joined by commas; `<none>` where it finds
    /// nothing, `<nil>` for `null`. As in kubectl an escape character is `^[` and a carriage return
    /// `\r`; nothing else is changed.
    ///
    /// # Errors
    /// A path does not fit the object (an index out of bounds, ...).
    pub fn cells(&self, object: &Value) -> Result<Vec<String>, CustomColumnsError> {
        self.cells_within(&Budget::for_typed(), object)
    }

    /// The same as a part of a run with one budget.
    ///
    /// # Errors
    /// As [`CustomColumns::cells`].
    pub fn cells_within(
        &self,
        budget: &Budget,
        object: &Value,
    ) -> Result<Vec<String>, CustomColumnsError> {
        budget.begin_object();
        self.columns
            .iter()
            .map(|(header, path)| {
                let results = path
                    .find_within(budget, object)
                    .map_err(|error| named(header, error))?;
                let cell =
                    cell_of_all(results.parts()).ok_or_else(|| CustomColumnsError::TooLong {
                        header: header.clone(),
                    })?;
                budget
                    .pay_printed(cell.len(), object)
                    .map_err(|error| named(header, error))?;
                Ok(cell)
            })
            .collect()
    }
}

fn named(header: &str, error: JsonPathError) -> CustomColumnsError {
    CustomColumnsError::Path {
        header: header.to_owned(),
        error,
    }
}

fn named_path(header: &str, path: &str) -> Result<(String, JsonPath), CustomColumnsError> {
    let path = JsonPath::parse_relaxed(path).map_err(|error| named(header, error))?;
    Ok((header.to_owned(), path))
}

/// None: longer than a cell may be.
fn cell_of_all(parts: &[Vec<Found<'_>>]) -> Option<String> {
    let mut text = Vec::new();
    let mut is_first = true;
    if parts.first().is_none_or(Vec::is_empty) {
        text.extend_from_slice(b"<none>");
        is_first = false;
    }
    for value in parts.iter().flatten() {
        if !is_first {
            text.push(b',');
        }
        is_first = false;
        let left = MAX_CELL_BYTES.checked_sub(text.len())?;
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        value.sprint(&mut text, left).ok()?;
    }
    let text = String::from_utf8_lossy(&text);
    Some(text.replace('\u{1b}', "^[").replace('\r', "\\r"))
}

/// The columns of a custom resource, by its CustomResourceDefinition.
#[derive(Debug, Clone)]
pub struct ResourceColumns {
    columns: Vec<Column>,
    /// One for each column but the first, which is the name.
    paths: Vec<Path>,
    /// Columns beyond [`MOST_COLUMNS`].
    left_out: usize,
}

/// Where the cells of a column come from.
#[derive(Debug, Clone)]
struct Path {
    path: JsonPath,
    cell_type: CellType,
    /// How many cells were [`TOO_EXPENSIVE`].
    expensive: Cell<usize>,
}

/// The most columns that a definition may add: each is a cell of every object. Real ones have ten at most.
pub const MOST_COLUMNS: usize = 64;

/// A cell whose path needs more steps than the budget has.
pub const TOO_EXPENSIVE: &str = "<too expensive>";

/// What a column says it shows; a value of another type is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellType {
    Integer,
    Number,
    Boolean,
    /// Takes every value, as `-o jsonpath` prints it.
    String,
    Date,
    Unknown,
}

impl ResourceColumns {
    /// The columns of a version, as `v1alpha1`, of the resource that a CustomResourceDefinition (of
    /// apiextensions.k8s.io/v1 or v1beta1) defines: the name, and what the definition lists; or
    /// name and age where it lists nothing. A column with a priority is wide. None where the
    /// definition has no such version.
    ///
    /// Where a path has no meaning, this column and those behind it are left out, as the API server
    /// does.
    pub fn of(definition: &Value, version: &str) -> Option<Self> {
        let spec = definition.get("spec")?;
        let own = versions(spec).find(|(name, _)| *name == version)?.1;
        // Only v1beta1 has columns for all versions at once.
        let listed = [Some(spec), own]
            .into_iter()
            .flatten()
            .filter_map(|holder| holder.get("additionalPrinterColumns")?.as_array())
            .find(|columns| !columns.is_empty());
        let mut found = Self {
            columns: vec![Column {
                name: Cow::Borrowed("Name"),
                wide: false,
            }],
            paths: Vec::new(),
            left_out: 0,
        };
        match listed {
            None => found.push(Cow::Borrowed("Age"), false, CellType::Date, AGE_PATH)?,
            Some(columns) => {
                found.left_out = columns.len().saturating_sub(MOST_COLUMNS);
                for column in columns.iter().take(MOST_COLUMNS) {
                    if found.push_listed(column).is_none() {
                        found.left_out = 0;
                        break;
                    }
                }
            }
        }
        Some(found)
    }

    /// The version kubectl asks for where none is named: of those served, the most stable, then the
    /// highest (upstream: `pkg/version/helpers.go` of k8s.io/apimachinery).
    pub fn preferred_version(definition: &Value) -> Option<&str> {
        let is_served = |version: Option<&Value>| {
            let served = version.and_then(|version| version.get("served"));
            served.and_then(Value::as_bool) != Some(false)
        };
        versions(definition.get("spec")?)
            .filter(|(_, version)| is_served(*version))
            .map(|(name, _)| name)
            .max_by(|a, b| compare_versions(a, b))
    }

    /// The columns; the first is the name.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether a column tells an age.
    pub fn tells_ages(&self) -> bool {
        self.paths
            .iter()
            .any(|path| path.cell_type == CellType::Date)
    }

    /// The columns with cells that were [`TOO_EXPENSIVE`], and how many.
    pub fn too_expensive(&self) -> impl Iterator<Item = (&str, usize)> {
        let names = self.columns.iter().skip(1).map(|column| &*column.name);
        let counts = self.paths.iter().map(|path| path.expensive.get());
        names.zip(counts).filter(|(_, count)| *count > 0)
    }

    /// How many columns of the definition are not among the columns: it has more than [`MOST_COLUMNS`].
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The cells of an object, one for each column; empty where the object has nothing to show.
    pub fn cells(&self, object: &Value, clock: Clock) -> Vec<String> {
        self.cells_within(&Budget::for_definitions(), object, clock)
    }

    /// The same as a part of a run with one budget. A cell for which it does not suffice is
    /// [`TOO_EXPENSIVE`].
    pub fn cells_within(&self, budget: &Budget, object: &Value, clock: Clock) -> Vec<String> {
        budget.begin_object();
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let mut cells = vec![name.unwrap_or_default().to_owned()];
        cells.extend(self.paths.iter().map(|path| {
            path.cell(budget, object, clock).unwrap_or_else(|_| {
                path.expensive.set(path.expensive.get().saturating_add(1));
                TOO_EXPENSIVE.to_owned()
            })
        }));
        cells
    }

    fn push_listed(&mut self, column: &Value) -> Option<()> {
        let text = |name| column.get(name).and_then(Value::as_str);
        let cell_type = match text("type") {
            Some("integer") => CellType::Integer,
            Some("number") => CellType::Number,
            Some("boolean") => CellType::Boolean,
            Some("string") => CellType::String,
            Some("date") => CellType::Date,
            _ => CellType::Unknown,
        };
        let priority = column.get("priority").and_then(Value::as_i64);
        // v1 writes it one way, v1beta1 the other.
        let path = text("jsonPath").or_else(|| text("JSONPath"));
        let name = text("name").unwrap_or_default().to_owned();
        self.push(
            Cow::Owned(name),
            priority.unwrap_or(0) != 0,
            cell_type,
            path.unwrap_or_default(),
        )
    }

    fn push(
        &mut self,
        name: Cow<'static, str>,
        wide: bool,
        cell_type: CellType,
        path: &str,
    ) -> Option<()> {
        let path = JsonPath::parse(&format!("{{{path}}}")).ok()?;
        self.columns.push(Column { name, wide });
        self.paths.push(Path {
            path,
            cell_type,
            expensive: Cell::new(0),
        });
        Some(())
    }
}

impl Path {
    /// The cell of an object; empty where the path finds nothing.
    ///
    /// # Errors
    /// The budget does not suffice.
    fn cell(&self, budget: &Budget, object: &Value, clock: Clock) -> Result<String, JsonPathError> {
        let results = match self.path.find_within(budget, object) {
            Ok(results) => results,
            Err(error) if error.is_limit() => return Err(error),
            Err(_) => return Ok(String::new()),
        };
        let first = results.parts().first().and_then(|part| part.first());
        let text = first.and_then(|value| cell(*value, self.cell_type, clock));
        let text = text.unwrap_or_default();
        budget.pay_printed(text.len(), object)?;
        Ok(text)
    }
}

/// Where the column is taken from that a definition without columns has.
const AGE_PATH: &str = ".metadata.creationTimestamp";

/// The versions that the spec of a definition has, with what it says of each. An old one names
/// only one.
fn versions(spec: &Value) -> impl Iterator<Item = (&str, Option<&Value>)> {
    let listed = spec.get("versions").and_then(Value::as_array);
    let only = match listed.is_none_or(Vec::is_empty) {
        true => spec.get("version").and_then(Value::as_str),
        false => None,
    };
    listed
        .into_iter()
        .flatten()
        .filter_map(|version| Some((version.get("name")?.as_str()?, Some(version))))
        .chain(only.map(|name| (name, None)))
}

/// Greater is more stable; what is no Kubernetes version comes last, in the alphabet's order.
fn compare_versions(a: &str, b: &str) -> Ordering {
    match (stability(a), stability(b)) {
        (None, None) => b.cmp(a),
        (a, b) => a.cmp(&b),
    }
}

/// Of `v2beta1`: 1 for beta, 2, 1.
fn stability(version: &str) -> Option<(u8, u64, u64)> {
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_number)
    };
    let rest = version.strip_prefix('v')?;
    for (level, word) in [(0, "alpha"), (1, "beta")] {
        if let Some((major, minor)) = rest.split_once(word) {
            return Some((level, number(major)?, number(minor)?));
        }
    }
    Some((2, number(rest)?, 0))
}

fn cell(value: Found<'_>, cell_type: CellType, clock: Clock) -> Option<String> {
    match cell_type {
        CellType::String => {
            let mut text = Vec::new();
            let limit = u64::try_from(MAX_CELL_BYTES).unwrap_or(u64::MAX);
            value.alone().print(&mut text, limit).ok()?;
            Some(String::from_utf8_lossy(&text).into_owned())
        }
        CellType::Integer => match value {
            Found::Tree(Value::Number(number)) if number.is_i64() => Some(number.to_string()),
            _ => Some(truncated(float(value)?).to_string()),
        },
        CellType::Number => Some(sprint_after_json(float(value)?)),
        CellType::Boolean => match value {
            Found::Tree(Value::Bool(truth)) => Some(truth.to_string()),
            Found::Bool(truth) => Some(truth.to_string()),
            _ => None,
        },
        CellType::Date => match value {
            Found::Tree(Value::String(time)) => Some(date(time, clock)),
            Found::Text(time) => Some(date(&String::from_utf8_lossy(time), clock)),
            _ => None,
        },
        CellType::Unknown => None,
    }
}

fn float(value: Found<'_>) -> Option<f64> {
    match value {
        Found::Tree(Value::Number(number)) => number.as_f64(),
        Found::Float(float) => Some(float),
        _ => None,
    }
}

fn date(time: &str, clock: Clock) -> String {
    match time {
        "" | "null" => age(None, clock),
        // Go takes a comma before the fraction, too.
        time if is_rfc3339(time) => age(Some(&time.replace(',', ".")), clock),
        _ => "<invalid>".to_owned(),
    }
}

/// Go's `int64(float)` on amd64: without the fraction; what does not fit is the smallest integer.
fn truncated(value: f64) -> i64 {
    format!("{:.0}", value.trunc()).parse().unwrap_or(i64::MIN)
}

/// Whether Go's `time.Parse(time.RFC3339, text)` takes it.
fn is_rfc3339(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else {
        return false;
    };
    let (time, offset) = match time.strip_suffix('Z') {
        Some(time) => (time, "00:00"),
        None => match time.rfind(['+', '-']).map(|at| time.split_at(at)) {
            Some((time, offset)) => (time, offset.get(1..).unwrap_or_default()),
            None => return false,
        },
    };
    let (time, fraction) = time.split_once(['.', ',']).unwrap_or((time, "0"));
    let has_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let Some([year, month, day]) = numbers(date, '-', [4, 2, 2]) else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let is_time = numbers(time, ':', [2, 2, 2])
        .is_some_and(|[hour, minute, second]| hour < 24 && minute < 60 && second < 60);
    let is_offset =
        numbers(offset, ':', [2, 2]).is_some_and(|[hour, minute]| hour <= 24 && minute < 60);
    has_fraction && (1..=days).contains(&day) && is_time && is_offset
}

/// Numbers of so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[u32; N]> {
    let mut found = [0; N];
    let mut parts = text.split(separator);
    for (number, width) in found.iter_mut().zip(widths) {
        let digits = parts.next().filter(|part| part.len() == width)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        *number = digits.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(found)
}
