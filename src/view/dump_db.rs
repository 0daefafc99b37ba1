//! Lines as etcd-dump-db prints them (`tools/etcd-dump-db/backend.go` of etcd), byte for byte.

use std::io::Write as _;

use prost::Message;

use crate::bytes::u64_be;
use crate::etcd::auth::{Permission, PermissionType, Role, User};
use crate::etcd::lease::{Lease, lease_id};
use crate::etcd::{BucketKey, KeyValue, schema};
use crate::go::quote::quote_into;

/// Whose lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// etcd-dump-db 3.5 and before: `rev={main:8 sub:0}`.
    V35,
    /// etcd-dump-db 3.6 and later: `rev={Revision:{Main:8 Sub:0} tombstone:false}`.
    V36,
}

/// Appends an element of a bucket as `--decode` prints it. Where upstream's decoder would panic the
/// element is appended undecoded, and the reason is returned.
pub fn decoded(
    style: Style,
    bucket: &[u8],
    key: &[u8],
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let appended = match bucket {
        schema::KEY => record(style, key, value, out),
        schema::LEASE => lease(style, key, value, out),
        schema::AUTH => auth(key, value, out),
        schema::AUTH_ROLES => role(value, out),
        schema::AUTH_USERS => user(style, value, out),
        schema::META => meta(style, key, value, out),
        _ => {
            raw(key, value, out);
            Ok(())
        }
    };
    appended.inspect_err(|_| raw(key, value, out))
}

/// Appends an element undecoded.
pub fn raw(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"key=");
    quote_into(key, out);
    out.extend_from_slice(b", value=");
    quote_into(value, out);
    out.push(b'\n');
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = out.write_fmt(text);
}

fn record(style: Style, key: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let BucketKey {
        revision,
        tombstone,
    } = BucketKey::parse(key).map_err(|error| format!("expected a revision key, found {error}"))?;
    let record = KeyValue::parse(value)
        .map_err(|error| format!("expected a mvccpb.KeyValue, found {error}"))?;
    match style {
        Style::V35 => push(
            out,
            format_args!("rev={{main:{} sub:{}}}", revision.main, revision.sub),
        ),
        Style::V36 => push(
            out,
            format_args!(
                "rev={{Revision:{{Main:{} Sub:{}}} tombstone:{tombstone}}}",
                revision.main, revision.sub
            ),
        ),
    }
    out.extend_from_slice(b", value=[key ");
    quote_into(record.key, out);
    out.extend_from_slice(b" | val ");
    quote_into(record.value, out);
    push(
        out,
        format_args!(
            " | created {} | mod {} | ver {}]\n",
            record.create_revision, record.mod_revision, record.version
        ),
    );
    Ok(())
}

/// Go's `%016x` of a signed number: the sign counts as one of the sixteen places.
fn hex16(id: i64) -> String {
    if id < 0 {
        format!("-{:015x}", id.unsigned_abs())
    } else {
        format!("{id:016x}")
    }
}

fn lease(style: Style, key: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let id = lease_id(key)
        .ok_or_else(|| format!("expected a lease id of 8 bytes, found {}", key.len()))?;
    let lease = Lease::decode(value).map_err(|_| "expected a leasepb.Lease".to_owned())?;
    push(
        out,
        format_args!("lease ID={}, TTL={}s", hex16(id), lease.ttl),
    );
    if style == Style::V36 {
        push(
            out,
            format_args!(", remaining TTL={}s", lease.remaining_ttl),
        );
    }
    out.push(b'\n');
    Ok(())
}

fn auth(key: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let revision = u64_be(value, 0);
    if key == b"authRevision" && revision.is_none() {
        return Err(format!(
            "expected a number of 8 bytes, found {}",
            value.len()
        ));
    }
    out.extend_from_slice(b"key=");
    quote_into(key, out);
    match revision.filter(|_| key == b"authRevision") {
        Some(revision) => push(out, format_args!(", value={revision}\n")),
        None => {
            let numbers: Vec<String> = value.iter().map(ToString::to_string).collect();
            push(out, format_args!(", value=[{}]\n", numbers.join(" ")));
        }
    }
    Ok(())
}

fn role(value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let role = Role::decode(value).map_err(|_| "expected an authpb.Role".to_owned())?;
    out.extend_from_slice(b"role=");
    quote_into(&role.name, out);
    out.extend_from_slice(b", keyPermission=[");
    for (index, permission) in role.key_permission.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        push_permission(permission, out);
    }
    out.extend_from_slice(b"]\n");
    Ok(())
}

