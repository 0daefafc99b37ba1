//! The entries of a protobuf map field. Each entry is a message `{1 key, 2 value}`.

use crate::k8s::order::before;
use crate::k8s::schema::{Kind, Slot};
use crate::k8s::sink::Order;
use crate::k8s::special::{first_three, go_text};
use crate::wire::{Content, Reader};

use super::super::Span;

/// The bytes of each field of a list or a map of messages, in wire order.
#[derive(Clone)]
pub(super) struct Items<'m> {
    slot: &'m Slot,
    reader: Reader<'m>,
    end: usize,
}

/// The fields of `slot` within a span.
pub(super) fn items<'m>(slot: &'m Slot, buf: &'m [u8], span: Span) -> Items<'m> {
    Items {
        slot,
        reader: Reader::new_at(buf, span.start as usize),
        end: span.end as usize,
    }
}

impl<'m> Iterator for Items<'m> {
    type Item = &'m [u8];

    fn next(&mut self) -> Option<&'m [u8]> {
        while self.reader.position() < self.end {
            let field = self.reader.field().ok()??;
            if let (true, Content::Bytes(bytes)) =
                (field.number == u32::from(self.slot.number), field.content)
            {
                return Some(bytes);
            }
        }
        None
    }
}

/// Iterates over the entries of one map in wire order. A malformed entry is an `Err` with its bytes.
#[derive(Clone)]
pub(super) struct Entries<'m>(Items<'m>);

/// The entries of the map field `slot` within a span.
pub(super) fn entries<'m>(slot: &'m Slot, buf: &'m [u8], span: Span) -> Entries<'m> {
    Entries(items(slot, buf, span))
}

impl<'m> Iterator for Entries<'m> {
    type Item = Result<Entry<'m>, &'m [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0.next()?;
        Some(entry(self.0.slot, bytes).ok_or(bytes))
    }
}

impl Entries<'_> {
    /// Whether all entries are well-formed and sorted, without a repeated key. Keys that are strictly ascending by bytes
    /// cannot repeat; natural order alone could not show that.
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

/// One entry of a map.
#[derive(Clone, Copy)]
pub(super) struct Entry<'b> {
    pub(super) key: &'b [u8],
    pub(super) value: Option<Content<'b>>,
}

/// Parses a map entry `{1 key, 2 value}`; None if it is malformed.
pub(super) fn entry<'b>(slot: &Slot, bytes: &'b [u8]) -> Option<Entry<'b>> {
    let mut reader = Reader::new(bytes);
    let (key, value) = match (reader.field().ok()?, reader.field().ok()?) {
        // The usual form: one key, one value, nothing else.
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
