//! Diagnostics: what is wrong with the content of a file, as data.
//!
//! [`crate::Error`] is for what cannot be answered at all. Everything about content is a
//! [`Diagnostic`]: it has a stable code, a place, and the effect on the answer; the walk goes on
//! with the sibling. A [`Diagnostics`] collects them over one run, from any thread.
//!
//! **Invariant:** a diagnostic never holds bytes of a value: values may be secrets.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::arrange::Arrange as _;
use crate::named::NameField;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; never changes an exit code.
    Info,
    /// Something is wrong, and every record could still be read.
    Warning,
    /// Something is wrong that may hide records.
    Error,
}

impl Severity {
    /// `info`, `warning` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident, $layer:literal;)*) => {
        /// A kind of finding. The text of a code is part of the output contract: it never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The stable text, as `page-id-mismatch`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),* }
            }

            /// How much findings of this kind matter.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity),* }
            }

            /// The layer that the finding is about: `bbolt`, `etcd` or `k8s`.
            pub fn layer(self) -> &'static str {
                match self { $(Code::$name => $layer),* }
            }
        }
    };
}

codes! {
    /// A part of the file could not be read, or vanished while it was read.
    ReadError = "read-error", Error, "bbolt";
    /// The file was changed while it was examined.
    FileChanged = "file-changed", Error, "bbolt";
    /// The bytes after the pages of a snapshot are not the SHA-256 of its content, or are not 32 bytes.
    TrailerMismatch = "trailer-mismatch", Error, "bbolt";
    /// The SHA-256 of a snapshot is right, and other bytes follow it.
    TrailerFollowed = "trailer-followed", Warning, "bbolt";
    /// A compressed file or an archive could not be unpacked to its end.
    ArchiveDamaged = "archive-damaged", Error, "bbolt";
    /// The file ends before the high-water mark of its meta page.
    FileTruncated = "file-truncated", Error, "bbolt";
    /// One of the two meta pages is not valid: the state may be one commit old.
    MetaInvalid = "meta-invalid", Error, "bbolt";
    /// The newer valid meta page names a root that is not a tree page: the other meta page is used.
    MetaUnusable = "meta-unusable", Error, "bbolt";
    /// No meta page leads to a root: the newest root page in the file is used.
    RootSearched = "root-searched", Warning, "bbolt";
    /// The only valid meta page is that of the empty database that a defragmentation leaves in the file.
    MetaInitial = "meta-initial", Error, "bbolt";
    /// A page id points outside the file, or at a meta page.
    PageOutOfRange = "page-out-of-range", Error, "bbolt";
    /// The header of a page has the id of another page.
    PageIdMismatch = "page-id-mismatch", Error, "bbolt";
    /// A page of a tree is neither a branch nor a leaf.
    PageKind = "page-kind", Error, "bbolt";
    /// A page's elements or overflow reach beyond its end or the end of the file.
    PageBounds = "page-bounds", Error, "bbolt";
    /// A page is reached a second time, is inside another page's overflow, or is in two buckets.
    PageTwice = "page-twice", Error, "bbolt";
    /// A page of a tree is beyond the high-water mark, where no page was ever allocated.
    PageBeyondMark = "page-beyond-mark", Error, "bbolt";
    /// A tree is deeper than any real one.
    TreeTooDeep = "tree-too-deep", Error, "bbolt";
    /// A branch page without elements.
    BranchEmpty = "branch-empty", Error, "bbolt";
    /// An element's key or value is outside its page.
    ElementBounds = "element-bounds", Error, "bbolt";
    /// Keys and values do not follow each other without a gap, as bbolt writes them.
    ElementLayout = "element-layout", Error, "bbolt";
    /// An element's flags mark neither a value nor a bucket, or a bucket where none is allowed.
    ElementFlags = "element-flags", Error, "bbolt";
    /// Keys are not in strictly ascending order.
    KeyOrder = "key-order", Error, "bbolt";
    /// A branch element's key is not the first key of its child.
    SeparatorMismatch = "separator-mismatch", Error, "bbolt";
    /// The root of the file has an element that is not a bucket.
    RootNotBuckets = "root-not-buckets", Error, "bbolt";
    /// A bucket's header is cut or does not name a usable root.
    BucketHeader = "bucket-header", Error, "bbolt";
    /// Bytes after the last element of a page are not zero.
    SlackNotZero = "slack-not-zero", Error, "bbolt";
    /// A valid meta page has a field value that bbolt never writes.
    MetaField = "meta-field", Warning, "bbolt";
    /// The page that a meta page names as its freelist is not one, or has fewer ids than it states.
    FreelistInvalid = "freelist-invalid", Warning, "bbolt";
    /// An id in the freelist is outside the file, duplicate, or out of order.
    FreelistId = "freelist-id", Warning, "bbolt";
    /// The freelist lists a page that a tree uses.
    FreelistInUse = "freelist-in-use", Warning, "bbolt";
    /// Pages are used by no tree, and the freelist does not list them.
    PageLeaked = "page-leaked", Warning, "bbolt";
    /// There are bytes after the high-water mark.
    FileTail = "file-tail", Info, "bbolt";
    /// The state of the other meta page is incomplete, so there is no former state to fall back to.
    FormerState = "former-state", Info, "bbolt";
    /// The states of the two meta pages contradict each other: pages of another commit were written over one of them.
    FormerNewer = "former-newer", Error, "bbolt";
    /// A bucket that every etcd has is missing.
    BucketMissing = "bucket-missing", Error, "etcd";
    /// A key of bucket `key` is not a revision.
    RevisionKey = "revision-key", Error, "etcd";
    /// Main revisions are missing above the compaction.
    RevisionGap = "revision-gap", Error, "etcd";
    /// Revisions are missing, and no page of the file has their records.
    RecordsLost = "records-lost", Error, "etcd";
    /// A record is not a mvccpb.KeyValue.
    RecordParse = "record-parse", Error, "etcd";
    /// A record contradicts the revision under which it is stored.
    RecordMismatch = "record-mismatch", Error, "etcd";
    /// Two pages have different records of one revision.
    RecordContradiction = "record-contradiction", Error, "etcd";
    /// The tree does not lead to all records: some were found by a scan of the pages.
    RecordsSalvaged = "records-salvaged", Warning, "etcd";
    /// The tree lacks records that other pages have, in a range of revisions that the tree covers.
    RecordsUnreached = "records-unreached", Error, "etcd";
    /// Freed pages have records that are newer than the newest record of the tree.
    RecordsBeyond = "records-beyond", Info, "etcd";
    /// Records at or below the compaction are only in freed pages, where compacted records are too.
    RecordsDoubtful = "records-doubtful", Error, "etcd";
    /// The answer is about a time below the compaction, and some of its revisions are in no page.
    HistoryIncomplete = "history-incomplete", Warning, "etcd";
    /// The versions of a key are not consecutive above the compaction.
    VersionGap = "version-gap", Error, "etcd";
    /// A record contradicts the record of its key before it.
    GenerationMismatch = "generation-mismatch", Error, "etcd";
    /// A tombstone above the compaction deletes a key that does not exist.
    TombstoneUnmatched = "tombstone-unmatched", Error, "etcd";
    /// A key was written twice in one main revision.
    KeyTwice = "key-twice", Error, "etcd";
    /// A live key is attached to a lease that is not in bucket `lease`.
    LeaseMissing = "lease-missing", Warning, "etcd";
    /// Values of bucket `meta` contradict each other.
    MetaContradiction = "meta-contradiction", Warning, "etcd";
    /// A bucket whose name no etcd uses.
    BucketUnknown = "bucket-unknown", Info, "etcd";
    /// A value of an etcd bucket (meta, lease, auth, members) cannot be read.
    BucketValue = "bucket-value", Warning, "etcd";
    /// A compaction was interrupted, or was running when the file was copied.
    CompactionInterrupted = "compaction-interrupted", Info, "etcd";
    /// A write-ahead log has bytes that are not a record where one should start.
    WalFrame = "wal-frame", Error, "etcd";
    /// The checksum of a record of a write-ahead log does not follow from those before it.
    WalChecksum = "wal-checksum", Error, "etcd";
    /// The last record of a write-ahead log is cut.
    WalTorn = "wal-torn", Warning, "etcd";
    /// A file of a write-ahead log is missing between two others.
    WalSegmentMissing = "wal-segment-missing", Error, "etcd";
    /// Entries of a write-ahead log are missing.
    WalEntryGap = "wal-entry-gap", Error, "etcd";
    /// Files of a write-ahead log belong to two members.
    WalContradiction = "wal-contradiction", Warning, "etcd";
    /// An entry of a write-ahead log is not a known etcd request.
    WalRequest = "wal-request", Warning, "etcd";
    /// A raft snapshot file cannot be trusted or read.
    SnapInvalid = "snap-invalid", Warning, "etcd";
    /// The log or a raft snapshot of a data directory is of another member or cluster than its database.
    DirectoryMember = "directory-member", Warning, "etcd";
    /// The database of a data directory is older than its raft snapshot, or its log does not cover it.
    DirectoryIndex = "directory-index", Warning, "etcd";
    /// The log of a data directory has another entry where its database is.
    DirectoryTerm = "directory-term", Warning, "etcd";
    /// The database of a data directory lacks writes of log entries that it claims to have applied.
    DirectoryWrites = "directory-writes", Error, "etcd";
    /// The SHA-256 after the events of a delta snapshot is wrong, or is missing.
    DeltaChecksum = "delta-checksum", Error, "etcd";
    /// An event of a delta snapshot cannot be read.
    DeltaEvent = "delta-event", Error, "etcd";
    /// Events of a delta snapshot are out of order, or duplicate.
    DeltaOrder = "delta-order", Warning, "etcd";
    /// Revisions are in no delta snapshot although later ones are.
    DeltaGap = "delta-gap", Error, "etcd";
    /// A value carries the mark of an encoding and cannot be decoded in it; it is shown raw.
    ValueUndecodable = "value-undecodable", Error, "k8s";
    /// A value is encrypted at rest.
    ValueEncrypted = "value-encrypted", Info, "k8s";
    /// A value is still encrypted although keys were given.
    ValueNotDecrypted = "value-not-decrypted", Warning, "k8s";
    /// A value's type is not in the schema table; it is shown generically.
    TypeUnknown = "type-unknown", Info, "k8s";
    /// A value has fields that are not in the schema table; they are shown by number.
    FieldUnknown = "field-unknown", Info, "k8s";
    /// The key of an object names another kind, namespace or name than the object.
    ObjectKeyMismatch = "object-key-mismatch", Warning, "k8s";
    /// The YAML of an object cannot be read back as the same object: it is left out.
    ManifestUnreadable = "manifest-unreadable", Warning, "k8s";
    /// A manifest lacks names of fields, so a server does not accept it.
    ManifestIncomplete = "manifest-incomplete", Warning, "k8s";
    /// Two live objects have the same uid.
    UidTwice = "uid-twice", Warning, "k8s";
}

