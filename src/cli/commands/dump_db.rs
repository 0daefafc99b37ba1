//! `dump-db`: etcd-dump-db's commands, arguments and bytes.

use std::io::Write;
use std::iter::Peekable;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use rayon::prelude::*;

use crate::bbolt::bucket::leaf_elements;
use crate::bbolt::{Direction, Leaf};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb, report};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::Record;
use crate::etcd::hash::{Omit, backend_hash};
use crate::etcd::leaves::RecordLeaves;
use crate::etcd::scan::{Scan, Scanned, scanned_records};
use crate::etcd::{Store, schema};
use crate::query::Evidence;
use crate::view::dump_db::{self, Style};

/// Print buckets as etcd-dump-db does: same arguments, same bytes
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the buckets, one a line
    ListBucket {
        /// A db file, a snapshot file, or a data directory
        #[arg(value_name = "DB")]
        db: PathBuf,
    },
    /// Print a bucket's elements, newest first
    IterateBucket(IterateArgs),
    /// Print the records of every leaf page, page by page, free pages included
    ///
    /// Goes by the position of the pages alone, as etcd-dump-db 3.6 does: what is not in the tree
    /// any more (compacted, replaced) is printed as well.
    ScanKeys(ScanArgs),
    /// Print the hash over all buckets, less what differs between members
    Hash {
        /// A db file, a snapshot file, or a data directory
        #[arg(value_name = "DB")]
        db: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct IterateArgs {
    /// A db file, a snapshot file, or a data directory
    #[arg(value_name = "DB")]
    db: PathBuf,
    /// The bucket: key, meta, lease, auth, authRoles, authUsers, members, ...
    #[arg(value_name = "BUCKET")]
    bucket: String,
    /// Decode protobuf and numbers
    #[arg(long)]
    decode: bool,
    /// Print at most this many elements; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
    /// Whose lines to print
    #[arg(long, value_name = "VERSION", default_value = "3.5")]
    style: StyleArg,
}

#[derive(Debug, clap::Args)]
struct ScanArgs {
    /// A db file, a snapshot file, or a data directory
    #[arg(value_name = "DB")]
    db: PathBuf,
    /// Print only records of this main revision and later
    #[arg(value_name = "REV", default_value_t = 0)]
    start_revision: i64,
    /// Whose lines to print; etcd-dump-db has scan-keys since 3.6
    #[arg(long, value_name = "VERSION", default_value = "3.6")]
    style: StyleArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StyleArg {
    /// etcd-dump-db 3.5 and before
    #[value(name = "3.5")]
    V35,
    /// etcd-dump-db 3.6 and later
    #[value(name = "3.6")]
    V36,
}

impl From<StyleArg> for Style {
    fn from(arg: StyleArg) -> Self {
        match arg {
            StyleArg::V35 => Self::V35,
            StyleArg::V36 => Self::V36,
        }
    }
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![match &self.command {
            Command::ListBucket { db } | Command::Hash { db } => db.clone(),
            Command::IterateBucket(args) => args.db.clone(),
            Command::ScanKeys(args) => args.db.clone(),
        }])
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        match &self.command {
            Command::ListBucket { .. } => list_bucket(evidence, out),
            Command::IterateBucket(args) => iterate_bucket(evidence, args, out),
            Command::ScanKeys(args) => scan_keys(evidence, args, out),
            Command::Hash { .. } => hash(evidence, out),
        }
    }
}

fn list_bucket(evidence: &Evidence, out: &mut Out) -> Result<Answer, Failure> {
    for bucket in evidence.store()?.buckets() {
        out.write_all(bucket.name)?;
        out.write_all(b"\n")?;
    }
    Ok(Answer::Yes)
}

fn hash(evidence: &Evidence, out: &mut Out) -> Result<Answer, Failure> {
    let hash = backend_hash(&evidence.store()?, Omit::PerMember);
    writeln!(
        out,
        "db path: {}\nHash: {hash}",
        evidence.source().path().display()
    )?;
    Ok(Answer::Yes)
}

/// How many bytes of leaves one task formats: enough to be worth a task, little enough that the text of
/// a batch stays small. A longer leaf is a task of its own.
const TASK_BYTES: usize = 128 << 10;
/// How many tasks are formatted before their text is written, and of how many bytes, about.
const TASKS_A_BATCH: usize = 16;
const BATCH_BYTES: usize = 2 << 20;
/// A text that grew larger than this is given back before the next batch.
const KEPT_TEXT_BYTES: usize = 1 << 20;

