//! What a row of the generated table is made of: a field, an inlined struct, a message type, a kind.

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
    /// A message that wraps a list of messages of the field's type, in JSON the list alone (DeploymentTriggerPolicies).
    Messages,
    /// A message that wraps a map of texts, in JSON the map alone (OptionalNodeSelector).
    TextMap,
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
pub(super) const GONE: u8 = 4;
/// The field is in an inlined struct, a message of its own on the wire.
pub(super) const INLINED: u8 = 8;

/// One line of the table: a field.
#[derive(Clone, Copy)]
pub(super) struct SlotRow {
    pub(super) number: u16,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) message_type: u16,
    pub(super) card: Card,
    pub(super) flags: u8,
}

/// One inlined struct of a message.
#[derive(Clone, Copy)]
pub(super) struct BlockRow {
    pub(super) number: u16,
    pub(super) base: u16,
    pub(super) message_type: u16,
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
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) message_type: u16,
    pub(super) first: u8,
    pub(super) last: u8,
}

/// A field; with a kind comes the index of its type.
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

/// A field that the newest release of the type does not have.
pub(super) const fn gone(mut row: SlotRow) -> SlotRow {
    row.flags |= GONE;
    row
}

/// A field of an inlined struct.
pub(super) const fn inl(mut row: SlotRow) -> SlotRow {
    row.flags |= INLINED;
    row
}
