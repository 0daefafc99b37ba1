//! What etcd-dump-logs prints of a log (`tools/etcd-dump-logs/main.go`, `raw.go`): messages as gogo's compact text.

use std::fmt::Write as _;

use crate::etcd::wal::messages::{self, ConfChange, ConfChangeType, V2Request};
use crate::etcd::wal::wire::{Field, Label, Message, Value};
use crate::etcd::wal::{Entry, Request};

/// What it puts in place of a password that is set anew (3.6; 3.5 prints it).
const REMOVED: &[u8] = b"<value removed>";

/// Which release's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Of 3.5.
    V3_5,
    /// Of 3.6.
    V3_6,
}

/// What is printed in place of the bytes of a field in a kind of message.
type Shown<'s> = dyn Fn(&dyn Message<'_>, &Field<'_, '_>, &[u8]) -> Vec<u8> + 's;

/// Appends a message as compact text: fields in the order of declaration, each with a blank after it.
pub fn message(text: &mut Vec<u8>, message: &dyn Message<'_>) {
    message_with(text, message, &|_, _, bytes| bytes.to_vec());
}

/// The same, with `bytes` for the text in place of the bytes of a field.
fn message_with(text: &mut Vec<u8>, message: &dyn Message<'_>, bytes: &Shown<'_>) {
    for field in message.fields() {
        for value in &field.values {
            if field.label == Label::Single && is_zero(value) {
                continue;
            }
            text.extend_from_slice(field.name.as_bytes());
            text.push(b':');
            match value {
                Value::Message(inner) => {
                    text.push(b'<');
                    message_with(text, *inner, bytes);
                    text.push(b'>');
                }
                Value::Bytes(raw) => quoted(text, &bytes(message, &field, raw)),
                Value::Int(number) => text.extend_from_slice(number.to_string().as_bytes()),
                Value::Uint(number) => text.extend_from_slice(number.to_string().as_bytes()),
                Value::Bool(is_set) => text.extend_from_slice(is_set.to_string().as_bytes()),
                Value::Enum(number, names) => {
                    text.extend_from_slice(enum_text(*number, names).as_bytes());
                }
            }
            text.push(b' ');
        }
    }
}

fn is_zero(value: &Value<'_, '_>) -> bool {
    match value {
        Value::Int(number) => *number == 0,
        Value::Uint(number) | Value::Enum(number, _) => *number == 0,
        Value::Bool(is_set) => !is_set,
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Message(_) => false,
    }
}

/// The name of a number of an enum; a generated enum has 32 bits.
fn enum_text(number: u64, names: &[&str]) -> String {
    let named = usize::try_from(number)
        .ok()
        .and_then(|number| names.get(number));
    named.map_or_else(
        || low_32_bits(number).to_string(),
        |name| (*name).to_owned(),
    )
}

fn low_32_bits(number: u64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// Bytes in quotes, those that are no printable ASCII as three octal digits.
fn quoted(text: &mut Vec<u8>, bytes: &[u8]) {
    text.push(b'"');
    for byte in bytes {
        match byte {
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            b'"' => text.extend_from_slice(b"\\\""),
            b'\\' => text.extend_from_slice(b"\\\\"),
            0x20..=0x7e => text.push(*byte),
            other => text.extend_from_slice(format!("\\{other:03o}").as_bytes()),
        }
    }
    text.push(b'"');
}

/// The kinds of entries that `-entry-type` takes, and which requests each lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryType {
    /// Any request.
    Normal,
    /// A change of a member.
    ConfigChange,
    /// A request of the v2 store.
    Request,
    /// A request of the v3 API.
    InternalRaftRequest,
    /// One that has this field.
    With(&'static str),
}

impl EntryType {
    /// Reads a name; none where it is no such name.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "Normal" => Self::Normal,
            "ConfigChange" => Self::ConfigChange,
            "Request" => Self::Request,
            "InternalRaftRequest" => Self::InternalRaftRequest,
            "IRRRange" => Self::With("range"),
            "IRRPut" => Self::With("put"),
            "IRRDeleteRange" => Self::With("delete_range"),
            "IRRTxn" => Self::With("txn"),
            "IRRCompaction" => Self::With("compaction"),
            "IRRLeaseGrant" => Self::With("lease_grant"),
            "IRRLeaseRevoke" => Self::With("lease_revoke"),
            "IRRLeaseCheckpoint" => Self::With("lease_checkpoint"),
            _ => return None,
        })
    }

    /// Whether it lets an entry through.
    pub fn passes(self, entry: &Entry<'_>, request: &Request<'_>) -> bool {
        match (self, request) {
            (Self::ConfigChange, _) => entry.entry_type == messages::EntryType::CONF_CHANGE,
            _ if entry.entry_type != messages::EntryType::NORMAL => false,
            (Self::Normal, _) => true,
            (Self::Request, Request::V2(_)) => true,
            (Self::InternalRaftRequest, Request::Internal(_) | Request::Empty) => true,
            (Self::With(name), Request::Internal(internal)) => {
                internal.fields().iter().any(|field| field.name == name)
            }
            _ => false,
        }
    }
}

