//! Messages of etcd's requests, read by tables: every field is known by number, name and kind, and values stay
//! borrowed from the file.
//!
//! What counts as readable is what gogo's generated readers take (`Unmarshal` of `raft_internal.pb.go`): unknown
//! fields are passed over, a known field of another wire type is an error, of a single field that stands twice the
//! last value counts, messages are merged.

use crate::wire;

/// A kind of message: its fields in the order of their declaration.
#[derive(Debug)]
pub struct Message {
    /// Its name.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub number: u64,
    /// Its name in the declaration.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How often it may stand.
    pub label: Label,
    /// Whether it holds a password or a token.
    pub secret: bool,
}

/// How often a field may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Once; what is 0 or empty is not written.
    Single,
    /// Any number of times.
    Repeated,
    /// Once, in place of all others of the message's choice; also what is 0 or empty is written.
    Choice,
}

/// What a field holds.
#[derive(Debug)]
pub enum Kind {
    /// A signed number.
    Int,
    /// A number.
    Uint,
    /// Yes or no.
    Bool,
    /// One of these, by its number.
    Enum(&'static [&'static str]),
    /// Bytes, or a text that nobody has checked.
    Bytes,
    /// A message.
    Message(&'static Message),
}

/// A value of a field.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// A number as it stands.
    Number(u64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A message.
    Node(Node<'a>),
}

#[derive(Debug, Clone)]
enum Slot<'a> {
    One(Value<'a>),
    Many(Vec<Value<'a>>),
}

/// A message that was read.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    message: &'static Message,
    /// The fields that are there, by their place in the message. Of an empty message nothing is kept: a log may have
    /// one for every two bytes.
    slots: Vec<(usize, Slot<'a>)>,
}

/// Why bytes are not such a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It ends in the middle, or a length leads out of it.
    #[error("cut")]
    Cut,
    /// A number is longer than 64 bits.
    #[error("a number of more than 64 bits")]
    Overflow,
    /// A field has another wire type than it must have, or none that there is.
    #[error("field {0} with a wire type that it cannot have")]
    WireType(u64),
    /// Messages lie too deep in each other.
    #[error("messages in each other more than {MAX_DEPTH} deep")]
    Depth,
    /// More values than a request can have.
    #[error("more than {MAX_VALUES} values")]
    Values,
}

/// How deep messages may lie in each other. Transactions in transactions are the only ones that need depth, and no
/// client makes more than a few.
pub const MAX_DEPTH: usize = 64;

/// How many values one request may have: etcd's own limit is 128 operations unless it is raised, and each of them has
/// a dozen at most.
pub const MAX_VALUES: usize = 1 << 20;

/// Reads protobuf's wire format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(wire::Reader<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(wire::Reader::new(bytes))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_at_end()
    }

    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        self.0.truncated_varint().map_err(|error| match error {
            wire::WireError::Cut { .. } => WireError::Cut,
            _ => WireError::Overflow,
        })
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.varint()?;
        self.take(len)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], WireError> {
        self.0.take(len).map_err(|_| WireError::Cut)
    }

    /// Field number and wire type.
    pub(super) fn tag(&mut self) -> Result<(u64, u64), WireError> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return Err(WireError::WireType(number));
        }
        Ok((number, tag & 7))
    }

    pub(super) fn skip(&mut self, number: u64, wire_type: u64) -> Result<(), WireError> {
        match wire_type {
            0 => self.varint().map(drop),
            1 => self.take(8).map(drop),
            2 => self.bytes().map(drop),
            5 => self.take(4).map(drop),
            _ => Err(WireError::WireType(number)),
        }
    }
}

impl Message {
    /// Reads a message of this kind.
    ///
    /// # Errors
    /// [`WireError`]: the first thing that is none.
    pub fn read<'a>(&'static self, bytes: &'a [u8]) -> Result<Node<'a>, WireError> {
        let mut node = Node::empty(self);
        let mut left = MAX_VALUES;
        node.merge(bytes, 0, &mut left)?;
        Ok(node)
    }
}

impl<'a> Node<'a> {
    fn empty(message: &'static Message) -> Self {
        Self {
            message,
            slots: Vec::new(),
        }
    }

