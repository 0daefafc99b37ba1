//! A database file as a whole: geometry, the chosen meta page, its buckets.

use std::sync::Arc;

use crate::Error;
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::source::Source;

use super::bucket::{Bucket, is_bucket};
use super::meta::{Geometry, Meta, MetaError, find_metas};
use super::page::{Kind, Pages, Pgid};
use super::tree::{Direction, Ground, Leaves, Root};

/// Which meta page stands for the state of the file, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaChoice {
    /// Both are valid and this one has the larger txid.
    Newest,
    /// Both are valid and name the same root: a snapshot file, where the other is a copy.
    SameRoot,
    /// The other one is not valid.
    OnlyValid,
    /// The other one is newer, but names a state that cannot be.
    OnlyUsable,
}

impl MetaChoice {
    /// The reason as part of a sentence.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Newest => "it has the larger txid",
            Self::SameRoot => {
                "it has the larger txid; the other names the same root, as in a snapshot file"
            }
            Self::OnlyValid => "the other meta page is not valid",
            Self::OnlyUsable => "the newer meta page names a state that cannot be",
        }
    }
}

/// The number under which the root tree owns its pages; its buckets follow.
const ROOT_NUMBER: u16 = 1;

/// An open database file.
#[derive(Debug)]
pub struct Db<'a> {
    ground: Ground<'a>,
    diagnostics: &'a Diagnostics,
    pages: Pages<'a>,
    metas: [Result<Meta, MetaError>; 2],
    chosen: usize,
    choice: MetaChoice,
    meta: Meta,
}

impl<'a> Db<'a> {
    /// Opens the image of an evidence file.
    ///
    /// # Errors
    /// As [`Self::of_image`].
    pub fn open(source: &'a Source, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        Self::of_image(source.image(), Some(source), diagnostics)
    }

    /// Opens an image in memory.
    ///
    /// # Errors
    /// [`Error::NotBbolt`] when there is no page in it, [`Error::NoMeta`] when neither meta page is valid.
    pub fn of_image(
        image: &'a [u8],
        source: Option<&'a Source>,
        diagnostics: &'a Diagnostics,
    ) -> Result<Self, Error> {
        let (geometry, metas) = find_metas(image);
        let damaged = |page_size: usize| Error::NoMeta {
            page_size,
            first: metas[0],
            second: metas[1],
        };
        let Some(Geometry { page_size, order }) = geometry else {
            return Err(Error::NotBbolt);
        };
        let pages = Pages::new(image, page_size, order);
        let usable = |index: usize| {
            metas
                .get(index)
                .and_then(|meta| meta.ok())
                .filter(|meta| root_can_be(meta, &pages))
        };
        let (chosen, choice) = match (metas[0], metas[1]) {
            (Ok(first), Ok(second)) => {
                let newer = usize::from(second.txid > first.txid);
                let older = 1 - newer;
                if usable(newer).is_none() && usable(older).is_some_and(|meta| !meta.is_initial()) {
                    (older, MetaChoice::OnlyUsable)
                } else if first.root == second.root {
                    (newer, MetaChoice::SameRoot)
                } else {
                    (newer, MetaChoice::Newest)
                }
            }
            (Ok(_), Err(_)) => (0, MetaChoice::OnlyValid),
            (Err(_), Ok(_)) => (1, MetaChoice::OnlyValid),
            (Err(_), Err(_)) => return Err(damaged(page_size)),
        };
        let meta = metas
            .get(chosen)
            .and_then(|meta| meta.ok())
            .ok_or_else(|| damaged(page_size))?;
        let pages = pages.below(meta.high_water_mark);
        let ground = Ground {
            pages,
            source,
            owners: Arc::default(),
        };
        let db = Self {
            ground,
            diagnostics,
            pages,
            metas,
            chosen,
            choice,
            meta,
        };
        db.report_metas();
        Ok(db)
    }

