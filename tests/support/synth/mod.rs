//! An independent writer of bbolt files and etcd stores, for tests.
//!
//! It shares no code with the reader, so it is an oracle for it: what was put
//! in is known, and the reader has to find just that. Its images were checked
//! with go.etcd.io/bbolt and etcdutl.
//!
//! ```ignore
//! let image = Builder::new()
//!     .page_size(4096)
//!     .bucket("key", Bucket::of([(revision_key(2, 0), value)]))
//!     .build();
//! std::fs::write("test.db", &image.bytes)?;
//! ```
//!
//! * `page`: single pages and fields, in both byte orders
//! * `tree`: buckets and B+trees
//! * `wire`, `etcd`, `k8s`: what etcd and the API server store
//! * `mutate`, `faults`: corruptions of any bbolt file, by seed and by name
//! * `random`, `shapes`: numbers and whole images by seed
#![allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss
)]

pub mod etcd;
pub mod faults;
pub mod k8s;
mod layout;
pub mod mutate;
pub mod page;
pub mod random;
pub mod shapes;
pub mod tree;
pub mod wal;
pub mod wire;

// Not every program that includes this uses each of them.
#[allow(unused_imports)]
pub use page::{Endian, Meta, NO_FREELIST};
pub use random::Rng;
#[allow(unused_imports)]
pub use tree::{Bucket, Value};

/// What the meta with the smaller txid states.
#[derive(Clone, Debug, Default)]
pub enum Older {
    /// As a snapshot has it: the same root; meta 0 is txid N, meta 1 is N-1.
    #[default]
    SameRoot,
    /// The state of a new file, as a defragmentation leaves it: no buckets,
    /// freelist page 2, root page 3.
    Empty,
    /// The state one transaction before, with these buckets. Unchanged pages
    /// are shared, as a commit does.
    State(Bucket),
}

/// Whether free pages are listed in the file.
#[derive(Clone, Debug, Default)]
pub enum Freelist {
    /// As etcd on Linux: pgid 0xFFFFFFFFFFFFFFFF.
    #[default]
    NotPersisted,
    /// A freelist page with the ids that are free.
    Persisted,
    /// A freelist page with these ids, right or wrong.
    Ids(Vec<u64>),
}

/// The SHA-256 after a snapshot's last page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trailer {
    /// A raw database.
    #[default]
    None,
    /// 32 right bytes.
    Good,
    /// 32 bytes, one bit wrong.
    Bad,
    /// The first 16 bytes only.
    Half,
}

#[derive(Clone, Debug)]
enum Spare {
    /// A tree of which no meta knows.
    Tree(Bucket),
    /// A page run with these bytes (an id at its start is set right if asked).
    Raw { bytes: Vec<u8>, set_id: bool },
    /// Zeroed pages.
    Zero(u64),
}

/// What a run of pages is in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In the tree of the current meta (and perhaps of the older one).
    Tree,
    /// Only in the tree of the older meta.
    OlderTree,
    /// A freelist of the current or the older meta.
    Freelist,
    /// Free, with old content.
    Stale,
    /// Free.
    Free,
}

/// A run of pages in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// First page.
    pub pgid: u64,
    /// Number of pages, the first included.
    pub pages: u64,
    /// What it is.
    pub role: Role,
    /// Names down to its bucket; empty for the root bucket and where there is
    /// none.
    pub path: Vec<Vec<u8>>,
    /// 0 for a leaf, 1 for the branches above leaves, ...
    pub level: u32,
}

/// A finished image and what is where in it.
#[derive(Clone, Debug)]
pub struct Image {
    /// The file.
    pub bytes: Vec<u8>,
    /// Byte order.
    pub endian: Endian,
    /// Page size in bytes.
    pub page_size: usize,
    /// Which meta page (0 or 1) has the current state.
    pub current_meta: usize,
    /// The metas as written, by page.
    pub metas: [Meta; 2],
    /// The runs from page 2 on, in order.
    pub runs: Vec<Run>,
    /// Pages below the high-water mark which the current state does not use,
    /// ascending: what its freelist lists.
    pub free: Vec<u64>,
}

impl Image {
    /// The bytes of the page `id` (one page, without overflow).
    pub fn page(&self, id: u64) -> &[u8] {
        let at = id as usize * self.page_size;
        &self.bytes[at..at + self.page_size]
    }

    /// The bytes of the page `id`, to be changed.
    pub fn page_mut(&mut self, id: u64) -> &mut [u8] {
        let at = id as usize * self.page_size;
        &mut self.bytes[at..at + self.page_size]
    }

