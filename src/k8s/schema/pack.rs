//! How the generated rows of [`super::table`] become the arrays which the binary carries.
//!
//! The rows are constants, one line a field, with names as texts; a reference in a static array
//! would cost 16 bytes and a relocation at every start of the program. So the compiler evaluates
//! the rows into flat arrays of numbers and one text of all names, and the rows themselves never
//! reach the binary.

use super::table::{ROOTS, SOURCE, Type};

/// What one value of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A varint, `true` or `false`.
    Bool,
    /// A varint, signed (two's complement in 64 bits).
    Int,
    /// A varint, unsigned.
    Uint,
    /// Eight bytes, a float64.
    Float,
    /// A text.
    Str,
    /// Bytes, in JSON as base64.
    Bytes,
    /// A message of the field's type.
    Message,
    /// meta/v1 Time: RFC 3339 with seconds.
    Time,
    /// meta/v1 MicroTime: RFC 3339 with six digits of the second.
    MicroTime,
    /// meta/v1 Duration: as Go prints a time.Duration.
    Duration,
    /// resource.Quantity: its text.
    Quantity,
    /// intstr.IntOrString: a number or a text.
    IntOrString,
    /// RawExtension, FieldsV1, apiextensions' JSON: bytes that are a document of their own.
    Embedded,
    /// JSONSchemaPropsOrBool; the field's type is that of the schema.
    SchemaOrBool,
    /// JSONSchemaPropsOrArray; the field's type is that of the schema.
    SchemaOrArray,
    /// JSONSchemaPropsOrStringArray; the field's type is that of the schema.
    SchemaOrStrings,
    /// A message that wraps a list of texts, in JSON the list alone (ExtraValue, Verbs).
    Strings,
}

/// How many values a field has, and whether it may have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Exactly one: Go writes it even when it is zero.
    One,
    /// None or one.
    Pointer,
    /// A list, nil when empty.
    List,
    /// A map with texts as keys, nil when empty.
    Map,
}

/// Go's `omitempty`.
pub(super) const OMIT: u8 = 1;
/// Go's `omitzero`.
pub(super) const ZERO: u8 = 2;
/// The newest release of the type has no such field.
const GONE: u8 = 4;
/// The field stands in an inlined struct, a message of its own on the wire.
const INLINED: u8 = 8;

/// One JSON field of a message type.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    name_at: u32,
    /// The number on the wire, within the message (or inlined block) that holds it.
    pub number: u16,
    /// The type of a [`Kind::Message`] or schema.
    pub message_type: u16,
    name_len: u8,
    /// The shape of one value.
    pub kind: Kind,
    /// How many values.
    pub card: Card,
    flags: u8,
}

impl Slot {
    /// The name in JSON.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &'static str {
        let at = self.name_at as usize;
        let end = at.saturating_add(usize::from(self.name_len));
        NAMES.get(at..end).unwrap_or_default()
    }

    /// Is a zero or absent value left out (`omitempty`)?
    #[must_use]
    pub fn omit_empty(&self) -> bool {
        self.flags & OMIT != 0
    }

    /// Is a zero struct left out too (`omitzero`)?
    #[must_use]
    pub fn omit_zero(&self) -> bool {
        self.flags & ZERO != 0
    }

    /// Has Kubernetes removed this field since? Then its absence says nothing.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.flags & GONE != 0
    }
}

/// Where the slots of an inlined struct begin.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// Its type, an index like [`Slot::message_type`].
    pub message_type: u16,
    /// The index of its first slot among the slots of the outer message.
    pub base: u16,
}

/// Where a field number leads.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// To a slot, by its index in the message.
    Slot(usize),
    /// To an inlined struct: the bytes are a message whose fields are slots of the outer one.
    Block(Block),
}

/// A message type: ranges of the flat arrays.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    slots_at: u16,
    slots_len: u16,
    wire_at: u16,
    wire_len: u16,
}

