//! Plain data to text: never reads the file, never decides what to show.

pub mod analysis;
pub mod blame;
pub mod buckets;
pub mod diff;
pub mod dump_db;
pub mod encryption;
pub mod etcdctl;
pub mod etcdutl;
pub mod goquote;
pub mod grep;
pub mod hexdump;
pub mod history;
pub mod human;
pub mod json;
pub mod kubectl_table;
pub mod listing;
mod number;
mod output;
pub mod page;
pub mod pages;
pub mod record;
pub mod sanitize;
pub mod status;
pub mod style;
pub mod table;
pub mod time;
pub mod yaml;
