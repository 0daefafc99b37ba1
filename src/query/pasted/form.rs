//! The forms in which a stored value is pasted, and what was found in them.

/// A form around a stored value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// UTF-16, as a redirection of PowerShell writes it.
    Utf16,
    /// `hexdump` with or without -C.
    Hexdump,
    /// `xxd`.
    Xxd,
    /// `od`.
    Od,
    /// A text in quotes with escapes: Go's `%q`.
    Quoted,
    /// Escapes (`\x00`, `\000`) without quotes.
    Escapes,
    /// Hexadecimal digits.
    Hex,
    /// base64, of either alphabet.
    Base64,
    /// Keys and values as `etcdctl get` prints them.
    EtcdctlSimple,
    /// Values as `etcdctl get --print-value-only` prints several.
    EtcdctlValues,
    /// `etcdctl get -w json`, or the JSON of etcd's gateway.
    EtcdctlJson,
    /// `etcdctl get -w fields`.
    EtcdctlFields,
    /// The envelope of a Kubernetes protobuf without its mark `k8s\0`.
    Unmarked,
}

impl Form {
    /// Whether an ordinary text may have this form by chance. Then the form counts only if a stored value is in it.
    pub(super) fn may_be_chance(self) -> bool {
        matches!(self, Self::Escapes | Self::Hex | Self::Base64)
    }
}

/// A stored value with its key, if the form has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastedValue {
    /// The etcd key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Vec<u8>,
}

impl PastedValue {
    pub(super) fn without_key(value: &[u8]) -> Self {
        Self {
            key: None,
            value: value.to_vec(),
        }
    }
}

/// Why no value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes, or those within the forms that were recognised, are in no form that is known.
    Unknown {
        /// What they are instead, with an article.
        kind: Option<&'static str>,
    },
    /// A dump has a line that does not continue the one before it.
    DumpLine(usize),
    /// etcdctl found no key, or printed keys alone.
    NoValues,
    /// A value or a key in etcdctl's output is not encoded as the others.
    Encoding(Form),
    /// There are more forms around each other than anybody pastes.
    TooManyForms,
}
