//! Reads the protobuf messages of the log into structs, and lists the fields of such a struct with their names.
//! Values stay borrowed from the file.
//!
//! The `messages!` macro declares a message once: its struct, its reader and its list of fields.
//!
//! A message counts as readable exactly if gogo's generated readers take it (`Unmarshal` of `raft_internal.pb.go`):
//! unknown fields are skipped, a known field of another wire type is an error. If a single field is written twice, the
//! last value counts, and messages are merged.

use std::marker::PhantomData;

use crate::wire;

/// How often a field may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Once. A value that is 0 or empty is not written.
    Single,
    /// Any number of times.
    Repeated,
    /// Once, in place of all other fields of a `oneof`. A value that is 0 or empty is written.
    Choice,
}

/// A value of a field.
#[derive(Clone, Copy)]
pub enum Value<'m, 'a> {
    /// A signed number.
    Int(i64),
    /// A number.
    Uint(u64),
    /// A boolean.
    Bool(bool),
    /// A number of an enum, and the names of the enum by number.
    Enum(u64, &'static [&'static str]),
    /// Bytes, or a text that was not checked.
    Bytes(&'a [u8]),
    /// A message.
    Message(&'m dyn Message<'a>),
}

/// A field that is present in a message.
pub struct Field<'m, 'a> {
    /// Its name in the declaration.
    pub name: &'static str,
    /// How often it may be written.
    pub label: Label,
    /// Whether it holds a password or a token.
    pub is_secret: bool,
    /// Its values; one unless it is repeated.
    pub values: Vec<Value<'m, 'a>>,
}

/// A message that was read.
pub trait Message<'a> {
    /// Its name in the declaration.
    fn name(&self) -> &'static str;

    /// The fields that are present, in the order of declaration.
    fn fields(&self) -> Vec<Field<'_, 'a>>;
}

/// Why bytes are not such a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It ends within a field, or a length goes beyond its end.
    #[error("cut")]
    Cut,
    /// A number is longer than 64 bits.
    #[error("a number of more than 64 bits")]
    Overflow,
    /// A field has a wrong or an unknown wire type.
    #[error("field {0} with a wrong wire type")]
    WireType(u64),
    /// Messages are nested too deep.
    #[error("messages nested more than {MAX_DEPTH} deep")]
    Depth,
    /// More values than a request can have.
    #[error("more than {MAX_VALUES} values")]
    Values,
}

/// How deep messages may be nested. Only nested transactions need depth, and no client nests more than a few.
pub const MAX_DEPTH: usize = 64;

/// How many values one request may have. etcd's default limit is 128 operations, and each has at most a dozen values.
pub const MAX_VALUES: usize = 1 << 20;

impl From<wire::WireError> for WireError {
    fn from(error: wire::WireError) -> Self {
        match error {
            wire::WireError::Varint { .. } => Self::Overflow,
            _ => Self::Cut,
        }
    }
}

/// Reads fields as gogo's generated readers do: the bits above 64 of a number are dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(wire::Reader<'a>);

impl<'a> Reader<'a> {
    /// A reader at the start of these bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(wire::Reader::new(bytes))
    }

    /// Whether all bytes were read.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_at_end()
    }

    /// The next varint, without the bits above 64.
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        Ok(self.0.truncated_varint()?)
    }

    /// The next length-delimited value: a varint with the length, then so many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.varint()?;
        Ok(self.0.take(len)?)
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

    /// Skips the value of field `number`. Groups (wire types 3 and 4) are an error.
    pub(super) fn skip(&mut self, number: u64, wire_type: u64) -> Result<(), WireError> {
        match wire_type {
            0 => drop(self.varint()?),
            1 => drop(self.0.take(8)?),
            2 => drop(self.bytes()?),
            5 => drop(self.0.take(4)?),
            _ => return Err(WireError::WireType(number)),
        }
        Ok(())
    }
}

/// The unread part of a message.
pub(crate) struct Input<'a, 'l> {
    reader: Reader<'a>,
    depth: usize,
    /// How many values the whole request may still have.
    left: &'l mut usize,
}