    fn report_metas(&self) {
        for (index, meta) in self.metas.iter().enumerate() {
            let pgid = Pgid(index as u64);
            if meta.is_ok()
                && let Some(page) = self.pages.unchecked(pgid)
                && (page.stated_id != pgid.0 || page.kind != Some(Kind::Meta))
            {
                self.diagnostics.report(
                    Diagnostic::new(Code::PageIdMismatch, page.locus())
                        .expected(format!("meta page {pgid}"), format!("page id {}, flags 0x{:04x}", page.stated_id, page.flags))
                        .effect("another page may have been written over this one, and the state shown may be an older one"),
                );
            }
            if let Err(error) = meta {
                self.diagnostics.report(
                    Diagnostic::new(
                        Code::MetaInvalid,
                        Locus::page(pgid.0, self.pages.offset_of(pgid)),
                    )
                    .expected("a valid meta page", error.to_string())
                    .effect("if it was the newer one, the state shown is one commit old"),
                );
            }
        }
        let other = Pgid(1_u64.saturating_sub(self.chosen as u64));
        if self.choice == MetaChoice::OnlyUsable {
            self.diagnostics.report(
                Diagnostic::new(
                    Code::MetaUnusable,
                    Locus::page(other.0, self.pages.offset_of(other)),
                )
                .expected(
                    "a root page inside the file",
                    "one outside it or of another kind",
                )
                .effect("the state shown is the one before it"),
            );
        }
        if self.choice == MetaChoice::OnlyValid && self.meta.is_initial() {
            self.diagnostics.report(
                Diagnostic::new(Code::MetaInitial, Locus::page(self.chosen as u64, self.pages.offset_of(Pgid(self.chosen as u64))))
                    .found("the empty database which a defragmentation leaves behind")
                    .effect("this is no former state of the store: its records are still in the file, but no meta page leads to them"),
            );
        }
        self.report_length();
    }

    /// A file is whole pages, up to its high-water mark at least; a snapshot's trailer is off already.
    fn report_length(&self) {
        let (length, page_size) = (self.pages.image().len(), self.pages.page_size());
        let present = (length / page_size) as u64;
        let behind = length % page_size;
        if self.meta.high_water_mark > present {
            self.diagnostics.report(
                Diagnostic::new(Code::FileTruncated, Locus::at(length as u64))
                    .expected(
                        format!("{} pages", self.meta.high_water_mark),
                        format!("{present}"),
                    )
                    .effect("what lay in the pages behind the end is missing from this answer"),
            );
        } else if behind != 0 {
            self.diagnostics.report(
                Diagnostic::new(Code::TrailerMismatch, Locus::at((length - behind) as u64))
                    .expected("whole pages, or 32 bytes of SHA-256 behind them", format!("{behind} bytes"))
                    .effect("a snapshot cut in its last bytes, or bytes of something else: the SHA-256 cannot be verified"),
            );
        }
    }

    /// The pages of the file.
    pub fn pages(&self) -> Pages<'a> {
        self.pages
    }

    /// Both meta pages as found.
    pub fn metas(&self) -> &[Result<Meta, MetaError>; 2] {
        &self.metas
    }

    /// The meta page that stands for the state of the file.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Index of that meta page (0 or 1), and why it was chosen.
    pub fn choice(&self) -> (usize, MetaChoice) {
        (self.chosen, self.choice)
    }

    /// What all walks through the file share.
    pub(super) fn ground(&self) -> &Ground<'a> {
        &self.ground
    }

    /// Where findings go.
    pub fn diagnostics(&self) -> &'a Diagnostics {
        self.diagnostics
    }

    /// Walks all buckets for what the walk reports: damage of their pages, keys and order.
    pub fn check(&self) {
        for bucket in self.buckets() {
            bucket
                .leaves(self.diagnostics, Direction::Forward)
                .for_each(drop);
        }
    }

    /// The buckets of the root tree, in key order. What is no bucket is reported.
    pub fn buckets(&self) -> Vec<Bucket<'a>> {
        let root = Root::Page(self.meta.root);
        let mut buckets = Vec::new();
        let ground = self.ground.clone();
        for leaf in Leaves::new(
            ground,
            self.diagnostics,
            (b"", ROOT_NUMBER),
            root,
            Direction::Forward,
        ) {
            for element in leaf.elements(Direction::Forward) {
                let parsed = if is_bucket(&element) {
                    let before = u16::try_from(buckets.len()).unwrap_or(u16::MAX);
                    let number = before.saturating_add(ROOT_NUMBER).saturating_add(1);
                    Bucket::parse(&element, &leaf.page, self.ground.clone(), number)
                } else {
                    Err(Diagnostic::new(
                        Code::RootNotBuckets,
                        leaf.page.locus().element(element.index),
                    )
                    .expected(
                        "only buckets in the root",
                        format!("a key of {} bytes", element.key.len()),
                    )
                    .effect("the root page belongs to another state of the store"))
                };
                match parsed {
                    Ok(bucket) => buckets.push(bucket),
                    Err(diagnostic) => self.diagnostics.report(diagnostic),
                }
            }
        }
        buckets
    }
}

/// Whether a meta's root is a tree page inside the file: a right checksum may stand on hostile fields.
fn root_can_be(meta: &Meta, pages: &Pages<'_>) -> bool {
    meta.root.0 < meta.high_water_mark && pages.tree_page(meta.root).is_ok()
}
