//! Which wire type a field may have, and which values Go leaves out.

use crate::k8s::schema::{Card, Kind, Slot};
use crate::k8s::special::{is_zero_time, timestamp};
use crate::wire::{Content, Reader, WireError};

/// Whether a field of this shape may have this wire type. Lists of numbers may be packed.
#[inline]
pub(super) fn accepts(slot: &Slot, content: Content<'_>) -> bool {
    match content {
        Content::Bytes(_) => !is_number(slot.kind) || matches!(slot.card, Card::List | Card::Map),
        Content::Varint(_) => {
            matches!(slot.kind, Kind::Bool | Kind::Int | Kind::Uint) && slot.card != Card::Map
        }
        Content::Fixed64(_) => slot.kind == Kind::Float && slot.card != Card::Map,
        Content::Fixed32(_) => false,
    }
}

/// Whether a value of this kind is a number or a boolean.
#[inline]
pub(super) fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Bool | Kind::Int | Kind::Uint | Kind::Float)
}

/// Whether a value of this kind is a message on the wire.
#[inline]
pub(super) fn is_message(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Bool | Kind::Int | Kind::Uint | Kind::Float | Kind::Str | Kind::Bytes
    )
}

/// Whether Go leaves out this number although it is on the wire.
#[inline]
pub(super) fn is_number_left_out(slot: &Slot, content: Content<'_>) -> bool {
    let is_zero = match content {
        Content::Varint(v) => v == 0,
        Content::Fixed64(bits) => bits << 1 == 0, // a negative zero is zero
        Content::Bytes(_) | Content::Fixed32(_) => false,
    };
    is_zero && slot.omit_empty()
}

/// Whether Go leaves out this value, which is no number, although it is on the wire. `omitempty` does not apply to
/// structs.
#[inline]
pub(super) fn are_bytes_left_out(slot: &Slot, bytes: &[u8]) -> bool {
    match slot.kind {
        Kind::Str | Kind::Bytes | Kind::Strings | Kind::Messages | Kind::TextMap => {
            bytes.is_empty() && slot.omit_empty()
        }
        // Only meta/v1 Time has `omitzero`, and its nanoseconds are ignored.
        _ => slot.omit_zero() && timestamp(bytes).is_some_and(|(s, _)| is_zero_time((s, 0))),
    }
}

/// The first error in a payload that is not a message.
pub(super) fn first_error(payload: &[u8]) -> WireError {
    let mut reader = Reader::new(payload);
    loop {
        match reader.field() {
            Ok(Some(_)) => {}
            Ok(None) => return WireError::Depth,
            Err(e) => return e,
        }
    }
}
