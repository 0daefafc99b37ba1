//! The walk over messages that the table knows.

use super::super::generic;
use super::super::order::{before, keep_last, sort_by};
use super::super::schema::{self, Block, Card, Kind, MAX_SLOTS, Message, Slot, Target};
use super::super::sink::{Order, Sink};
use super::super::special::{
    bytes, first_three, go_text, int, is_zero_time, only_bytes, time_len, timestamp,
    write_duration, write_time,
};
use super::{ABSENT, MALFORMED, MAX_DEPTH, Span, TypeMeta, UNKNOWN_FIELDS, Walker};
use crate::wire::{Content, Reader, WireError, put_bytes};

/// What reading over a message has shown besides the places of its fields.
#[derive(Default)]
struct Found {
    /// The slots that are there, a bit each, by their place in the order asked for.
    present: u64,
    /// There are fields that the table does not know.
    unknown: bool,
    /// A message, which should come once, came in parts.
    parts: bool,
}

/// Names that are told between those of the slots, in sorted orders.
struct Extras<'m> {
    meta: Option<TypeMeta<'m>>,
    unknown: bool,
    next: u8,
}

/// Which part of a message is read over: the whole, or an inlined struct's fields.
#[derive(Clone, Copy)]
struct Part {
    /// Where its bytes are in the whole.
    offset: usize,
    /// The first span of the whole.
    base: usize,
    /// The index of the part's first slot.
    first: usize,
    /// The place of each slot of the whole in the order asked for; None: that of its index.
    places: Option<&'static [u8]>,
}

impl Part {
    fn whole(ty: &Message, order: Order, base: usize) -> Self {
        let places = match order {
            Order::Declared => None,
            Order::Sorted => Some(ty.sorted_places()),
            Order::Natural => Some(ty.natural_places()),
        };
        Self {
            offset: 0,
            base,
            first: 0,
            places,
        }
    }

    fn inlined(self, offset: usize, first: u16) -> Self {
        Self {
            offset,
            first: self.first.saturating_add(usize::from(first)),
            ..self
        }
    }

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

/// The entries of one map, as they come on the wire; those that are none as errors.
#[derive(Clone)]
struct Entries<'m> {
    slot: &'m Slot,
    reader: Reader<'m>,
    end: usize,
}

