//! What etcd keeps in the buckets; knows nothing of Kubernetes.
//!
//! [`schema`] names the buckets and reads the small ones, [`revision`] and [`key_value`] are the
//! two halves of a [`record`] of bucket `key`, [`state`] reads those of the database and [`store`] adds those of other
//! origins, [`history`] folds them:
//! per key its generations, the keyspace as of a revision. [`carve`] finds what freed pages still hold, [`wal`] reads the
//! log beside the database. [`hash`] computes what etcd computes, [`check`](mod@check)
//! compares the records with each other.
//!
//! **Invariant:** values stay borrowed from the map; an index of a whole store copies its keys and nothing
//! else, so memory follows the distinct keys that were asked for.

pub mod auth;
pub mod carve;
pub mod check;
pub mod checksum;
pub mod cluster;
pub mod delta;
pub mod empty;
pub mod events;
pub mod former;
mod gaps;
pub mod generation;
pub mod hash;
pub mod history;
pub mod key_value;
pub mod lease;
pub mod leaves;
pub mod record;
pub mod revision;
mod salvage;
pub mod scan;
pub mod schema;
pub mod state;
pub mod status;
pub mod store;
pub mod totals;
pub mod wal;

pub use events::Events;
pub use generation::Generation;
pub use history::{Event, EventType, KeyEntry, KeyHistory, Keyspace};
pub use key_value::KeyValue;
pub use record::Record;
pub use revision::{BucketKey, Revision};
pub use state::State;
pub use store::{AtRevision, Store};
