//! Which wire type a field may have, and which values Go leaves out.

use crate::k8s::schema::{Card, Kind, Slot};
use crate::k8s::special::{is_zero_time, timestamp};
use crate::wire::{Content, Reader, WireError};

/// Whether a field of this shape may have this wire type. Lists of numbers may be packed.
#[inline]
pub(super) fn accepts(slot: &Slot, content: Content<'_>) -> bool {
    match (slot.kind, content) {
        (_, Content::Bytes(_)) if slot.card == Card::Map => true,
        _ if slot.card == Card::Map => false,
        (Kind::Bool | Kind::Int | Kind::Uint, Content::Varint(_))
        | (Kind::Float, Content::Fixed64(_)) => true,
        (Kind::Bool | Kind::Int | Kind::Uint | Kind::Float, Content::Bytes(_)) => {
            slot.card == Card::List
        }
        (Kind::Bool | Kind::Int | Kind::Uint | Kind::Float, _) => false,
        (_, Content::Bytes(_)) => true,
        _ => false,
    }
}

/// Whether a value of this kind is a message on the wire.
pub(super) fn is_message(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Bool | Kind::Int | Kind::Uint | Kind::Float | Kind::Str | Kind::Bytes
    )
}

/// Whether Go leaves out this value although it is on the wire. `omitempty` does not apply to structs.
pub(super) fn is_left_out(slot: &Slot, content: Content<'_>) -> bool {
    let zero = match content {
        Content::Varint(v) => v == 0,
        Content::Fixed64(bits) => bits << 1 == 0, // a negative zero is zero
        Content::Bytes(b)
            if matches!(
                slot.kind,
                Kind::Str | Kind::Bytes | Kind::Strings | Kind::Messages | Kind::TextMap
            ) =>
        {
            b.is_empty()
        }
        Content::Bytes(b) => {
            // Only meta/v1 Time has `omitzero`, and its nanoseconds are ignored.
            return slot.omit_zero() && timestamp(b).is_some_and(|(s, _)| is_zero_time((s, 0)));
        }
        Content::Fixed32(_) => false,
    };
    zero && slot.omit_empty()
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
