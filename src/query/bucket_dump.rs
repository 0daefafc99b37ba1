//! The elements of one bucket, or of every leaf page of a file, and what a program prints of each.

use std::ffi::{OsStr, OsString};
use std::iter::Peekable;

use rayon::prelude::*;

use crate::bbolt::bucket::{Bucket, is_bucket, leaf_elements};
use crate::bbolt::bucket_path::FoundBucket;
use crate::bbolt::{BucketPath, Direction, Element, Leaf, Page, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::hash::{Omit, backend_hash};
use crate::etcd::scan::{Scan, Scanned, scanned_records};
use crate::etcd::{Record, Store, schema};

use crate::named::key_text;

use super::address::{BadEscape, KEY_MARK, unescape};
use super::evidence::Evidence;
use super::no_answer::NoAnswer;
use super::notice::{Notice, Notices};

/// How many bytes of leaves one task formats: enough to be worth a task, little enough that the text of a batch stays
/// small. A longer leaf is a task of its own.
const TASK_BYTES: usize = 128 << 10;
/// How many tasks are formatted before their text is handed out.
const TASKS_PER_BATCH: usize = 16;
/// About how many bytes of leaves these have.
const BATCH_BYTES: usize = 2 << 20;
/// A text that grew larger than this is freed before the next batch.
const KEPT_TEXT_BYTES: usize = 1 << 20;

/// Appends what is printed of an element, of its key and its value; or appends it undecoded, and returns why.
pub type ElementText<'f> = dyn Fn(&[u8], &[u8], &mut Vec<u8>) -> Result<(), String> + Sync + 'f;

/// The bucket that etcd's records are in.
pub const RECORDS: &[u8] = schema::KEY;

/// etcd's hash over all buckets, without what differs between members.
///
/// # Errors
/// If the file is not a bbolt database.
pub fn hash(evidence: &Evidence) -> Result<u32, NoAnswer> {
    Ok(backend_hash(&evidence.store()?, Omit::PerMember))
}

/// The names of the buckets of a file, in the order of the tree.
///
/// # Errors
/// If the file is not a bbolt database.
pub fn bucket_names(evidence: &Evidence) -> Result<Vec<Box<[u8]>>, NoAnswer> {
    let store = evidence.store()?;
    let buckets = store.buckets().iter();
    Ok(buckets.map(|bucket| bucket.name.into()).collect())
}

/// A key of a bucket.
#[derive(Debug, Clone, Copy)]
pub struct BucketEntry<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Length of its value. None for a bucket.
    pub value_bytes: Option<usize>,
}

/// The path in a word: names joined by slashes, as they are listed; after `key:` with escapes, a slash in a name as
/// `\/`.
fn bucket_path(word: &OsStr) -> Result<BucketPath, BadEscape> {
    let bytes = word.as_encoded_bytes();
    let Some(escaped) = bytes.strip_prefix(KEY_MARK.as_bytes()) else {
        return Ok(BucketPath::Joined(bytes.to_vec()));
    };
    let mut names = vec![Vec::new()];
    let mut is_escaped = false;
    for byte in escaped {
        match names.last_mut() {
            Some(name) if is_escaped || *byte != b'/' => name.push(*byte),
            _ => names.push(Vec::new()),
        }
        is_escaped = *byte == b'\\' && !is_escaped;
    }
    let names: Option<Vec<_>> = names.iter().map(|name| unescape(name)).collect();
    let names = names.ok_or_else(|| BadEscape(bytes.to_vec()))?;
    Ok(BucketPath::Names(names))
}

/// The word for a path of these names, whatever bytes they have.
fn typed_path(names: &[&[u8]]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'\\');
    if names.iter().all(|name| name.iter().all(is_plain)) {
        let names: Vec<_> = names
            .iter()
            .map(|name| name.escape_ascii().to_string())
            .collect();
        return names.join("/");
    }
    typed_names(names)
}

/// The word for these names and no others.
fn typed_names(names: &[&[u8]]) -> String {
    let escaped = |name: &&[u8]| name.escape_ascii().to_string().replace('/', "\\/");
    let names: Vec<_> = names.iter().map(escaped).collect();
    format!("{KEY_MARK}{}", names.join("/"))
}

/// One bucket of a file.
#[derive(Debug)]
pub struct BucketDump<'e> {
    store: Store<'e>,
    bucket: Bucket<'e>,
    /// Whether it is one of the buckets of an etcd database, and no bucket in another.
    is_of_etcd: bool,
    diagnostics: &'e Diagnostics,
    /// Whether elements are decoded: then records that contradict themselves are reported.
    is_decoded: bool,
}

