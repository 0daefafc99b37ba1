//! A database file as a whole: geometry, the chosen meta page, its buckets.

use std::sync::Arc;

use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::plural::plural;
use crate::source::Source;

use super::bucket::{Bucket, is_bucket};
use super::error::Error;
use super::leaf::Direction;
use super::meta::{Geometry, Meta, MetaError, find_metas};
use super::page::{Kind, Pgid};
use super::pages::Pages;
use super::tree::{FileContext, Leaves, Root};

/// Which meta page was chosen as the state of the file, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaChoice {
    /// Both are valid and this one has the larger txid.
    Newest,
    /// Both are valid and name the same root, as in a snapshot file, where one is a copy of the other.
    SameRoot,
    /// The other one is not valid.
    OnlyValid,
    /// The other one is newer, but its root is not a tree page.
    OnlyUsable,
    /// The caller requested it.
    Requested,
    /// Neither is valid.
    Neither,
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
            Self::OnlyUsable => "the root of the newer meta page is not a tree page",
            Self::Requested => "it was requested",
            Self::Neither => "neither meta page is valid",
        }
    }
}

/// The number of the root tree as an owner of pages. The numbers of its buckets follow.
const ROOT_NUMBER: u16 = 1;

/// An open database file.
#[derive(Debug)]
pub struct Db<'a> {
    context: FileContext<'a>,
    diagnostics: &'a Diagnostics,
    pages: Pages<'a>,
    metas: [Result<Meta, MetaError>; 2],
    chosen: Option<usize>,
    choice: MetaChoice,
    meta: Meta,
    /// Whether a meta page names the root.
    root_is_named: bool,
}

impl<'a> Db<'a> {
    /// Opens the image of an evidence file.
    ///
    /// # Errors
    /// As [`Self::from_image`].
    pub fn open(source: &'a Source, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        Self::open_by_meta(source, None, diagnostics)
    }

    /// The same, in the state of meta page `requested` (0 or 1) if it is given.
    ///
    /// # Errors
    /// As [`Self::from_image`]; and [`Error::MetaByHand`] if the requested meta page names no state.
    pub fn open_by_meta(
        source: &'a Source,
        requested: Option<usize>,
        diagnostics: &'a Diagnostics,
    ) -> Result<Self, Error> {
        Self::open_image(source.image(), Some(source), requested, diagnostics)
    }

    /// Opens an image in memory. If neither meta page is valid there is no root, and [`Self::buckets`] is empty until
    /// [`Self::with_root`] sets one.
    ///
    /// # Errors
    /// [`Error::NotBbolt`] if it has no page.
    pub fn from_image(
        image: &'a [u8],
        source: Option<&'a Source>,
        diagnostics: &'a Diagnostics,
    ) -> Result<Self, Error> {
        Self::open_image(image, source, None, diagnostics)
    }

    /// Finds the meta pages, chooses one, and reports what is wrong with them and with the file's length. `requested`
    /// is the meta page that the caller wants instead of the chosen one.
    fn open_image(
        image: &'a [u8],
        source: Option<&'a Source>,
        requested: Option<usize>,
        diagnostics: &'a Diagnostics,
    ) -> Result<Self, Error> {
        let (geometry, metas) = find_metas(image, source);
        let Geometry { page_size, order } = geometry.ok_or(Error::NotBbolt)?;
        let pages = Pages::new(image, page_size, order);
        let (chosen, choice) = match requested {
            Some(index) => (Some(index), MetaChoice::Requested),
            None => choose(&metas, &pages),
        };
        let meta = match (requested, chosen.and_then(|index| metas.get(index))) {
            (Some(index), _) => meta_by_hand(image, &metas, index, page_size)?,
            (None, Some(Ok(meta))) => *meta,
            _ => Meta::unknown(page_size, order, pages.count()),
        };
        let pages = pages.below(meta.high_water_mark);
        let context = FileContext {
            pages,
            source,
            owners: Arc::default(),
        };
        let db = Self {
            context,
            diagnostics,
            pages,
            metas,
            chosen,
            choice,
            meta,
            root_is_named: chosen.is_some(),
        };
        db.report_metas();
        Ok(db)
    }

