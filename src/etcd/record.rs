//! A record of bucket `key`: one put or one deletion of one key.

use crate::bbolt::{Element, Leaf, Page};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus};

use super::key_value::KeyValue;
use super::revision::{BucketKey, Revision, RevisionError};
use super::schema;

/// Where a record was found. A recovered record is the same [`Record`] with another origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the tree of the chosen meta page.
    Live,
    /// By a scan of the pages: the tree lacks it, but it is part of the state.
    Salvaged,
    /// In an unreachable page; it is not part of the state.
    Carved(Grade),
    /// In the write-ahead log beside the database.
    Wal,
    /// In a delta snapshot of etcd-backup-restore.
    Delta,
}

/// How certain a carved record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Found by the table of a leaf page, and none of its bytes was overwritten.
    A,
    /// Found by its bytes, within one page whose element table is lost.
    B,
    /// Like B, but it continues in the next page: only its bytes show that both parts belong together.
    C,
}

impl Origin {
    /// The origin of the records of a leaf.
    pub fn from_leaf(leaf: &Leaf<'_>) -> Self {
        if leaf.reached {
            Self::Live
        } else {
            Self::Salvaged
        }
    }

    /// The word for it in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Salvaged => "salvaged",
            Self::Carved(Grade::A) => "carved-a",
            Self::Carved(Grade::B) => "carved-b",
            Self::Carved(Grade::C) => "carved-c",
            Self::Wal => "wal",
            Self::Delta => "delta",
        }
    }

    /// Whether such records are part of the state of the database.
    pub fn is_of_state(self) -> bool {
        matches!(self, Self::Live | Self::Salvaged)
    }

    /// Whether such records continue the state of the database: what is newer than it was written after it.
    pub fn continues_state(self) -> bool {
        matches!(self, Self::Wal | Self::Delta)
    }
}

/// One put or one deletion of one key, borrowed from the file.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When it was written.
    pub revision: Revision,
    /// Whether it deletes its key. A tombstone has only `key`.
    pub tombstone: bool,
    /// The key.
    pub key: &'a [u8],
    /// Main revision of the first put since the key's last deletion.
    pub create_revision: i64,
    /// Main revision of this put; equal to `revision.main` in an intact file.
    pub mod_revision: i64,
    /// Number of this put since the key's last deletion, from 1.
    pub version: i64,
    /// The value.
    pub value: &'a [u8],
    /// The lease that the key is attached to; 0 for none.
    pub lease: i64,
    /// Where it was found.
    pub origin: Origin,
    /// The page that contains it; none for a record of a write-ahead log or a delta snapshot.
    pub pgid: Option<u64>,
    /// Its element in that page; none if the page's table is lost.
    pub element: Option<usize>,
    /// Offset of its stored bytes in their file, in bytes.
    pub offset: u64,
}

/// The finding about an element of bucket `key` whose key is not a revision.
pub(super) fn not_a_revision(
    page: &Page<'_>,
    element: &Element<'_>,
    error: RevisionError,
) -> Damage {
    Diagnostic::new(
        Code::RevisionKey,
        page.locus().element(element.index).bucket(b"key"),
    )
    .expected(
        "a revision of 17 bytes, or 18 for a tombstone",
        error.to_string(),
    )
    .effect("this record is missing from this answer")
}

/// Whether damage has made other fields of a record part of its key. Such a key may contain a secret value, so it is
/// never shown. A changed tag gives the record two key fields. A changed length makes the key include the fields after
/// it; their tags are control characters, and the record then contradicts itself.
fn has_other_fields_in_key(content: &KeyValue<'_>, stored: &[u8], contradicts: bool) -> bool {
    if contradicts {
        return content.key.iter().any(u8::is_ascii_control);
    }
    // A record written by etcd has each field once, and so exactly this length.
    content.encoded_len() != stored.len() && KeyValue::has_two_keys(stored)
}

impl<'a> Record<'a> {
    /// A record without content.
    pub(crate) fn empty(revision: Revision, key: &'a [u8], origin: Origin) -> Self {
        Self {
            revision,
            tombstone: false,
            key,
            create_revision: 0,
            mod_revision: 0,
            version: 0,
            value: &[],
            lease: 0,
            origin,
            pgid: None,
            element: None,
            offset: 0,
        }
    }

    /// The same record with the same key and value at another place in memory.
    pub(crate) fn with_bytes<'b>(&self, key: &'b [u8], value: &'b [u8]) -> Record<'b> {
        Record {
            revision: self.revision,
            tombstone: self.tombstone,
            key,
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            value,
            lease: self.lease,
            origin: self.origin,
            pgid: self.pgid,
            element: self.element,
            offset: self.offset,
        }
    }

