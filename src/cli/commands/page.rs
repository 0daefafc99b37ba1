//! `page`: pages taken apart.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::args::{Database, RowFormat};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::plumbing::{layout, number};
use crate::cli::{Answer, Run, Verb};
use crate::diag::shown;
use crate::query::Evidence;
use crate::query::page_layout::anatomy::{
    self, BucketParts, ElementParts, header_fields, meta_fields, misfits,
};
use crate::query::page_layout::{Freelist, Kind, Page, PageLayout, PageUse, Pgid, Use};
use crate::view::json_rows::{Form, JsonRows};
use crate::view::page::{self as text, Head};

/// Print every field and element of pages, with offsets
///
/// Any page can be printed, a damaged or a free one too, together with what is wrong in it. A key that is a revision is
/// printed as one: 7.0, or 7.0t for a tombstone. Pages inside inline buckets follow the page that contains them.
/// Offsets are from the start of the file, in bytes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// The ids of the pages, as `pages` lists them: 7 or 0x7
    #[arg(value_name = "ID", required = true, value_parser = number)]
    ids: Vec<u64>,
    /// Print the bytes of the values too
    #[arg(long)]
    values: bool,
    /// Output format
    ///
    /// In JSON, each page is one object, followed by one object per element.
    #[arg(
        short,
        long,
        visible_alias = "format",
        value_name = "FORMAT",
        default_value = "table"
    )]
    output: RowFormat,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn is_wide(&self) -> bool {
        self.output == RowFormat::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let layout = layout(evidence)?;
        let mut printer = Printer {
            args: self,
            evidence,
            page_use: layout.db.as_ref().map(PageUse::read),
            rows: JsonRows::new(Form::array_if(self.output == RowFormat::Json)),
        };
        let mut missing = Vec::new();
        for (index, pgid) in self.ids.iter().map(|id| Pgid(*id)).enumerate() {
            let Some(page) = layout.pages.unchecked(pgid) else {
                missing.push(pgid.0);
                continue;
            };
            if index > 0 && self.output.is_table() {
                out.write_all(b"\n")?;
            }
            printer.page(page, &layout, out)?;
        }
        if !self.output.is_table() {
            printer.rows.finish(out)?;
        }
        if missing.is_empty() {
            return Ok(Answer::Yes);
        }
        out.flush()?;
        Err(layout.no_pages(missing).into())
    }
}

struct Printer<'p, 'e> {
    args: &'p Args,
    evidence: &'e Evidence,
    page_use: Option<PageUse<'e>>,
    rows: JsonRows,
}

