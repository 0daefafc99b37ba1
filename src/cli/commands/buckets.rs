//! `buckets`: the buckets of the file.

use std::collections::BTreeSet;
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
use crate::view;
use crate::view::json_rows::{Form, JsonRows};
use crate::view::record::key_text;

/// List the buckets, one per line, in key order
///
/// The table and JSON add the header of each bucket and the contents of its pages. A bucket inside a bucket, which etcd
/// does not use, has its path as its name, joined by slashes: `dump-db iterate-bucket` and `ls --bucket` accept it.
/// Without a valid meta page the headers are collected from all leaf pages, of all earlier states, and the trees are
/// not read.
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
        default_value = "name"
    )]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Only the name, as `bbolt buckets` prints it
    Name,
    /// A table for people
    Table,
    /// The table with whole keys and all columns, even if the terminal is narrower
    Wide,
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
        let layout = layout(evidence)?;
        let rows = layout.buckets();
        let page_size = layout.pages.page_size();
        match self.output {
            Output::Name => {
                let mut seen = BTreeSet::new();
                for row in &rows {
                    if !seen.insert(&row.path) {
                        continue;
                    }
                    if out.is_cut() {
                        out.name(&key_text(&row.path))?;
                    } else {
                        out.write_all(&row.path)?;
                        out.write_all(b"\n")?;
                    }
                }
            }
            Output::Table | Output::Wide => out.table(&view::buckets::table(&rows, page_size))?,
            Output::Json | Output::Jsonl => {
                let mut json = JsonRows::new(Form::array_if(self.output == Output::Json));
                for row in &rows {
                    json.row(&view::buckets::json(row, page_size), out)?;
                }
                json.finish(out)?;
            }
        }
        Ok(Answer::Yes)
    }
}
