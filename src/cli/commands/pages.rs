//! `pages`: every page of the file, what it is and what uses it.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::bbolt::PageUse;
use crate::bbolt::page_use::{PageRow, Use, rows_by_header};
use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::plumbing::Layout;
use crate::cli::{Answer, Run, Verb};
use crate::query::Evidence;
use crate::view;
use crate::view::json_rows::{Form, JsonRows};

/// List the pages: type, items, overflow, offset, bucket, first key
///
/// Free is a page that nothing reaches in the state of the chosen meta page; what it still holds of former
/// states is told behind it. The pages in the middle of a longer one are not listed. A page that a tree names,
/// but that is none, is damaged. Without a valid meta page each page is what its own header says.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// How to print them
    #[arg(
        short,
        long,
        visible_alias = "format",
        value_name = "FORMAT",
        default_value = "table"
    )]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people: bbolt's columns, and ours
    Table,
    /// What `bbolt pages` prints, byte for byte
    Bbolt,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
}

/// How many rows are printed between two times that the pages read for them are given back: the system may make
/// 64 KiB resident around each.
const ROWS_A_RELEASE: usize = 512;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let layout = Layout::of(evidence)?;
        match &layout.db {
            Some(db) => {
                db.check();
                let page_use = PageUse::read(db);
                let bucket = |usage| match usage {
                    Some(Use::Tree { bucket, .. } | Use::Broken { bucket }) => {
                        Some(page_use.path_of(bucket))
                    }
                    _ => None,
                };
                self.print(evidence, page_use.rows(), bucket, out)?;
            }
            None => self.print(evidence, rows_by_header(layout.pages), |_| None, out)?,
        }
        Ok(Answer::Yes)
    }
}

impl Args {
    fn print<'a>(
        &self,
        evidence: &Evidence,
        rows: impl Iterator<Item = PageRow<'a>>,
        bucket_of: impl Fn(Option<Use>) -> Option<Vec<u8>>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Table => out.write_all(view::pages::HEAD.as_bytes())?,
            Output::Bbolt => out.write_all(view::pages::BBOLT_HEAD.as_bytes())?,
            Output::Json | Output::Jsonl => {}
        }
        let mut json = JsonRows::new(Form::array_if(self.output == Output::Json));
        for (index, row) in rows.enumerate() {
            if index % ROWS_A_RELEASE == 0 {
                evidence.source().forget_resident();
            }
            let bucket = bucket_of(row.usage);
            let bucket = bucket.as_deref();
            match self.output {
                Output::Table => out.write_all(view::pages::row(&row, bucket).as_bytes())?,
                Output::Bbolt => out.write_all(view::pages::bbolt_row(&row).as_bytes())?,
                Output::Json | Output::Jsonl => {
                    json.row(&view::pages::json(&row, bucket), out)?;
                }
            }
        }
        match self.output {
            Output::Json => Ok(json.finish(out)?),
            _ => Ok(()),
        }
    }
}
