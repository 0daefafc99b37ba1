//! Joins nested messages that are split into several fields.

use crate::k8s::schema::{self, Block, Card, Message, Target};
use crate::wire::{Content, Reader, WireError, put_bytes};

use super::shapes::is_message;

/// Copies a message with the parts of each nested message concatenated. Protobuf defines that a singular message field
/// which occurs several times is merged, and concatenating the encoded parts has this effect.
///
/// Example: field 1 with `name`, then field 1 with `uid`, becomes one field 1 with `name` and `uid`.
pub(super) fn join(ty: &Message, buf: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(buf.len());
    let mut joined: Vec<(u32, Option<Block>, Vec<u8>)> = Vec::new();
    let mut reader = Reader::new(buf);
    while let Some(field) = reader.field()? {
        let block = match ty.find(field.number) {
            Some(Target::Block(block)) => Some(block),
            Some(Target::Slot(i))
                if ty.slots().get(i).is_some_and(|s| {
                    is_message(s.kind) && !matches!(s.card, Card::List | Card::Map)
                }) =>
            {
                None
            }
            _ => {
                out.extend_from_slice(buf.get(field.start..reader.position()).unwrap_or_default());
                continue;
            }
        };
        let Content::Bytes(part) = field.content else {
            out.extend_from_slice(buf.get(field.start..reader.position()).unwrap_or_default());
            continue;
        };
        match joined.iter_mut().find(|j| j.0 == field.number) {
            Some(j) => j.2.extend_from_slice(part),
            None => joined.push((field.number, block, part.to_vec())),
        }
    }
    for (number, block, mut bytes) in joined {
        if let Some(inner) = block.and_then(|b| schema::message(b.message_type)) {
            bytes = join(inner, &bytes)?;
        }
        put_bytes(&mut out, number, &bytes);
    }
    Ok(out)
}
