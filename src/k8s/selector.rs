//! kubectl's selectors: by label (`-l`, [`LabelSelector`]) and by field (`--field-selector`, [`FieldSelector`]).

mod fields;
mod labels;

pub use fields::{FieldSelector, FieldSelectorError};
pub use labels::{LabelSelector, LabelSelectorError};
