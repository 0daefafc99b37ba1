//! Columns that are not part of the API server's code. There are two kinds: `-o custom-columns=` (upstream:
//! `pkg/cmd/get/customcolumn.go` of k8s.io/kubectl), and the columns in a CustomResourceDefinition (upstream:
//! `pkg/registry/customresource/tableconvertor` of k8s.io/apiextensions-apiserver).

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::Value;

use super::columns::{Clock, Column, age};
use super::jsonpath::{Budget, Found, JsonPath, JsonPathError, sprint_after_json};

/// The maximal size of a cell in bytes. Objects are smaller, but `..` prints their parts repeatedly.
const MAX_CELL_BYTES: usize = 1 << 24;

/// Why columns cannot be parsed, or cannot be filled for an object.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CustomColumnsError {
    /// The list of columns is empty.
    #[error("custom columns: no columns, expected HEADER:PATH,HEADER:PATH")]
    Empty,
    /// A column without a colon.
    #[error("custom columns: '{0}' is not of the form HEADER:PATH")]
    NoPath(String),
    /// A file of fewer than two lines.
    #[error("custom columns: expected a line of headers and a line of paths")]
    MissingLine,
    /// The two lines of a file have different numbers of words.
    #[error("custom columns: there are {headers} headers, but {paths} paths")]
    UnevenLines {
        /// Number of words in the first line.
        headers: usize,
        /// Number of words in the second line.
        paths: usize,
    },
    /// A path cannot be parsed, or does not fit the object.
    #[error("custom columns: column {header}: {error}")]
    Path {
        /// The column's header.
        header: String,
        /// What is wrong.
        error: JsonPathError,
    },
    /// A cell is larger than the limit.
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
    /// Parses `HEADER:PATH,HEADER:PATH`. Every comma separates columns, even within a path, as in kubectl.
    ///
    /// # Errors
    /// There is no column, or a column is not a header and a valid path.
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

    /// Parses the text of a `custom-columns-file`: a line of headers and a line of paths, separated by white space.
    /// Further lines are ignored.
    ///
    /// # Errors
    /// The same as for [`CustomColumns::parse`].
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

    /// The headers as they are printed.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(header, _)| header.as_str())
    }

    /// The cells of an object. A cell has all values that its path finds, separated by commas; `<none>` if it finds none;
    /// `<nil>` for `null`. As in kubectl, an escape character is printed as `^[` and a carriage return as `\r`.
    ///
    /// # Errors
    /// A path does not fit the object, for example an index that is out of bounds.
    pub fn cells(&self, object: &Value) -> Result<Vec<String>, CustomColumnsError> {
        self.cells_within(&Budget::for_typed(), object)
    }

    /// The same within the budget of a run.
    ///
    /// # Errors
    /// The same as for [`CustomColumns::cells`].
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
                    .map_err(|error| path_error(header, error))?;
                let cell =
                    joined_cell(results.parts()).ok_or_else(|| CustomColumnsError::TooLong {
                        header: header.clone(),
                    })?;
                budget
                    .pay_printed(cell.len(), object)
                    .map_err(|error| path_error(header, error))?;
                Ok(cell)
            })
            .collect()
    }
}

fn path_error(header: &str, error: JsonPathError) -> CustomColumnsError {
    CustomColumnsError::Path {
        header: header.to_owned(),
        error,
    }
}

fn named_path(header: &str, path: &str) -> Result<(String, JsonPath), CustomColumnsError> {
    let path = JsonPath::parse_relaxed(path).map_err(|error| path_error(header, error))?;
    Ok((header.to_owned(), path))
}

