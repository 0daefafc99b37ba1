//! Decodes messages whose type is in the schema table.
//!
//! [`Work::scan`] goes over the message once and records in which slots (fields) it has values and where they are.
//! [`Walker::write_fields`] then writes them in the requested order. A field's *place* is its index in that order, so
//! that the set of present fields is a bit set (`u64`) whose lowest bit is the first field to write.

mod entries;
mod join;
mod pair;
mod shapes;
mod special;
mod values;

use crate::k8s::generic;
use crate::k8s::schema::{self, Block, Card, MAX_SLOTS, Message, Target};
use crate::k8s::sink::{Order, Sink};
use crate::wire::{Content, Reader, WireError};

use super::{ABSENT, MALFORMED, MAX_DEPTH, Span, TypeMeta, UNKNOWN_FIELDS, Walker, Work};
use join::join;
pub(in crate::k8s) use pair::{Lists, differing};
use shapes::{accepts, is_message};

/// How many messages may be joined inside each other, so that at most so many times the bytes of a value are copied. Whether a
/// message is joined depends on the messages around it alone, and not on the length of the value: [`differing`] leaves out
/// what has the same bytes in two values.
const MAX_JOINED: usize = 4;

/// The result of a scan, apart from the positions of the fields.
#[derive(Default)]
struct Found {
    /// The slots that have a value, as bits by their place in the requested order.
    present: u64,
    /// Whether the message has fields that are not in the table.
    unknown: bool,
    /// Whether a nested message that may occur once is split into several fields.
    parts: bool,
}

/// The names that are written between those of the slots in sorted orders: `$unknownFields`, `apiVersion` and `kind`.
struct Extras<'m> {
    meta: Option<TypeMeta<'m>>,
    unknown: bool,
    /// The index of the next of the three names.
    next: u8,
}

/// The part of a message that is scanned: the whole message, or an inlined struct's fields.
#[derive(Clone, Copy)]
struct Part {
    /// The offset of its bytes in the whole message.
    offset: usize,
    /// The index of the part's first slot among the slots of the whole.
    first: usize,
    /// The place of each slot in the requested order; None for the declared order, where it is the slot's index.
    places: Option<&'static [u8]>,
}

impl Part {
    /// A whole message.
    fn whole(ty: &Message, order: Order) -> Self {
        let places = match order {
            Order::Declared => None,
            Order::Sorted => Some(ty.sorted_places()),
            Order::Natural => Some(ty.natural_places()),
        };
        Self {
            offset: 0,
            first: 0,
            places,
        }
    }

    /// An inlined struct at an offset. `first` is the index of its first slot.
    fn inlined(self, offset: usize, first: u16) -> Self {
        Self {
            offset,
            first: self.first.saturating_add(usize::from(first)),
            ..self
        }
    }

    /// The place of a slot in the requested order.
    #[inline]
    fn place(&self, index: usize) -> u32 {
        let index = self.first.saturating_add(index);
        match self.places {
            None => to_u32(index),
            Some(places) => places
                .get(index)
                .map_or(u32::MAX, |place| u32::from(*place)),
        }
    }
}

impl Work {
    /// Scans a message and records the positions of its fields in the spans from `base` on.
    fn scan(
        &mut self,
        ty: &Message,
        buf: &[u8],
        order: Order,
        base: usize,
        found: &mut Found,
    ) -> Result<(), WireError> {
        let spans = self.spans.get_mut(base..).unwrap_or_default();
        scan(ty, buf, Part::whole(ty, order), spans, found)
    }
}

