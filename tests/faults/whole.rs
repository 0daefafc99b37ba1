//! An undamaged file with the records that it holds, and the judgement of what a damaged copy of it
//! gives: the exact set of the records that the damage left alone.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use etcdive::bbolt::Direction;
use etcdive::diag::Severity;
use etcdive::etcd::{KeyValue, Record};
use etcdive::query::evidence::{Evidence, Verify};
use etcdive::query::{NoAnswer, Notices};
use etcdive::view::command::Invocation;
use etcdive::view::no_answer;

use crate::mutate::oracle::{Changed, Oracle};
use crate::support::synth::mutate::Outline;

/// A record without its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content {
    pub main: i64,
    pub sub: i64,
    pub tombstone: bool,
    pub key: Vec<u8>,
    pub counters: [i64; 4],
    pub value: Vec<u8>,
}

impl Content {
    fn of(record: &Record<'_>) -> Self {
        Self {
            main: record.revision.main,
            sub: record.revision.sub,
            tombstone: record.tombstone,
            key: record.key.to_vec(),
            counters: [
                record.create_revision,
                record.mod_revision,
                record.version,
                record.lease,
            ],
            value: record.value.to_vec(),
        }
    }

    fn stored(bucket_key: &[u8], value: &[u8]) -> Self {
        let number = |at: usize| i64::from_be_bytes(bucket_key[at..at + 8].try_into().unwrap());
        let content = KeyValue::parse(value).unwrap();
        Self {
            main: number(0),
            sub: number(9),
            tombstone: bucket_key.len() == 18,
            key: content.key.to_vec(),
            counters: [
                content.create_revision,
                content.mod_revision,
                content.version,
                content.lease,
            ],
            value: content.value.to_vec(),
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        format!(
            "record {}.{} {}",
            self.main,
            self.sub,
            self.key.escape_ascii()
        )
    }
}

/// A record of the undamaged file, and the bytes that hold it.
pub struct Known {
    pub content: Content,
    /// The header of its leaf page. Of an inline bucket all that leads to it from the root page on:
    /// such a bucket is in the root's element.
    pub page: Vec<Range<usize>>,
    /// Its 16 bytes in the element table.
    pub header: Range<usize>,
    /// Its key and value.
    pub body: Range<usize>,
}

/// An undamaged file.
pub struct Whole {
    pub name: String,
    pub image: Vec<u8>,
    /// Its records, oldest first.
    pub records: Vec<Known>,
    /// Those of the state before, where the other meta still knows one; else none.
    older: Vec<Content>,
    /// Of each byte whether a reader needs it to find its way.
    pub structure: Vec<bool>,
    pub outline: Outline,
}

fn known(image: &[u8], current: bool, page_size: usize) -> Vec<Known> {
    let oracle = Oracle::of(image, current);
    let entries = oracle.entries.into_iter();
    let records = entries.filter(|entry| &*entry.bucket == b"key");
    records
        .map(|entry| {
            let leaf = entry.way.bytes.last().unwrap().clone();
            let is_inline = leaf.start % page_size != 0;
            // The way begins with the two metas.
            let page = if is_inline {
                entry.way.bytes[2..].to_vec()
            } else {
                vec![leaf]
            };
            Known {
                content: Content::stored(&entry.key, &entry.value),
                page,
                header: entry.header,
                body: entry.body,
            }
        })
        .collect()
}

impl Whole {
    pub fn of(name: &str, image: Vec<u8>) -> Self {
        let outline = Outline::of(&image).unwrap();
        let page_size = outline.page_size;
        let contents = |known: Vec<Known>| known.into_iter().map(|one| one.content);
        let records = known(&image, true, page_size);
        // In a file that a server wrote, the pages of the state before may have been used again.
        let older = std::panic::catch_unwind(|| known(&image, false, page_size));
        let older: Vec<Content> = contents(older.unwrap_or_default()).collect();
        let is_other = !records.iter().map(|one| &one.content).eq(older.iter());
        Self {
            name: name.to_owned(),
            records,
            older: if is_other { older } else { Vec::new() },
            structure: Oracle::of(&image, true).structure,
            outline,
            image,
        }
    }

