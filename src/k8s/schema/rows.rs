//! The row types of the generated table: a field, an inlined struct, a message type, a kind.

/// The shape of one value of a field.
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
    /// RawExtension, FieldsV1, apiextensions' JSON: bytes that contain a document.
    Embedded,
    /// JSONSchemaPropsOrBool; the field's message type is the schema.
    SchemaOrBool,
    /// JSONSchemaPropsOrArray; the field's message type is the schema.
    SchemaOrArray,
    /// JSONSchemaPropsOrStringArray; the field's message type is the schema.
    SchemaOrStrings,
    /// A message that wraps a list of texts; JSON has only the list (ExtraValue, Verbs).
    Strings,
    /// A message that wraps a list of messages of the field's type; JSON has only the list (DeploymentTriggerPolicies).
    Messages,
    /// A message that wraps a map of texts; JSON has only the map (OptionalNodeSelector).
    TextMap,
}

/// How many values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Exactly one: Go writes it even if it is zero.
    One,
    /// None or one.
    Pointer,
    /// A list; nil if empty.
    List,
    /// A map with text keys; nil if empty.
    Map,
}

/// Go's `omitempty`.
pub(super) const OMIT: u8 = 1;
/// Go's `omitzero`.
pub(super) const ZERO: u8 = 2;
/// The newest release of the type no longer has this field.
pub(super) const REMOVED: u8 = 4;
/// The field belongs to an inlined struct, which is a message of its own on the wire.
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

/// Builds a field row; `kind` is the shape and the index of the message type.
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

/// Marks a field that the newest release of the type no longer has.
pub(super) const fn gone(mut row: SlotRow) -> SlotRow {
    row.flags |= REMOVED;
    row
}

/// Marks a field of an inlined struct.
pub(super) const fn inl(mut row: SlotRow) -> SlotRow {
    row.flags |= INLINED;
    row
}