impl Code {
    /// Whether this finding shows that the copy was taken while etcd was writing. Each page of such a copy may be
    /// intact, but the pages belong to two states.
    pub fn shows_torn_copy(self) -> bool {
        matches!(
            self,
            Self::RootNotBuckets
                | Self::PageBeyondMark
                | Self::BucketMissing
                | Self::SeparatorMismatch
                | Self::KeyOrder
                | Self::RevisionGap
                | Self::RecordsUnreached
                | Self::FormerNewer
        )
    }
}

impl Code {
    /// Whether bbolt's own check fails or panics on such a file, or bbolt reads other elements from it.
    pub fn fails_bbolt_check(self) -> bool {
        matches!(
            self,
            Self::FileTruncated
                | Self::PageOutOfRange
                | Self::PageIdMismatch
                | Self::PageKind
                | Self::PageBounds
                | Self::PageTwice
                | Self::PageBeyondMark
                | Self::TreeTooDeep
                | Self::BranchEmpty
                | Self::ElementBounds
                | Self::ElementLayout
                | Self::ElementFlags
                | Self::KeyOrder
                | Self::SeparatorMismatch
                | Self::RootNotBuckets
                | Self::BucketHeader
                | Self::MetaUnusable
                | Self::FreelistInvalid
                | Self::FreelistId
                | Self::FreelistInUse
                | Self::PageLeaked
        )
    }