fn entries<'m>(slot: &'m Slot, buf: &'m [u8], span: Span) -> Entries<'m> {
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
    fn are_in_order(mut self, order: Order) -> bool {
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
struct Entry<'b> {
    key: &'b [u8],
    value: Option<Content<'b>>,
}

impl<S: Sink> Walker<'_, S> {
    /// Tells a nested message; if it is not one, its bytes.
    pub(super) fn message(&mut self, ty: &'static Message, buf: &[u8], depth: u16) {
        if let Err(reason) = self.sound_message(ty, buf, None, depth.saturating_add(1)) {
            self.note_malformed(reason);
            self.sink.begin_map();
            self.sink.key(MALFORMED);
            self.sink.base64(buf);
            self.sink.end_map();
        }
    }

    /// Tells a message, or returns why it cannot be read before anything has been told.
    pub(super) fn sound_message(
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
        let mut result = self.scan(
            ty,
            buf,
            Part::whole(ty, self.options.order, base),
            &mut found,
        );
        if result.is_ok() && !found.parts {
            self.tell(ty, buf, base, meta, &found, depth);
        }
        self.work.close(base);
        if result.is_ok() && found.parts {
            result = match self.join_budget.checked_sub(buf.len()) {
                Some(left) => {
                    self.join_budget = left;
                    let joined = join(ty, buf)?;
                    self.sound_message(ty, &joined, meta, depth.saturating_add(1))
                }
                None => Err(WireError::Depth),
            };
        }
        result
    }

    /// Reads over a message (or an inlined part of one) and keeps where its fields are.
    fn scan(
        &mut self,
        ty: &Message,
        buf: &[u8],
        part: Part,
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
                    let bit = 1_u64.wrapping_shl(place);
                    let Some(span) = self.work.span(part.base, place) else {
                        continue;
                    };
                    let again = found.present & bit != 0;
                    found.present |= bit;
                    let many = matches!(slot.card, Card::List | Card::Map);
                    found.parts |= again && !many && is_message(slot.kind);
                    if !many || !again {
                        span.start = to_u32(part.offset.saturating_add(field.start));
                    }
                    span.end = to_u32(end);
                    if let (false, Content::Bytes(content)) = (many, field.content) {
                        span.start = to_u32(end.saturating_sub(content.len()));
                    }
                }
                Some(Target::Block(block)) => {
                    match (field.content, schema::message(block.message_type)) {
                        (Content::Bytes(inner), Some(ty)) => {
                            let bit = 1_u64.wrapping_shl(u32::from(block.base));
                            found.parts |= blocks & bit != 0;
                            blocks |= bit;
                            let offset = end.saturating_sub(inner.len());
                            self.scan(ty, inner, part.inlined(offset, block.base), found)?;
                        }
                        _ => found.unknown = true,
                    }
                }
                None => found.unknown = true,
            }
        }
        Ok(())
    }

    /// Tells the fields of a message that has been read over.
    fn tell(
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
        let any = meta.is_some() || found.unknown;
        self.sink.begin_map();
        if order.is_none() {
            self.type_meta(&mut extras);
        }
        let mut left = found.present | self.told_when_absent(ty);
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
            if any && order.is_some() {
                self.extras_before(Some(slot.name()), &mut extras, ty, buf, depth);
            }
            if found.present & 1_u64.wrapping_shl(place) == 0 {
                self.absent(slot, depth);
            } else {
                let span = self.work.span(base, place).map_or(ABSENT, |span| *span);
                self.present(slot, buf, span, depth);
            }
        }
        if any {
            self.extras_before(None, &mut extras, ty, buf, depth);
        }
        self.sink.end_map();
    }

    /// The places of the slots of which something may have to be told though they are not there.
    fn told_when_absent(&self, ty: &Message) -> u64 {
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
        let mut told = 0;
        while left != 0 {
            let place = places.get(left.trailing_zeros() as usize);
            told |= place.map_or(0, |place| 1_u64.wrapping_shl(u32::from(*place)));
            left &= left.wrapping_sub(1);
        }
        told
    }

    /// Go's order: kind, apiVersion.
    fn type_meta(&mut self, extras: &mut Extras<'_>) {
        if let Some(meta) = extras.meta.take() {
            self.text_field("kind", meta.kind);
            self.text_field("apiVersion", meta.api_version);
        }
    }

    fn text_field(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.sink.key(key);
            self.sink.string(text);
        }
    }

    /// Tells those of `$unknownFields`, `apiVersion`, `kind` that come before `name` and have not
    /// been told; both sorted orders agree on them.
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

    /// Tells, in the order of the bytes, what [`Self::scan`] could not place.
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

    /// Tells the fields of an object of unknown kind, but for its metadata if that is told by name.
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

    fn key(&mut self, slot: &Slot) {
        self.field = slot.key();
        self.sink.name(self.field);
    }

    /// What Go prints of a field that is not on the wire.
    fn absent(&mut self, slot: &Slot, depth: u16) {
        if slot.is_removed() {
            return;
        }
        if slot.has_nil() {
            if !slot.omit_empty() {
                self.key(slot);
                self.sink.null();
            }
        } else if self.options.as_served
            && !slot.omit_zero()
            && (is_message(slot.kind) || !slot.omit_empty())
        {
            self.key(slot);
            self.zero(slot, depth);
        }
    }

    fn zero(&mut self, slot: &Slot, depth: u16) {
        let content = match slot.kind {
            Kind::Bool | Kind::Int | Kind::Uint => Content::Varint(0),
            Kind::Float => Content::Fixed64(0),
            _ => Content::Bytes(b""),
        };
        self.value(slot, content, depth);
    }

    fn present(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        match slot.card {
            Card::List => self.list(slot, buf, span, depth),
            Card::Map => self.map(slot, buf, span, depth),
            Card::Pointer | Card::One => {
                let (start, end) = (span.start as usize, span.end as usize);
                let content = match slot.kind {
                    Kind::Bool | Kind::Int | Kind::Uint | Kind::Float => {
                        match Reader::new_at(buf, start).field() {
                            Ok(Some(field)) => field.content,
                            _ => return,
                        }
                    }
                    _ => Content::Bytes(buf.get(start..end).unwrap_or_default()),
                };
                if slot.card == Card::One && is_left_out(slot, content) {
                    return;
                }
                self.key(slot);
                self.value(slot, content, depth);
            }
        }
    }

    fn list(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        self.key(slot);
        self.sink.begin_list();
        let mut reader = Reader::new_at(buf, span.start as usize);
        while reader.position() < span.end as usize {
            let Ok(Some(field)) = reader.field() else {
                break;
            };
            if field.number != u32::from(slot.number) || !accepts(slot, field.content) {
                continue;
            }
            match (slot.kind, field.content) {
                (Kind::Bool | Kind::Int | Kind::Uint | Kind::Float, Content::Bytes(packed)) => {
                    self.packed(slot, packed, depth)
                }
                (_, content) => self.value(slot, content, depth),
            }
        }
        self.sink.end_list();
    }

    fn packed(&mut self, slot: &Slot, packed: &[u8], depth: u16) {
        let mut reader = Reader::new(packed);
        while reader.position() < packed.len() {
            let item = match slot.kind {
                Kind::Float => reader.fixed64().map(Content::Fixed64),
                _ => reader.varint().map(Content::Varint),
            };
            match item {
                Ok(content) => self.value(slot, content, depth),
                Err(reason) => {
                    self.note_malformed(reason);
                    let rest = packed.get(reader.position()..).unwrap_or_default();
                    return self.sink.base64(rest);
                }
            }
        }
    }

    /// Keys in order, the last of equal ones counts. Entries that are none are told under
    /// [`MALFORMED`].
    fn map(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        self.key(slot);
        let order = self.options.order;
        self.sink.begin_map();
        if entries(slot, buf, span).are_in_order(order) {
            for entry in entries(slot, buf, span).flatten() {
                self.entry(slot, entry, depth);
            }
        } else {
            self.unordered_map(slot, buf, span, depth);
        }
        self.sink.end_map();
    }

    fn unordered_map(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for entry in entries(slot, buf, span) {
            match entry {
                Ok(entry) => good.push(entry),
                Err(bytes) => bad.push(bytes),
            }
        }
        let order = self.options.order;
        keep_last(&mut good, |entry| entry.key);
        sort_by(&mut good, &mut |a, b| entry_before(order, a.key, b.key));
        if !bad.is_empty() {
            self.sink.key(MALFORMED);
            self.sink.begin_list();
            for bytes in bad {
                self.note_malformed(first_error(bytes));
                self.sink.base64(bytes);
            }
            self.sink.end_list();
        }
        for entry in good {
            self.entry(slot, entry, depth);
        }
    }

    fn entry(&mut self, slot: &Slot, entry: Entry<'_>, depth: u16) {
        self.field = slot.key();
        self.sink.key(&go_text(entry.key));
        match entry.value {
            Some(content) => self.value(slot, content, depth),
            None => self.zero(slot, depth),
        }
    }

    /// Tells one value of a field.
    fn value(&mut self, slot: &Slot, content: Content<'_>, depth: u16) {
        match (slot.kind, content) {
            (Kind::Bool, Content::Varint(v)) => self.sink.bool(v != 0),
            (Kind::Int, Content::Varint(v)) => self.sink.int(v.cast_signed()),
            (Kind::Uint, Content::Varint(v)) => match i64::try_from(v) {
                Ok(v) => self.sink.int(v),
                Err(_) => self.sink.uint(v),
            },
            (Kind::Float, Content::Fixed64(v)) => self.sink.float(f64::from_bits(v)),
            (Kind::Str, Content::Bytes(b)) => self.sink.text(b),
            (Kind::Bytes, Content::Bytes(b)) => self.sink.base64(b),
            (Kind::Message, Content::Bytes(b)) => match schema::message(slot.message_type) {
                Some(ty) => self.message(ty, b, depth),
                None => self.odd(b, depth),
            },
            (_, Content::Bytes(b)) => {
                if self.special(slot, b, depth).is_none() {
                    self.odd(b, depth);
                }
            }
            _ => self.sink.null(),
        }
    }

    /// A message of a special type with more in it than such types have: by number.
    fn odd(&mut self, payload: &[u8], depth: u16) {
        self.sink.begin_map();
        if generic::is_message(payload) {
            self.unknown_fields = self.unknown_fields.saturating_add(1);
            self.sink.key(UNKNOWN_FIELDS);
            generic::fields(payload, self.options.order, self.sink, depth);
        } else {
            let reason = first_error(payload);
            self.note_malformed(reason);
            self.sink.key(MALFORMED);
            self.sink.base64(payload);
        }
        self.sink.end_map();
    }

    /// Tells a value of a type with a JSON form of its own; None, with nothing told, if the
    /// payload is not of that type.
    fn special(&mut self, slot: &Slot, payload: &[u8], depth: u16) -> Option<()> {
        match slot.kind {
            Kind::Time | Kind::MicroTime => {
                let time = timestamp(payload)?;
                let text = &mut self.work.text;
                text.clear();
                let micro = slot.kind == Kind::MicroTime;
                if !write_time(time, micro, text) {
                    self.sink.null();
                } else if text.len() == time_len(micro) {
                    self.sink.time(text);
                } else {
                    self.sink.string(text);
                }
            }
            Kind::Duration => {
                let [nanos, None, None] = first_three(payload)? else {
                    return None;
                };
                let text = &mut self.work.text;
                text.clear();
                write_duration(int(nanos)?, text);
                self.sink.string(text);
            }
            Kind::Quantity => {
                let text = only_bytes(payload)?;
                self.sink.text(if text.is_empty() { b"0" } else { text });
            }
            Kind::IntOrString => {
                let [kind, number, text] = first_three(payload)?;
                match (int(kind)?, int(number)?, bytes(text)?) {
                    (0, number, _) => self.sink.int(number),
                    (1, _, text) => self.sink.text(text),
                    _ => return None,
                }
            }
            Kind::Embedded => {
                self.embedded(only_bytes(payload)?, depth);
            }
            Kind::Strings => self.strings(1, payload)?,
            _ => return self.schema_or(slot, payload, depth),
        }
        Some(())
    }

    /// A list of texts, in field `number`; other fields make the message an odd one.
    fn strings(&mut self, number: u32, payload: &[u8]) -> Option<()> {
        let mut reader = Reader::new(payload);
        while let Some(field) = reader.field().ok()? {
            field.content.bytes().filter(|_| field.number == number)?;
        }
        self.sink.begin_list();
        let mut reader = Reader::new(payload);
        while let Ok(Some(field)) = reader.field() {
            self.sink.text(field.content.bytes().unwrap_or_default());
        }
        self.sink.end_list();
        Some(())
    }

    /// apiextensions' unions of a schema with something else: `{1 allows, 2 schema}`, or
    /// `{1 schema, 2 a list}`.
    fn schema_or(&mut self, slot: &Slot, payload: &[u8], depth: u16) -> Option<()> {
        let ty = schema::message(slot.message_type)?;
        if slot.kind == Kind::SchemaOrBool {
            let [allows, schema, None] = first_three(payload)? else {
                return None;
            };
            match schema {
                Some(schema) => self.message(ty, schema.bytes()?, depth),
                None => self.sink.bool(int(allows)? != 0),
            }
            return Some(());
        }
        let (mut schema, mut items) = (None, Vec::new());
        let mut reader = Reader::new(payload);
        while let Some(field) = reader.field().ok()? {
            match (field.number, field.content) {
                (1, Content::Bytes(b)) => schema = Some(b),
                (2, Content::Bytes(b)) => items.push(b),
                _ => return None,
            }
        }
        match schema {
            _ if !items.is_empty() => {
                self.sink.begin_list();
                for item in items {
                    match slot.kind {
                        Kind::SchemaOrArray => self.message(ty, item, depth),
                        _ => self.sink.text(item),
                    }
                }
                self.sink.end_list();
            }
            Some(schema) => self.message(ty, schema, depth),
            None => self.sink.null(),
        }
        Some(())
    }
}