/// Scans a message (or an inlined part of one) and records the positions of its fields.
fn scan(
    ty: &Message,
    buf: &[u8],
    part: Part,
    spans: &mut [Span],
    found: &mut Found,
) -> Result<(), WireError> {
    let slots = ty.slots();
    let mut blocks = 0_u64;
    let mut reader = Reader::new(buf);
    while let Some(field) = reader.field()? {
        let end = part.offset.saturating_add(reader.position());
        match ty.find(field.number) {
            Some(Target::Slot(index)) => {
                let Some(slot) = slots.get(index).filter(|slot| accepts(slot, field.content))
                else {
                    found.unknown = true;
                    continue;
                };
                let place = part.place(index);
                let Some(span) = spans.get_mut(place as usize) else {
                    continue;
                };
                let bit = 1_u64.wrapping_shl(place);
                let is_repeated = found.present & bit != 0;
                found.present |= bit;
                let is_multiple = matches!(slot.card, Card::List | Card::Map);
                found.parts |= is_repeated && !is_multiple && is_message(slot.kind);
                span.start = match field.content {
                    _ if is_multiple && is_repeated => span.start,
                    Content::Bytes(content) if !is_multiple => {
                        to_u32(end.saturating_sub(content.len()))
                    }
                    _ => to_u32(part.offset.saturating_add(field.start)),
                };
                span.end = to_u32(end);
            }
            Some(Target::Block(block)) => {
                match (field.content, schema::message(block.message_type)) {
                    (Content::Bytes(inner), Some(ty)) => {
                        let bit = 1_u64.wrapping_shl(u32::from(block.base));
                        found.parts |= blocks & bit != 0;
                        blocks |= bit;
                        let offset = end.saturating_sub(inner.len());
                        scan(ty, inner, part.inlined(offset, block.base), spans, found)?;
                    }
                    _ => found.unknown = true,
                }
            }
            None => found.unknown = true,
        }
    }
    Ok(())
}

