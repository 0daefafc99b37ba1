//! What the API server keeps in values; knows nothing of etcd's file.
//!
//! [`envelope`] tells how a value is encoded, [`decode()`] walks it into a [`Sink`], [`meta`] reads
//! only who and what an object is. Below them: [`crate::wire`] (protobuf), [`schema`] (the table of
//! types), `special` (types with a JSON form of their own), `generic` (protobuf without a schema),
//! `tape`, `json` and `cbor` (documents), [`order`] (go-yaml's order of keys), `words` (texts read
//! eight bytes at a time).
//! [`resource`] and [`catalog`] lead from an address to keys and back; [`encrypt`] opens what is
//! encrypted at rest, [`audit`] counts how values are stored, [`check`] compares them with their keys;
//! [`anchors`] and [`wall_clock`] tell when.
//! Above them, on trees of values: [`object`] (one stored object, [`shown`] its
//! streaming form), [`columns`], [`jsonpath`], [`selector`] (kubectl's languages), [`search`],
//! [`blame`], [`diff`], [`redact`]; and what brings an object back: [`manifest`], [`controlled`], [`apply_order`].

pub mod analysis;
pub mod anchors;
pub mod apply_order;
pub mod audit;
pub mod blame;
pub mod catalog;
mod cbor;
pub mod check;
pub mod columns;
pub mod controlled;
pub mod convert;
pub mod custom_columns;
pub mod decode;
mod default_roles;
pub mod diff;
pub mod encrypt;
pub mod envelope;
mod generic;
mod json;
pub mod jsonpath;
pub mod managed_fields;
pub mod manifest;
pub mod meta;
pub mod object;
pub mod order;
pub mod redact;
pub mod release;
pub mod resource;
pub mod schema;
pub mod search;
mod secret_key;
pub mod selector;
pub mod served;
pub mod shown;
pub mod sink;
pub(crate) mod special;
mod tape;
pub mod tree;
pub mod wall_clock;
pub(crate) mod words;

pub use decode::{DecodeError, Decoder, Note, Options, Outcome, decode};
pub use envelope::Stored;
pub use sink::{Name, Order, Sink};
pub use tree::TreeSink;
