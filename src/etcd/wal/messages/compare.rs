//! A comparison of a transaction.

use crate::etcd::wal::wire::{
    Field, FieldType, Input, Label, Message, Present, ReadMessage, Tag, Value, WireError,
    open_enums,
};

open_enums! {
    /// How a comparison of a transaction compares.
    CompareResult {
        EQUAL = 0 "EQUAL",
        GREATER = 1 "GREATER",
        LESS = 2 "LESS",
        NOT_EQUAL = 3 "NOT_EQUAL",
    }

    /// What a comparison of a transaction compares.
    CompareTarget {
        VERSION = 0 "VERSION",
        CREATE = 1 "CREATE",
        MOD = 2 "MOD",
        VALUE = 3 "VALUE",
        LEASE = 4 "LEASE",
    }
}

/// A comparison of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compare<'a> {
    /// How it compares.
    pub result: CompareResult,
    /// What it compares.
    pub target: CompareTarget,
    /// The key, or the first one.
    pub key: &'a [u8],
    /// The first key after the range; empty for one key alone.
    pub range_end: &'a [u8],
    /// What it compares with.
    pub value: Option<CompareValue<'a>>,
    present: Present<'a>,
}

/// What a comparison compares with. A well-formed comparison has the one of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareValue<'a> {
    /// A version.
    Version(i64),
    /// A revision of creation.
    CreateRevision(i64),
    /// A revision of modification.
    ModRevision(i64),
    /// A value.
    Value(&'a [u8]),
    /// A lease.
    Lease(i64),
}

impl<'a> Compare<'a> {
    /// The version that it compares with; 0 if it compares with anything else.
    pub fn version(&self) -> i64 {
        match self.value {
            Some(CompareValue::Version(version)) => version,
            _ => 0,
        }
    }

    /// The create_revision that it compares with; 0 if it compares with anything else.
    pub fn create_revision(&self) -> i64 {
        match self.value {
            Some(CompareValue::CreateRevision(revision)) => revision,
            _ => 0,
        }
    }

    /// The mod_revision that it compares with; 0 if it compares with anything else.
    pub fn mod_revision(&self) -> i64 {
        match self.value {
            Some(CompareValue::ModRevision(revision)) => revision,
            _ => 0,
        }
    }

    /// The value that it compares with; empty if it compares with anything else.
    pub fn value(&self) -> &'a [u8] {
        match self.value {
            Some(CompareValue::Value(value)) => value,
            _ => &[],
        }
    }

    /// The lease that it compares with; 0 if it compares with anything else.
    pub fn lease(&self) -> i64 {
        match self.value {
            Some(CompareValue::Lease(lease)) => lease,
            _ => 0,
        }
    }
}

impl<'a> Message<'a> for Compare<'a> {
    fn name(&self) -> &'static str {
        "Compare"
    }

    fn fields(&self) -> Vec<Field<'_, 'a>> {
        let field = |name, label, value| Field {
            name,
            label,
            is_secret: false,
            values: vec![value],
        };
        let single = |number, name, value| {
            let is_present = self.present.contains(Self::NUMBERS, number);
            is_present.then(|| field(name, Label::Single, value))
        };
        let value = self.value.map(|value| {
            let (name, value) = match value {
                CompareValue::Version(version) => ("version", Value::Int(version)),
                CompareValue::CreateRevision(main) => ("create_revision", Value::Int(main)),
                CompareValue::ModRevision(main) => ("mod_revision", Value::Int(main)),
                CompareValue::Value(value) => ("value", Value::Bytes(value)),
                CompareValue::Lease(lease) => ("lease", Value::Int(lease)),
            };
            field(name, Label::Choice, value)
        });
        let result = Value::Enum(self.result.0, CompareResult::NAMES);
        let target = Value::Enum(self.target.0, CompareTarget::NAMES);
        let key = Value::Bytes(self.key);
        let range_end = Value::Bytes(self.range_end);
        [
            single(1, "result", result),
            single(2, "target", target),
            single(3, "key", key),
            value,
            single(64, "range_end", range_end),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl<'a> ReadMessage<'a> for Compare<'a> {
    const NUMBERS: &'static [u64] = &[1, 2, 3, 4, 5, 6, 7, 8, 64];

    fn read_field(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        self.present.insert(Self::NUMBERS, tag.number);
        let value = match tag.number {
            1 => return self.result.read(tag, input),
            2 => return self.target.read(tag, input),
            3 => return self.key.read(tag, input),
            4 => CompareValue::Version(input.number(tag)?.cast_signed()),
            5 => CompareValue::CreateRevision(input.number(tag)?.cast_signed()),
            6 => CompareValue::ModRevision(input.number(tag)?.cast_signed()),
            7 => CompareValue::Value(input.bytes(tag)?),
            8 => CompareValue::Lease(input.number(tag)?.cast_signed()),
            _ => return self.range_end.read(tag, input),
        };
        self.value = Some(value);
        Ok(())
    }
}