/// A permission in gogo protobuf's compact text: every field is followed by a space.
fn push_permission(permission: &Permission, out: &mut Vec<u8>) {
    if permission.perm_type != 0 {
        match PermissionType::name_of(permission.perm_type) {
            Some(name) => push(out, format_args!("permType:{name} ")),
            None => push(out, format_args!("permType:{} ", permission.perm_type)),
        }
    }
    for (name, bytes) in [
        ("key", &permission.key),
        ("range_end", &permission.range_end),
    ] {
        if !bytes.is_empty() {
            push(out, format_args!("{name}:\"{}\" ", proto_text(bytes)));
        }
    }
}

/// Bytes as protobuf's text format escapes them: octal for all but printable ASCII.
fn proto_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text
}

fn user(style: Style, value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let user = User::decode(value).map_err(|_| "expected an authpb.User".to_owned())?;
    out.extend_from_slice(b"user=");
    quote_into(&user.name, out);
    out.extend_from_slice(b", roles=[");
    for (index, role) in user.roles.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        quote_into(role.as_bytes(), out);
    }
    out.push(b']');
    if style == Style::V35 {
        out.extend_from_slice(b", password=");
        quote_into(&user.password, out);
    }
    let option = match user.options {
        None => "<nil>",
        Some(options) if options.no_password => "no_password:true ",
        Some(_) => "",
    };
    push(out, format_args!(", option={option}\n"));
    Ok(())
}

fn meta(style: Style, key: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let number = match key {
        schema::CONSISTENT_INDEX | schema::TERM if style == Style::V36 => {
            let number = u64_be(value, 0)
                .ok_or_else(|| format!("expected a number of 8 bytes, found {}", value.len()))?;
            number.to_string()
        }
        schema::SCHEDULED_COMPACT | schema::FINISHED_COMPACT if style == Style::V36 => {
            let BucketKey { revision, .. } = BucketKey::parse(value)
                .map_err(|error| format!("expected a revision, found {error}"))?;
            format!("{{{} {}}}", revision.main, revision.sub)
        }
        _ => {
            raw(key, value, out);
            return Ok(());
        }
    };
    out.extend_from_slice(b"key=");
    quote_into(key, out);
    push(out, format_args!(", value={number}\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(style: Style, bucket: &[u8], key: &[u8], value: &[u8]) -> String {
        let mut out = Vec::new();
        decoded(style, bucket, key, value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_role_is_printed_as_gogo_prints_it() {
        let permission = |perm_type, key: &[u8], range_end: &[u8]| Permission {
            perm_type,
            key: key.to_vec(),
            range_end: range_end.to_vec(),
        };
        let role = Role {
            name: b"r".to_vec(),
            key_permission: vec![
                permission(0, b"a/", b"a0"),
                permission(1, b"\xff\"\n", b"\0"),
            ],
        };
        assert_eq!(
            line(Style::V36, b"authRoles", b"r", &role.encode_to_vec()),
            "role=\"r\", keyPermission=[key:\"a/\" range_end:\"a0\"  permType:WRITE key:\"\\377\\\"\\n\" range_end:\"\\000\" ]\n"
        );
    }

    #[test]
    fn a_user_without_options_or_without_password_is_told_apart() {
        let user = |options| User {
            name: b"u".to_vec(),
            password: Vec::new(),
            roles: vec!["a".into(), "b".into()],
            options,
        };
        let print = |options| {
            line(
                Style::V36,
                b"authUsers",
                b"u",
                &user(options).encode_to_vec(),
            )
        };
        assert_eq!(
            print(None),
            "user=\"u\", roles=[\"a\" \"b\"], option=<nil>\n"
        );
        let no_password = crate::etcd::auth::UserAddOptions { no_password: true };
        assert_eq!(
            print(Some(no_password)),
            "user=\"u\", roles=[\"a\" \"b\"], option=no_password:true \n"
        );
    }

    #[test]
    fn a_negative_lease_id_keeps_its_sign() {
        let id = (-2_i64).to_be_bytes();
        assert_eq!(
            line(Style::V35, b"lease", &id, b"\x10\x05"),
            "lease ID=-000000000000002, TTL=5s\n"
        );
    }

    #[test]
    fn what_upstream_panics_on_is_printed_undecoded_with_a_reason() {
        let mut out = Vec::new();
        let reason = decoded(Style::V36, b"key", b"alarm", b"", &mut out).unwrap_err();
        assert_eq!(reason, "expected a revision key, found 5 bytes");
        assert_eq!(out, b"key=\"alarm\", value=\"\"\n");
    }
}
