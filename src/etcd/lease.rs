//! Bucket `lease`: key the lease id (i64 as 8 bytes big endian), value leasepb.Lease
//! (`server/lease/leasepb/lease.proto`). There is no absolute time in it.

use prost::Message;

/// leasepb.Lease.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Lease {
    /// The lease's id.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// Granted time to live, in seconds.
    #[prost(int64, tag = "2")]
    pub ttl: i64,
    /// Time to live that was left at the last checkpoint, in seconds; 0 without checkpoints.
    #[prost(int64, tag = "3")]
    pub remaining_ttl: i64,
}

/// The id in a key of bucket `lease`.
pub fn lease_id(key: &[u8]) -> Option<i64> {
    (key.len() == 8)
        .then(|| crate::bytes::u64_be(key, 0))
        .flatten()
        .map(u64::cast_signed)
}