    /// Whether `etcdutl snapshot status` refuses such a file.
    pub fn fails_snapshot_status(self) -> bool {
        self.fails_bbolt_check() || matches!(self, Self::RevisionKey | Self::RecordParse)
    }
}

impl Code {
    /// Whether parts of a data directory do not belong together: the database itself may be intact.
    pub fn is_about_directory(self) -> bool {
        matches!(
            self,
            Self::DirectoryMember | Self::DirectoryIndex | Self::DirectoryTerm
        )
    }
}

impl Code {
    /// Whether missing records cause findings of this kind too. In a torn copy such a finding is only a consequence.
    pub fn follows_from_missing(self) -> bool {
        matches!(
            self,
            Self::VersionGap
                | Self::TombstoneUnmatched
                | Self::LeaseMissing
                | Self::RecordsLost
                | Self::RecordsSalvaged
                | Self::RecordsDoubtful
        )
    }
}

impl Code {
    /// Whether this finding may come from a copy taken while etcd was writing: another page was written over the one that
    /// the tree expects. Damage of a single page has the same effect.
    pub fn may_be_torn_copy(self) -> bool {
        matches!(
            self,
            Self::PageIdMismatch
                | Self::PageKind
                | Self::PageTwice
                | Self::MetaUnusable
                | Self::RevisionKey
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a finding is. Every part may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locus {
    /// Name of the file, if it is not the database.
    pub file: Option<String>,
    /// Absolute offset in the file, in bytes.
    pub offset: Option<u64>,
    /// Page id.
    pub pgid: Option<u64>,
    /// Index of the element in its page.
    pub element: Option<usize>,
    /// Name of the bucket.
    pub bucket: Option<String>,
    /// Main and sub revision.
    pub revision: Option<(i64, i64)>,
    /// The etcd key.
    pub key: Option<Vec<u8>>,
}

impl Locus {
    /// A place known by its offset alone.
    pub fn at(offset: u64) -> Self {
        Self {
            offset: Some(offset),
            ..Self::default()
        }
    }

    /// A page, whose first byte is at `offset`.
    pub fn page(pgid: u64, offset: u64) -> Self {
        Self {
            offset: Some(offset),
            pgid: Some(pgid),
            ..Self::default()
        }
    }

    /// The same place, in the element `index`.
    #[must_use]
    pub fn element(mut self, index: usize) -> Self {
        self.element = Some(index);
        self
    }

    /// The same place, in the bucket `name`.
    #[must_use]
    pub fn bucket(mut self, name: &[u8]) -> Self {
        self.bucket = Some(shown(name));
        self
    }

    /// The same place, at a revision.
    #[must_use]
    pub fn revision(mut self, main: i64, sub: i64) -> Self {
        self.revision = Some((main, sub));
        self
    }

    /// The same place, for an etcd key.
    #[must_use]
    pub fn key(mut self, key: &[u8]) -> Self {
        self.key = Some(key.to_vec());
        self
    }
}

impl fmt::Display for Locus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(file) = &self.file {
            write!(f, "{}", shown(file.as_bytes()))?;
            separator = ", ";
        }
        if let Some(pgid) = self.pgid {
            write!(f, "{separator}page {pgid}")?;
            separator = ", ";
        }
        if let Some(element) = self.element {
            write!(f, "{separator}element {element}")?;
            separator = ", ";
        }
        if let Some(offset) = self.offset {
            write!(f, "{separator}offset {offset}")?;
            separator = ", ";
        }
        if let Some(bucket) = &self.bucket {
            write!(f, "{separator}bucket {bucket}")?;
            separator = ", ";
        }
        if let Some((main, sub)) = self.revision {
            write!(f, "{separator}revision {main}.{sub}")?;
            separator = ", ";
        }
        if let Some(key) = &self.key {
            write!(f, "{separator}key {}", shown_key(key))?;
        }
        Ok(())
    }
}

/// One finding about the content of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Where it is.
    pub locus: Locus,
    /// What was expected there; empty if the code is enough.
    pub expected: String,
    /// What was found; never bytes of a value.
    pub found: String,
    /// What the answer lacks because of it.
    pub effect: &'static str,
}