    /// Reads a file without the SHA-256 of a snapshot, with which every damage is reported.
    pub fn read(path: &Path) -> Self {
        let mut image = std::fs::read(path).unwrap();
        image.truncate(image.len() / 512 * 512);
        Self::of(&path.display().to_string(), image)
    }

    /// The records of which no byte is damaged: element, key, value, and the header of their page.
    pub fn intact(&self, changed: &Changed) -> Vec<&Known> {
        let is_intact = |known: &&Known| {
            !changed.touches(&known.header)
                && !changed.touches(&known.body)
                && !known.page.iter().any(|range| changed.touches(range))
        };
        self.records.iter().filter(is_intact).collect()
    }

    /// Whether these are the records of the state before: a meta page that leads there, and is right
    /// in itself, shows no damage.
    fn is_older(&self, delivered: &[Delivered]) -> bool {
        delivered
            .iter()
            .map(|one| &one.content)
            .eq(self.older.iter())
    }
}

/// A record as it was delivered.
pub struct Delivered {
    pub content: Content,
    /// The page that it was found on.
    pub pgid: u64,
}

/// What the library gives of a file.
#[derive(Default)]
pub struct Answer {
    /// Why there is none.
    pub refused: Option<String>,
    pub records: Vec<Delivered>,
    /// Findings above info, with what they say.
    pub findings: Vec<String>,
    /// Their codes.
    pub codes: Vec<&'static str>,
    /// Findings without a place in the file.
    pub unplaced: Vec<String>,
    /// Whether a finding may hide records: exit 3.
    pub told: bool,
    /// Whether the other direction gives other records.
    pub directions_differ: bool,
}

/// Whether a finding need not be on a page: it is about the file's length, or sums up what a scan found.
pub fn is_of_the_file(code: &str) -> bool {
    ["file-truncated", "trailer-mismatch", "read-error"].contains(&code)
        || code.starts_with("records-")
}

fn said(failure: &NoAnswer) -> String {
    no_answer::text(failure, &Invocation::default()).0
}

/// Reads a file as the verbs do.
pub fn answer(path: &Path) -> Answer {
    let mut answer = Answer::default();
    let evidence = match Evidence::open(path, Verify::IfSmall) {
        Ok(evidence) => evidence,
        Err(failure) => {
            answer.refused = Some(said(&failure));
            return answer;
        }
    };
    match evidence.records(&Notices::default()) {
        Ok(store) => {
            let of = |record: Record<'_>| Delivered {
                content: Content::of(&record),
                pgid: record.pgid.unwrap(),
            };
            answer.records = store.records(Direction::Forward).map(of).collect();
            let mut forward: Vec<_> = answer.records.iter().map(|one| &one.content).collect();
            let backward: Vec<_> = store.records(Direction::Backward).map(of).collect();
            let mut backward: Vec<_> = backward.iter().map(|one| &one.content).collect();
            forward.sort();
            backward.sort();
            answer.directions_differ = forward != backward;
        }
        Err(failure) => answer.refused = Some(said(&failure)),
    }
    for (code, _, kept) in evidence.diagnostics().by_code() {
        if code.severity() == Severity::Info {
            continue;
        }
        answer.codes.push(code.as_str());
        answer.told |= code.severity() == Severity::Error;
        for finding in kept {
            let text = finding.to_string();
            let placed = finding.locus.offset.is_some() && finding.locus.pgid.is_some();
            if !placed && !is_of_the_file(code.as_str()) {
                answer.unplaced.push(text.clone());
            }
            answer.findings.push(text);
        }
    }
    answer
}

/// What is wrong with an answer about a damaged copy of a file; nothing, if all is right.
pub struct Judgement {
    pub problems: Vec<String>,
    /// Whether a meta page that is right in itself leads to the state before: nothing shows it.
    pub excused: bool,
}

