//! Which texts are valid names of objects, kinds, namespaces and managers. Every text outside of the object itself
//! uses this check: messages, columns, JSON rows, file names.
//!
//! The reason: if a length or tag is damaged, a name field may contain bytes of a neighbouring secret value. So a name
//! is shown only if it is valid, and otherwise by its size: `<37 bytes, not a name>`.
//!
//! The grammars are those of Kubernetes' validation (RFC 1123 labels and subdomains; `apimachinery/pkg/api/validation`).

use std::borrow::Cow;

/// A key for people, on one line. Control characters and bytes that are not UTF-8 are escaped.
pub fn key_text(key: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(key) {
        Ok(text) if !text.chars().any(char::is_control) => Cow::Borrowed(text),
        _ => Cow::Owned(key.escape_ascii().to_string()),
    }
}

/// Longest DNS subdomain, in bytes: names of objects and API groups.
const MAX_SUBDOMAIN_BYTES: usize = 253;

/// Longest DNS label, in bytes: namespaces, kinds and versions.
const MAX_LABEL_BYTES: usize = 63;

/// Longest name of a field manager, in bytes (`apimachinery/pkg/apis/meta/v1/validation`).
const MAX_MANAGER_BYTES: usize = 128;

/// Longest etcd key of an API server, in bytes, with room: a prefix, a group, a resource, a namespace and a name.
const MAX_KEY_BYTES: usize = 1024;

/// A field that names something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameField {
    /// `kind`.
    Kind,
    /// `apiVersion`: a version of the core group, or a group and a version.
    ApiVersion,
    /// The group of an `apiVersion`; empty for the core group.
    Group,
    /// `metadata.name`.
    Name,
    /// `metadata.namespace`.
    Namespace,
    /// `manager` or `subresource` of an entry of `metadata.managedFields`.
    Manager,
    /// An etcd key.
    Key,
}

impl NameField {
    /// Whether a text could be what this field holds.
    #[must_use]
    pub fn allows(self, text: &str) -> bool {
        match self {
            Self::Kind => is_kind(text),
            Self::ApiVersion => match text.split_once('/') {
                None => is_core_version(text),
                Some((group, version)) => is_subdomain(group) && is_label(version),
            },
            Self::Group => text.is_empty() || is_subdomain(text),
            Self::Name => is_path_segment(text),
            Self::Namespace => is_label(text),
            Self::Manager => is_short_line(text, MAX_MANAGER_BYTES),
            Self::Key => is_short_line(text, MAX_KEY_BYTES) && !text.contains(['{', '"']),
        }
    }

    /// The text, or its size if it cannot be what this field holds.
    #[must_use]
    pub fn shown(self, text: &str) -> Cow<'_, str> {
        if self.allows(text) {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(not_a_name(text.len()))
        }
    }

    /// The same of bytes.
    #[must_use]
    pub fn shown_bytes(self, bytes: &[u8]) -> Cow<'_, str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.shown(text),
            Err(_) => Cow::Owned(not_a_name(bytes.len())),
        }
    }
}

/// The replacement for an invalid name of this length.
#[must_use]
pub fn not_a_name(bytes: usize) -> String {
    match bytes {
        1 => "<1 byte, not a name>".to_owned(),
        bytes => format!("<{bytes} bytes, not a name>"),
    }
}

fn is_kind(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && is_label(&text.to_ascii_lowercase())
}

/// `v1`, `v2beta3`: versions of the core group, and of Kubernetes before there were groups.
fn is_core_version(text: &str) -> bool {
    let is_version = |text: &str| {
        text.len() <= MAX_LABEL_BYTES
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && !text.is_empty()
    };
    let Some(rest) = text.strip_prefix('v') else {
        return false;
    };
    let parts = rest.split_once("alpha").or_else(|| rest.split_once("beta"));
    match parts {
        None => is_version(rest),
        Some((major, minor)) => is_version(major) && is_version(minor),
    }
}

/// RFC 1123 label: lower-case letters, digits and dashes, without a dash at either end.
fn is_label(text: &str) -> bool {
    let is_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=MAX_LABEL_BYTES).contains(&text.len())
        && text.bytes().all(is_byte)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// RFC 1123 subdomain: labels joined by dots.
fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN_BYTES && text.split('.').all(is_label)
}

/// The weakest rule for names, used for roles: any text that is one segment of a path.
fn is_path_segment(text: &str) -> bool {
    (1..=MAX_SUBDOMAIN_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['/', '%', '"', '{'])
        && !matches!(text, "." | "..")
}

/// Printable characters, on one line.
fn is_short_line(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_shows_what_it_may_hold_and_the_size_of_all_else() {
        let long = "a".repeat(254);
        for (field, good, bad) in [
            (
                NameField::Kind,
                &["Pod", "CertificateRequest", "foo0"][..],
                &["", "1Pod", "Pod\n", "Pod Spec", "v1/Pod", "-Pod"][..],
            ),
            (
                NameField::ApiVersion,
                &["v1", "v1beta3", "apps/v1", "cert-manager.io/stable"],
                &["", "hunter2", "v", "v1beta", "apps/", "/v1", "apps/v1/x"],
            ),
            (
                NameField::Group,
                &["", "apps", "cert-manager.io"],
                &["Apps", "a..b", "a_b"],
            ),
            (
                NameField::Name,
                &["web-1", "system:node:a", "A_b"],
                &["", ".", "..", "a/b", "a b", "\u{e9}", "a%b", &long],
            ),
            (
                NameField::Namespace,
                &["shop", "kube-system"],
                &["", "Shop", "a.b", "-a"],
            ),
            (
                NameField::Manager,
                &["kubectl-client-side-apply", "Go http"],
                &["", "a\nb", "\u{12}hunter2", &long],
            ),
            (
                NameField::Key,
                &["/registry/pods/shop/web-1", "a b"],
                &["", "a\u{10}b", "{\"kind\":\"Secret\"}"],
            ),
        ] {
            for text in good {
                assert_eq!(field.shown(text), *text, "{field:?}");
            }
            for text in bad {
                assert_eq!(
                    field.shown(text),
                    not_a_name(text.len()),
                    "{field:?} {text:?}"
                );
            }
        }
        assert_eq!(NameField::Key.shown_bytes(b"\xff"), "<1 byte, not a name>");
        assert_eq!(NameField::Name.shown("a/b"), "<3 bytes, not a name>");
    }
}