    fn merge(&mut self, bytes: &'a [u8], depth: usize, left: &mut usize) -> Result<(), WireError> {
        if depth >= MAX_DEPTH {
            return Err(WireError::Depth);
        }
        let mut reader = Reader::new(bytes);
        while !reader.is_at_end() {
            let (number, wire_type) = reader.tag()?;
            let fields = self.message.fields;
            let Some(place) = fields.iter().position(|field| field.number == number) else {
                reader.skip(number, wire_type)?;
                continue;
            };
            let Some(field) = fields.get(place) else {
                continue;
            };
            *left = left.checked_sub(1).ok_or(WireError::Values)?;
            let value = match (&field.kind, wire_type) {
                (Kind::Message(message), 2) => {
                    let bytes = reader.bytes()?;
                    let mut node = self
                        .take_single(place, field)
                        .unwrap_or(Node::empty(message));
                    node.merge(bytes, depth.saturating_add(1), left)?;
                    Value::Node(node)
                }
                (Kind::Bytes, 2) => Value::Bytes(reader.bytes()?),
                (Kind::Int | Kind::Uint | Kind::Bool | Kind::Enum(_), 0) => {
                    Value::Number(reader.varint()?)
                }
                // A packed list of numbers.
                (Kind::Uint | Kind::Int, 2) if field.label == Label::Repeated => {
                    let mut packed = Reader::new(reader.bytes()?);
                    while !packed.is_at_end() {
                        *left = left.checked_sub(1).ok_or(WireError::Values)?;
                        self.put(place, field, Value::Number(packed.varint()?));
                    }
                    continue;
                }
                _ => return Err(WireError::WireType(number)),
            };
            self.put(place, field, value);
        }
        Ok(())
    }

    /// The message that stands in a single field already: what follows is merged into it.
    fn take_single(&mut self, place: usize, field: &Field) -> Option<Self> {
        if field.label != Label::Single {
            return None;
        }
        let at = self
            .slots
            .binary_search_by_key(&place, |slot| slot.0)
            .ok()?;
        match self.slots.remove(at).1 {
            Slot::One(Value::Node(node)) => Some(node),
            _ => None,
        }
    }

    fn put(&mut self, place: usize, field: &Field, value: Value<'a>) {
        if field.label == Label::Choice {
            let fields = self.message.fields;
            let is_choice = |place: usize| {
                let field = fields.get(place);
                field.is_some_and(|field| field.label == Label::Choice)
            };
            self.slots.retain(|(place, _)| !is_choice(*place));
        }
        let found = self.slots.binary_search_by_key(&place, |slot| slot.0);
        let known = found.ok().and_then(|at| self.slots.get_mut(at));
        match (field.label, known) {
            (Label::Repeated, Some((_, Slot::Many(values)))) => values.push(value),
            (_, Some((_, slot))) => *slot = Slot::One(value),
            (label, None) => {
                let slot = match label {
                    Label::Repeated => Slot::Many(vec![value]),
                    Label::Single | Label::Choice => Slot::One(value),
                };
                let at = found.unwrap_or_else(|at| at);
                self.slots.insert(at, (place, slot));
            }
        }
    }

    /// The kind of message.
    pub fn message(&self) -> &'static Message {
        self.message
    }

    /// The fields that are there, in the order of declaration, with their values.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, &[Value<'a>])> {
        self.slots.iter().filter_map(|(place, slot)| {
            let field = self.message.fields.get(*place)?;
            let values = match slot {
                Slot::One(value) => std::slice::from_ref(value),
                Slot::Many(values) => values.as_slice(),
            };
            Some((field, values))
        })
    }

    /// The values of a field, by its name.
    pub fn all(&self, name: &str) -> &[Value<'a>] {
        let found = self.fields().find(|(field, _)| field.name == name);
        found.map_or(&[], |(_, values)| values)
    }

    /// The message in a field.
    pub fn node(&self, name: &str) -> Option<&Self> {
        match self.all(name).first() {
            Some(Value::Node(node)) => Some(node),
            _ => None,
        }
    }

    /// The messages in a repeated field.
    pub fn nodes(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.all(name).iter().filter_map(|value| match value {
            Value::Node(node) => Some(node),
            _ => None,
        })
    }

    /// The bytes in a field; empty where it is not there.
    pub fn bytes(&self, name: &str) -> &'a [u8] {
        match self.all(name).first() {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// The number in a field; 0 where it is not there.
    pub fn uint(&self, name: &str) -> u64 {
        match self.all(name).first() {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    /// The signed number in a field; 0 where it is not there.
    pub fn int(&self, name: &str) -> i64 {
        self.uint(name).cast_signed()
    }

    /// Whether a field says yes.
    pub fn flag(&self, name: &str) -> bool {
        self.uint(name) != 0
    }
}
