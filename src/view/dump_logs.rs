//! What etcd-dump-logs prints of a log (`tools/etcd-dump-logs/main.go`, `raw.go`): messages as gogo's compact text.

use std::fmt::Write as _;

use crate::etcd::wal::wire::{Field, Kind, Label, Node, Value};
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

/// What stands for the bytes of a field in a kind of message.
type Shown<'s> = dyn Fn(&Node<'_>, &Field, &[u8]) -> Vec<u8> + 's;

/// Appends a message as compact text: fields in the order of declaration, each with a blank behind it.
pub fn message(text: &mut Vec<u8>, node: &Node<'_>) {
    message_with(text, node, &|_, _, bytes| bytes.to_vec());
}

/// The same, where `bytes` is what stands for the bytes of a field in a kind of message.
fn message_with(text: &mut Vec<u8>, node: &Node<'_>, bytes: &Shown<'_>) {
    for (field, values) in node.fields() {
        for value in values {
            if field.label == Label::Single && is_zero(value) {
                continue;
            }
            text.extend_from_slice(field.name.as_bytes());
            text.push(b':');
            match (value, &field.kind) {
                (Value::Node(inner), _) => {
                    text.push(b'<');
                    message_with(text, inner, bytes);
                    text.push(b'>');
                }
                (Value::Bytes(raw), _) => quoted(text, &bytes(node, field, raw)),
                (Value::Number(number), kind) => {
                    text.extend_from_slice(number_text(*number, kind).as_bytes())
                }
            }
            text.push(b' ');
        }
    }
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Number(number) => *number == 0,
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Node(_) => false,
    }
}

fn number_text(number: u64, kind: &Kind) -> String {
    match kind {
        Kind::Bool => (number != 0).to_string(),
        Kind::Int => number.cast_signed().to_string(),
        // A generated enum has 32 bits.
        Kind::Enum(names) => {
            let named = usize::try_from(number)
                .ok()
                .and_then(|number| names.get(number));
            named.map_or_else(
                || low_32_bits(number).to_string(),
                |name| (*name).to_owned(),
            )
        }
        _ => number.to_string(),
    }
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
            (Self::ConfigChange, _) => entry.entry_type == 1,
            _ if entry.entry_type != 0 => false,
            (Self::Normal, _) => true,
            (Self::Request, Request::V2(_)) => true,
            (Self::InternalRaftRequest, Request::Internal(_) | Request::Empty) => true,
            (Self::With(field), Request::Internal(node)) => !node.all(field).is_empty(),
            _ => false,
        }
    }
}

/// The line of an entry, without its end.
pub fn entry(entry: &Entry<'_>, request: &Request<'_>, release: Release) -> Vec<u8> {
    let mut text = format!("{:4}\t{:10}", entry.term, entry.index).into_bytes();
    match request {
        Request::Empty => text.extend_from_slice(b"\tnorm\t"),
        Request::Internal(node) => {
            text.extend_from_slice(b"\tnorm\t");
            message_with(&mut text, node, &|of, field, bytes| {
                let changes = of.message().name == "AuthUserChangePasswordRequest";
                if release == Release::V3_6 && changes && field.name == "password" {
                    return REMOVED.to_vec();
                }
                bytes.to_vec()
            });
        }
        Request::V2(node) => {
            text.extend_from_slice(b"\tnorm");
            v2(&mut text, node);
        }
        Request::ConfChange(node) => conf_change(&mut text, node),
        _ if entry.entry_type == 1 => text.extend_from_slice(b"\tconf\t???"),
        _ => text.extend_from_slice(b"\tnorm\t???"),
    }
    text
}

fn conf_change(text: &mut Vec<u8>, node: &Node<'_>) {
    let field = node
        .message()
        .fields
        .iter()
        .find(|field| field.name == "type");
    let method = field.map_or_else(String::new, |field| {
        number_text(node.uint("type"), &field.kind)
    });
    let line = format!("\tconf\tmethod={method} id={:x}", node.uint("node_id"));
    text.extend_from_slice(line.as_bytes());
}

fn v2(text: &mut Vec<u8>, node: &Node<'_>) {
    let method = node.bytes("Method");
    let path = || excerpt(node.bytes("Path"), 64, 64);
    match method {
        b"" => text.extend_from_slice(b"\tnoop"),
        b"SYNC" => {
            let time = format!("\tmethod=SYNC time=\"{}\"", go_time(node.int("Time")));
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
            text.extend_from_slice(&excerpt(node.bytes("Val"), 128, 0));
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
