//! The bbolt file format; knows nothing of etcd.
//!
//! A file is an array of pages. Two [`meta`] pages name a root; the root is a B+tree of [`bucket`]s;
//! each bucket is a B+tree of [`page`]s, walked by [`tree`]. [`db`] opens the whole. [`page_use`] finds what
//! uses each page. [`check`] checks everything outside the trees: the fields of the metas, the [`freelist`],
//! bytes after the last page. `lookahead` checks the next leaves of a walk on all cores, `leaf_reader` copies them if the
//! map is slow. [`scan`] finds pages without a tree, by the page id in each header. `repair` reads pages
//! whose header is damaged. [`anatomy`] shows a page field by field. [`space`] assigns each byte of the file to one use.
//! [`write`](mod@write) makes a new file.
//! Layouts: `internal/common/{page,meta,bucket,inode}.go` of go.etcd.io/bbolt.
//!
//! **Invariant:** one walk enters each page at most once, no walk recurses, and the siblings of a damaged subtree are
//! always read.

pub mod anatomy;
pub mod bucket;
pub mod bucket_path;
pub mod check;
pub mod db;
mod error;
pub mod freelist;
pub mod leaf;
mod leaf_reader;
mod lookahead;
pub mod meta;
pub mod page;
mod page_owners;
pub(crate) mod page_set;
pub mod page_use;
pub mod pages;
mod repair;
pub mod scan;
pub mod space;
pub mod tree;
pub mod write;

pub use bucket::Bucket;
pub use bucket_path::BucketPath;
pub use db::{Db, MetaChoice, older_meta};
pub use error::Error;
pub use freelist::Freelist;
pub use leaf::{Direction, Leaf};
pub use leaf_reader::ReadLeaf;
pub use lookahead::{Ahead, LEAVES_OF_A_CORE, LookaheadTask, MOST_LEAVES, Prepare, Purpose, Slot};
pub use meta::{Meta, MetaError};
pub use page::{Element, Kind, Page, Pgid};
pub use page_owners::WalkedPages;
pub use page_use::PageUse;
pub use pages::Pages;
pub use scan::{PageScan, is_root};
pub use tree::{Leaves, PlacedLeaf};
