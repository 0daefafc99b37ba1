//! What `ls` and `get` do with a raft snapshot: its v2 store has no revisions, resources or namespaces.

use crate::query::v2_store::V2Key;
use crate::view::json_rows::{Form, JsonRows};
use crate::view::v2_store as view;

use super::failure::Failure;
use super::out::Out;

/// How the keys are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum V2Output {
    /// The keys, one a line.
    Name,
    /// A table with the values.
    Table,
    /// JSON objects: with the values, in an array.
    Json {
        /// Whether each has its value.
        with_values: bool,
        /// Whether they are one array, not one a line.
        is_array: bool,
    },
}

/// Refuses a flag that is of v3 stores.
///
/// # Errors
/// If it was given.
pub fn refuse(flags: &[(&str, bool)]) -> Result<(), Failure> {
    match flags.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Failure::cannot(format!(
            "{flag} cannot be used with a raft snapshot: its v2 store has keys without revisions, resources and namespaces"
        ))),
        None => Ok(()),
    }
}

/// Prints keys.
///
/// # Errors
/// Those of the output.
pub fn print(keys: &[&V2Key], output: V2Output, out: &mut Out) -> Result<(), Failure> {
    match output {
        V2Output::Name => {
            for key in keys {
                out.name(&view::name(key))?;
            }
        }
        V2Output::Table => out.table(&view::table(keys))?,
        V2Output::Json {
            with_values,
            is_array,
        } => {
            let mut rows = JsonRows::new(Form::array_if(is_array));
            for key in keys {
                let value = key.value.as_deref().filter(|_| with_values);
                rows.row(&view::json(key, value), out)?;
            }
            rows.finish(out)?;
        }
    }
    Ok(())
}
