//! Prints objects and their changes as YAML, with secrets masked: the unified diff, and two versions beside each other.

use serde_json::Value;

use crate::query::compare::{Changed, Comparison, Record};
use crate::query::objects::{Objects, Order};
use crate::view::diff::{Style, TextSide, write_side_by_side, write_unified};
use crate::view::json::write_value;
use crate::view::record::key_text;
use crate::view::yaml::YamlWriter;

use super::failure::Failure;
use super::out::Out;

/// The mod revision of a version of an object, and its text.
type Written = (i64, String);

/// The whole object as YAML, with secrets masked. A value that is a text is returned as it is.
pub fn yaml(comparison: &mut Comparison<'_>, record: &Record<'_>, objects: &Objects<'_>) -> String {
    let tree = comparison.shown(record, objects);
    // In YAML a text would be one quoted string. Without the quotes its own lines can be compared.
    if let Value::String(text) = tree {
        return text;
    }
    let mut writer = YamlWriter::new(Vec::new());
    write_value(&tree, Order::Natural, &mut writer);
    String::from_utf8_lossy(&writer.finish().unwrap_or_default()).into_owned()
}

/// Writes the change as a unified diff of the objects' YAML.
///
/// # Errors
/// When it cannot be written.
pub fn write_change(
    comparison: &mut Comparison<'_>,
    changed: &Changed<'_>,
    style: &Style,
    out: &mut Out,
) -> Result<(), Failure> {
    let (old, new) = versions(comparison, changed);
    write_unified(
        out.styled(),
        &key_text(changed.key()),
        text_side(old.as_ref()),
        text_side(new.as_ref()),
        style,
    )?;
    Ok(())
}

/// Writes the objects' YAML beside each other, in lines of at most `width` columns.
///
/// # Errors
/// When it cannot be written.
pub fn write_sides(
    comparison: &mut Comparison<'_>,
    changed: &Changed<'_>,
    style: &Style,
    width: usize,
    out: &mut Out,
) -> Result<(), Failure> {
    let (old, new) = versions(comparison, changed);
    let (old, new) = (text_side(old.as_ref()), text_side(new.as_ref()));
    write_side_by_side(&mut out.clipped(), old, new, style, width)?;
    Ok(())
}

/// The texts of both versions, for a diff. None for a side on which the object does not exist.
fn versions(
    comparison: &mut Comparison<'_>,
    changed: &Changed<'_>,
) -> (Option<Written>, Option<Written>) {
    let (old_objects, new_objects) = (comparison.old, comparison.new);
    let old = changed
        .old
        .map(|record| (record.mod_revision, yaml(comparison, &record, old_objects)));
    let new = changed
        .new
        .map(|record| (record.mod_revision, yaml(comparison, &record, new_objects)));
    match (old, new) {
        (Some(old), Some(new)) if old.1 == new.1 => as_texts(comparison, changed, [old, new]),
        sides => sides,
    }
}

/// The texts to compare if both versions have the same YAML. Values that are no objects may still differ as stored:
/// JSON with other blanks. Then these are the stored texts, otherwise the YAML of both.
fn as_texts(
    comparison: &mut Comparison<'_>,
    changed: &Changed<'_>,
    [old, new]: [Written; 2],
) -> (Option<Written>, Option<Written>) {
    let fields = comparison.fields(changed);
    let whole = fields.first().filter(|field| field.path.is_root());
    let texts = whole.and_then(|field| {
        let as_string = |value: &Option<Value>| Some(value.as_ref()?.as_str()?.to_owned());
        as_string(&field.old).zip(as_string(&field.new))
    });
    let (old_text, new_text) = texts.unwrap_or((old.1, new.1));
    (Some((old.0, old_text)), Some((new.0, new_text)))
}

/// A version in the form that the diff views take.
fn text_side(side: Option<&Written>) -> Option<TextSide<'_>> {
    side.map(|(mod_revision, text)| TextSide {
        mod_revision: *mod_revision,
        text,
    })
}