/// The line of an entry, without its end.
pub fn entry(entry: &Entry<'_>, request: &Request<'_>, release: Release) -> Vec<u8> {
    let mut text = format!("{:4}\t{:10}", entry.term, entry.index).into_bytes();
    match request {
        Request::Empty => text.extend_from_slice(b"\tnorm\t"),
        Request::Internal(internal) => {
            text.extend_from_slice(b"\tnorm\t");
            message_with(&mut text, &**internal, &|of, field, bytes| {
                let changes = of.name() == "AuthUserChangePasswordRequest";
                if release == Release::V3_6 && changes && field.name == "password" {
                    return REMOVED.to_vec();
                }
                bytes.to_vec()
            });
        }
        Request::V2(request) => {
            text.extend_from_slice(b"\tnorm");
            v2(&mut text, request);
        }
        Request::ConfChange(change) => conf_change(&mut text, change),
        _ if entry.entry_type == messages::EntryType::CONF_CHANGE => {
            text.extend_from_slice(b"\tconf\t???")
        }
        _ => text.extend_from_slice(b"\tnorm\t???"),
    }
    text
}

fn conf_change(text: &mut Vec<u8>, change: &ConfChange<'_>) {
    let method = enum_text(change.change_type.0, ConfChangeType::NAMES);
    let line = format!("\tconf\tmethod={method} id={:x}", change.node_id);
    text.extend_from_slice(line.as_bytes());
}

fn v2(text: &mut Vec<u8>, request: &V2Request<'_>) {
    let method = request.method;
    let path = || excerpt(request.path, 64, 64);
    match method {
        b"" => text.extend_from_slice(b"\tnoop"),
        b"SYNC" => {
            let time = format!("\tmethod=SYNC time=\"{}\"", go_time(request.time));
            text.extend_from_slice(time.as_bytes());
        }
        b"QGET" | b"DELETE" => {
            text.extend_from_slice(b"\tmethod=");
            text.extend_from_slice(method);
            text.extend_from_slice(b" path=");
            text.extend_from_slice(&path());
        }
        other => {
            text.extend_from_slice(b"\tmethod=");
            text.extend_from_slice(other);
            text.extend_from_slice(b" path=");
            text.extend_from_slice(&path());
            text.extend_from_slice(b" val=");
            text.extend_from_slice(&excerpt(request.val, 128, 0));
        }
    }
}

/// A text in quotes as Go has it, without its middle where it is long.
fn excerpt(bytes: &[u8], before: usize, behind: usize) -> Vec<u8> {
    let mut text = Vec::new();
    if before.saturating_add(behind) > bytes.len() {
        crate::go::quote::quote_into(bytes, &mut text);
        return text;
    }
    let tail = bytes.len().saturating_sub(behind);
    crate::go::quote::quote_into(bytes.get(..before).unwrap_or_default(), &mut text);
    text.extend_from_slice(b"...");
    crate::go::quote::quote_into(bytes.get(tail..).unwrap_or_default(), &mut text);
    text
}

/// A time in nanoseconds since 1970 as Go's `Time.String` has it in UTC.
fn go_time(nanoseconds: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)) else {
        return String::new();
    };
    let mut text = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = nanoseconds.rem_euclid(1_000_000_000);
    if fraction != 0 {
        let _ = write!(text, ".{fraction:09}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push_str(" +0000 UTC");
    text
}
