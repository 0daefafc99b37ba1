//! The check of all Kubernetes objects: values are read in parallel, findings are reported in order.

use std::sync::{Mutex, PoisonError};

use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::etcd::record_pass::{LiveRecords, SeenKeys};
use crate::etcd::{PassedRecord, Record, Store, schema};
use crate::fast_map::FastMap;
use crate::k8s::audit::ProtectionId;
use crate::k8s::catalog::{Catalog, Survey};
use crate::k8s::check::{CheckedValue, Checker, FindingCounts, ObjectFault, Uids};
use crate::k8s::encrypt::{DecryptError, Keyring};
use crate::k8s::object::tree_of;
use crate::named::key_text;

/// What locates objects: prefixes of keys, and the definitions of custom resources.
#[derive(Debug, Default)]
pub struct Definitions<'a> {
    survey: Survey,
    /// The newest record of each definition.
    newest: FastMap<Box<[u8]>, Record<'a>>,
}

impl<'a> Definitions<'a> {
    /// Reads one record, which has this key.
    pub fn see(&mut self, record: &Record<'a>, key: &[u8]) {
        if Survey::is_definition(key) {
            self.newest.insert(key.into(), *record);
        }
        if !record.tombstone {
            self.survey.look(key, record.value);
        }
    }

    /// The resources of the store.
    pub fn into_catalog(self, keyring: &Keyring) -> Catalog {
        let mut catalog = self.survey.into_catalog();
        let mut newest: Vec<_> = self.newest.into_iter().collect();
        newest.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (key, record) in newest.into_iter().filter(|(_, record)| !record.tombstone) {
            if let Ok(value) = keyring.decrypt(&key, record.value)
                && let Ok((definition, _)) = tree_of(&value)
            {
                catalog.define_by(&key, definition);
            }
        }
        catalog
    }
}

/// What one look at a record found.
enum Look {
    Closed(DecryptError),
    Checked(CheckedValue),
}

/// The check of all values.
pub struct ObjectCheck<'o, 'a> {
    diagnostics: &'a Diagnostics,
    keyring: &'o Keyring,
    catalog: &'o Catalog,
    live: LiveRecords<'o, ProtectionId>,
    uids: Uids<&'a [u8]>,
    encrypted: FindingCounts<Locus>,
    types: FindingCounts<Locus>,
    fields: FindingCounts<Locus>,
    count: u64,
}

impl<'o, 'a> ObjectCheck<'o, 'a> {
    /// A check whose findings go to `diagnostics`.
    pub fn new(
        diagnostics: &'a Diagnostics,
        keyring: &'o Keyring,
        catalog: &'o Catalog,
        keys: &'o SeenKeys<ProtectionId>,
    ) -> Self {
        Self {
            diagnostics,
            keyring,
            catalog,
            live: keys.live(),
            uids: Uids::default(),
            encrypted: FindingCounts::default(),
            types: FindingCounts::default(),
            fields: FindingCounts::default(),
            count: 0,
        }
    }

    /// Looks at every value, of older versions too. Findings are reported in the order of the records.
    pub fn check(&mut self, store: &Store<'a>) {
        let (keyring, catalog) = (self.keyring, self.catalog);
        // A checker keeps its buffers, so it is used again for the next record.
        let checkers: Mutex<Vec<Checker>> = Mutex::default();
        let lock = || checkers.lock().unwrap_or_else(PoisonError::into_inner);
        let look = |record: &PassedRecord<'_, 'a>| {
            if record.tombstone || record.is_bump_mark() {
                return None;
            }
            let mut checker = lock().pop().unwrap_or_default();
            let look = look(&mut checker, keyring, catalog, record);
            lock().push(checker);
            Some((record.in_map(), look?))
        };
        let state = store.state();
        state.visit_records(look, |(in_map, look), key| {
            // The key in the map would be read from the file again.
            self.take(&in_map.with_bytes(key, &[]), in_map.key, look);
        });
    }

    /// Takes what was found in the value of a record. `key` is its key in the map, which is only read for a finding.
    fn take(&mut self, record: &Record<'_>, key: &'a [u8], look: Look) {
        self.count = self.count.saturating_add(1);
        let locus = || record.locus().bucket(schema::KEY);
        let seen = match look {
            Look::Checked(seen) => seen,
            Look::Closed(error) => {
                self.diagnostics.report(
                    Diagnostic::new(Code::ValueNotDecrypted, locus())
                        .found(error.to_string())
                        .effect("what is in it is not checked"),
                );
                return;
            }
        };
        if let Some(by) = seen.encrypted_by {
            self.encrypted.add(by, locus);
        }
        for fault in seen.faults {
            match fault {
                ObjectFault::Undecodable(why) => self.diagnostics.report(
                    Diagnostic::new(Code::ValueUndecodable, locus())
                        .found(why)
                        .effect("the object cannot be read whole; its bytes are all there"),
                ),
                ObjectFault::Key { expected, found } => self.diagnostics.report(
                    Diagnostic::new(Code::ObjectKeyMismatch, locus())
                        .expected(expected, found)
                        .effect("either was changed by something other than an API server"),
                ),
                ObjectFault::TypeUnknown(name) => self.types.add(name, locus),
                ObjectFault::FieldUnknown(name) => self.fields.add(name, locus),
            }
        }
        if self.live.has(record)
            && let Some(other) = self.uids.add(seen.uid, key)
        {
            self.diagnostics.report(
                Diagnostic::new(Code::UidTwice, locus())
                    .expected("a uid of its own", format!("that of {}", key_text(other)))
                    .effect("garbage collection may take one of the two for the other"),
            );
        }
    }

    /// Reports each finding that is counted over all values. Returns how many values were checked.
    pub fn finish(self) -> u64 {
        let counted = [
            (Code::ValueEncrypted, self.encrypted, "encrypted by"),
            (Code::TypeUnknown, self.types, "of"),
            (Code::FieldUnknown, self.fields, "of"),
        ];
        for (code, counts, how) in counted {
            for (what, (count, first)) in counts {
                let values = if count == 1 { "value" } else { "values" };
                self.diagnostics.report(
                    Diagnostic::new(code, first).found(format!("{count} {values} {how} {what}")),
                );
            }
        }
        self.count
    }
}

fn look(
    checker: &mut Checker,
    keyring: &Keyring,
    catalog: &Catalog,
    record: &Record<'_>,
) -> Option<Look> {
    match keyring.decrypt(record.key, record.value) {
        Ok(value) => checker
            .check(catalog, record.key, &value)
            .map(Look::Checked),
        // Without any key the value is only counted. With a key this is a finding, because a key should decrypt it.
        Err(_) if keyring.is_empty() => checker
            .check(catalog, record.key, record.value)
            .map(Look::Checked),
        Err(error) => Some(Look::Closed(error)),
    }
}
