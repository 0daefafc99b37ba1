//! Packs the generated rows of [`super::table`] into the arrays that the binary contains.
//!
//! The generated rows are readable constants: one line per field, with its name as a text. As static data each text
//! would cost 16 bytes plus a relocation at every program start. So `const fn`s evaluate the rows at compile time into
//! flat arrays of numbers and one text with all names. The rows themselves are not in the binary.
//!
//! **The arrays.** The slots (fields) of all message types are concatenated in [`SLOTS`]; a [`Message`] is a range of
//! it. [`TARGETS`] has, for each message, one entry per field number from 0 to the highest: the index of the slot
//! within the message, or `BLOCK` plus an index into [`BLOCKS`], or `NOWHERE`.
//!
//! **Example.** A message whose fields are `name` (number 1) and `uid` (number 3), and which is the first of the table:
//!
//! | array | content |
//! |---|---|
//! | `SLOTS` | `name`, `uid` |
//! | `TARGETS` | `NOWHERE`, 0, `NOWHERE`, 1 |
//! | `SORTED` and `NATURAL` | 0, 1 (`name` before `uid`) |
//! | `NAMES` | `,"name":,"uid":` |
//!
//! So [`Message::find`] with number 3 reads `TARGETS[3]`, which is slot 1. The slot's `name_at` is the offset of `uid`
//! in `NAMES`.
//!
//! **Inlined structs.** Go's JSON shows the fields of an inlined struct as fields of the outer one, but protobuf stores
//! the struct as a message of its own. The slots of the struct are therefore copied into the outer message, without a
//! target; the struct's field number leads to a [`Block`], which has the struct's type and the index of its first slot.

use super::super::sink::Name;
use super::rows::{Card, Flat, INLINED, Kind, OMIT, REMOVED, ZERO};
use super::table::{ROOTS, SOURCE};

/// One JSON field of a message type.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    name_at: u32,
    /// The field number, within the message (or inlined struct) that contains the field.
    pub number: u16,
    /// The message type of a value whose kind is [`Kind::Message`], or of a schema.
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

    /// The name as a key that sinks need not escape.
    #[must_use]
    #[inline]
    pub fn key(&self) -> Name {
        let at = (self.name_at as usize).saturating_sub(NAME_HEAD.len());
        let len = usize::from(self.name_len).saturating_add(NAME_FRAME);
        Name::from_json_key(NAMES.get(at..at.saturating_add(len)).unwrap_or_default())
    }

    /// Whether Go leaves out a zero or absent value (`omitempty`).
    #[must_use]
    #[inline]
    pub fn omit_empty(&self) -> bool {
        self.flags & OMIT != 0
    }

    /// Whether Go leaves out a zero struct too (`omitzero`).
    #[must_use]
    #[inline]
    pub fn omit_zero(&self) -> bool {
        self.flags & ZERO != 0
    }

    /// Whether a newer Kubernetes release has removed this field. Then it is not printed if it is absent.
    #[must_use]
    #[inline]
    pub fn is_removed(&self) -> bool {
        self.flags & REMOVED != 0
    }

    /// Whether the field can be nil in Go.
    #[must_use]
    #[inline]
    pub const fn has_nil(&self) -> bool {
        !matches!(self.card, Card::One)
            || matches!(
                self.kind,
                Kind::Bytes | Kind::Strings | Kind::Messages | Kind::TextMap
            )
    }

    /// The map of texts inside a [`Kind::TextMap`], as a slot.
    #[must_use]
    pub const fn inner_map(&self) -> Self {
        Self {
            number: 1,
            kind: Kind::Str,
            card: Card::Map,
            ..*self
        }
    }

    /// Whether Go prints `null` if the field is not on the wire.
    const fn is_null_when_absent(&self) -> bool {
        self.flags & (REMOVED | OMIT) == 0 && self.has_nil()
    }
}

/// An inlined struct of a message.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// Its type, an index like [`Slot::message_type`].
    pub message_type: u16,
    /// The index of its first slot among the slots of the outer message.
    pub base: u16,
}

/// What a field number refers to.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// A slot, by its index in the message.
    Slot(usize),
    /// An inlined struct: the bytes are a message whose fields are slots of the outer message.
    Block(Block),
}

/// A message type: ranges in the flat arrays.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    slots_at: u16,
    slots_len: u16,
    targets_at: u16,
    targets_len: u16,
    null_when_absent: u64,
}

