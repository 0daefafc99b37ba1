//! The entries of a map on the wire.

use crate::k8s::order::before;
use crate::k8s::schema::{Kind, Slot};
use crate::k8s::sink::Order;
use crate::k8s::special::{first_three, go_text};
use crate::wire::{Content, Reader};

use super::super::Span;

/// The entries of one map, as they come on the wire. A malformed entry is an error.
#[derive(Clone)]
pub(super) struct Entries<'m> {
    slot: &'m Slot,
    reader: Reader<'m>,
    end: usize,
}

pub(super) fn entries<'m>(slot: &'m Slot, buf: &'m [u8], span: Span) -> Entries<'m> {
    Entries {
        slot,
        reader: Reader::new_at(buf, span.start as usize),
        end: span.end as usize,
    }
}

impl<'m> Iterator for Entries<'m> {
    type Item = Result<Entry<'m>, &'m [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.reader.position() < self.end {
            let field = self.reader.field().ok()??;
            if let (true, Content::Bytes(bytes)) =
                (field.number == u32::from(self.slot.number), field.content)
            {
                return Some(entry(self.slot, bytes).ok_or(bytes));
            }
        }
        None
    }
}

impl Entries<'_> {
    /// Are all entries sound and in order, each key once? Writers sort them by their bytes, and only that order shows that
    /// no key comes twice.
    pub(super) fn are_in_order(mut self, order: Order) -> bool {
        let mut last: Option<&[u8]> = None;
        for entry in &mut self {
            let Ok(Entry { key, .. }) = entry else {
                return false;
            };
            if last.is_some_and(|last| last >= key || entry_before(order, key, last)) {
                return false;
            }
            last = Some(key);
        }
        true
    }
}

/// One entry of a map on the wire.
#[derive(Clone, Copy)]
pub(super) struct Entry<'b> {
    pub(super) key: &'b [u8],
    pub(super) value: Option<Content<'b>>,
}

/// Reads a map's entry `{1 key, 2 value}`; None if it is anything else.
pub(super) fn entry<'b>(slot: &Slot, bytes: &'b [u8]) -> Option<Entry<'b>> {
    let mut reader = Reader::new(bytes);
    let (key, value) = match (reader.field().ok()?, reader.field().ok()?) {
        // As writers have it: a key, a value, no more.
        (Some(key), Some(value))
            if key.number == 1 && value.number == 2 && reader.position() == bytes.len() =>
        {
            (Some(key.content), Some(value.content))
        }
        _ => match first_three(bytes)? {
            [key, value, None] => (key, value),
            _ => return None,
        },
    };
    let scalar = matches!(slot.kind, Kind::Bool | Kind::Int | Kind::Uint);
    let fits = match value {
        None => true,
        Some(Content::Varint(_)) => scalar,
        Some(Content::Fixed64(_)) => slot.kind == Kind::Float,
        Some(Content::Bytes(_)) => !scalar && slot.kind != Kind::Float,
        Some(Content::Fixed32(_)) => false,
    };
    let key = match key {
        None => &b""[..],
        Some(key) => key.bytes()?,
    };
    fits.then_some(Entry { key, value })
}

pub(super) fn entry_before(order: Order, a: &[u8], b: &[u8]) -> bool {
    match order {
        Order::Natural => before(order, &go_text(a), &go_text(b)),
        _ => a < b,
    }
}
