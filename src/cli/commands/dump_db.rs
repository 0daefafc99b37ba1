//! `dump-db`: etcd-dump-db's commands, arguments and bytes.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::bucket_dump::{self, BucketDump, RECORDS, bucket_names, scan_records};
use crate::query::{Evidence, Notices};
use crate::view::dump_db::{self, Style};

/// Print buckets, records and hashes as etcd-dump-db does
///
/// The arguments are those of etcd-dump-db, and so is the output, byte for byte.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the buckets, one per line
    ListBucket {
        /// A db file, snapshot, data directory or archive; - is stdin
        ///
        /// A copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, or a folder of backups of
        /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
        #[arg(value_name = "DB")]
        db: PathBuf,
    },
    /// Print a bucket's elements, newest first
    IterateBucket(IterateArgs),
    /// Print the records of every leaf page, free pages included
    ///
    /// Reads all pages by their position, as etcd-dump-db 3.6 does. Records that are no longer in the tree, because
    /// they were compacted or replaced, are printed as well.
    ScanKeys(ScanArgs),
    /// Print a hash of all buckets that members can be compared by
    Hash {
        /// A db file, snapshot, data directory or archive; - is stdin
        ///
        /// A copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, or a folder of backups of
        /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
        #[arg(value_name = "DB")]
        db: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct IterateArgs {
    /// A db file, snapshot, data directory or archive; - is stdin
    ///
    /// A copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, or a folder of backups of
    /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
    #[arg(value_name = "DB")]
    db: PathBuf,
    /// The bucket: key, meta, lease, auth, members, ...
    ///
    /// `buckets` lists them. A bucket inside a bucket is named by its path: a/b/c. After `key:` escapes are allowed,
    /// for names with any bytes: `key:a/\xff`, `key:a\/b/c`.
    #[arg(value_name = "BUCKET")]
    bucket: OsString,
    /// Decode protobuf messages and numbers
    #[arg(long)]
    decode: bool,
    /// Print at most N elements; 0 is no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
    /// The release whose output format is used
    #[arg(long, value_name = "VERSION", default_value = "3.5")]
    style: StyleArg,
}

#[derive(Debug, clap::Args)]
struct ScanArgs {
    /// A db file, snapshot, data directory or archive; - is stdin
    ///
    /// A copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, or a folder of backups of
    /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
    #[arg(value_name = "DB")]
    db: PathBuf,
    /// Print only records of this main revision and later
    #[arg(value_name = "REV", default_value_t = 0)]
    start_revision: i64,
    /// The release whose output format is used; etcd-dump-db has scan-keys since 3.6
    #[arg(long, value_name = "VERSION", default_value = "3.6")]
    style: StyleArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StyleArg {
    /// etcd-dump-db 3.5 and earlier
    #[value(name = "3.5")]
    V35,
    /// etcd-dump-db 3.6 and later
    #[value(name = "3.6")]
    V36,
}

words!(StyleArg);

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
            Command::ScanKeys(args) => scan_keys(evidence, args, run.notices, out),
            Command::Hash { .. } => hash(evidence, out),
        }
    }
}

fn list_bucket(evidence: &Evidence, out: &mut Out) -> Result<Answer, Failure> {
    for name in bucket_names(evidence)? {
        out.write_all(&name)?;
        out.write_all(b"\n")?;
    }
    Ok(Answer::Yes)
}

fn hash(evidence: &Evidence, out: &mut Out) -> Result<Answer, Failure> {
    let hash = bucket_dump::hash(evidence)?;
    writeln!(
        out,
        "db path: {}\nHash: {hash}",
        evidence.source().path().display()
    )?;
    Ok(Answer::Yes)
}

fn iterate_bucket(
    evidence: &Evidence,
    args: &IterateArgs,
    out: &mut Out,
) -> Result<Answer, Failure> {
    let bucket = BucketDump::open(evidence, &args.bucket, args.decode)?;
    let text_of = |key: &[u8], value: &[u8], text: &mut Vec<u8>| {
        if args.decode {
            dump_db::decoded(args.style.into(), bucket.name(), key, value, text)
        } else {
            dump_db::raw(key, value, text);
            Ok(())
        }
    };
    let write = |text: &[u8]| out.write_all(text);
    if args.limit > 0 {
        bucket.newest(args.limit, &text_of, write)?;
    } else {
        bucket.all(&text_of, write)?;
    }
    Ok(Answer::Yes)
}

fn scan_keys(
    evidence: &Evidence,
    args: &ScanArgs,
    notices: &Notices,
    out: &mut Out,
) -> Result<Answer, Failure> {
    let style = args.style.into();
    let mut text = Vec::new();
    scan_records(evidence, args.start_revision, notices, |element| {
        text.clear();
        write!(
            text,
            "pageID={}, index={}/{}, ",
            element.pgid, element.index, element.last_index
        )?;
        let decoded = dump_db::decoded(style, RECORDS, element.key, element.value, &mut text);
        out.write_all(&text)?;
        Ok::<bool, Failure>(decoded.is_ok())
    })?;
    Ok(Answer::Yes)
}
