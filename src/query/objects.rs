//! Reads the object of a record: decrypts and decodes its value. A value that cannot be read is reported, and the run
//! goes on.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::bbolt::Direction;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::{AtRevision, Record, Revision, Store};
use crate::k8s::DecodeError;
use crate::k8s::decode::{Note, Options};
use crate::k8s::meta::Meta;
use crate::k8s::object::{is_object, tree_with};
use crate::k8s::selector::LabelSelector;
use crate::source::Source;

use super::evidence::Evidence;
use super::notice::{Encrypted, Notice, Notices};
use super::value_reader::ValueReader;

pub use crate::k8s::encrypt::DecryptError;

/// How values are decrypted and read.
pub use crate::k8s::Order;
pub use crate::k8s::encrypt::{Config, ConfigError, DataKey, Keyring};
pub use crate::k8s::object::is_secret_key;

/// Whether bytes are the beginning of a database.
pub fn is_database(bytes: &[u8]) -> bool {
    crate::bbolt::Meta::parse(bytes, 0).is_ok()
}

/// When this many bytes of the file are resident, its pages are given back to the system.
const RESIDENT_BYTES: usize = 32 << 20;
/// How many bytes Linux makes resident when one page is read.
const FAULT_AROUND_BYTES: usize = 64 << 10;

/// Reads the objects of one store, and counts the values that are still encrypted.
#[derive(Debug)]
pub struct Objects<'r> {
    keyring: &'r Keyring,
    diagnostics: &'r Diagnostics,
    source: &'r Source,
    /// By the reason.
    closed: RefCell<BTreeMap<String, Encrypted>>,
    /// How much became resident since the pages of the file were last given back, in bytes.
    read_bytes: Cell<usize>,
    /// The records that were reported already: a verb may read a record twice.
    reported: RefCell<HashSet<Revision>>,
    /// How many objects could not be read for a selector.
    untested: Cell<usize>,
}

/// What a record's value is.
#[derive(Debug)]
pub enum ReadValue {
    /// An object of Kubernetes.
    Object(Value, Vec<Note>),
    /// Anything else that can be read: a text, a number, JSON without a kind.
    Plain,
    /// Encrypted, and no key opens it.
    Encrypted(DecryptError),
    /// It begins like an object, and cannot be decoded.
    Undecodable(DecodeError),
}

impl<'r> Objects<'r> {
    /// A reader for the values of one store.
    pub fn new(keyring: &'r Keyring, evidence: &'r Evidence) -> Self {
        Self {
            keyring,
            diagnostics: evidence.diagnostics(),
            source: evidence.source(),
            read_bytes: Cell::new(0),
            closed: RefCell::default(),
            reported: RefCell::default(),
            untested: Cell::default(),
        }
    }