impl Message {
    /// All JSON fields, inlined ones too, in the order of Go's declaration.
    #[must_use]
    #[inline]
    pub fn slots(&self) -> &'static [Slot] {
        range(&SLOTS, self.slots_at, self.slots_len)
    }

    /// The indexes of [`Self::slots`] by the bytes of the names.
    #[must_use]
    pub fn sorted(&self) -> &'static [u8] {
        range(&SORTED, self.slots_at, self.slots_len)
    }

    /// The indexes of [`Self::slots`] in go-yaml's natural order of the names.
    #[must_use]
    pub fn natural(&self) -> &'static [u8] {
        range(&NATURAL, self.slots_at, self.slots_len)
    }

    /// Where field `number` leads. Writers go upwards, so `hint` remembers the last place: start
    /// with 0 and pass the same variable for all fields of a message.
    #[must_use]
    #[inline]
    pub fn find(&self, number: u32, hint: &mut usize) -> Option<Target> {
        let wire: &[(u16, u16)] = range(&WIRE, self.wire_at, self.wire_len);
        let at = |i: usize| wire.get(i).filter(|w| u32::from(w.0) == number);
        let found = if let Some(w) = at(*hint) {
            w
        } else if let Some(w) = at(hint.wrapping_add(1)) {
            *hint = hint.wrapping_add(1);
            w
        } else {
            *hint = wire
                .binary_search_by_key(&number, |w| u32::from(w.0))
                .ok()?;
            wire.get(*hint)?
        };
        match found.1.checked_sub(BLOCK) {
            None => Some(Target::Slot(usize::from(found.1))),
            Some(i) => BLOCKS.get(usize::from(i)).copied().map(Target::Block),
        }
    }
}

#[inline]
fn range<T>(array: &'static [T], at: u16, len: u16) -> &'static [T] {
    let at = usize::from(at);
    array
        .get(at..at.saturating_add(usize::from(len)))
        .unwrap_or_default()
}

/// A kind, as packed.
#[derive(Debug, Clone, Copy)]
pub struct PackedRoot {
    text_at: u32,
    api_version_len: u8,
    kind_len: u8,
    /// Index of the type.
    pub message_type: u16,
    /// Minor release of the first module that has it.
    pub first: u8,
    /// Minor release of the last module that has it.
    pub last: u8,
}

impl PackedRoot {
    /// `group/version`, or `version` for the core group.
    #[must_use]
    pub fn api_version(&self) -> &'static str {
        let at = self.text_at as usize;
        NAMES
            .get(at..at.saturating_add(usize::from(self.api_version_len)))
            .unwrap_or_default()
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        let at = (self.text_at as usize).saturating_add(usize::from(self.api_version_len));
        NAMES
            .get(at..at.saturating_add(usize::from(self.kind_len)))
            .unwrap_or_default()
    }
}

// ---- the rows of the table ----

/// One line of the table: a field.
#[derive(Clone, Copy)]
pub(super) struct SlotRow {
    number: u16,
    name: &'static str,
    kind: Kind,
    message_type: u16,
    card: Card,
    flags: u8,
}

/// One inlined struct of a message.
#[derive(Clone, Copy)]
pub(super) struct BlockRow {
    number: u16,
    base: u16,
    message_type: u16,
}

/// One message type of the table.
pub(super) struct Flat {
    pub(super) slots: &'static [SlotRow],
    pub(super) blocks: &'static [BlockRow],
    pub(super) sorted: &'static [u8],
    pub(super) natural: &'static [u8],
}

/// The whole table.
pub(super) type Source = &'static [Flat];

/// One kind of the table.
pub(super) struct Root {
    api_version: &'static str,
    kind: &'static str,
    message_type: u16,
    first: u8,
    last: u8,
}

pub(super) const fn ty(kind: Kind, message: Type) -> (Kind, u16) {
    (kind, message as u16)
}

pub(super) const fn slot(
    number: u16,
    name: &'static str,
    kind: (Kind, u16),
    card: Card,
    flags: u8,
) -> SlotRow {
    SlotRow {
        number,
        name,
        kind: kind.0,
        message_type: kind.1,
        card,
        flags,
    }
}

pub(super) const fn gone(mut row: SlotRow) -> SlotRow {
    row.flags |= GONE;
    row
}

pub(super) const fn inl(mut row: SlotRow) -> SlotRow {
    row.flags |= INLINED;
    row
}

pub(super) const fn block(number: u16, base: u16, message: Type) -> BlockRow {
    BlockRow {
        number,
        base,
        message_type: message as u16,
    }
}