impl<'a> Input<'a, '_> {
    /// Counts one more value, against the limit of the whole request.
    fn count_value(&mut self) -> Result<(), WireError> {
        *self.left = self.left.checked_sub(1).ok_or(WireError::Values)?;
        Ok(())
    }

    /// Merges a message within this one into `message`.
    pub(super) fn message<M: ReadMessage<'a>>(
        &mut self,
        tag: Tag,
        message: &mut M,
    ) -> Result<(), WireError> {
        let bytes = self.bytes(tag)?;
        merge(message, bytes, self.depth.saturating_add(1), self.left)
    }

    /// Skips the value of a field.
    pub(super) fn skip(&mut self, tag: Tag) -> Result<(), WireError> {
        self.reader.skip(tag.number, tag.wire_type)
    }

    /// The value of a field whose wire type must be length-delimited (2).
    pub(super) fn bytes(&mut self, tag: Tag) -> Result<&'a [u8], WireError> {
        match tag.wire_type {
            2 => self.reader.bytes(),
            _ => Err(WireError::WireType(tag.number)),
        }
    }

    /// The value of a field whose wire type must be varint (0).
    pub(super) fn number(&mut self, tag: Tag) -> Result<u64, WireError> {
        match tag.wire_type {
            0 => self.reader.varint(),
            _ => Err(WireError::WireType(tag.number)),
        }
    }
}

/// Number and wire type of a field.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    pub(super) number: u64,
    wire_type: u64,
}

/// A message that can be read field by field.
pub(crate) trait ReadMessage<'a>: Message<'a> + Default {
    /// The numbers of its fields.
    const NUMBERS: &'static [u64];

    /// Reads the value of the field with this tag, which is one of [`Self::NUMBERS`].
    fn read_field(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError>;
}

/// Reads a message of a kind.
///
/// # Errors
/// [`WireError`]: the first fault.
pub(crate) fn read<'a, M: ReadMessage<'a>>(bytes: &'a [u8]) -> Result<M, WireError> {
    let mut message = M::default();
    let mut left = MAX_VALUES;
    merge(&mut message, bytes, 0, &mut left)?;
    Ok(message)
}

/// Reads the fields in `bytes` into `message`, which may have values already. `left` is how many values the whole
/// request may still have.
fn merge<'a, M: ReadMessage<'a>>(
    message: &mut M,
    bytes: &'a [u8],
    depth: usize,
    left: &mut usize,
) -> Result<(), WireError> {
    if depth >= MAX_DEPTH {
        return Err(WireError::Depth);
    }
    let mut input = Input {
        reader: Reader::new(bytes),
        depth,
        left,
    };
    while !input.reader.is_at_end() {
        let (number, wire_type) = input.reader.tag()?;
        if M::NUMBERS.contains(&number) {
            input.count_value()?;
            message.read_field(Tag { number, wire_type }, &mut input)?;
        } else {
            input.reader.skip(number, wire_type)?;
        }
    }
    Ok(())
}

/// Which fields of a message are present, one bit per field in the order of declaration. The lifetime is not used here:
/// the macro gives each message one, even if no field of it borrows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Present<'a>(u64, PhantomData<&'a ()>);

impl Present<'_> {
    /// The bit of field `number`, by its index in `numbers`. A message has fewer than 64 fields; 0 for any further
    /// field.
    fn bit(numbers: &[u64], number: u64) -> u64 {
        let place = numbers.iter().position(|known| *known == number);
        let place = place.and_then(|place| u32::try_from(place).ok());
        place
            .and_then(|place| 1_u64.checked_shl(place))
            .unwrap_or_default()
    }

    /// Marks field `number` as present. `numbers` are the fields of the message, in the order of declaration.
    pub(super) fn insert(&mut self, numbers: &[u64], number: u64) {
        self.0 |= Self::bit(numbers, number);
    }

    /// Whether field `number` is present.
    pub(super) fn contains(self, numbers: &[u64], number: u64) -> bool {
        self.0 & Self::bit(numbers, number) != 0
    }
}

/// The type of a field.
pub(super) trait FieldType<'a> {
    const LABEL: Label = Label::Single;
    const IS_SECRET: bool = false;

    /// Reads one value of the field from the input: it replaces a single value, is merged into a message, and is
    /// appended to a repeated field.
    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError>;

    /// Its values.
    fn values(&self) -> Vec<Value<'_, 'a>>;
}

impl<'a> FieldType<'a> for i64 {
    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        *self = input.number(tag)?.cast_signed();
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        vec![Value::Int(*self)]
    }
}

impl<'a> FieldType<'a> for u64 {
    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        *self = input.number(tag)?;
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        vec![Value::Uint(*self)]
    }
}

impl<'a> FieldType<'a> for bool {
    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        *self = input.number(tag)? != 0;
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        vec![Value::Bool(*self)]
    }
}

impl<'a> FieldType<'a> for &'a [u8] {
    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        *self = input.bytes(tag)?;
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        vec![Value::Bytes(self)]
    }
}

/// A password or a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Secret<'a>(pub &'a [u8]);

impl<'a> FieldType<'a> for Secret<'a> {
    const IS_SECRET: bool = true;

    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        self.0.read(tag, input)
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        vec![Value::Bytes(self.0)]
    }
}