impl Diagnostic {
    /// A finding of the kind `code` at `locus`.
    pub fn new(code: Code, locus: Locus) -> Damage {
        Box::new(Self {
            code,
            locus,
            expected: String::new(),
            found: String::new(),
            effect: "",
        })
    }

    /// The same finding, with what was expected and what was found.
    #[must_use]
    pub fn expected(
        mut self: Box<Self>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Damage {
        self.expected = expected.into();
        self.found = found.into();
        self
    }

    /// The same finding, with what was found.
    #[must_use]
    pub fn found(mut self: Box<Self>, found: impl Into<String>) -> Damage {
        self.found = found.into();
        self
    }

    /// The same finding, with what the answer lacks because of it.
    #[must_use]
    pub fn effect(mut self: Box<Self>, effect: &'static str) -> Damage {
        self.effect = effect;
        self
    }
}

/// A finding that is not reported yet. It is boxed to keep a `Result` with it small.
pub type Damage = Box<Diagnostic>;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.locus)?;
        match (self.expected.is_empty(), self.found.is_empty()) {
            (false, false) => write!(f, ": expected {}, found {}", self.expected, self.found)?,
            (true, false) => write!(f, ": {}", self.found)?,
            (false, true) => write!(f, ": expected {}", self.expected)?,
            (true, true) => {}
        }
        if !self.effect.is_empty() {
            write!(f, "; {}", self.effect)?;
        }
        Ok(())
    }
}