/// An offset; [`super::decode`] takes no value of 4 GiB or more.
fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// May a field of this shape have this wire type? Lists of numbers may be packed.
#[inline]
fn accepts(slot: &Slot, content: Content<'_>) -> bool {
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

/// Is one value of this kind a message on the wire?
fn is_message(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Bool | Kind::Int | Kind::Uint | Kind::Float | Kind::Str | Kind::Bytes
    )
}

/// Does Go leave out this value, which is on the wire? `omitempty` does nothing to structs.
fn is_left_out(slot: &Slot, content: Content<'_>) -> bool {
    let zero = match content {
        Content::Varint(v) => v == 0,
        Content::Fixed64(bits) => bits << 1 == 0, // a negative zero is zero
        Content::Bytes(b) if matches!(slot.kind, Kind::Str | Kind::Bytes | Kind::Strings) => {
            b.is_empty()
        }
        Content::Bytes(b) => {
            // Only meta/v1 Time is ever omitzero, and its nanoseconds do not count.
            return slot.omit_zero() && timestamp(b).is_some_and(|(s, _)| is_zero_time((s, 0)));
        }
        Content::Fixed32(_) => false,
    };
    zero && slot.omit_empty()
}

/// Reads a map's entry `{1 key, 2 value}`; None if it is anything else.
fn entry<'b>(slot: &Slot, bytes: &'b [u8]) -> Option<Entry<'b>> {
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

fn entry_before(order: Order, a: &[u8], b: &[u8]) -> bool {
    match order {
        Order::Natural => before(order, &go_text(a), &go_text(b)),
        _ => a < b,
    }
}

fn first_error(payload: &[u8]) -> WireError {
    let mut reader = Reader::new(payload);
    loop {
        match reader.field() {
            Ok(Some(_)) => {}
            Ok(None) => return WireError::Depth,
            Err(e) => return e,
        }
    }
}

/// Writes a message anew with the parts of each nested message joined to one, which is what
/// protobuf means by a singular message that comes more than once.
fn join(ty: &Message, buf: &[u8]) -> Result<Vec<u8>, WireError> {
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