    /// Its content as the message that etcd stores.
    #[inline]
    pub fn key_value(&self) -> KeyValue<'a> {
        KeyValue {
            key: self.key,
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            value: self.value,
            lease: self.lease,
        }
    }

    /// Reads a record from an element of bucket `key`. The second part is a contradiction within the record, if any; such
    /// a record is still returned.
    ///
    /// # Errors
    /// The finding that names why it is not a record.
    #[inline]
    pub fn parse(page: &Page<'a>, element: &Element<'a>) -> Result<(Self, Option<Damage>), Damage> {
        let locus = || page.locus().element(element.index).bucket(b"key");
        let BucketKey {
            revision,
            tombstone,
        } = BucketKey::parse(element.key).map_err(|error| not_a_revision(page, element, error))?;
        let content = KeyValue::parse(element.value).map_err(|error| {
            Diagnostic::new(
                Code::RecordParse,
                locus().revision(revision.main, revision.sub),
            )
            .expected("a mvccpb.KeyValue", error.to_string())
            .effect("this record is missing from this answer")
        })?;
        let record = Self {
            revision,
            tombstone,
            key: content.key,
            create_revision: content.create_revision,
            mod_revision: content.mod_revision,
            version: content.version,
            value: content.value,
            lease: content.lease,
            origin: Origin::Live,
            pgid: Some(page.pgid.0),
            element: Some(element.index),
            offset: element.value_offset,
        };
        let contradiction = record.contradiction();
        if has_other_fields_in_key(&content, element.value, contradiction.is_some()) {
            return Err(Diagnostic::new(
                Code::RecordParse,
                locus().revision(revision.main, revision.sub),
            )
            .expected("a mvccpb.KeyValue", "a key that contains other fields")
            .effect("this record is missing from this answer"));
        }
        let contradiction = contradiction.map(|found| {
            Diagnostic::new(
                Code::RecordMismatch,
                locus()
                    .revision(revision.main, revision.sub)
                    .key(content.key),
            )
            .found(found)
            .effect("the record is shown as it is")
        });
        Ok((record, contradiction))
    }

    /// The record in an element, if its bytes are exactly what etcd writes.
    pub(in crate::etcd) fn certain(page: &Page<'a>, element: &Element<'a>) -> Option<Self> {
        let Ok((record, None)) = Self::parse(page, element) else {
            return None;
        };
        let written = record.key_value().encoded_len() == element.value.len() && element.flags == 0;
        written.then_some(record)
    }

    /// Whether it is the mark of `etcdutl snapshot restore --bump-revision`: an empty record at the new revision
    /// (`etcdutl/snapshot/v3_snapshot.go`). It has no key.
    pub fn is_bump_mark(&self) -> bool {
        !self.tombstone && self.key.is_empty() && self.value.is_empty() && self.mod_revision == 0
    }

    /// How the record contradicts its own revision, if it does.
    pub(super) fn contradiction(&self) -> Option<String> {
        if self.is_bump_mark() {
            return None;
        }
        if self.key.is_empty() {
            return Some("a record without a key".to_owned());
        }
        if self.tombstone {
            let numbers = self.create_revision | self.mod_revision | self.version | self.lease;
            return (numbers != 0 || !self.value.is_empty())
                .then(|| "a tombstone with more than a key".to_owned());
        }
        if self.mod_revision != self.revision.main {
            return Some(format!(
                "mod_revision {} under main revision {}",
                self.mod_revision, self.revision.main
            ));
        }
        if self.version < 1 || self.create_revision < 1 || self.create_revision > self.mod_revision
        {
            return Some(format!(
                "version {}, create_revision {}",
                self.version, self.create_revision
            ));
        }
        ((self.version == 1) != (self.create_revision == self.mod_revision)).then(|| {
            format!(
                "version {} with create_revision {}",
                self.version, self.create_revision
            )
        })
    }

    /// Its grade; none if it was not carved.
    pub fn grade(&self) -> Option<Grade> {
        match self.origin {
            Origin::Carved(grade) => Some(grade),
            _ => None,
        }
    }

    /// Whether two records of one revision have the same content.
    pub fn has_same_content(&self, other: &Self) -> bool {
        let numbers = |record: &Self| {
            (
                record.tombstone,
                record.create_revision,
                record.mod_revision,
                record.version,
                record.lease,
            )
        };
        numbers(self) == numbers(other)
            && self.key == other.key
            && (std::ptr::eq(self.value, other.value) || self.value == other.value)
    }

    /// Its place in the file.
    pub fn locus(&self) -> Locus {
        Locus {
            offset: Some(self.offset),
            pgid: self.pgid,
            element: self.element,
            ..Locus::default()
        }
        .revision(self.revision.main, self.revision.sub)
        .key(self.key)
    }
}

/// Reports that two places have different records of one revision.
pub(super) fn report_contradiction(
    diagnostics: &Diagnostics,
    one: &Record<'_>,
    other: &Record<'_>,
    effect: &'static str,
) {
    let place = |record: &Record<'_>| match record.pgid {
        Some(pgid) => format!("page {pgid}, offset {}", record.offset),
        None => format!("offset {}", record.offset),
    };
    diagnostics.report(
        Diagnostic::new(Code::RecordContradiction, other.locus().bucket(schema::KEY))
            .expected(
                format!("what {} has", place(one)),
                format!("another record of revision {}", other.revision),
            )
            .effect(effect),
    );
}