impl<S: Sink> Walker<'_, S> {
    /// Writes a nested message, or its bytes under [`MALFORMED`] if it cannot be decoded.
    pub(super) fn message(&mut self, ty: &'static Message, buf: &[u8], depth: u16) {
        if let Err(reason) = self.try_message(ty, buf, None, depth.saturating_add(1)) {
            self.note_malformed(reason);
            self.sink.begin_map();
            self.sink.key(MALFORMED);
            self.sink.base64(buf);
            self.sink.end_map();
        }
    }

    /// Writes a message. If it cannot be decoded, the reason is returned and nothing has been written.
    pub(super) fn try_message(
        &mut self,
        ty: &'static Message,
        buf: &[u8],
        meta: Option<TypeMeta<'_>>,
        depth: u16,
    ) -> Result<(), WireError> {
        if depth >= MAX_DEPTH {
            return Err(WireError::Depth);
        }
        let base = self.work.open(ty.slots().len());
        let mut found = Found::default();
        let mut result = self
            .work
            .scan(ty, buf, self.options.order, base, &mut found);
        if result.is_ok() && !found.parts {
            self.write_fields(ty, buf, base, meta, &found, depth);
        }
        self.work.close(base);
        if result.is_ok() && found.parts {
            let outer = self.joined;
            if outer >= MAX_JOINED {
                return Err(WireError::Depth);
            }
            let joined = join(ty, buf)?;
            self.joined = outer.saturating_add(1);
            result = self.try_message(ty, &joined, meta, depth.saturating_add(1));
            self.joined = outer;
        }
        result
    }

    /// Writes the fields of a message that has been scanned.
    fn write_fields(
        &mut self,
        ty: &'static Message,
        buf: &[u8],
        base: usize,
        meta: Option<TypeMeta<'_>>,
        found: &Found,
        depth: u16,
    ) {
        let slots = ty.slots();
        let order = match self.options.order {
            Order::Declared => None,
            Order::Sorted => Some(ty.sorted()),
            Order::Natural => Some(ty.natural()),
        };
        let mut extras = Extras {
            meta,
            unknown: found.unknown,
            next: 0,
        };
        let has_extras = meta.is_some() || found.unknown;
        self.sink.begin_map();
        if order.is_none() {
            self.type_meta(&mut extras);
        }
        let mut left = found.present | self.printed_when_absent(ty);
        while left != 0 {
            let place = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            let index = match order {
                None => place as usize,
                Some(order) => match order.get(place as usize) {
                    Some(index) => usize::from(*index),
                    None => break,
                },
            };
            let Some(slot) = slots.get(index) else {
                break;
            };
            if has_extras && order.is_some() {
                self.extras_before(Some(slot.name()), &mut extras, ty, buf, depth);
            }
            if found.present & 1_u64.wrapping_shl(place) == 0 {
                self.absent(slot, depth);
            } else {
                let span = self.work.span(base, place).map_or(ABSENT, |span| *span);
                self.present(slot, buf, span, depth);
            }
        }
        if has_extras {
            self.extras_before(None, &mut extras, ty, buf, depth);
        }
        self.sink.end_map();
    }

    /// The places of the slots for which something may be printed although they have no value.
    fn printed_when_absent(&self, ty: &Message) -> u64 {
        if self.options.as_served {
            let unused = MAX_SLOTS.saturating_sub(ty.slots().len());
            return u64::MAX.checked_shr(to_u32(unused)).unwrap_or(0);
        }
        let mut left = ty.null_when_absent();
        let places = match self.options.order {
            Order::Declared => return left,
            Order::Sorted => ty.sorted_places(),
            Order::Natural => ty.natural_places(),
        };
        let mut printed = 0;
        while left != 0 {
            let place = places.get(left.trailing_zeros() as usize);
            printed |= place.map_or(0, |place| 1_u64.wrapping_shl(u32::from(*place)));
            left &= left.wrapping_sub(1);
        }
        printed
    }

    /// Writes kind and apiVersion in Go's order.
    fn type_meta(&mut self, extras: &mut Extras<'_>) {
        if let Some(meta) = extras.meta.take() {
            self.text_field("kind", meta.kind);
            self.text_field("apiVersion", meta.api_version);
        }
    }

    /// Writes a text field unless it is empty.
    fn text_field(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.sink.key(key);
            self.sink.string(text);
        }
    }

    /// Writes those of `$unknownFields`, `apiVersion`, `kind` that come before `name` and have not been written yet.
    /// Both sorted orders agree on the order of these three.
    fn extras_before(
        &mut self,
        name: Option<&str>,
        extras: &mut Extras<'_>,
        ty: &'static Message,
        buf: &[u8],
        depth: u16,
    ) {
        while let Some(&key) = [UNKNOWN_FIELDS, "apiVersion", "kind"].get(usize::from(extras.next))
        {
            if name.is_some_and(|name| name < key) {
                return;
            }
            match (extras.next, extras.meta) {
                (0, _) if extras.unknown => {
                    self.sink.key(UNKNOWN_FIELDS);
                    self.sink.begin_list();
                    self.unknown_fields(ty, buf, depth);
                    self.sink.end_list();
                }
                (1, Some(meta)) => self.text_field(key, meta.api_version),
                (2, Some(meta)) => self.text_field(key, meta.kind),
                _ => {}
            }
            extras.next = extras.next.saturating_add(1);
        }
    }

    /// Writes, in wire order, the fields that [`Work::scan`] did not find in the table.
    fn unknown_fields(&mut self, ty: &'static Message, buf: &[u8], depth: u16) {
        let mut reader = Reader::new(buf);
        while let Ok(Some(field)) = reader.field() {
            match ty.find(field.number) {
                Some(Target::Slot(i))
                    if ty.slots().get(i).is_some_and(|s| accepts(s, field.content)) => {}
                Some(Target::Block(Block { message_type, .. }))
                    if field.content.bytes().is_some() =>
                {
                    if let (Some(ty), Some(inner)) =
                        (schema::message(message_type), field.content.bytes())
                    {
                        self.unknown_fields(ty, inner, depth);
                    }
                }
                _ => {
                    self.unknown_fields = self.unknown_fields.saturating_add(1);
                    generic::field(&field, self.options.order, self.sink, depth);
                }
            }
        }
    }

    /// Writes the fields of an object of unknown kind by number, without its metadata if that is written with names.
    pub(super) fn numbered_fields(&mut self, raw: &[u8], without_metadata: bool, depth: u16) {
        self.sink.key(UNKNOWN_FIELDS);
        self.sink.begin_list();
        let mut reader = Reader::new(raw);
        while let Ok(Some(field)) = reader.field() {
            if field.number != 1 || !without_metadata {
                generic::field(&field, self.options.order, self.sink, depth);
            }
        }
        self.sink.end_list();
    }
}

/// An offset as `u32`; [`super::decode`] refuses values of 4 GiB or more.
#[inline]
fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
