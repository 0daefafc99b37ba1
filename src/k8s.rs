//! The values that a Kubernetes API server stores: decoding, decryption and everything that works on objects.
//! This layer does not depend on etcd's file format.
//!
//! **From bytes to objects.** [`envelope`] detects how a value is encoded. [`decode()`] walks the value and passes
//! its fields to a [`Sink`]. [`meta`] reads only the type and the metadata of an object, without decoding the rest.
//! They are built on [`crate::wire`] (protobuf), [`schema`] (the table of types), `special` (types whose JSON form
//! differs from their protobuf fields), `generic` (protobuf without a schema), `tape`, `json` and `cbor` (parsed
//! documents), [`order`] (go-yaml's key order) and `words` (byte search, eight bytes at a time).
//!
//! **From keys to values.** [`resource`] and [`catalog`] map an address to keys and a key to its resource.
//! [`encrypt`] decrypts values that are encrypted at rest. [`audit`] counts how values are stored. [`check`] compares
//! values with their keys. [`anchors`] and [`wall_clock`] assign times to revisions.
//!
//! **Work on trees of values.** [`object`] is one stored object as a tree, and [`shown`] is its streaming form.
//! [`columns`], [`jsonpath`] and [`selector`] implement kubectl's output formats and filters. [`search`], [`blame`],
//! [`diff`] and [`redact`] inspect and compare objects; [`stored_diff`] and [`stored_writers`] do so for two versions
//! of one object, without decoding what is the same in both. [`manifest`], [`controlled`] and [`apply_order`] prepare
//! objects for `kubectl apply`.

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
pub mod metadata_bytes;
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
mod spare;
pub(crate) mod special;
pub mod stored_diff;
pub mod stored_writers;
mod tape;
pub mod tree;
pub mod wall_clock;
pub(crate) mod words;

pub use decode::{DecodeError, Decoder, Note, Options, Outcome, decode};
pub use envelope::Stored;
pub use sink::{Name, Order, Sink};
pub use tree::TreeSink;
