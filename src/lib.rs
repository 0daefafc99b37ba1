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
//! [`etcd::Events`] (folds over records) -> [`k8s`] (a stored value, decrypted and decoded) -> [`query`] (the answer to
//! a question, with everything it has to admit, as data) -> [`view`] (text) -> [`cli`] (standard output and the exit
//! code).
//!
//! **One question, one owner.** A verb opens a [`query::Question`]: the state of the database with the records of all
//! origins that were asked for. It resolves revisions, times and addresses there, and ends with
//! [`query::Question::finish`]. On the way [`query::Notice`]s collect what the answer has to admit: history that is
//! compacted, values that are still encrypted, objects whose state is not proved. If nothing is found,
//! [`query::NoAnswer`] says why: an unknown name, a deletion, a filter that left nothing, damage. Both are data;
//! [`view::notice`] and [`view::no_answer`] have the sentences.
//!
//! If the tree is damaged the leaves come another way: [`bbolt::PageScan`] finds them by their positions alone, and a
//! salvage in [`etcd`] decides which of their records are part of the state. Everything above reads them alike.
//!
//! Packed input is unpacked first: [`source::Source::open_unpacking`] takes the layers off and maps a temporary file.
//!
//! Records of other origins are added on request: [`etcd::carve`] finds what freed pages still contain, [`etcd::wal`]
//! what the write-ahead log has; the events of [`etcd::delta`] snapshots always are, in a folder of incremental backups. Each record knows its [`etcd::record::Origin`], and [`etcd::Store::records`] has all of
//! them in the order of revisions.
//!
//! Whatever is wrong with the content becomes a [`diag::Diagnostic`] with page and offset, the walk goes on with the
//! sibling, and the run ends with exit code 3.
//!
//! # Code map
//!
//! | module | is about | knows |
//! |---|---|---|
//! | [`bytes`] | bounds-checked reads with absolute offsets | nothing |
//! | [`named`] | what a field that names something may hold | nothing |
//! | [`near`] | which known names are near to a wrong one | nothing |
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
//! **Invariant:** a layer knows only the ones before it in the code map, and no circle is between the files of a folder.
//! Nothing below [`cli`] prints, reads the environment or the clock, or exits. A test reads every `use`.
//!
//! **Invariant:** an answer says how far it reaches. "Nothing found" is said only if the question was understood, the
//! history it needs is retained, and no damage could hide it; else the answer names what is missing.
//!
//! **Invariant:** reading never fails as a whole. [`Error`] is for what cannot be opened; everything
//! about content is a diagnostic beside what could be read.
//!
//! **Invariant:** input cannot make the program panic, loop or fill the memory: every access is
//! checked, every page of a tree is entered once, depth has a limit with a name, and memory follows
//! the bytes that are there, never a declared count.
//!
//! **Invariant:** a record that is no part of the state never tells of the state: what was carved answers only questions
//! about the time before the compaction, and what is not proved of that time is said.
//!
//! **Invariant:** the file is never written, never locked, its times are left alone. All `unsafe`
//! code is in `source/guard.rs`.
//!
//! **Invariant:** besides its two streams the program writes files by [`cli::export`] alone: new ones, below a
//! folder that was asked for, through no link, never into the evidence. Packed evidence is unpacked into a temporary file
//! without a name, up to a limit.
//!
//! **Invariant:** output is deterministic: key order, then revision, whatever ran in parallel.
//!
//! **Invariant:** bytes of the file reach a terminal only through [`view::sanitize`], and secret values
//! never reach standard error.
//!
//! **Invariant:** other programs must agree: what etcd-dump-db, etcdutl, auger and an API server printed
//! of real files is the expected result of the tests, not our own output.

pub mod bbolt;
pub mod bytes;
pub mod cli;
pub mod diag;
pub mod etcd;
pub mod go;
pub mod k8s;
pub mod named;
pub mod near;
pub mod query;
pub mod sniff;
pub mod source;
pub mod view;
pub mod wire;

pub use bbolt::Error;