pub(super) const fn root(
    api_version: &'static str,
    kind: &'static str,
    message: Type,
    first: u8,
    last: u8,
) -> Root {
    Root {
        api_version,
        kind,
        message_type: message as u16,
        first,
        last,
    }
}

// ---- evaluated by the compiler ----

/// Targets from here on are blocks.
const BLOCK: u16 = 0x8000;

struct Totals {
    slots: usize,
    blocks: usize,
    wire: usize,
    names: usize,
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a bad index is an error"
)]
const fn totals() -> Totals {
    let mut t = Totals {
        slots: 0,
        blocks: 0,
        wire: 0,
        names: 0,
    };
    let mut m = 0;
    while m < SOURCE.len() {
        let flat = &SOURCE[m];
        let mut s = 0;
        while s < flat.slots.len() {
            t.names += flat.slots[s].name.len();
            if flat.slots[s].flags & INLINED == 0 {
                t.wire += 1;
            }
            s += 1;
        }
        assert!(flat.slots.len() < 256 && flat.sorted.len() == s && flat.natural.len() == s);
        t.slots += s;
        t.blocks += flat.blocks.len();
        t.wire += flat.blocks.len();
        m += 1;
    }
    let mut r = 0;
    while r < ROOTS.len() {
        t.names += ROOTS[r].api_version.len() + ROOTS[r].kind.len();
        r += 1;
    }
    assert!(t.slots < 1 << 16 && t.wire < 1 << 16 && t.blocks < BLOCK as usize);
    t
}

const TOTALS: Totals = totals();

static SLOTS: [Slot; TOTALS.slots] = pack_slots();
static SORTED: [u8; TOTALS.slots] = pack_order(false);
static NATURAL: [u8; TOTALS.slots] = pack_order(true);
static BLOCKS: [Block; TOTALS.blocks] = pack_blocks();
static WIRE: [(u16, u16); TOTALS.wire] = pack_wire();
static NAME_BYTES: [u8; TOTALS.names] = pack_names();
static NAMES: &str = match core::str::from_utf8(&NAME_BYTES) {
    Ok(text) => text,
    Err(_) => "",
};

/// All message types, by index.
pub(super) static MESSAGES: [Message; SOURCE.len()] = pack_messages();

/// All kinds, sorted by apiVersion and kind.
pub(super) static KINDS: [PackedRoot; ROOTS.len()] = pack_roots();

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; totals() checks the sizes"
)]
const fn pack_slots() -> [Slot; TOTALS.slots] {
    let mut out = [Slot {
        name_at: 0,
        number: 0,
        message_type: 0,
        name_len: 0,
        kind: Kind::Bool,
        card: Card::One,
        flags: 0,
    }; TOTALS.slots];
    let (mut m, mut n, mut name) = (0, 0, 0);
    while m < SOURCE.len() {
        let mut s = 0;
        while s < SOURCE[m].slots.len() {
            let row = SOURCE[m].slots[s];
            out[n] = Slot {
                name_at: name as u32,
                number: row.number,
                message_type: row.message_type,
                name_len: row.name.len() as u8,
                kind: row.kind,
                card: row.card,
                flags: row.flags,
            };
            name += row.name.len();
            n += 1;
            s += 1;
        }
        m += 1;
    }
    out
}

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pack_order(natural: bool) -> [u8; TOTALS.slots] {
    let mut out = [0; TOTALS.slots];
    let (mut m, mut n) = (0, 0);
    while m < SOURCE.len() {
        let order = if natural {
            SOURCE[m].natural
        } else {
            SOURCE[m].sorted
        };
        let mut s = 0;
        while s < order.len() {
            out[n] = order[s];
            n += 1;
            s += 1;
        }
        m += 1;
    }
    out
}

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pack_blocks() -> [Block; TOTALS.blocks] {
    let mut out = [Block {
        message_type: 0,
        base: 0,
    }; TOTALS.blocks];
    let (mut m, mut n) = (0, 0);
    while m < SOURCE.len() {
        let mut b = 0;
        while b < SOURCE[m].blocks.len() {
            let row = SOURCE[m].blocks[b];
            out[n] = Block {
                message_type: row.message_type,
                base: row.base,
            };
            n += 1;
            b += 1;
        }
        m += 1;
    }
    out
}

