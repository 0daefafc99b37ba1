//! draft
pub mod diff;
pub mod order;
pub mod redact;
pub mod sink;