    /// The same file with another root page, and a new record of the owners of pages.
    #[must_use]
    pub fn with_root<'b>(&self, root: Pgid, diagnostics: &'b Diagnostics) -> Db<'b>
    where
        'a: 'b,
    {
        let mut meta = self.meta;
        meta.root = root;
        Db {
            context: FileContext {
                owners: Arc::default(),
                ..self.context.clone()
            },
            diagnostics,
            meta,
            root_is_named: false,
            ..*self
        }
    }

    /// Whether a meta page names the root page. If not, a search found it.
    pub fn root_is_named(&self) -> bool {
        self.root_is_named
    }

    /// The open file; none for an image in memory.
    pub fn source(&self) -> Option<&'a Source> {
        self.context.source
    }

    /// Reports meta pages that are damaged, unusable, or left by a defragmentation, and a wrong file length.
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
                    .effect(match self.choice {
                        MetaChoice::Neither => "no meta page names the state: its root and its records are searched in all pages",
                        _ => "if it was the newer one, the state shown is one commit old",
                    }),
                );
            }
        }
        let chosen = self.chosen.unwrap_or_default() as u64;
        let other = Pgid(1_u64.saturating_sub(chosen));
        if self.choice == MetaChoice::OnlyUsable {
            self.diagnostics.report(
                Diagnostic::new(
                    Code::MetaUnusable,
                    Locus::page(other.0, self.pages.offset_of(other)),
                )
                .expected(
                    "a root page inside the file",
                    "a page outside it or of another kind",
                )
                .effect("the state shown is the one before it"),
            );
        }
        if self.choice == MetaChoice::OnlyValid && self.meta.is_initial() {
            self.diagnostics.report(
                Diagnostic::new(Code::MetaInitial, Locus::page(chosen, self.pages.offset_of(Pgid(chosen))))
                    .found("the empty database that a defragmentation leaves in the file")
                    .effect("it is not a former state of the store: the records are still in the file, but no meta page leads to them"),
            );
        }
        self.report_length();
    }

    /// Checks the length: a file has whole pages, at least up to its high-water mark. The trailer of a snapshot is removed
    /// before.
    fn report_length(&self) {
        let (length, page_size) = (self.pages.image().len(), self.pages.page_size());
        let present = (length / page_size) as u64;
        // Bytes after the last whole page.
        let behind = length % page_size;
        if self.meta.high_water_mark > present {
            self.diagnostics.report(
                Diagnostic::new(Code::FileTruncated, Locus::at(length as u64))
                    .expected(
                        format!("{} pages", self.meta.high_water_mark),
                        format!("{present}"),
                    )
                    .effect("the pages after the end of the file are missing from this answer"),
            );
        } else if behind != 0 {
            self.diagnostics.report(
                Diagnostic::new(Code::TrailerMismatch, Locus::at((length - behind) as u64))
                    .expected("whole pages, optionally followed by 32 bytes of SHA-256", plural(behind, "byte", "bytes"))
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

    /// The chosen meta page, which names the state of the file.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Index of that meta page (0 or 1; none if neither is valid), and why it was chosen.
    pub fn choice(&self) -> (Option<usize>, MetaChoice) {
        (self.chosen, self.choice)
    }

    /// The data that all walks through the file share.
    pub(super) fn context(&self) -> &FileContext<'a> {
        &self.context
    }

    /// Where findings go.
    pub fn diagnostics(&self) -> &'a Diagnostics {
        self.diagnostics
    }

    /// A bucket of this name that is not in the root. `buckets` is the number of buckets in the root.
    pub fn absent_bucket(&self, name: &'static [u8], buckets: usize) -> Bucket<'a> {
        let locus = Locus::page(self.meta.root.0, self.pages.offset_of(self.meta.root));
        Bucket::absent(name, locus, self.context.clone(), bucket_number(buckets))
    }

    /// The state of the other meta page, with its own findings. None if it is not a former state: it is not valid, its root
    /// is not a tree page (reported already), it has the same root (a snapshot), or it is the empty database that a
    /// defragmentation leaves in the file.
    pub fn other_state<'b>(&self, diagnostics: &'b Diagnostics) -> Option<Db<'b>>
    where
        'a: 'b,
    {
        let other = 1_usize.checked_sub(self.chosen?)?;
        let meta = self.metas.get(other).and_then(|meta| meta.ok())?;
        let is_former = self.choice != MetaChoice::OnlyUsable && !meta.is_initial();
        if meta.root == self.meta.root || !is_former {
            return None;
        }
        self.by_meta_page(other, diagnostics)
    }

    /// The state of this meta page, with its own findings; none if it is not valid.
    pub fn by_meta_page<'b>(&self, index: usize, diagnostics: &'b Diagnostics) -> Option<Db<'b>>
    where
        'a: 'b,
    {
        let meta = self.metas.get(index).and_then(|meta| meta.ok())?;
        let pages = self.pages.below(meta.high_water_mark);
        Some(Db {
            context: FileContext {
                pages,
                source: self.context.source,
                owners: Arc::default(),
            },
            diagnostics,
            pages,
            chosen: Some(index),
            meta,
            root_is_named: true,
            ..*self
        })
    }

    /// The meta pages (0 or 1) of the former and of the newest state, whichever was chosen; none if there is no former state.
    pub fn last_two_states(&self) -> Option<[usize; 2]> {
        // `self.pages` has the high-water mark of the chosen state, and the newest state may have a larger one.
        let pages = Pages::new(
            self.pages.image(),
            self.pages.page_size(),
            self.pages.order(),
        );
        last_two_states(&self.metas, &pages).ok()
    }

    /// Whether the file is new: no transaction was committed, and no page was added.
    pub fn is_never_written(&self) -> bool {
        let is_initial = |meta: &Result<Meta, MetaError>| meta.is_ok_and(|meta| meta.is_initial());
        let pages = self.pages.image().len() / self.pages.page_size();
        self.metas.iter().all(is_initial) && pages as u64 == self.meta.high_water_mark
    }

    /// Walks all buckets, so that damage of their pages, keys and order is reported.
    pub fn check(&self) {
        for bucket in self.buckets() {
            bucket
                .leaves(self.diagnostics, Direction::Forward)
                .for_each(drop);
        }
    }

    /// The buckets of the root tree, in key order. An element that is not a bucket is reported.
    pub fn buckets(&self) -> Vec<Bucket<'a>> {
        let mut buckets = Vec::new();
        // This is `Meta::unknown`, which has no root.
        if self.meta.root == Pgid(0) && self.choice == MetaChoice::Neither {
            return buckets;
        }
        let root = Root::Page(self.meta.root);
        let context = self.context.clone();
        for leaf in Leaves::new(
            context,
            self.diagnostics,
            (b"", ROOT_NUMBER),
            root,
            Direction::Forward,
        ) {
            for element in leaf.elements(Direction::Forward) {
                let parsed = if is_bucket(&element) {
                    let number = bucket_number(buckets.len());
                    Bucket::parse(&element, &leaf.page, self.context.clone(), number)
                } else {
                    Err(Diagnostic::new(
                        Code::RootNotBuckets,
                        leaf.page.locus().element(element.index),
                    )
                    .expected(
                        "only buckets in the root",
                        format!("a key of {}", plural(element.key.len(), "byte", "bytes")),
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

/// The number of the bucket that follows `before` others.
fn bucket_number(before: usize) -> u16 {
    let before = u16::try_from(before).unwrap_or(u16::MAX);
    before.saturating_add(ROOT_NUMBER).saturating_add(1)
}

/// Chooses the meta page, as an index (0 or 1), and the reason. Of two valid ones it is the newer one. The older one is
/// chosen only if the root of the newer one is not a tree page, and the older one is a usable former state.
fn choose(metas: &[Result<Meta, MetaError>; 2], pages: &Pages<'_>) -> (Option<usize>, MetaChoice) {
    let usable = |meta: &Meta| root_can_be(meta, pages);
    match metas {
        [Ok(first), Ok(second)] => {
            let newer = usize::from(second.txid > first.txid);
            let (new, old) = if newer == 0 {
                (first, second)
            } else {
                (second, first)
            };
            let choice = if !usable(new) && usable(old) && !old.is_initial() {
                return (Some(1 - newer), MetaChoice::OnlyUsable);
            } else if first.root == second.root {
                MetaChoice::SameRoot
            } else {
                MetaChoice::Newest
            };
            (Some(newer), choice)
        }
        [Ok(_), Err(_)] => (Some(0), MetaChoice::OnlyValid),
        [Err(_), Ok(_)] => (Some(1), MetaChoice::OnlyValid),
        [Err(_), Err(_)] => (None, MetaChoice::Neither),
    }
}

/// Index (0 or 1) of the meta page of the former state, one commit before the newest.
///
/// # Errors
/// [`Error::NoFormerState`] if the other meta page names none, and [`Error::NotBbolt`] if the file has no page.
pub fn older_meta(source: &Source) -> Result<usize, Error> {
    let image = source.image();
    let (geometry, metas) = find_metas(image, Some(source));
    let Geometry { page_size, order } = geometry.ok_or(Error::NotBbolt)?;
    last_two_states(&metas, &Pages::new(image, page_size, order))
        .map(|[former, _]| former)
        .map_err(|why| Error::NoFormerState { why })
}

/// The meta pages of the former and of the newest state, or why there is no former state.
fn last_two_states(
    metas: &[Result<Meta, MetaError>; 2],
    pages: &Pages<'_>,
) -> Result<[usize; 2], String> {
    let none = |why: &str| Err(why.to_owned());
    let (chosen, choice) = choose(metas, pages);
    // The former state is the one of the other meta page.
    let Some((newest, former)) =
        chosen.and_then(|newest| Some((newest, 1_usize.checked_sub(newest)?)))
    else {
        return none("neither meta page is valid");
    };
    match metas.get(former) {
        Some(Err(error)) => Err(format!("meta page {former} is not valid: {error}")),
        _ if choice == MetaChoice::OnlyUsable => {
            none("the newer meta page names no possible state, and the older one is in use")
        }
        _ if choice == MetaChoice::SameRoot => {
            none("both meta pages name the same root, as in every snapshot file")
        }
        Some(Ok(meta)) if meta.is_initial() => none(
            "the older meta page is that of the empty database that a defragmentation leaves in the file",
        ),
        _ => Ok([former, newest]),
    }
}

/// The meta page that the user requested. A wrong checksum is accepted, because the user asked for exactly this
/// page. A meta page that is damaged otherwise is refused.
fn meta_by_hand(
    image: &[u8],
    metas: &[Result<Meta, MetaError>; 2],
    index: usize,
    page_size: usize,
) -> Result<Meta, Error> {
    let refuse = |why: String| Error::MetaByHand { index, why };
    let start = page_size.saturating_mul(index);
    let meta = match metas.get(index) {
        Some(Ok(meta)) => *meta,
        Some(Err(MetaError::Checksum { .. })) => {
            Meta::parse_unverified(image, start).map_err(|error| refuse(error.to_string()))?
        }
        Some(Err(error)) => return Err(refuse(error.to_string())),
        None => return Err(refuse("a file has meta pages 0 and 1".to_owned())),
    };
    // In a new file both meta pages are initial, and there is no other state to request.
    let another = metas.iter().flatten().any(|other| !other.is_initial());
    if meta.is_initial() && another {
        return Err(refuse(
            "it is the empty database that a defragmentation leaves in the file, not a former state of the store".to_owned(),
        ));
    }
    Ok(meta)
}

/// Whether a meta's root is a tree page inside the file. A hostile meta page may have a right checksum.
fn root_can_be(meta: &Meta, pages: &Pages<'_>) -> bool {
    meta.root.0 < meta.high_water_mark && pages.tree_page(meta.root).is_ok()
}