/// Field numbers and where they lead, sorted by number within a message.
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; totals() checks the sizes"
)]
const fn pack_wire() -> [(u16, u16); TOTALS.wire] {
    let mut out = [(0, 0); TOTALS.wire];
    let (mut m, mut n, mut blocks) = (0, 0, 0);
    while m < SOURCE.len() {
        let first = n;
        let mut s = 0;
        while s < SOURCE[m].slots.len() {
            if SOURCE[m].slots[s].flags & INLINED == 0 {
                insert(&mut out, first, n, (SOURCE[m].slots[s].number, s as u16));
                n += 1;
            }
            s += 1;
        }
        let mut b = 0;
        while b < SOURCE[m].blocks.len() {
            insert(
                &mut out,
                first,
                n,
                (SOURCE[m].blocks[b].number, BLOCK + blocks),
            );
            n += 1;
            blocks += 1;
            b += 1;
        }
        m += 1;
    }
    out
}

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn insert(
    out: &mut [(u16, u16); TOTALS.wire],
    first: usize,
    mut at: usize,
    entry: (u16, u16),
) {
    while at > first && out[at - 1].0 >= entry.0 {
        assert!(out[at - 1].0 != entry.0, "a field number is used twice");
        out[at] = out[at - 1];
        at -= 1;
    }
    out[at] = entry;
}

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pack_names() -> [u8; TOTALS.names] {
    let mut out = [0; TOTALS.names];
    let (mut m, mut n) = (0, 0);
    while m < SOURCE.len() {
        let mut s = 0;
        while s < SOURCE[m].slots.len() {
            n = copy(&mut out, n, SOURCE[m].slots[s].name);
            s += 1;
        }
        m += 1;
    }
    let mut r = 0;
    while r < ROOTS.len() {
        n = copy(&mut out, n, ROOTS[r].api_version);
        n = copy(&mut out, n, ROOTS[r].kind);
        r += 1;
    }
    out
}

const fn copy(out: &mut [u8; TOTALS.names], at: usize, name: &str) -> usize {
    let (_, rest) = out.split_at_mut(at);
    let (place, _) = rest.split_at_mut(name.len());
    place.copy_from_slice(name.as_bytes());
    at + name.len()
}

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; totals() checks the sizes"
)]
const fn pack_messages() -> [Message; SOURCE.len()] {
    let mut out = [Message {
        slots_at: 0,
        slots_len: 0,
        wire_at: 0,
        wire_len: 0,
    }; SOURCE.len()];
    let (mut m, mut slots, mut wire) = (0, 0, 0);
    while m < SOURCE.len() {
        let flat = &SOURCE[m];
        let (mut s, mut own) = (0, flat.blocks.len());
        while s < flat.slots.len() {
            if flat.slots[s].flags & INLINED == 0 {
                own += 1;
            }
            s += 1;
        }
        out[m] = Message {
            slots_at: slots as u16,
            slots_len: s as u16,
            wire_at: wire as u16,
            wire_len: own as u16,
        };
        slots += s;
        wire += own;
        m += 1;
    }
    out
}

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; texts are short"
)]
const fn pack_roots() -> [PackedRoot; ROOTS.len()] {
    let mut out = [PackedRoot {
        text_at: 0,
        api_version_len: 0,
        kind_len: 0,
        message_type: 0,
        first: 0,
        last: 0,
    }; ROOTS.len()];
    let mut texts = 0;
    let mut r = 0;
    while r < ROOTS.len() {
        texts += ROOTS[r].api_version.len() + ROOTS[r].kind.len();
        r += 1;
    }
    let mut at = TOTALS.names - texts;
    r = 0;
    while r < ROOTS.len() {
        let row = &ROOTS[r];
        out[r] = PackedRoot {
            text_at: at as u32,
            api_version_len: row.api_version.len() as u8,
            kind_len: row.kind.len() as u8,
            message_type: row.message_type,
            first: row.first,
            last: row.last,
        };
        at += row.api_version.len() + row.kind.len();
        r += 1;
    }
    out
}
