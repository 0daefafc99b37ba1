//! The content of etcd's buckets; knows nothing of Kubernetes.
//!
//! [`schema`] names the buckets and reads the small ones. A [`record`] of bucket `key` has a [`revision`] as its key and a
//! [`key_value`] as its value. [`state`] reads the records of the database, and [`store`] adds records of other origins.
//! [`history`] and [`events`] fold records into the history of a key and of many keys, [`keyspace`] into the keyspace as of a
//! revision; what they keep of a record is its place (`record_list`). [`carve`] finds records in freed pages, [`wal`] reads
//! the log beside the database. [`hash`] computes etcd's hashes. [`succession`] compares the records of a key with each
//! other, [`record_pass`] counts and hashes all records in one pass, and [`check`](mod@check) also checks the small
//! buckets. [`write`](mod@write) makes a new database file that etcd accepts.
//!
//! **Invariant:** values stay borrowed from the map. An index of a whole store copies only its keys, so memory grows with
//! the number of distinct keys that the question needs. A pass over all records may read each leaf from a copy, which is
//! dropped at once (`passed_record`): what the pass keeps of a record is its place, or the record in the map.

pub mod auth;
pub mod carve;
pub mod check;
pub mod checksum;
pub mod cluster;
mod completeness;
mod defragmentation;
pub mod delta;
pub mod empty;
pub mod events;
pub mod former;
mod gaps;
pub mod generation;
pub mod hash;
pub mod history;
pub mod key_ids;
pub mod key_space;
pub mod key_texts;
pub mod key_value;
pub mod keyspace;
pub mod lease;
pub mod leaves;
mod made;
pub mod membership;
mod packed_newest;
mod passed_record;
pub mod record;
mod record_list;
pub mod record_pass;
pub mod records;
pub mod release;
pub mod revision;
mod salvage;
pub mod scan;
pub mod schema;
pub mod side_by_side;
pub mod space;
pub mod state;
pub mod status;
pub mod store;
pub mod succession;
pub mod survey;
pub mod totals;
pub mod wal;
pub mod write;

pub use events::{EventChooser, EventFold, Events, KeyedEvents, PlacedEvent};
pub use generation::Generation;
pub use history::{Event, EventType, KeyHistory};
pub use key_value::KeyValue;
pub use keyspace::{Also, KeyEntry, KeyLives, KeyPlaces, Keyspace, PlacedKey, PlacedKeyspace};
pub use passed_record::PassedRecord;
pub use record::Record;
pub use record_list::PlacedRecord;
pub use revision::{BucketKey, Revision};
pub use state::State;
pub use store::{AtRevision, Store};