impl<'e> BucketDump<'e> {
    /// Finds the bucket.
    ///
    /// # Errors
    /// If the file is not a bbolt database, or has no such bucket, or the path is that of several.
    pub fn open(evidence: &'e Evidence, path: &OsStr, is_decoded: bool) -> Result<Self, NoAnswer> {
        let store = evidence.store()?;
        let mut found = bucket_path(path)?.find(store.db(), store.buckets());
        let FoundBucket { names, bucket } = match (found.buckets.pop(), found.buckets.as_slice()) {
            (Some(one), []) => one,
            (Some(last), others) => {
                let all = others.iter().chain([&last]);
                return Err(NoAnswer::SeveralBuckets {
                    path: path.to_string_lossy().into_owned(),
                    buckets: all.map(|found| typed_names(&found.names)).collect(),
                });
            }
            (None, _) => {
                let names = found.siblings.iter();
                return Err(NoAnswer::NoBucket {
                    name: path.to_string_lossy().into_owned(),
                    inside: (!found.last.is_empty()).then(|| typed_path(&found.last)),
                    buckets: names.map(|name| key_text(name).into_owned()).collect(),
                });
            }
        };
        Ok(Self {
            is_of_etcd: names.len() == 1 && !store.is_foreign(),
            store,
            bucket,
            diagnostics: evidence.diagnostics(),
            is_decoded,
        })
    }

    /// Its name, if it is one of etcd's; empty of another, whose elements have no meaning that is known.
    pub fn name(&self) -> &'e [u8] {
        if self.is_of_etcd {
            self.bucket.name
        } else {
            b""
        }
    }

    /// Hands out the keys that begin with one of the prefixes, or all without any, in key order, until `see` returns
    /// false.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn keys<E>(
        &self,
        prefixes: &[Vec<u8>],
        mut see: impl FnMut(&BucketEntry<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        for leaf in self.store.leaves_of(&self.bucket, Direction::Forward) {
            for element in leaf.elements(Direction::Forward) {
                let entry = BucketEntry {
                    key: element.key,
                    value_bytes: (!is_bucket(&element)).then_some(element.value.len()),
                };
                let is_asked = |prefix: &Vec<u8>| entry.key.starts_with(prefix);
                let is_asked = prefixes.is_empty() || prefixes.iter().any(is_asked);
                if is_asked && !see(&entry)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Hands out the text of all elements, newest first, a batch at a time; the batches are formatted in parallel.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn all<E>(
        &self,
        text_of: &ElementText<'_>,
        mut see: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let leaves = self.store.leaves_of(&self.bucket, Direction::Backward);
        let mut leaves = leaves.peekable();
        let mut texts: Vec<Vec<u8>> = vec![Vec::new(); TASKS_PER_BATCH];
        let format = |(leaves, text): (&Vec<Leaf<'e>>, &mut Vec<u8>)| {
            let elements = leaves
                .iter()
                .flat_map(|leaf| leaf_elements(leaf, Direction::Backward));
            elements.for_each(|(page, element)| self.append(&page, &element, text_of, text));
        };
        let mut tasks = next_tasks(&mut leaves);
        while !tasks.is_empty() {
            // One core walks to the next leaves while the others format these.
            let ((), next) = rayon::join(
                || {
                    let texts = texts.par_iter_mut();
                    tasks.par_iter().zip(texts).for_each(format);
                },
                || next_tasks(&mut leaves),
            );
            tasks = next;
            for text in &mut texts {
                see(text)?;
                text.clear();
                text.shrink_to(KEPT_TEXT_BYTES);
            }
        }
        Ok(())
    }

    /// Hands out the text of the newest elements, one at a time.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn newest<E>(
        &self,
        limit: usize,
        text_of: &ElementText<'_>,
        mut see: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let leaves = self.store.leaves_of(&self.bucket, Direction::Backward);
        let mut elements = leaves.flat_map(|leaf| leaf_elements(&leaf, Direction::Backward));
        let mut text = Vec::new();
        for (page, element) in elements.by_ref().take(limit) {
            text.clear();
            self.append(&page, &element, text_of, &mut text);
            see(&text)?;
        }
        // One step more: if these were all elements, the walk reports at its end what it missed.
        elements.next();
        Ok(())
    }

    /// Appends the text of one element, and reports what is wrong with it.
    fn append(
        &self,
        page: &Page<'e>,
        element: &Element<'e>,
        text_of: &ElementText<'_>,
        text: &mut Vec<u8>,
    ) {
        let is_record = self.name() == RECORDS;
        match text_of(element.key, element.value, text) {
            Err(reason) => {
                let code = if is_record {
                    Code::RecordParse
                } else {
                    Code::BucketValue
                };
                let locus = page.locus().element(element.index).bucket(self.name());
                self.diagnostics.report(
                    Diagnostic::new(code, locus)
                        .found(reason)
                        .effect("it is printed undecoded"),
                );
            }
            Ok(()) if self.is_decoded && is_record => {
                if let Ok((_, Some(contradiction))) = Record::parse(page, element) {
                    self.diagnostics.report(contradiction);
                }
            }
            Ok(()) => {}
        }
    }
}

/// The next leaves, as many as are formatted together: a list for each task.
fn next_tasks<'a>(leaves: &mut Peekable<impl Iterator<Item = Leaf<'a>>>) -> Vec<Vec<Leaf<'a>>> {
    let mut tasks = Vec::with_capacity(TASKS_PER_BATCH);
    let mut bytes = 0_usize;
    while tasks.len() < TASKS_PER_BATCH && bytes < BATCH_BYTES && leaves.peek().is_some() {
        let task = next_task(leaves);
        let lengths = task.iter().map(|leaf| leaf.page.run().len_bytes());
        bytes = lengths.fold(bytes, usize::saturating_add);
        tasks.push(task);
    }
    tasks
}