impl<'e> Printer<'_, 'e> {
    fn page(
        &mut self,
        page: Page<'e>,
        layout: &PageLayout<'e>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let mut fields = header_fields(&page).to_vec();
        if page.kind == Some(Kind::Meta) || page.pgid.0 < 2 {
            fields.extend(meta_fields(&page));
        }
        let head = Head {
            page,
            in_bucket: None,
            used: self.used(&page, layout),
            fields,
            misfits: misfits(&page, layout.pages.page_size(), layout.pages.count()),
        };
        self.head(&head, out)?;
        if let Some(freelist) = Freelist::from_page(page) {
            return self.ids(&freelist, out);
        }
        self.elements(&page, None, out)?;
        // Behind the page, not between its elements: each table stays one.
        for element in anatomy::elements(page) {
            let Some(inline) = anatomy::bucket(&page, &element).and_then(|bucket| bucket.inline)
            else {
                continue;
            };
            let name = element.key.map(|key| key.bytes);
            let head = Head {
                page: inline,
                in_bucket: name.or(Some(b"")),
                used: None,
                fields: header_fields(&inline).to_vec(),
                misfits: misfits(&inline, layout.pages.page_size(), layout.pages.count()),
            };
            self.head(&head, out)?;
            self.elements(&inline, head.in_bucket, out)?;
        }
        Ok(())
    }

    /// What the chosen state uses the page for, as a sentence.
    fn used(&self, page: &Page<'_>, layout: &PageLayout<'_>) -> Option<String> {
        let (page_use, db) = (self.page_use.as_ref()?, layout.db.as_ref()?);
        let name = |bucket| match page_use.path_of(bucket) {
            path if path.is_empty() => "the tree of buckets (root)".to_owned(),
            path => format!("bucket {}", shown(&path)),
        };
        let inside = || format!("in the middle of page {}", page_use.head_of(page.pgid));
        Some(match page_use.use_of(page.pgid) {
            Use::Meta if db.choice().0.map(|index| index as u64) == Some(page.pgid.0) => {
                format!("the chosen meta page: {}", db.choice().1.reason())
            }
            Use::Meta => "the other meta page".to_owned(),
            Use::Freelist { inside: true } => format!("by the freelist, {}", inside()),
            Use::Freelist { inside: false } => "by the freelist".to_owned(),
            Use::Tree {
                bucket,
                inside: true,
            } => format!("by {}, {}", name(bucket), inside()),
            Use::Tree {
                bucket,
                inside: false,
            } => format!("by {}", name(bucket)),
            Use::Broken { bucket } => format!("by {}, but it is no page of a tree", name(bucket)),
            Use::Free if page.pgid.0 >= db.meta().high_water_mark => {
                "by nothing: after the high-water mark".to_owned()
            }
            Use::Free => "by nothing: free".to_owned(),
            Use::Unreached => "by nothing, but the freelist does not have it".to_owned(),
        })
    }

    fn head(&mut self, head: &Head<'_>, out: &mut Out) -> Result<(), Failure> {
        if self.args.output.is_table() {
            let columns = text::element_columns(&head.page, head.in_bucket);
            out.lines(&text::head(head))?;
            return Ok(out.lines(&columns)?);
        }
        Ok(self.rows.row(&text::head_json(head), out)?)
    }

    fn elements(
        &mut self,
        page: &Page<'e>,
        in_bucket: Option<&[u8]>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        for element in anatomy::elements(*page) {
            self.report(page, &element);
            let bucket = anatomy::bucket(page, &element);
            self.element(page, &element, bucket.as_ref(), in_bucket, out)?;
        }
        Ok(())
    }

    fn element(
        &mut self,
        page: &Page<'_>,
        element: &ElementParts<'_>,
        bucket: Option<&BucketParts<'_>>,
        in_bucket: Option<&[u8]>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let values = self.args.values;
        if !self.args.output.is_table() {
            let json = text::element_json(page.pgid, element, bucket, in_bucket, values);
            return Ok(self.rows.row(&json, out)?);
        }
        out.lines(&text::element(element, bucket, in_bucket))?;
        // An inline bucket's value is decoded after the page.
        if values && bucket.is_none() {
            out.lines(&text::value(element))?;
        }
        Ok(())
    }

    fn ids(&mut self, freelist: &Freelist<'_>, out: &mut Out) -> Result<(), Failure> {
        if self.args.output.is_table() {
            for line in text::ids(freelist) {
                out.lines(&line)?;
            }
            return Ok(());
        }
        for object in text::ids_json(freelist) {
            self.rows.row(&object, out)?;
        }
        Ok(())
    }

    /// An element that does not fit is damage of the file only where the state uses the page: what is left
    /// in a free page may well be half of something.
    fn report(&self, page: &Page<'_>, element: &ElementParts<'_>) {
        let used = self
            .page_use
            .as_ref()
            .map(|page_use| page_use.use_of(page.pgid));
        if element.misfit.is_none() || !matches!(used, Some(Use::Tree { inside: false, .. })) {
            return;
        }
        let damage = match page.kind {
            Some(Kind::Branch) => page.branch_element(element.index).err(),
            _ => page.leaf_element(element.index).err(),
        };
        if let Some(damage) = damage {
            self.evidence.diagnostics().report(damage);
        }
    }
}