/// A message, boxed: most fields of most messages are absent.
impl<'a, M: ReadMessage<'a>> FieldType<'a> for Option<Box<M>> {
    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        let mut message = self.take().unwrap_or_default();
        input.message(tag, &mut *message)?;
        *self = Some(message);
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        let message = self.as_deref();
        message
            .map(|message| Value::Message(message))
            .into_iter()
            .collect()
    }
}

impl<'a, M: ReadMessage<'a>> FieldType<'a> for Vec<M> {
    const LABEL: Label = Label::Repeated;

    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        let mut message = M::default();
        input.message(tag, &mut message)?;
        self.push(message);
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        self.iter().map(|message| Value::Message(message)).collect()
    }
}

impl<'a> FieldType<'a> for Vec<&'a [u8]> {
    const LABEL: Label = Label::Repeated;

    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        self.push(input.bytes(tag)?);
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        self.iter().map(|bytes| Value::Bytes(bytes)).collect()
    }
}

/// Numbers one by one, or packed.
impl<'a> FieldType<'a> for Vec<u64> {
    const LABEL: Label = Label::Repeated;

    fn read(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        if tag.wire_type == 2 {
            let mut packed = Reader::new(input.bytes(tag)?);
            while !packed.is_at_end() {
                input.count_value()?;
                self.push(packed.varint()?);
            }
        } else {
            self.push(input.number(tag)?);
        }
        Ok(())
    }

    fn values(&self) -> Vec<Value<'_, 'a>> {
        self.iter().map(|number| Value::Uint(*number)).collect()
    }
}

/// Declares messages: `Struct "NameInTheDeclaration" { number "name" field: type, ... }`.
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        $name:ident $text:literal {
            $($number:literal $label:literal $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name<'a> {
            $(
                #[doc = concat!("Field `", $label, "`.")]
                pub $field: $type,
            )*
            present: $crate::etcd::wal::wire::Present<'a>,
        }

        impl<'a> $crate::etcd::wal::wire::Message<'a> for $name<'a> {
            fn name(&self) -> &'static str {
                $text
            }

            fn fields(&self) -> Vec<$crate::etcd::wal::wire::Field<'_, 'a>> {
                #[allow(unused_imports)]
                use $crate::etcd::wal::wire::{Field, FieldType, ReadMessage};
                let fields: Vec<Option<Field<'_, 'a>>> = vec![$(
                    self.present.contains(Self::NUMBERS, $number).then(|| Field {
                        name: $label,
                        label: <$type as FieldType<'a>>::LABEL,
                        is_secret: <$type as FieldType<'a>>::IS_SECRET,
                        values: self.$field.values(),
                    }),
                )*];
                fields.into_iter().flatten().collect()
            }
        }

        impl<'a> $crate::etcd::wal::wire::ReadMessage<'a> for $name<'a> {
            const NUMBERS: &'static [u64] = &[$($number,)*];

            fn read_field(
                &mut self,
                tag: $crate::etcd::wal::wire::Tag,
                input: &mut $crate::etcd::wal::wire::Input<'a, '_>,
            ) -> Result<(), $crate::etcd::wal::wire::WireError> {
                self.present.insert(Self::NUMBERS, tag.number);
                match tag.number {
                    $($number => $crate::etcd::wal::wire::FieldType::read(&mut self.$field, tag, input),)*
                    _ => input.skip(tag),
                }
            }
        }
    )*};
}

/// Declares enums whose numbers may be unknown to us: `Struct { Constant = number "name", ... }`, numbers from 0 without a
/// gap.
macro_rules! open_enums {
    ($(
        $(#[$meta:meta])*
        $name:ident { $($constant:ident = $number:literal $text:literal,)* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name(pub u64);

        impl $name {
            $(
                #[doc = concat!("`", $text, "`.")]
                pub const $constant: Self = Self($number);
            )*

            /// The names by number.
            pub const NAMES: &'static [&'static str] = &[$($text,)*];
        }

        impl<'a> $crate::etcd::wal::wire::FieldType<'a> for $name {
            fn read(
                &mut self,
                tag: $crate::etcd::wal::wire::Tag,
                input: &mut $crate::etcd::wal::wire::Input<'a, '_>,
            ) -> Result<(), $crate::etcd::wal::wire::WireError> {
                self.0 = input.number(tag)?;
                Ok(())
            }

            fn values(&self) -> Vec<$crate::etcd::wal::wire::Value<'_, 'a>> {
                vec![$crate::etcd::wal::wire::Value::Enum(self.0, Self::NAMES)]
            }
        }
    )*};
}

pub(super) use {messages, open_enums};