/// The next leaves, as many as make a task.
fn next_task<'a>(leaves: &mut Peekable<impl Iterator<Item = Leaf<'a>>>) -> Vec<Leaf<'a>> {
    let mut task = Vec::new();
    let mut bytes = 0_usize;
    while let Some(leaf) = leaves.next_if(|leaf| {
        bytes = bytes.saturating_add(leaf.page.run().len_bytes());
        bytes <= TASK_BYTES || task.is_empty()
    }) {
        task.push(leaf);
    }
    task
}

/// A record of a leaf page, wherever the page is in the file.
#[derive(Debug, Clone, Copy)]
pub struct ScannedElement<'a> {
    /// The page.
    pub pgid: Pgid,
    /// The place of the element in the page.
    pub index: usize,
    /// The place of the last element of the page.
    pub last_index: usize,
    /// The key of the element.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
}

/// Hands out the records of every leaf page by its position in the file, from a main revision on; `see` returns whether
/// a record could be decoded.
///
/// # Errors
/// Those of `see`, and if the file has no page of bbolt.
pub fn scan_records<E: From<NoAnswer>>(
    evidence: &Evidence,
    start_revision: i64,
    notices: &Notices,
    mut see: impl FnMut(ScannedElement<'_>) -> Result<bool, E>,
) -> Result<(), E> {
    let diagnostics = evidence.diagnostics();
    let scan = Scan::open(evidence.source(), diagnostics)
        .map_err(|error| evidence.not_a_database(error))?;
    let mut without_header = 0_u64;
    for leaf in scan {
        let Ok(leaf) = leaf else {
            without_header = without_header.saturating_add(1);
            continue;
        };
        let page = leaf.page;
        for Scanned { main, element } in scanned_records(&leaf) {
            if main < start_revision {
                continue;
            }
            let is_decoded = see(ScannedElement {
                pgid: page.pgid,
                index: element.index,
                last_index: page.count.saturating_sub(1),
                key: element.key,
                value: element.value,
            })?;
            if !is_decoded {
                diagnostics.report(
                    Diagnostic::new(Code::RecordParse, page.locus().element(element.index))
                        .expected("a mvccpb.KeyValue", "something else")
                        .effect("it is printed undecoded"),
                );
            }
        }
    }
    // The scan cannot distinguish damage from leftovers; the tree can, if there is one.
    if let Ok(store) = Store::open(evidence.source(), diagnostics) {
        store.record_leaves(Direction::Forward).for_each(drop);
    }
    if without_header > 0 {
        notices.add(Notice::PagesWithoutHeader(without_header));
    }
    Ok(())
}

/// The first bytes of keys in words; after `key:` with escapes.
///
/// # Errors
/// If an escape does not exist.
pub fn key_prefixes(words: &[OsString]) -> Result<Vec<Vec<u8>>, BadEscape> {
    let prefix = |word: &OsString| {
        let bytes = word.as_encoded_bytes();
        match bytes.strip_prefix(KEY_MARK.as_bytes()) {
            Some(escaped) => unescape(escaped).ok_or_else(|| BadEscape(bytes.to_vec())),
            None => Ok(bytes.to_vec()),
        }
    };
    words.iter().map(prefix).collect()
}
