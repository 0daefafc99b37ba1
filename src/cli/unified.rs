//! Objects and their changes as YAML, secrets masked.

use crate::query::compare::{Changed, Comparison, Record};
use crate::query::objects::{Objects, Order};
use crate::view::diff::{TextSide, write_unified};
use crate::view::json::write_value;
use crate::view::record::key_text;
use crate::view::yaml::YamlWriter;

use super::failure::Failure;
use super::out::Out;

/// The whole object as YAML, secrets masked.
pub fn yaml(comparison: &mut Comparison<'_>, record: &Record<'_>, objects: &Objects<'_>) -> String {
    let tree = comparison.shown(record, objects);
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
    out: &mut Out,
) -> Result<(), Failure> {
    let (old_objects, new_objects) = (comparison.old, comparison.new);
    let old = changed
        .old
        .map(|record| (record.mod_revision, yaml(comparison, &record, old_objects)));
    let new = changed
        .new
        .map(|record| (record.mod_revision, yaml(comparison, &record, new_objects)));
    let style = out.style();
    write_unified(
        out.styled(),
        &key_text(changed.key()),
        text_side(old.as_ref()),
        text_side(new.as_ref()),
        &style,
    )?;
    Ok(())
}

fn text_side(side: Option<&(i64, String)>) -> Option<TextSide<'_>> {
    side.map(|(mod_revision, text)| TextSide {
        mod_revision: *mod_revision,
        text,
    })
}
