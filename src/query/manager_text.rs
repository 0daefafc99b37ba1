//! The names of field managers in messages.

use std::borrow::Cow;

use crate::k8s::blame::is_manager_name;
use crate::k8s::object::is_secret_key;
use crate::named::{NameField, not_a_name};

/// A manager with its subresource, for a message about a key: `kubelet (status)`. In a damaged Secret the field may
/// contain a part of the secret. So if the text cannot be the name of a manager, only its length is shown.
pub fn manager_text(key: &[u8], manager: &str, subresource: &str) -> String {
    let shown_name = |text| {
        if is_secret_key(key) && !is_manager_name(text) {
            Cow::Owned(not_a_name(text.len()))
        } else {
            NameField::Manager.shown(text)
        }
    };
    match subresource {
        "" => shown_name(manager).into_owned(),
        subresource => format!("{} ({})", shown_name(manager), shown_name(subresource)),
    }
}