/// How many findings of one code are kept in full. A hostile file can cause one for each element.
pub const KEPT_PER_CODE: usize = 100;
/// How many distinct findings are counted in one run; further ones are dropped.
pub const COUNTED: usize = 100_000;

/// How much of a key a message shows, in bytes.
const SHOWN_BYTES: usize = 80;

/// Bytes of a key for a message: escaped, and cut if they are long.
pub fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES) {
        Some(start) if bytes.len() > SHOWN_BYTES => {
            format!("{}... ({} bytes)", start.escape_ascii(), bytes.len())
        }
        _ => bytes.escape_ascii().to_string(),
    }
}

/// A key for a message, cut if it is long. The key of a damaged record may have bytes of a value, which may be a secret:
/// then only its size is shown.
pub fn shown_key(key: &[u8]) -> String {
    match NameField::Key.shown_bytes(key) {
        Cow::Borrowed(key) => shown(key.as_bytes()),
        Cow::Owned(size) => size,
    }
}

#[derive(Debug, Default)]
struct CodeFindings {
    count: u64,
    kept: Vec<Damage>,
}

/// The identity of a finding: code, offset, element, bucket and file.
type Place = (
    Code,
    Option<u64>,
    Option<usize>,
    Option<String>,
    Option<String>,
);

#[derive(Debug, Default)]
struct Inner {
    by_code: BTreeMap<Code, CodeFindings>,
    /// Places already reported: a second pass over the same pages is not a second finding.
    seen: HashSet<Place>,
}

/// Collects the findings of one run. Shared by reference, from any thread.
#[derive(Debug, Default)]
pub struct Diagnostics {
    inner: Mutex<Inner>,
}

