//! The differences between two objects, field by field, as a list of changes that can be applied.
//!
//! **The changes are applied top to bottom. Each path refers to the object after the changes before it.**
//!
//! Example: `{"a": 1, "ports": [{"port": 80}]}` becomes `{"b": 2, "ports": [{"port": 443}, {"port": 80}]}`:
//!
//! | path | op | value |
//! |---|---|---|
//! | `a` | `remove` | old 1 |
//! | `b` | `add` | new 2 |
//! | `ports[port=443]` | `add` | new `{"port": 443}`, index 0 |
//!
//! A change has these members:
//!
//! | member | meaning |
//! |---|---|
//! | `path` | the path of the value, see [`path`]; `""` is the whole object |
//! | `op` | `add` (was absent), `remove` (is absent now), `replace`, `move` (a list item has a new index and the same value) |
//! | `old` | the value before, for `remove` and `replace`. `null` is a value; a missing `old` means no value |
//! | `new` | the value after, for `add` and `replace` |
//! | `index` | for an `add` to a list and for `move`: the item's index, from 0, right after this change is applied |
//!
//! **Maps** are compared by key; the order of keys does not count.
//!
//! **Items of a list** are identified in one of three ways:
//! - `[name=web]`: the only item with these members. `[kind=User,namespace=]`: the only one with this kind and without a
//!   `namespace`. `[metadata.name=web]`: by a member of a nested map. Texts that could be read as something else are
//!   JSON strings: `[port="80"]` is a text, `[port=80]` a number.
//! - `[="value"]`: the only item that is this scalar, in lists of scalars without duplicates.
//! - `[3]`: by index, if neither of the two is possible.
//!
//! Within one list the order of changes is: removes, moves, adds, then changes inside items that stay. If items are
//! identified by index, removes go from the last item to the first, so their indexes are those of the old list; the
//! indexes of the other changes are those of the new list.
//!
//! **Whole values.** A list of scalars, or one by index, is replaced as a whole if that is shorter. A value is compared
//! and replaced as a whole if it is deeper than [`MAX_DEPTH`] levels, or if the names on its path are longer than
//! [`MAX_NAME_BYTES`] together. So the size of the output follows the size of the objects, not the number of changes
//! times the length of their paths.
//!
//! **Invariant:** `apply(old, diff(old, new))` equals `new`, including the order of lists.

mod apply;
mod change;
mod compare;
pub(in crate::k8s) mod lists;
pub mod path;
pub mod steps;
pub mod tree;
pub(in crate::k8s) mod walked;

pub use apply::{ApplyError, apply};
pub use change::{FieldChange, FormatError, Op, Scope};
pub use compare::{MAX_DEPTH, MAX_NAME_BYTES, diff, pruned_diff};
pub use path::{Path, PathError, Segment};
pub use walked::FieldNumbers;