impl Message {
    /// All JSON fields, including inlined ones, in the order of the Go declaration; at most [`MAX_SLOTS`].
    #[must_use]
    #[inline]
    pub fn slots(&self) -> &'static [Slot] {
        range(&SLOTS, self.slots_at, self.slots_len)
    }

    /// The indexes of [`Self::slots`], sorted by the bytes of the names.
    #[must_use]
    #[inline]
    pub fn sorted(&self) -> &'static [u8] {
        range(&SORTED, self.slots_at, self.slots_len)
    }

    /// The place of each slot in [`Self::sorted`].
    #[must_use]
    #[inline]
    pub fn sorted_places(&self) -> &'static [u8] {
        range(&SORTED_PLACES, self.slots_at, self.slots_len)
    }

    /// The indexes of [`Self::slots`] in go-yaml's natural order of the names.
    #[must_use]
    #[inline]
    pub fn natural(&self) -> &'static [u8] {
        range(&NATURAL, self.slots_at, self.slots_len)
    }

    /// The place of each slot in [`Self::natural`].
    #[must_use]
    #[inline]
    pub fn natural_places(&self) -> &'static [u8] {
        range(&NATURAL_PLACES, self.slots_at, self.slots_len)
    }

    /// The slots for which Go prints `null` if they are not on the wire, one bit per slot.
    #[must_use]
    #[inline]
    pub fn null_when_absent(&self) -> u64 {
        self.null_when_absent
    }

    /// The slot or inlined struct with this field number.
    #[must_use]
    #[inline]
    pub fn find(&self, number: u32) -> Option<Target> {
        if number >= u32::from(self.targets_len) {
            return None;
        }
        let at = usize::from(self.targets_at).saturating_add(number as usize);
        match *TARGETS.get(at)? {
            NOWHERE => None,
            slot @ ..BLOCK => Some(Target::Slot(usize::from(slot))),
            block => {
                let block = BLOCKS.get(usize::from(block.wrapping_sub(BLOCK)))?;
                Some(Target::Block(*block))
            }
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

/// A kind in packed form.
#[derive(Debug, Clone, Copy)]
pub struct PackedRoot {
    text_at: u32,
    api_version_len: u8,
    kind_len: u8,
    /// Index of the type.
    pub message_type: u16,
    /// Minor release of the first module that has the kind.
    pub first: u8,
    /// Minor release of the last module that has the kind.
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

// ---- evaluated at compile time ----

/// Targets from this value on are indexes of blocks, plus this value.
const BLOCK: u16 = 0x8000;
/// The target of a number that no field has.
const NOWHERE: u16 = u16::MAX;

/// The maximal number of slots of a message: the decoder tracks the fields it has seen as bits of a `u64`.
pub const MAX_SLOTS: usize = 64;

/// Each name is stored as JSON text after another field, `,"name":`, so that a JSON writer copies one text.
const NAME_HEAD: &str = ",\"";
const NAME_TAIL: &str = "\":";
const NAME_FRAME: usize = NAME_HEAD.len() + NAME_TAIL.len();

struct Totals {
    slots: usize,
    blocks: usize,
    targets: usize,
    names: usize,
}

/// Counts the elements of all arrays, and checks that they fit their index types.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a bad index is an error"
)]
const fn totals() -> Totals {
    let mut t = Totals {
        slots: 0,
        blocks: 0,
        targets: 0,
        names: 0,
    };
    let mut m = 0;
    while m < SOURCE.len() {
        let flat = &SOURCE[m];
        let mut s = 0;
        while s < flat.slots.len() {
            t.names += flat.slots[s].name.len() + NAME_FRAME;
            s += 1;
        }
        assert!(s <= MAX_SLOTS && flat.sorted.len() == s && flat.natural.len() == s);
        t.slots += s;
        t.blocks += flat.blocks.len();
        t.targets += targets_len(flat);
        m += 1;
    }
    let mut r = 0;
    while r < ROOTS.len() {
        t.names += ROOTS[r].api_version.len() + ROOTS[r].kind.len();
        r += 1;
    }
    assert!(t.slots < 1 << 16 && t.targets < 1 << 16);
    assert!(t.blocks < (NOWHERE - BLOCK) as usize);
    t
}

/// The highest field number of a message plus 1.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn targets_len(flat: &Flat) -> usize {
    let (mut len, mut s, mut b) = (0, 0, 0);
    while s < flat.slots.len() {
        let end = flat.slots[s].number as usize + 1;
        if flat.slots[s].flags & INLINED == 0 && end > len {
            len = end;
        }
        s += 1;
    }
    while b < flat.blocks.len() {
        let end = flat.blocks[b].number as usize + 1;
        if end > len {
            len = end;
        }
        b += 1;
    }
    len
}

const TOTALS: Totals = totals();

