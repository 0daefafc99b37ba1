//! A message whose nested messages come in parts.

use crate::k8s::schema::{self, Block, Card, Message, Target};
use crate::wire::{Content, Reader, WireError, put_bytes};

use super::shapes::is_message;

/// Writes a message anew with the parts of each nested message joined to one, which is what
/// protobuf means by a singular message that comes more than once.
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
