//! The bbolt file format; knows nothing of etcd.
//!
//! A file is an array of pages. Two [`meta`] pages name a root; the root is a B+tree of [`bucket`]s;
//! each bucket is a B+tree of [`page`]s, walked by [`tree`]. [`db`] opens the whole. [`check`] looks at
//! what no walk comes to: the fields of the metas, the [`freelist`], what lies behind the end. [`scan`] finds
//! pages by their positions alone, [`page_use`] finds what uses each page, [`anatomy`] takes one apart as it stands.
//! Layouts: `internal/common/{page,meta,bucket,inode}.go` of go.etcd.io/bbolt.
//!
//! **Invariant:** no page of a tree is entered twice in one walk, no walk recurses, and damage in
//! one subtree never keeps its siblings from being read.

pub mod anatomy;
pub mod bucket;
pub mod check;
pub(crate) mod claims;
pub mod db;
pub mod freelist;
mod mend;
pub mod meta;
pub mod page;
pub mod page_use;
pub mod scan;
pub mod tree;

pub use bucket::Bucket;
pub use db::{Db, MetaChoice, older_meta};
pub use freelist::Freelist;
pub use meta::{Meta, MetaError};
pub use page::{Element, Kind, Page, Pages, Pgid};
pub use page_use::PageUse;
pub use scan::{PageScan, is_root};
pub use tree::{Direction, Leaf, Leaves, Placed};
