//! What was deleted, when each deletion began, and which version comes back.
//!
//! An object is emptied while it is deleted: its controllers remove pods, addresses and finalizers. So the version that
//! comes back is the last one before the deletion began: before the object itself, its namespace or its owner got a
//! deletion timestamp or was removed.

mod history;
mod plan;

pub use history::{ObjectHistory, namespace_name};
pub use plan::{Cause, Facts, Item, Request, Unreadable, plan, sort_for_apply};