fn iterate_bucket(
    evidence: &Evidence,
    args: &IterateArgs,
    out: &mut Out,
) -> Result<Answer, Failure> {
    let store = evidence.store()?;
    let diagnostics = evidence.diagnostics();
    let name = args.bucket.as_bytes();
    let Some(bucket) = store.bucket(name) else {
        let names: Vec<String> = store
            .buckets()
            .iter()
            .map(|bucket| bucket.name.escape_ascii().to_string())
            .collect();
        return Err(Failure::not_found(format!("no bucket {}", args.bucket))
            .hint(format!("it has {}", names.join(", "))));
    };
    let format = Format {
        bucket: bucket.name,
        decode: args.decode,
        style: args.style.into(),
        diagnostics,
    };
    if args.limit > 0 {
        return format.newest(
            store.leaves_of(bucket, Direction::Backward),
            args.limit,
            out,
        );
    }
    let mut leaves = store.leaves_of(bucket, Direction::Backward).peekable();
    let mut texts: Vec<Vec<u8>> = vec![Vec::new(); TASKS_A_BATCH];
    while leaves.peek().is_some() {
        let mut bytes = 0;
        let mut tasks = Vec::with_capacity(TASKS_A_BATCH);
        for text in &mut texts {
            if bytes >= BATCH_BYTES {
                break;
            }
            let task = next_task(&mut leaves);
            bytes += task
                .iter()
                .map(|leaf| leaf.page.run().len_bytes())
                .sum::<usize>();
            tasks.push((task, text));
        }
        tasks
            .into_par_iter()
            .for_each(|(leaves, text)| format.leaves(&leaves, text));
        for text in &mut texts {
            out.write_all(text)?;
            text.clear();
            text.shrink_to(KEPT_TEXT_BYTES);
        }
    }
    Ok(Answer::Yes)
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

/// How the elements of one bucket are printed.
struct Format<'a> {
    bucket: &'a [u8],
    decode: bool,
    style: Style,
    diagnostics: &'a Diagnostics,
}

impl<'a> Format<'a> {
    fn element(
        &self,
        page: &crate::bbolt::Page<'a>,
        element: &crate::bbolt::Element<'a>,
        text: &mut Vec<u8>,
    ) {
        if !self.decode {
            dump_db::raw(element.key, element.value, text);
        } else if let Err(reason) =
            dump_db::decoded(self.style, self.bucket, element.key, element.value, text)
        {
            let code = if self.bucket == schema::KEY {
                Code::RecordParse
            } else {
                Code::BucketValue
            };
            self.diagnostics.report(
                Diagnostic::new(
                    code,
                    page.locus().element(element.index).bucket(self.bucket),
                )
                .found(reason)
                .effect("it is printed undecoded"),
            );
        } else if self.bucket == schema::KEY
            && let Ok((_, Some(contradiction))) = Record::parse(page, element)
        {
            self.diagnostics.report(contradiction);
        }
    }

    fn leaves(&self, leaves: &[Leaf<'a>], text: &mut Vec<u8>) {
        for leaf in leaves {
            for (page, element) in leaf_elements(leaf, Direction::Backward) {
                self.element(&page, &element, text);
            }
        }
    }

    fn newest(
        &self,
        leaves: RecordLeaves<'a>,
        limit: usize,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let mut text = Vec::new();
        let mut elements = leaves.flat_map(|leaf| leaf_elements(&leaf, Direction::Backward));
        for (page, element) in elements.by_ref().take(limit) {
            text.clear();
            self.element(&page, &element, &mut text);
            out.write_all(&text)?;
        }
        // One step more: where that was all, the walk has something to say at its end.
        elements.next();
        Ok(Answer::Yes)
    }
}

fn scan_keys(evidence: &Evidence, args: &ScanArgs, out: &mut Out) -> Result<Answer, Failure> {
    let scan = Scan::open(evidence.source(), evidence.diagnostics())
        .map_err(|error| evidence.not_a_database(error))?;
    let mut text = Vec::new();
    let mut passed_over = 0_u64;
    for leaf in scan {
        let Ok(leaf) = leaf else {
            passed_over = passed_over.saturating_add(1);
            continue;
        };
        let page = leaf.page;
        for Scanned { main, element } in scanned_records(&leaf) {
            if main < args.start_revision {
                continue;
            }
            text.clear();
            write!(
                text,
                "pageID={}, index={}/{}, ",
                page.pgid,
                element.index,
                page.count.saturating_sub(1)
            )?;
            if dump_db::decoded(
                args.style.into(),
                schema::KEY,
                element.key,
                element.value,
                &mut text,
            )
            .is_err()
            {
                evidence.diagnostics().report(
                    Diagnostic::new(Code::RecordParse, page.locus().element(element.index))
                        .expected("a mvccpb.KeyValue", "something else")
                        .effect("it is printed undecoded"),
                );
            }
            out.write_all(&text)?;
        }
    }
    // The scan cannot tell damage from leftovers; the tree can, where there is one.
    if let Ok(store) = Store::open(evidence.source(), evidence.diagnostics()) {
        store.record_leaves(Direction::Forward).for_each(drop);
    }
    if passed_over > 0 {
        report::note(&format!(
            "{passed_over} pages without a header of their own were passed over: leftovers of longer pages, or destroyed"
        ));
    }
    Ok(Answer::Yes)
}