    /// Redoes the checksum of a meta page after a change.
    pub fn seal_meta(&mut self, index: usize) {
        let order = self.endian;
        page::seal_meta(order, self.page_mut(index as u64));
    }

    /// The runs of the current tree of the bucket `name` below the root
    /// bucket, root first; none where it is inline.
    pub fn bucket_runs(&self, name: &[u8]) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self
            .runs
            .iter()
            .filter(|run| run.role == Role::Tree && run.path == [name])
            .collect();
        runs.sort_by_key(|run| (u32::MAX - run.level, run.pgid));
        runs
    }
}

/// Builds an image; see the module's example.
#[derive(Clone, Debug)]
pub struct Builder {
    page_size: usize,
    endian: Endian,
    txid: u64,
    fill_percent: usize,
    buckets: Bucket,
    older: Older,
    freelist: Freelist,
    spare: Vec<Spare>,
    scatter: Option<u64>,
    tail: Vec<u8>,
    trailer: Trailer,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// An empty store: 4096-byte pages, little endian, txid 8, no freelist,
    /// metas as in a snapshot.
    pub fn new() -> Self {
        Self {
            page_size: 4096,
            endian: Endian::Little,
            txid: 8,
            fill_percent: 90,
            buckets: Bucket::new(),
            older: Older::default(),
            freelist: Freelist::default(),
            spare: Vec::new(),
            scatter: None,
            tail: Vec::new(),
            trailer: Trailer::default(),
        }
    }

    /// Page size in bytes: a power of two from 512 to 16 MiB.
    pub fn page_size(mut self, bytes: usize) -> Self {
        assert!(bytes.is_power_of_two() && (512..=16 << 20).contains(&bytes));
        self.page_size = bytes;
        self
    }

    /// Byte order of the writing machine.
    pub fn endian(mut self, endian: Endian) -> Self {
        self.endian = endian;
        self
    }

    /// Transaction of the current state.
    pub fn txid(mut self, txid: u64) -> Self {
        self.txid = txid;
        self
    }

    /// How full a node is made before it is split (10 to 100; etcd: 90).
    pub fn fill_percent(mut self, percent: usize) -> Self {
        self.fill_percent = percent;
        self
    }

    /// Adds a bucket to the root bucket.
    pub fn bucket(mut self, name: impl Into<Vec<u8>>, bucket: Bucket) -> Self {
        self.buckets = self.buckets.nest(name, bucket);
        self
    }

    /// Replaces the whole root bucket, for contents that etcd never writes.
    pub fn root(mut self, root: Bucket) -> Self {
        self.buckets = root;
        self
    }

    /// What the other meta states.
    pub fn older(mut self, older: Older) -> Self {
        self.older = older;
        self
    }

    /// Whether and how free pages are listed.
    pub fn freelist(mut self, freelist: Freelist) -> Self {
        self.freelist = freelist;
        self
    }

    /// Adds free pages with stale content: the tree of `bucket`, which no
    /// meta reaches (a bucket of buckets gives stale root pages too).
    pub fn stale(mut self, bucket: Bucket) -> Self {
        self.spare.push(Spare::Tree(bucket));
        self
    }

    /// Adds a free run with these bytes, padded to whole pages. With `set_id`
    /// its first eight bytes become its page id.
    pub fn stale_bytes(mut self, bytes: Vec<u8>, set_id: bool) -> Self {
        self.spare.push(Spare::Raw { bytes, set_id });
        self
    }

    /// Adds zeroed free pages.
    pub fn zero_pages(mut self, pages: u64) -> Self {
        self.spare.push(Spare::Zero(pages));
        self
    }

    /// Puts the runs into a random order, as in a file that was long in use.
    pub fn scatter(mut self, seed: u64) -> Self {
        self.scatter = Some(seed);
        self
    }

    /// Adds bytes after the last page below the high-water mark (zeros in
    /// files of a running server).
    pub fn tail(mut self, bytes: Vec<u8>) -> Self {
        self.tail = bytes;
        self
    }

    /// Adds the SHA-256 of a snapshot.
    pub fn trailer(mut self, trailer: Trailer) -> Self {
        self.trailer = trailer;
        self
    }

    /// The root bucket as it will be written.
    pub fn root_bucket(&self) -> &Bucket {
        &self.buckets
    }

    /// What the other meta will state.
    pub fn older_state(&self) -> &Older {
        &self.older
    }

    /// Writes the image.
    pub fn build(&self) -> Image {
        layout::build(self)
    }
}