impl Whole {
    pub fn judge(&self, damaged: &[u8], answer: &Answer) -> Judgement {
        let changed = Changed::between(&self.image, damaged);
        let intact = self.intact(&changed);
        let mut problems: Vec<String> = Vec::new();
        if let Some(refused) = answer.refused.as_ref().filter(|_| !intact.is_empty()) {
            let n = intact.len();
            problems.push(format!("refused, though {n} records are intact: {refused}"));
            return Judgement {
                problems,
                excused: false,
            };
        }
        // Where a meta page is damaged, the state of the other one is an answer.
        let metas = 0..2 * self.outline.page_size;
        let has_former = !self.older.is_empty() && changed.touches(&metas);
        let former = has_former && self.is_older(&answer.records);
        // A bucket header that names a later page of the tree, in a compacted store: what is left has no gap above
        // the compaction, so that nothing but a snapshot's hash can show it.
        let by_its_hash = answer.codes.iter().all(|code| *code == "trailer-mismatch");
        let delivered: std::collections::HashSet<&Content> =
            answer.records.iter().map(|one| &one.content).collect();
        let first = delivered.iter().map(|content| content.main).min();
        let lost = intact
            .iter()
            .filter(|known| !delivered.contains(&known.content));
        let newest_lost = lost.map(|known| known.content.main).max();
        let older = newest_lost.is_some() && newest_lost < first;
        let shorter = by_its_hash && older && changed.bytes().count() <= 8;
        let excused = former && !answer.told;
        if !former && !shorter {
            self.compare(&changed, &intact, answer, &mut problems);
        }
        if answer.directions_differ {
            problems.push("the two directions differ".to_owned());
        }
        let unplaced = answer.unplaced.iter();
        problems.extend(unplaced.map(|text| format!("without page or offset: {text}")));
        Judgement { problems, excused }
    }

    fn compare(
        &self,
        changed: &Changed,
        intact: &[&Known],
        answer: &Answer,
        problems: &mut Vec<String>,
    ) {
        let mut times: HashMap<&Content, usize> = HashMap::new();
        for one in &answer.records {
            *times.entry(&one.content).or_insert(0) += 1;
        }
        for known in intact {
            match times.get(&known.content) {
                Some(1) => {}
                Some(n) => problems.push(format!("{n} times: {}", known.content.name())),
                None => problems.push(format!("intact, yet lost: {}", known.content.name())),
            }
        }
        // A record with another body needs no telling: no checksum protects it.
        let silent = |known: &&Known| {
            !answer.told && !times.contains_key(&known.content) && !changed.touches(&known.body)
        };
        let silent = self.records.iter().filter(silent);
        problems.extend(silent.map(|known| format!("no word: {}", known.content.name())));
        let ours: std::collections::HashSet<&Content> =
            self.records.iter().map(|known| &known.content).collect();
        for one in &answer.records {
            if !ours.contains(&one.content) && !self.is_damaged(changed, one) {
                problems.push(format!("never written: {}", one.content.name()));
            }
        }
        let of_intact: std::collections::HashSet<&Content> =
            intact.iter().map(|known| &known.content).collect();
        let in_order = answer.records.iter().map(|one| &one.content);
        let in_order: Vec<_> = in_order.filter(|one| of_intact.contains(one)).collect();
        if !in_order.is_sorted_by_key(|one| (one.main, one.sub)) {
            problems.push("intact records out of order".to_owned());
        }
    }

    /// Whether the damage touches the run of pages on which a record was found.
    fn is_damaged(&self, changed: &Changed, one: &Delivered) -> bool {
        let size = self.outline.page_size;
        let start = (one.pgid as usize).saturating_mul(size);
        let page = self.outline.reached.iter().find(|page| page.id == one.pgid);
        let pages = page.map_or(1, |page| page.overflow as usize + 1);
        changed.touches(&(start..start.saturating_add(pages * size)))
    }
}
