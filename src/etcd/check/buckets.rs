//! Checks of the small buckets: the valid form of each key and value (`server/storage/schema/`).

use std::collections::HashSet;

use prost::Message;

use crate::bbolt::{Bucket, Direction};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus};
use crate::plural::plural;

use super::super::auth::{Role, User};
use super::super::cluster::AlarmMember;
use super::super::lease::{Lease, lease_id};
use super::super::schema;
use super::super::store::Store;

/// Checks every bucket except `key`. Returns the ids of the leases.
pub(super) fn check(store: &Store<'_>) -> HashSet<i64> {
    let diagnostics = store.db().diagnostics();
    let mut leases = HashSet::new();
    for bucket in store.buckets() {
        if bucket.name == schema::KEY {
            continue;
        }
        if !schema::BUCKETS.contains(&bucket.name) {
            diagnostics.report(unknown(bucket));
            continue;
        }
        check_values(bucket, diagnostics, &mut leases);
    }
    check_meta(store);
    leases
}

/// Reports every bucket of a file that another program wrote.
pub fn report_unknown(store: &Store<'_>) {
    let findings = store.buckets().iter().map(unknown);
    findings.for_each(|finding| store.db().diagnostics().report(finding));
}

fn unknown(bucket: &Bucket<'_>) -> Damage {
    Diagnostic::new(Code::BucketUnknown, bucket.locus.clone())
        .effect("another program's; its pages are checked, its content is not")
}

fn check_values<'a>(bucket: &Bucket<'a>, diagnostics: &'a Diagnostics, leases: &mut HashSet<i64>) {
    for (page, element) in bucket.elements(diagnostics, Direction::Forward) {
        let (key, value) = (element.key, element.value);
        let locus = || Locus {
            offset: Some(element.value_offset),
            ..page.locus().element(element.index).bucket(bucket.name)
        };
        if element.flags != 0 {
            diagnostics.report(
                Diagnostic::new(
                    Code::ElementFlags,
                    page.locus().element(element.index).bucket(bucket.name),
                )
                .expected("0, a value", format!("0x{:x}", element.flags))
                .effect("the bucket may belong elsewhere"),
            );
            continue;
        }
        if bucket.name == schema::LEASE {
            leases.extend(lease_id(key));
        }
        let Some(expected) = unlike(bucket.name, key, value) else {
            continue;
        };
        diagnostics.report(
            Diagnostic::new(Code::BucketValue, locus().key(key))
                .expected(
                    expected,
                    format!(
                        "{} not",
                        plural(value.len(), "byte that is", "bytes that are")
                    ),
                )
                .effect("no record is affected; a server may refuse to start"),
        );
    }
}

/// What a value of a bucket should be, if it is not valid.
fn unlike(bucket: &[u8], key: &[u8], value: &[u8]) -> Option<&'static str> {
    let (is_right, expected) = match (bucket, key) {
        (schema::LEASE, _) => (is_lease(key, value), "a lease under its own id"),
        (schema::ALARM, _) => (AlarmMember::decode(key).is_ok(), "an alarm as the key"),
        (schema::MEMBERS, _) => (
            is_member(key, value),
            "a member as JSON under its id in hex",
        ),
        (schema::MEMBERS_REMOVED, _) => (is_hex(key), "a member's id in hex as the key"),
        (schema::AUTH_USERS, _) => {
            let user = User::decode(value);
            (
                user.is_ok_and(|user| user.name == key),
                "a user under its own name",
            )
        }
        (schema::AUTH_ROLES, _) => {
            let role = Role::decode(value);
            (
                role.is_ok_and(|role| role.name == key),
                "a role under its own name",
            )
        }
        (schema::AUTH, b"authEnabled") => (matches!(value, [0 | 1]), "a byte 0 or 1"),
        (schema::AUTH, b"authRevision") => (value.len() == 8, "8 bytes"),
        (schema::CLUSTER, b"clusterVersion") => (is_version(value), "a version as 3.6.0"),
        (schema::CLUSTER, b"downgrade") | (schema::META, schema::CONF_STATE) => {
            (is_json_object(value), "a JSON object")
        }
        (schema::META, schema::STORAGE_VERSION) => (is_version(value), "a version as 3.6.0"),
        // The numbers of bucket meta were checked when the store was opened.
        _ => return None,
    };
    (!is_right).then_some(expected)
}

