//! One file a verb.

pub mod analyze;
pub mod blame;
pub mod buckets;
pub mod checksum;
pub mod decode;
pub mod diff;
pub mod dump_db;
pub mod explain;
pub mod extract;
pub mod fsck;
pub mod get;
pub mod grep;
pub mod help;
pub mod hexdump;
pub mod log;
pub mod ls;
pub mod page;
pub mod pages;
pub mod recover;
pub mod show;
pub mod status;
pub mod wal;
pub mod watch;
