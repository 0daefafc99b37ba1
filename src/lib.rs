//! `etcdive` dives into an etcd v3 database file with no etcd, no cluster and no Go: a copied
//! `member/snap/db`, an `etcdctl snapshot save` file, or a data directory; packed or not.
//!
//! # Bird's-eye view
//!
//! An etcd database is a bbolt file: an array of pages, two of which (the metas) name the root of a
//! tree of buckets. The bucket `key` holds one record for every put and every deletion, under the
//! revision at which it happened. A record's value is, in Kubernetes, an object in protobuf, JSON or
//! CBOR. So the keyspace is a repository, a main revision is a commit, a key is a path, and an object
//! is a file: the verbs are git's, the habits are kubectl's.
//!
//! Data goes one way:
//!
//! [`source::Source`] (the mapped file) -> [`bbolt::Leaves`] (the checked leaf pages of a tree, in key
//! order) -> [`etcd::Record`] (one put or deletion, borrowed from the map) -> [`etcd::Keyspace`] and
//! [`etcd::Events`] (folds over records) -> [`k8s`] (a stored value, decrypted and decoded) -> [`query`] (answers
//! as data, each with its limits) -> [`view`] (text) -> [`cli`] (standard output and the exit
//! code).
//!
//! **One question, one owner.** A verb opens a [`query::Question`]: the state of the database with the records of all
//! origins that were asked for. It resolves revisions, times and addresses there, and ends with
//! [`query::Question::finish`]. On the way [`query::Notice`]s collect the limits of the answer: history that is
//! compacted, values that are still encrypted, objects whose state is not proved. If nothing is found,
//! [`query::NoAnswer`] says why: an unknown name, a deletion, a filter that left nothing, damage. Both are data;
//! [`view::notice`] and [`view::no_answer`] put them into words.
//!
//! If the tree is damaged, [`bbolt::PageScan`] finds the leaves by their positions alone, and a salvage in [`etcd`]
//! decides which of their records are part of the state. All later layers read them in the same way.
//!
//! A pass over all records reads each leaf from a copy if the map is slow. The code that looks at the records gets an
//! [`etcd::PassedRecord`]. It keeps the place of the record, or the same record in the map.
//!
//! Packed input is unpacked first: [`source::Source::open_unpacking`] unpacks it into a temporary file and maps that.
//!
//! Records of other origins are added on request: [`etcd::carve`] reads those in freed pages, [`etcd::wal`] those in
//! the write-ahead log. In a folder of incremental backups, the events of the [`etcd::delta`] snapshots are always
//! added. Each record has an [`etcd::record::Origin`], and [`etcd::Store::records`] returns all of them in the order of
//! revisions.
//!
//! Damage in the content becomes a [`diag::Diagnostic`] with page and offset. The walk continues with the sibling, and
//! the run ends with exit code 3.
//!
//! # Code map
//!
//! | module | is about | uses |
//! |---|---|---|
//! | `arrange` | stable sorting of short lists, one function for all types | nothing |
//! | [`bytes`] | bounds-checked reads with absolute offsets | nothing |
//! | `compact_map` | maps with many or large entries, in little memory | nothing |
//! | `fast_map` | maps by keys of the file: a fast, seeded hasher | nothing |
//! | [`named`] | what a field that names something may hold | nothing |
//! | [`near`] | which known names are near to a wrong one | nothing |
//! | `parallel` | work on all cores, compiled once for all types | nothing |
//! | `plural` | a count with its noun: `1 page`, `2 pages` | nothing |
//! | [`wire`] | the one protobuf varint and field reader | nothing |
//! | [`diag`] | diagnostics: code, severity, place, effect | nothing |
//! | [`sniff`] | what a file is that is not a database | nothing |
//! | [`go`] | text exactly as Go prints it: `%q` and back, floats, `fmt.Sprint` | nothing |
//! | [`source`] | opening evidence: read-only map, SIGBUS guard (the only `unsafe`), snapshot trailer, unpacking, the files of a backup tool by name | [`sniff`] |
//! | [`bbolt`] | pages, metas, buckets, the walk, the scan, checks, what uses each page, writing new files | the above |
//! | [`etcd`] | revisions, records, generations, history, compaction, salvage, carving, the write-ahead log, delta snapshots, hashes, checks, the small buckets, writing a store | [`bbolt`] |
//! | [`k8s`] | encodings, the schema table, the decoder, encryption at rest, resources, objects, columns, selectors, templates, differences, masking, manifests and the versions that a release serves | nothing of etcd's file |
//! | [`query`] | questions and answers as data: evidence and origins, revisions and times, addresses, searches, deletions and what comes back, restores, comparisons, notices, reasons for no answer | [`etcd`] and [`k8s`] |
//! | [`view`] | plain data to text: sentences, tables, YAML, JSON rows, diffs, harmless terminals | the data it prints |
//! | [`cli`] | arguments, one file per verb, exit codes | [`query`] and [`view`]; nothing of [`bbolt`], [`etcd`], [`k8s`] directly |
//!
//! # Invariants
//!
//! **Invariant:** a layer uses only the layers before it in the code map, and the files of a folder do not use each other
//! in a circle.
//! Nothing below [`cli`] prints, reads the environment or the clock, or exits. A test reads every `use`.
//!
//! **Invariant:** an answer states its limits. "Nothing found" is printed only if the question was understood, the history
//! that it needs is retained, and no damage could hide a record. Otherwise the answer names what is missing.
//!
//! **Invariant:** reading never fails as a whole. [`Error`] is for what cannot be opened; everything
//! about content is a diagnostic beside what could be read.
//!
//! **Invariant:** input cannot make the program panic, loop or fill the memory: every access is
//! checked, every page of a tree is entered once, depth has a limit with a name, and memory follows
//! the bytes that are there, never a declared count.
//!
//! **Invariant:** a record from outside the state never changes what an answer says about the state. Carved records are
//! used only for revisions before the compaction, and a notice names the objects whose state at that time is not
//! proved.
//!
//! **Invariant:** the file is never written, never locked, its times are left alone. All `unsafe`
//! code is in `source/guard.rs`.
//!
//! **Invariant:** besides its two streams the program writes files by [`cli::export`] alone: new ones, below a
//! folder that was asked for, through no link, never into the evidence. Packed evidence is unpacked into a temporary
//! file without a name, up to a limit.
//!
//! **Invariant:** output is deterministic: key order, then revision, whatever ran in parallel. A walk is the authority on
//! order and findings. What other cores do ahead of it ([`bbolt::Ahead`]) is used for leaves without any finding only.
//!
//! **Invariant:** bytes of the file reach a terminal only through [`view::sanitize`], and secret values
//! never reach standard error.
//!
//! **Invariant:** other programs must agree: what etcd-dump-db, etcdutl, auger and an API server printed
//! of real files is the expected result of the tests, not our own output.

mod arrange;
pub mod bbolt;
pub mod bytes;
pub mod cli;
mod compact_map;
pub mod diag;
pub mod etcd;
mod fast_map;
pub mod go;
pub mod k8s;
pub mod named;
pub mod near;
mod parallel;
mod plural;
pub mod query;
pub mod sniff;
pub mod source;
pub mod view;
pub mod wire;

pub use bbolt::Error;
