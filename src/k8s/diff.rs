//! What changed between two objects, field by field, as data which can be applied.
//!
//! **The changes are applied top to bottom; each path is looked up in the result so far.**
//!
//! | member | says |
//! |---|---|
//! | `path` | the place, see [`path`]; `""` is the whole object |
//! | `op` | `add` (was absent), `remove` (is absent now), `replace`, `move` (a list item changed its place, not its value) |
//! | `old` | the value before: with `remove` and `replace`. `null` is a value, an absent `old` is no value |
//! | `new` | the value after: with `add` and `replace` |
//! | `index` | with `add` to a list and with `move`: the item's place, from 0, right after this line is applied |
//!
//! Maps go by key, their order does not count. Items of a list are named in one of three ways:
//! - `[name=web]`: the one item with these members; `[kind=User,namespace=]`: the one of that kind without
//!   a `namespace`; `[metadata.name=web]`: by a member of a member. Texts that could be taken for something
//!   else are JSON strings: `[port="80"]` is a text, `[port=80]` a number;
//! - `[="value"]`: the one item that is this scalar, in lists of scalars without repetition;
//! - `[3]`: by place, where neither of the two is possible.
//!
//! Within one list the order is: removes, moves, adds, then changes inside of items that stay. By place,
//! removes go from the last item to the first, so their numbers are the places in the old list; the other
//! numbers are the places in the new list. A list of scalars, or one by place, is replaced as a whole
//! where that is shorter. Beyond [`MAX_DEPTH`] levels, and where the names on the way to a value
//! are longer than [`MAX_NAME_BYTES`] together, a value is compared and replaced as a whole: so what is printed
//! follows the size of the objects, and not the number of changes times the length of their paths.
//!
//! **Invariant:** `apply(old, diff(old, new))` equals `new`, the order of lists included.

mod apply;
mod change;
mod compare;
pub(in crate::k8s) mod lists;
pub mod path;
pub mod tree;
pub(in crate::k8s) mod walked;

pub use apply::{ApplyError, apply};
pub use change::{FieldChange, FormatError, Op, Scope};
pub use compare::{MAX_DEPTH, MAX_NAME_BYTES, diff};
pub use path::{Path, PathError, Segment};
pub use walked::FieldNumbers;