impl Diagnostics {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in another thread cannot leave a half-written finding, so a poisoned lock is used all the same.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a finding. The same code at the same place counts once.
    pub fn report(&self, diagnostic: Damage) {
        let mut inner = self.lock();
        let Locus {
            offset,
            element,
            bucket,
            file,
            ..
        } = &diagnostic.locus;
        let place = (
            diagnostic.code,
            *offset,
            *element,
            bucket.clone(),
            file.clone(),
        );
        if inner.seen.len() >= COUNTED || !inner.seen.insert(place) {
            return;
        }
        let findings = inner.by_code.entry(diagnostic.code).or_default();
        findings.count = findings.count.saturating_add(1);
        if findings.kept.len() < KEPT_PER_CODE {
            findings.kept.push(diagnostic);
        }
    }

    /// Whether something above [`Severity::Info`] was found.
    pub fn found_any(&self) -> bool {
        self.lock()
            .by_code
            .keys()
            .any(|code| code.severity() > Severity::Info)
    }

    /// Whether something was found that may make an answer wrong. Bytes after a right SHA-256 do not, because the SHA-256
    /// proves that everything before it is what etcd saved.
    pub fn found_damage(&self) -> bool {
        let matters =
            |code: &Code| code.severity() > Severity::Info && *code != Code::TrailerFollowed;
        self.lock().by_code.keys().any(matters)
    }

    /// Whether something was found that may hide records.
    pub fn may_hide_records(&self) -> bool {
        self.lock()
            .by_code
            .keys()
            .any(|code| code.severity() == Severity::Error)
    }

    /// Whether a finding shows that the copy was taken while etcd was writing.
    pub fn shows_torn_copy(&self) -> bool {
        self.lock()
            .by_code
            .keys()
            .any(|code| code.shows_torn_copy())
    }

    /// How many findings of a code there were.
    pub fn count(&self, code: Code) -> u64 {
        self.lock()
            .by_code
            .get(&code)
            .map_or(0, |findings| findings.count)
    }

    /// Every code found, with its count and the kept findings in the order of the file.
    pub fn by_code(&self) -> Vec<(Code, u64, Vec<Damage>)> {
        let inner = self.lock();
        inner
            .by_code
            .iter()
            .map(|(code, findings)| {
                let mut kept = findings.kept.clone();
                kept.arrange_by_key(|diagnostic| {
                    (diagnostic.locus.offset, diagnostic.locus.element)
                });
                (*code, findings.count, kept)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_finding_counts_once_and_a_flood_is_capped() {
        let diagnostics = Diagnostics::new();
        for _ in 0..3 {
            diagnostics.report(Diagnostic::new(Code::PageIdMismatch, Locus::page(7, 28672)));
        }
        assert_eq!(diagnostics.count(Code::PageIdMismatch), 1);
        for offset in 0..10_000 {
            diagnostics.report(Diagnostic::new(Code::KeyOrder, Locus::at(offset)));
        }
        assert_eq!(diagnostics.count(Code::KeyOrder), 10_000);
        let (_, _, kept) = diagnostics.by_code().remove(1);
        assert_eq!(kept.len(), KEPT_PER_CODE);
        assert!(diagnostics.found_damage() && diagnostics.shows_torn_copy());
    }

    #[test]
    fn an_info_is_no_damage() {
        let diagnostics = Diagnostics::new();
        diagnostics.report(Diagnostic::new(
            Code::CompactionInterrupted,
            Locus::default(),
        ));
        assert!(!diagnostics.found_damage());
    }

    #[test]
    fn a_line_names_page_offset_and_effect() {
        let line = Diagnostic::new(Code::PageIdMismatch, Locus::page(7, 28672).bucket(b"key"))
            .expected("page id 7", "page id 9")
            .effect("its records are missing")
            .to_string();
        assert_eq!(
            line,
            "page-id-mismatch: page 7, offset 28672, bucket key: expected page id 7, found page id 9; its records are missing"
        );
    }

    #[test]
    fn code_texts_are_unique_and_kebab_case() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(
            texts
                .iter()
                .all(|text| text.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        );
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