static SLOTS: [Slot; TOTALS.slots] = pack_slots();
static SORTED: [u8; TOTALS.slots] = pack_order(false);
static NATURAL: [u8; TOTALS.slots] = pack_order(true);
static SORTED_PLACES: [u8; TOTALS.slots] = pack_places(&SORTED);
static NATURAL_PLACES: [u8; TOTALS.slots] = pack_places(&NATURAL);
static BLOCKS: [Block; TOTALS.blocks] = pack_blocks();
static TARGETS: [u16; TOTALS.targets] = pack_targets();
static NAME_BYTES: [u8; TOTALS.names] = pack_names();
static NAMES: &str = match core::str::from_utf8(&NAME_BYTES) {
    Ok(text) => text,
    Err(_) => "",
};

/// All message types, by index.
pub(super) static MESSAGES: [Message; SOURCE.len()] = pack_messages();

/// All kinds, sorted by apiVersion and kind.
pub(super) static KINDS: [PackedRoot; ROOTS.len()] = pack_roots();

/// The slots of all messages.
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
                name_at: (name + NAME_HEAD.len()) as u32,
                number: row.number,
                message_type: row.message_type,
                name_len: row.name.len() as u8,
                kind: row.kind,
                card: row.card,
                flags: row.flags,
            };
            name += row.name.len() + NAME_FRAME;
            n += 1;
            s += 1;
        }
        m += 1;
    }
    out
}

/// The sorted (or natural) order of the slots of all messages.
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

/// The inverse of an order: the place of each slot in it.
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; totals() checks the sizes"
)]
const fn pack_places(order: &[u8; TOTALS.slots]) -> [u8; TOTALS.slots] {
    let mut out = [0; TOTALS.slots];
    let (mut m, mut first) = (0, 0);
    while m < SOURCE.len() {
        let mut place = 0;
        while place < SOURCE[m].slots.len() {
            out[first + order[first + place] as usize] = place as u8;
            place += 1;
        }
        first += place;
        m += 1;
    }
    out
}

/// The inlined structs of all messages.
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

/// The targets of all messages, each from field number 0 on.
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; totals() checks the sizes"
)]
const fn pack_targets() -> [u16; TOTALS.targets] {
    let mut out = [NOWHERE; TOTALS.targets];
    let (mut m, mut first, mut blocks) = (0, 0, 0);
    while m < SOURCE.len() {
        let flat = &SOURCE[m];
        let mut s = 0;
        while s < flat.slots.len() {
            if flat.slots[s].flags & INLINED == 0 {
                set(&mut out, first + flat.slots[s].number as usize, s as u16);
            }
            s += 1;
        }
        let mut b = 0;
        while b < flat.blocks.len() {
            let at = first + flat.blocks[b].number as usize;
            set(&mut out, at, BLOCK + blocks);
            blocks += 1;
            b += 1;
        }
        first += targets_len(flat);
        m += 1;
    }
    out
}

/// Sets a target.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn set(out: &mut [u16; TOTALS.targets], at: usize, target: u16) {
    assert!(out[at] == NOWHERE, "a field number is used twice");
    out[at] = target;
}

/// All names: those of slots with their JSON frame, then apiVersion and kind of each root.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pack_names() -> [u8; TOTALS.names] {
    let mut out = [0; TOTALS.names];
    let (mut m, mut n) = (0, 0);
    while m < SOURCE.len() {
        let mut s = 0;
        while s < SOURCE[m].slots.len() {
            n = copy(&mut out, n, NAME_HEAD);
            n = copy(&mut out, n, SOURCE[m].slots[s].name);
            n = copy(&mut out, n, NAME_TAIL);
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

/// Copies a name to an offset; returns the offset after it.
const fn copy(out: &mut [u8; TOTALS.names], at: usize, name: &str) -> usize {
    let (_, rest) = out.split_at_mut(at);
    let (place, _) = rest.split_at_mut(name.len());
    place.copy_from_slice(name.as_bytes());
    at + name.len()
}

/// The messages: their ranges in the arrays.
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; totals() checks the sizes"
)]
const fn pack_messages() -> [Message; SOURCE.len()] {
    let mut out = [Message {
        slots_at: 0,
        slots_len: 0,
        targets_at: 0,
        targets_len: 0,
        null_when_absent: 0,
    }; SOURCE.len()];
    let (mut m, mut slots, mut targets) = (0, 0, 0);
    while m < SOURCE.len() {
        let flat = &SOURCE[m];
        let (mut s, mut null_when_absent) = (0, 0);
        while s < flat.slots.len() {
            if SLOTS[slots + s].is_null_when_absent() {
                null_when_absent |= 1 << s;
            }
            s += 1;
        }
        out[m] = Message {
            slots_at: slots as u16,
            slots_len: s as u16,
            targets_at: targets as u16,
            targets_len: targets_len(flat) as u16,
            null_when_absent,
        };
        slots += s;
        targets += targets_len(flat);
        m += 1;
    }
    out
}

/// The kinds. Their texts are at the end of the names.
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
