//! The differences of two versions of an object, from the bytes in which they are stored.
//!
//! Most updates change a field or two. Fields that are the same bytes in both versions are not decoded.

use serde_json::Value;

use super::decode::{Lists, differing};
use super::diff::{FieldChange, Scope, diff, pruned_diff};
use super::object::{is_object, tree_of};
use super::redact::{Masker, SealedChanges, has_sealed_text, is_data_alone};

/// The changes from one decrypted value to another, as [`Masker::diff`] returns them for the decoded objects. The key
/// of the values must not be that of a Secret. None if the values have to be decoded: they are no objects in protobuf
/// of one type, have fields that the table does not have, or a part of them may be masked. `reveal`: nothing is masked.
#[must_use]
pub fn stored_diff(old: &[u8], new: &[u8], scope: Scope, reveal: bool) -> Option<Vec<FieldChange>> {
    let masker = Masker::new(reveal);
    let may_be_masked =
        |tree: &Value| masker.has_masked_parts(tree, false) || (!reveal && has_sealed_text(tree));
    let parts = |lists| {
        let (old, new) = differing(old, new, scope, lists)?;
        (!may_be_masked(&old) && !may_be_masked(&new)).then_some((old, new))
    };
    let (pruned_old, pruned_new) = parts(Lists::Pruned)?;
    pruned_diff(&pruned_old, &pruned_new, scope).or_else(|| {
        let (old, new) = parts(Lists::Whole)?;
        Some(diff(&old, &new, scope))
    })
}

/// The same changes by decoding both values, of any encoding. None if a value cannot be decoded, neither is an object,
/// or a part of them is masked.
#[must_use]
pub fn decoded_diff(
    old: &[u8],
    new: &[u8],
    scope: Scope,
    reveal: bool,
) -> Option<Vec<FieldChange>> {
    let ((old, _), (new, _)) = (tree_of(old).ok()?, tree_of(new).ok()?);
    let masker = Masker::new(reveal);
    let is_masked = |tree| masker.has_masked_parts(tree, false);
    if (!is_object(&old) && !is_object(&new)) || is_masked(&old) || is_masked(&new) {
        return None;
    }
    Some(diff(&old, &new, scope))
}

/// The changes from one decrypted value to another under the key of a Secret, before the secrets are numbered. None if a
/// value cannot be decoded, or neither is an object.
#[must_use]
pub fn secret_diff(old: &[u8], new: &[u8], scope: Scope, reveal: bool) -> Option<SealedChanges> {
    let masker = Masker::new(reveal);
    let differing = differing(old, new, scope, Lists::Whole);
    let (old, new) = match differing.and_then(|trees| data_alone((old, new), trees)) {
        Some(trees) => trees,
        None => {
            let tree = |value| masker.tree_of(value, true).ok();
            (tree(old)?, tree(new)?)
        }
    };
    let is_one = is_object(&old) || is_object(&new);
    is_one.then(|| masker.diff_sealed(&old, &new, scope, true))
}

/// The parts of two versions of a Secret that differ, if these are entries of `data` alone. How other fields are masked
/// depends on the whole object.
fn data_alone(
    stored: (&[u8], &[u8]),
    (mut old, mut new): (Value, Value),
) -> Option<(Value, Value)> {
    let is_data_alone = is_data_alone(stored.0, &mut old) && is_data_alone(stored.1, &mut new);
    is_data_alone.then_some((old, new))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_that_are_compared_first_and_numbered_later_have_the_same_masks() {
        let secret = |one: &str, other: &str| {
            format!(
                r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"n"}},
                "data":{{"a":"{one}","b":"{other}"}}}}"#
            )
        };
        let versions = [
            secret("YQ==", "YmI="),
            secret("YmI=", "Y2Nj"),
            secret("Y2Nj", "YQ=="),
        ];
        for reveal in [false, true] {
            let (mut plain, mut later) = (Masker::new(reveal), Masker::new(reveal));
            for (old, new) in versions.iter().zip(versions.iter().skip(1)) {
                let (old, new) = (old.as_bytes(), new.as_bytes());
                let tree = |value| plain.tree_of(value, true).unwrap();
                let (a, b) = (tree(old), tree(new));
                let expected = plain.diff(&a, &b, Scope::ALL, true);
                let sealed = secret_diff(old, new, Scope::ALL, reveal).unwrap();
                let numbered = later.number_changes(sealed);
                let text = |changes: &[FieldChange]| -> Vec<String> {
                    changes.iter().map(FieldChange::to_json).collect()
                };
                assert_eq!(text(&numbered), text(&expected));
                assert_eq!(numbered.len(), 2);
                assert_eq!(text(&numbered).concat().contains("masked"), !reveal);
            }
        }
    }
}
