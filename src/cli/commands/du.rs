//! `du`: where the space of a file goes.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;

use crate::cli::args::{Database, most_rows};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::space::{Space, SpaceBy, SpaceOrder, SpaceRequest};
use crate::query::{Evidence, Question};
use crate::view;
use crate::view::json_rows::{Form, JsonRows};

/// Show where the space of the file goes
///
/// The first table has each byte of the file once: live values, history, structure, free pages. FREED BY names the
/// etcdctl commands that give the space back. The second table has the records by resource, or by what --by names: live
/// bytes are those of the current records, history is everything that a compaction removes. Sizes include keys and
/// record heads. Values are counted by their length; objects are decoded only for --by manager and --metadata.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Group the records by this
    ///
    /// The default is the resource. In a store without Kubernetes it is the prefix of keys, and in a bbolt file of
    /// another program the bucket.
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// Parts of a key that make a prefix, with --by prefix
    ///
    /// A part ends in a slash: with 2, `/registry/pods/shop/web-1` is under `/registry/pods/`. Example: etcdive du DB
    /// --by prefix --depth 3
    #[arg(
        long,
        value_name = "N",
        default_value = "2",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    depth: usize,
    /// Sort the rows, the largest first
    ///
    /// Rows by bucket are sorted by keys, by name, or else by the bytes of their pages.
    #[arg(long, value_name = "BY", default_value = "total")]
    sort: Sort,
    /// Print the first N rows; one more row has the sum of the others
    ///
    /// The default is 20 in tables and all rows in JSON. 0 prints all.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Also show how much of live objects is managedFields and annotations
    ///
    /// The encoded bytes of protobuf and JSON are counted. Encrypted values are decrypted if their key is given.
    #[arg(long)]
    metadata: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The resource: pods, deployments.apps
    Resource,
    /// The namespace
    Namespace,
    /// The API group
    Group,
    /// The first parts of the key
    Prefix,
    /// The key
    Key,
    /// The field manager that wrote each version last
    Manager,
    /// The bucket
    Bucket,
}

words!(By);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// By live and history bytes together
    Total,
    /// By the bytes of live records
    Live,
    /// By the bytes of history
    History,
    /// By the number of retained revisions
    Revisions,
    /// By the number of tombstones
    Tombstones,
    /// By the number of live keys
    Keys,
    /// By name
    Name,
}

words!(Sort);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Tables for people
    Table,
    /// The tables with whole keys and all columns, even if the terminal is narrower
    Wide,
    /// One JSON object
    Json,
    /// One JSON object per line: the parts of the file, then the rows
    Jsonl,
}

words!(Output);

/// How many rows a table has at most, unless --limit says otherwise.
const ROWS: usize = 20;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn is_wide(&self) -> bool {
        self.output == Output::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let question = Question::open_file(evidence, run.keyring, run.notices)?;
        let space = Space::read(&question, &self.request())?;
        match self.output {
            Output::Table | Output::Wide => out.parts(&view::space::parts(&space))?,
            Output::Json => {
                let mut rows = JsonRows::new(Form::Lines);
                rows.row(&view::space::json(&space), out)?;
                rows.finish(out)?;
            }
            Output::Jsonl => {
                let mut rows = JsonRows::new(Form::Lines);
                for row in view::space::json_rows(&space) {
                    rows.row(&row, out)?;
                }
                rows.finish(out)?;
            }
        }
        Ok(question.finish(Answer::Yes))
    }
}

impl Args {
    /// What the flags ask for.
    fn request(&self) -> SpaceRequest {
        let is_table = matches!(self.output, Output::Table | Output::Wide);
        SpaceRequest {
            by: self.by.map(By::what),
            depth: self.depth,
            order: self.sort.order(),
            limit: most_rows(self.limit, if is_table { ROWS } else { usize::MAX }),
            with_metadata: self.metadata,
        }
    }
}

impl By {
    fn what(self) -> SpaceBy {
        match self {
            Self::Resource => SpaceBy::Resource,
            Self::Namespace => SpaceBy::Namespace,
            Self::Group => SpaceBy::Group,
            Self::Prefix => SpaceBy::Prefix,
            Self::Key => SpaceBy::Key,
            Self::Manager => SpaceBy::Manager,
            Self::Bucket => SpaceBy::Bucket,
        }
    }
}

impl Sort {
    fn order(self) -> SpaceOrder {
        match self {
            Self::Total => SpaceOrder::Total,
            Self::Live => SpaceOrder::Live,
            Self::History => SpaceOrder::History,
            Self::Revisions => SpaceOrder::Revisions,
            Self::Tombstones => SpaceOrder::Tombstones,
            Self::Keys => SpaceOrder::Keys,
            Self::Name => SpaceOrder::Name,
        }
    }
}