fn is_lease(key: &[u8], value: &[u8]) -> bool {
    let lease = Lease::decode(value);
    lease.is_ok_and(|lease| lease_id(key) == Some(lease.id))
}

fn is_hex(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit)
}

fn is_member(key: &[u8], value: &[u8]) -> bool {
    let member = serde_json::from_slice::<serde_json::Value>(value);
    let id = member.ok().and_then(|member| member.get("id")?.as_u64());
    let key = std::str::from_utf8(key).ok();
    let key = key.and_then(|key| u64::from_str_radix(key, 16).ok());
    id.is_some() && id == key
}

fn is_json_object(value: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(value).is_ok_and(|json| json.is_object())
}

/// Whether a text begins with a semantic version: three numbers, and optionally a suffix such as `-rc.0`.
fn is_version(value: &[u8]) -> bool {
    let numbers = value
        .split(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .next();
    let mut parts = numbers.unwrap_or_default().split(|byte| *byte == b'.');
    let is_number = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty());
    is_number(parts.next()) && is_number(parts.next()) && is_number(parts.next())
}

/// Checks that a finished compaction was scheduled before.
fn check_meta(store: &Store<'_>) {
    let Some(bucket) = store.bucket(schema::META) else {
        return;
    };
    let meta = store.meta();
    if let Some(finished) = meta.finished_compact_revision
        && meta
            .scheduled_compact_revision
            .is_none_or(|scheduled| scheduled < finished)
    {
        let scheduled = meta.scheduled_compact_revision;
        let found = scheduled.map_or_else(|| "none".to_owned(), |scheduled| scheduled.to_string());
        store.db().diagnostics().report(
            Diagnostic::new(Code::MetaContradiction, bucket.locus.clone())
                .expected(
                    format!(
                        "a compaction scheduled to revision {finished}, to which it was finished"
                    ),
                    found,
                )
                .effect("the larger of the two is used as the compacted revision"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_numbers() {
        for version in ["3.6.0", "3.5.0-rc.1", "3.10.2+git"] {
            assert!(is_version(version.as_bytes()), "{version}");
        }
        for other in ["", "3", "3.6", "v3.6.0", "3..0", "\u{1}"] {
            assert!(!is_version(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_value_has_to_be_what_its_key_says() {
        let member = br#"{"id":255,"peerURLs":[]}"#;
        assert_eq!(unlike(schema::MEMBERS, b"ff", member), None);
        assert!(unlike(schema::MEMBERS, b"fe", member).is_some());
        assert!(unlike(schema::MEMBERS, b"ff", b"{").is_some());
        assert_eq!(unlike(schema::AUTH, b"authEnabled", &[1]), None);
        assert!(unlike(schema::AUTH, b"authEnabled", &[2]).is_some());
        assert!(unlike(schema::AUTH, b"authRevision", &[2]).is_some());
        assert_eq!(unlike(schema::AUTH, b"what", &[2]), None);
        assert!(unlike(schema::CLUSTER, b"downgrade", b"[]").is_some());
        assert!(unlike(schema::META, schema::CONF_STATE, b"1").is_some());
        assert_eq!(
            unlike(schema::LEASE, &7_i64.to_be_bytes(), b"\x08\x07\x10\x3c"),
            None
        );
        assert!(unlike(schema::LEASE, &8_i64.to_be_bytes(), b"\x08\x07\x10\x3c").is_some());
        assert!(unlike(schema::AUTH_USERS, b"root", b"\x0a\x05alice").is_some());
        assert!(unlike(schema::AUTH_ROLES, b"root", b"\x0a\x09").is_some());
        assert!(unlike(schema::ALARM, b"\x08", b"").is_some());
    }
}