/// The values as one cell; None if it is longer than [`MAX_CELL_BYTES`].
fn joined_cell(parts: &[Vec<Found<'_>>]) -> Option<String> {
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

/// The columns of a custom resource, from its CustomResourceDefinition.
#[derive(Debug, Clone)]
pub struct ResourceColumns {
    columns: Vec<Column>,
    /// One path for each column except the first, which is the name.
    paths: Vec<CellPath>,
    /// The number of columns beyond [`MOST_COLUMNS`].
    left_out: usize,
}

/// The path and type of a column's cells.
#[derive(Debug, Clone)]
struct CellPath {
    path: JsonPath,
    cell_type: CellType,
    /// The number of cells that were [`TOO_EXPENSIVE`].
    expensive: Cell<usize>,
}

/// The number of columns that a definition may add; each is a cell of every object. Real definitions have at most ten.
pub const MOST_COLUMNS: usize = 64;

/// The text of a cell whose path needs more steps than the budget allows.
pub const TOO_EXPENSIVE: &str = "<too expensive>";

/// The declared type of a column. A value of another type is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellType {
    Integer,
    Number,
    Boolean,
    /// Any value, printed as `-o jsonpath` prints it.
    String,
    Date,
    Unknown,
}

impl ResourceColumns {
    /// The columns of one version, such as `v1alpha1`, of the resource that a CustomResourceDefinition (of
    /// apiextensions.k8s.io/v1 or v1beta1) defines: the name and the columns in the definition, or name and age if it has
    /// none. A column with a priority is shown only in wide output. None if the definition does not have the version.
    ///
    /// If a path is invalid, its column and all later columns are left out, as the API server does.
    pub fn from_definition(definition: &Value, version: &str) -> Option<Self> {
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

    /// The version that kubectl requests by default: the most stable served version, then the highest number (upstream:
    /// `pkg/version/helpers.go` of k8s.io/apimachinery).
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

    /// Whether any column shows an age.
    pub fn has_ages(&self) -> bool {
        self.paths
            .iter()
            .any(|path| path.cell_type == CellType::Date)
    }

    /// The columns with cells that were [`TOO_EXPENSIVE`], each with the number of such cells.
    pub fn too_expensive(&self) -> impl Iterator<Item = (&str, usize)> {
        let names = self.columns.iter().skip(1).map(|column| &*column.name);
        let counts = self.paths.iter().map(|path| path.expensive.get());
        names.zip(counts).filter(|(_, count)| *count > 0)
    }

    /// The number of columns in the definition that are left out because it has more than [`MOST_COLUMNS`].
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The cells of an object, one for each column; a cell is empty if its path finds nothing.
    pub fn cells(&self, object: &Value, clock: Clock) -> Vec<String> {
        self.cells_within(&Budget::for_definitions(), object, clock)
    }

    /// The same within the budget of a run. A cell that exceeds the budget is [`TOO_EXPENSIVE`].
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

    /// Adds a column of a definition. None if its path is invalid.
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
        // The field is `jsonPath` in v1 and `JSONPath` in v1beta1.
        let path = text("jsonPath").or_else(|| text("JSONPath"));
        let name = text("name").unwrap_or_default().to_owned();
        self.push(
            Cow::Owned(name),
            priority.unwrap_or(0) != 0,
            cell_type,
            path.unwrap_or_default(),
        )
    }

    /// Adds a column. None if its path is invalid.
    fn push(
        &mut self,
        name: Cow<'static, str>,
        wide: bool,
        cell_type: CellType,
        path: &str,
    ) -> Option<()> {
        let path = JsonPath::parse(&format!("{{{path}}}")).ok()?;
        self.columns.push(Column { name, wide });
        self.paths.push(CellPath {
            path,
            cell_type,
            expensive: Cell::new(0),
        });
        Some(())
    }
}

impl CellPath {
    /// The cell of an object; empty if the path finds nothing.
    ///
    /// # Errors
    /// The path exceeds the budget.
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

/// The path of the column that a definition without columns gets.
const AGE_PATH: &str = ".metadata.creationTimestamp";

/// The versions in the spec of a definition, with the spec of each. A v1beta1 definition may have a single version
/// without a spec.
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

/// Compares version names; the greater one is more stable. Other texts than Kubernetes versions are less stable, in
/// reverse alphabetical order.
fn compare_versions(a: &str, b: &str) -> Ordering {
    match (stability(a), stability(b)) {
        (None, None) => b.cmp(a),
        (a, b) => a.cmp(&b),
    }
}

/// The rank of a version name: for `v2beta1` it is (1 for beta, 2, 1). None if it is not a Kubernetes version.
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

/// The text of a cell; None if the value does not have the declared type.
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

/// The age since a time.
fn date(time: &str, clock: Clock) -> String {
    match time {
        "" | "null" => age(None, clock),
        // Go also accepts a comma before the fraction.
        time if is_rfc3339(time) => age(Some(&time.replace(',', ".")), clock),
        _ => "<invalid>".to_owned(),
    }
}

/// Go's `int64(float)` on amd64: the fraction is cut off; a value out of range becomes the smallest integer.
fn truncated(value: f64) -> i64 {
    format!("{:.0}", value.trunc()).parse().unwrap_or(i64::MIN)
}

/// Whether Go's `time.Parse(time.RFC3339, text)` accepts the text.
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

/// Parses N numbers with the given widths in digits.
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
