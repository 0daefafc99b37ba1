//! `pages`: every page of the file, what it is and what uses it.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::plumbing::layout;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::Evidence;
use crate::query::page_layout::PageLayout;
use crate::view;
use crate::view::json_rows::{Form, JsonRows};

/// List the pages: type, items, offset, bucket, first key
///
/// A free page is one that the chosen meta page does not reach; what it still contains of earlier states is listed
/// after it. The overflow pages of a large page are not listed separately. A page that a tree refers to but that has no
/// valid header is damaged. Without a valid meta page the type of each page is the one in its header.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Output format
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
    /// A table for people: bbolt's columns and ours
    Table,
    /// The table with whole keys and all columns, even if the terminal is narrower
    Wide,
    /// What `bbolt pages` prints, byte for byte
    Bbolt,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
}

words!(Output);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn is_wide(&self) -> bool {
        self.output == Output::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        self.print(&layout(evidence)?, out)?;
        Ok(Answer::Yes)
    }
}

impl Args {
    fn print(&self, layout: &PageLayout<'_>, out: &mut Out) -> Result<(), Failure> {
        if self.output == Output::Table && out.is_terminal() {
            let mut table = view::pages::table();
            layout.each_page(|row, bucket| {
                table.add(&view::pages::cells(row, bucket));
                Ok::<(), Failure>(())
            })?;
            return Ok(out.table(&table)?);
        }
        match self.output {
            Output::Table | Output::Wide => out.write_all(view::pages::HEAD.as_bytes())?,
            Output::Bbolt => out.write_all(view::pages::BBOLT_HEAD.as_bytes())?,
            Output::Json | Output::Jsonl => {}
        }
        let mut json = JsonRows::new(Form::array_if(self.output == Output::Json));
        layout.each_page(|row, bucket| {
            match self.output {
                Output::Table | Output::Wide => {
                    out.write_all(view::pages::row(row, bucket).as_bytes())?;
                }
                Output::Bbolt => out.write_all(view::pages::bbolt_row(row).as_bytes())?,
                Output::Json | Output::Jsonl => json.row(&view::pages::json(row, bucket), out)?,
            }
            Ok::<(), Failure>(())
        })?;
        match self.output {
            Output::Json => Ok(json.finish(out)?),
            _ => Ok(()),
        }
    }
}
