//! The formats of `get -o`: parses the value of the flag.

use std::io::Read as _;
use std::path::Path;

use crate::query::live_objects::{CustomColumns, JsonPath};
use crate::source::open_untouched;

/// How objects are printed.
#[derive(Debug, Clone)]
pub enum Format {
    /// As `kubectl get` prints it, or `kubectl get -o wide`.
    Table {
        /// With the columns that kubectl prints only with `-o wide`.
        wide: bool,
    },
    /// `pod/web-1`, one per line.
    Name,
    /// As `kubectl get -o yaml` prints it.
    Yaml,
    /// As `kubectl get -o json` prints it.
    Json,
    /// One object per line.
    Jsonl,
    /// A JSONPath template. It is applied to the object, or to the List if there are several.
    JsonPath(JsonPath),
    /// The same template, with its results as one JSON array.
    JsonPathAsJson(JsonPath),
    /// A table whose columns are paths (`-o custom-columns`).
    Columns(CustomColumns),
}

/// The most bytes read of a template file. A template is a few lines; a longer file was probably named by mistake.
const LONGEST_TEMPLATE_BYTES: u64 = 1 << 20;

/// The values of `-o`, for the help and the message.
pub const FORMATS: &str = "table, wide, name, yaml, json, jsonl, jsonpath=TEMPLATE, jsonpath-file=FILE, jsonpath-as-json=TEMPLATE, custom-columns=SPEC, custom-columns-file=FILE";

impl Format {
    /// Parses the value of `-o`. Files that it names are read here.
    ///
    /// # Errors
    /// When there is no such format, its template is wrong, or its file cannot be read. The error is the message for
    /// the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let name = name.to_ascii_lowercase();
        let read_file = |path: &str| {
            let cannot = |error: std::io::Error| format!("{path}: cannot be read: {error}");
            let file = open_untouched(Path::new(path)).map_err(cannot)?;
            let mut text = String::new();
            file.take(LONGEST_TEMPLATE_BYTES)
                .read_to_string(&mut text)
                .map_err(cannot)?;
            Ok::<_, String>(text)
        };
        // As with kubectl, a path that an object does not have prints nothing.
        let template = |text: &str| {
            let path = JsonPath::parse(text).map_err(|error| error.to_string())?;
            Ok::<_, String>(path.allow_missing_keys(true))
        };
        Ok(match (name.as_str(), argument) {
            ("table" | "", None) => Self::Table { wide: false },
            ("wide", None) => Self::Table { wide: true },
            ("name", None) => Self::Name,
            ("yaml", None) => Self::Yaml,
            ("json", None) => Self::Json,
            ("jsonl", None) => Self::Jsonl,
            ("jsonpath", Some(text)) => Self::JsonPath(template(text)?),
            ("jsonpath-as-json", Some(text)) => Self::JsonPathAsJson(template(text)?),
            ("jsonpath-file", Some(path)) => Self::JsonPath(template(&read_file(path)?)?),
            ("custom-columns", Some(spec)) => {
                Self::Columns(CustomColumns::parse(spec).map_err(|error| error.to_string())?)
            }
            ("custom-columns-file", Some(path)) => Self::Columns(
                CustomColumns::parse_file(&read_file(path)?).map_err(|error| error.to_string())?,
            ),
            ("jsonpath" | "jsonpath-as-json", None) => {
                return Err(format!(
                    "{name} needs a template: -o '{name}={{.metadata.name}}'"
                ));
            }
            ("custom-columns", None) => {
                return Err(
                    "custom-columns needs columns: -o custom-columns=NAME:.metadata.name"
                        .to_owned(),
                );
            }
            ("jsonpath-file" | "custom-columns-file", None) => {
                return Err(format!("{name} needs a file: -o {name}=FILE"));
            }
            ("go-template" | "go-template-file" | "template" | "templatefile", _) => {
                return Err(
                    "Go templates are not evaluated: -o jsonpath=TEMPLATE picks fields".to_owned(),
                );
            }
            _ => return Err(format!("no such format; there are {FORMATS}")),
        })
    }
}
