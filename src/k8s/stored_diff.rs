//! The differences of two versions of an object, from the bytes in which they are stored.
//!
//! Most updates change a field or two. Fields that are the same bytes in both versions are not decoded.

use super::decode::differing;
use super::diff::{FieldChange, Scope, diff};
use super::object::{is_object, tree_of};
use super::redact::{Masker, has_sealed_text};

/// The changes from one decrypted value to another, as [`Masker::diff`] returns them for the decoded objects. The key
/// of the values must not be that of a Secret. None if the values have to be decoded: they are no objects in protobuf
/// of one type, have fields that the table does not have, or a part of them may be masked. `reveal`: nothing is masked.
#[must_use]
pub fn stored_diff(old: &[u8], new: &[u8], scope: Scope, reveal: bool) -> Option<Vec<FieldChange>> {
    let (old, new) = differing(old, new, scope)?;
    let masker = Masker::new(reveal);
    let may_be_masked =
        |tree| masker.has_masked_parts(tree, false) || (!reveal && has_sealed_text(tree));
    if may_be_masked(&old) || may_be_masked(&new) {
        return None;
    }
    Some(diff(&old, &new, scope))
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