    /// The value of a record, decrypted where that is necessary and possible.
    ///
    /// # Errors
    /// Why the value is still encrypted. The reason is also counted for a notice.
    pub fn open<'v>(&self, record: &Record<'v>) -> Result<Cow<'v, [u8]>, DecryptError> {
        self.count_read(record.value.len().saturating_add(FAULT_AROUND_BYTES));
        let opened = self.keyring.decrypt(record.key, record.value);
        if let Err(error) = &opened {
            self.note_closed(record, error);
        }
        opened
    }

    /// Reads values from any thread.
    pub(super) fn values(&self) -> ValueReader<'r> {
        let (keyring, source) = (self.keyring, self.source);
        ValueReader { keyring, source }
    }

    /// The keys of encrypted values.
    pub(super) fn keyring(&self) -> &'r Keyring {
        self.keyring
    }

    /// The database file.
    pub(super) fn source(&self) -> &'r Source {
        self.source
    }

    /// Counts values that were read past this reader, by several threads. When many were, the pages of the file are
    /// given back.
    pub fn forget_read(&self, values: usize) {
        self.count_read(values.saturating_mul(FAULT_AROUND_BYTES));
    }

    /// Counts a record that was looked at in a pass over the file in its order.
    pub(super) fn forget_passed(&self, record: &Record<'_>) {
        self.count_read(record.value.len());
    }

    /// Counts bytes of the file that became resident.
    fn count_read(&self, bytes: usize) {
        let read = self.read_bytes.get().saturating_add(bytes);
        if read > RESIDENT_BYTES {
            // Values are read all over the file: without this all of it would stay in memory.
            self.source.forget_resident();
        }
        self.read_bytes
            .set(if read > RESIDENT_BYTES { 0 } else { read });
    }

    /// What the value of a record is.
    pub fn read(&self, record: &Record<'_>, options: Options) -> ReadValue {
        let value = match self.open(record) {
            Ok(value) => value,
            Err(error) => return ReadValue::Encrypted(error),
        };
        match tree_with(&value, options) {
            Ok((tree, notes)) if is_object(&tree) => ReadValue::Object(tree, notes),
            Ok(_) => ReadValue::Plain,
            Err(error) => {
                self.report_undecodable(record, &error);
                ReadValue::Undecodable(error)
            }
        }
    }

    /// The object of a record, its fields in the order in which their type declares them. None if the value is no
    /// object, or cannot be read.
    pub fn object(&self, record: &Record<'_>) -> Option<Value> {
        match self.read(record, Order::Declared.into()) {
            ReadValue::Object(tree, _) => Some(tree),
            _ => None,
        }
    }

    /// Whether the object of a record has the labels. An object that cannot be read is counted: the answer may lack
    /// it.
    pub fn has_labels(&self, record: &Record<'_>, labels: &LabelSelector) -> bool {
        match self.read(record, Order::Declared.into()) {
            ReadValue::Object(tree, _) => labels.matches(&tree),
            ReadValue::Encrypted(_) | ReadValue::Undecodable(_) => {
                self.count_untested();
                false
            }
            ReadValue::Plain => false,
        }
    }

    /// Turns a value that cannot be decoded into a finding.
    pub fn report_undecodable(&self, record: &Record<'_>, error: &DecodeError) {
        if !self.reported.borrow_mut().insert(record.revision) {
            return;
        }
        self.diagnostics.report(
            Diagnostic::new(Code::ValueUndecodable, record.locus())
                .found(error.text_of(record.key))
                .effect("it is taken as it is stored"),
        );
    }

    /// Makes a finding of an object that has no YAML which loads back to it.
    pub fn report_unreadable(&self, record: &Record<'_>, error: &impl ToString) {
        self.diagnostics.report(
            Diagnostic::new(Code::ManifestUnreadable, record.locus())
                .found(error.to_string())
                .effect("it is not written as YAML"),
        );
    }

    /// Makes a finding of an object whose manifest lacks the names of fields.
    pub fn report_incomplete(&self, record: &Record<'_>, notes: &[Note]) {
        let texts: Vec<String> = notes.iter().map(|note| note.text_of(record.key)).collect();
        self.diagnostics.report(
            Diagnostic::new(Code::ManifestIncomplete, record.locus())
                .found(texts.join("; "))
                .effect("a server does not take its manifest as it is"),
        );
    }

    /// Makes a finding of an object if its manifest lacks the names of fields; what it lacks.
    pub fn report_if_incomplete(&self, record: &Record<'_>) -> Vec<Note> {
        let opened = self.keyring.decrypt(record.key, record.value).ok();
        let read = opened.and_then(|value| tree_with(&value, Order::Declared).ok());
        let object = read.filter(|(tree, _)| is_object(tree));
        let notes = object.map_or_else(Vec::new, |(_, notes)| notes);
        if !notes.is_empty() {
            self.report_incomplete(record, &notes);
        }
        notes
    }

    fn note_closed(&self, record: &Record<'_>, error: &DecryptError) {
        if !self.reported.borrow_mut().insert(record.revision) {
            return;
        }
        let mut closed = self.closed.borrow_mut();
        let of_reason = closed
            .entry(error.to_string())
            .or_insert_with(|| Encrypted {
                count: 0,
                first: record.key.into(),
                error: error.clone(),
            });
        of_reason.count = of_reason.count.saturating_add(1);
        // Without any key this is only a note. With a key it is a finding, because a key should decrypt the value.
        if !self.keyring.is_empty() {
            self.report_encrypted(record, error);
        }
    }

    /// Makes a finding of a value that is still encrypted. For verbs that need its fields: without them the answer is
    /// incomplete, whether keys were given or not.
    pub fn report_encrypted(&self, record: &Record<'_>, error: &DecryptError) {
        self.diagnostics.report(
            Diagnostic::new(Code::ValueNotDecrypted, record.locus())
                .found(error.to_string())
                .effect("it is shown as it is stored"),
        );
    }

    /// Counts an object that could not be read, so that a selector could not be tried on it.
    pub fn count_untested(&self) {
        self.untested.set(self.untested.get().saturating_add(1));
    }

    /// How many objects could not be read, so that a selector could not be tried on them.
    pub(super) fn untested(&self) -> usize {
        self.untested.get()
    }

    /// Reports which values are still encrypted, and how many objects a selector could not be tried on.
    pub(super) fn finish(&self, notices: &Notices) {
        /// How many reasons are reported.
        const REASONS: usize = 20;
        let closed = self.closed.borrow();
        if !closed.is_empty() {
            let shown = closed.values().take(REASONS).cloned().collect();
            let more = closed.len().saturating_sub(REASONS);
            notices.add(Notice::StillEncrypted(shown, more));
        }
        if self.untested.get() > 0 {
            notices.add(Notice::Untested(self.untested.get()));
            self.diagnostics.report(Diagnostic::new(
                Code::ValueNotDecrypted,
                crate::diag::Locus::default(),
            ));
        }
    }
}

/// How many of the newest records are looked at for the newest time.
const RECENT_RECORDS: usize = 10_000;

/// The newest time which an API server wrote into a store up to a revision, in seconds since 1970: of
/// creations and of managedFields. Only the newest 10,000 records are looked at, and further ones until
/// one has a time.
pub fn newest_time(store: &Store<'_>, at: AtRevision, keyring: &Keyring) -> Option<i64> {
    let mut newest = None;
    let records = store
        .state()
        .records(Direction::Backward)
        .filter(|record| !record.tombstone && record.revision.main <= at.0);
    for (seen, record) in records.enumerate() {
        if seen >= RECENT_RECORDS && newest.is_some() {
            break;
        }
        let Ok(value) = keyring.decrypt(record.key, record.value) else {
            continue;
        };
        let Some(meta) = Meta::read(&value) else {
            continue;
        };
        let written = meta.managed_fields.iter().filter_map(|entry| entry.time);
        newest = newest.max(meta.creation_time).max(written.max());
    }
    newest
}
