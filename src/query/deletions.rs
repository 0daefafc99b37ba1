//! What was deleted, when each deletion began, and which version comes back.
//!
//! An object is emptied while it is deleted: its controllers remove pods, addresses and finalizers. So the version that
//! comes back is the last one before the deletion began: before the object itself, its namespace or its owner got a
//! deletion timestamp or was removed, or before its Helm release was uninstalled.

mod facts;
mod helm;
mod history;
mod life;
mod live_keys;
mod order;
mod plan;

pub use facts::{Facts, asked_services};
pub use helm::is_release_key;
pub use history::ObjectHistory;
pub use life::live;
pub use live_keys::LiveKeys;
pub use order::sort_for_apply;
pub use plan::{Cause, EarlierLives, Item, Plan, Request, Unreadable, plan};
