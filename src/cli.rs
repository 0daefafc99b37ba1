//! The command line: one file a verb in [`commands`], each a `struct Args` whose doc comment is its
//! help, and a [`Verb`].
//!
//! A run goes one way: the verb names its databases, they are opened, the verb answers on standard
//! output, and what is wrong with the databases is said on standard error. What a verb returns and
//! what was found make the exit code.

pub mod args;
pub mod arguments;
pub mod auger;
pub mod by_manager;
pub mod commands;
pub mod custody;
pub mod etcdctl;
pub mod export;
pub mod failure;
pub mod keys;
pub mod opened;
pub mod out;
pub mod plumbing;
pub mod progress;
pub mod report;
pub mod select;
pub mod sources;
pub mod unified;
pub mod unpacking;
pub mod v2_store;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::query::evidence::{MetaBy, Verify};
use crate::query::logs::Logs;
use crate::query::objects::Keyring;
use crate::query::{Evidence, Notices, Origins, Question};
use crate::view::command::Invocation;

pub use crate::query::Answer;

use commands::{
    analyze, blame, buckets, checksum, decode, diff, dump_db, explain, extract, fsck, get, grep,
    help, hexdump, log, ls, page, pages, recover, show, status, wal, watch,
};
use failure::Failure;
use keys::Keys;
use out::{ColorWhen, Out};

/// Dives into an etcd v3 database file: no etcd, no cluster, no Go.
///
/// DB is a copied member/snap/db, an `etcdctl snapshot save` file, a data directory, or a folder of etcd-backup-restore's
/// snapshots; any of these files compressed or in an archive (ARCHIVE::path/in/it names one of several), or - for
/// standard input.
/// The file is never written, never locked, and its times are left alone.
/// As in kubectl, -n NS, -A and --db FILE may come before the verb.
///
/// Exit codes: 0 answered; 1 answered "no" (nothing found; diff: differences); 2 could not answer;
/// 3 answered, but damage may have hidden a part of the answer. fsck: 1 findings, yet every record could be
/// read; 3 findings that may hide records.
#[derive(Debug, Parser)]
#[command(
    name = "etcdive",
    bin_name = "etcdive",
    version,
    max_term_width = 100,
    propagate_version = false,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// When to colour: a terminal is coloured by itself, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = false
    )]
    color: ColorWhen,

    /// Verify the SHA-256 behind a snapshot file of any size (else up to 64 MiB; status, fsck: always)
    #[arg(long, global = true)]
    verify: bool,

    /// Take the state of this meta page instead of the newest that is whole; older: the state one commit before
    #[arg(long, global = true, value_name = "0|1|older", value_parser = MetaBy::parse)]
    meta: Option<MetaBy>,

    /// Read this database instead of DB. The variable ETCDIVE_DB names one too, unless the first word is a file
    #[arg(long = "db", global = true, value_name = "FILE")]
    named_db: Option<PathBuf>,

    /// Unpack a database of up to this size from a compressed file or an archive [default: 8GiB]
    #[arg(long, global = true, value_name = "SIZE", value_parser = unpacking::parse_size)]
    unpack_limit: Option<u64>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Args),
    Ls(ls::Args),
    Get(get::Args),
    Log(log::Args),
    Show(show::Args),
    Watch(watch::Args),
    Diff(diff::Args),
    Blame(blame::Args),
    Grep(grep::Args),
    Fsck(fsck::Args),
    Recover(recover::Args),
    Explain(explain::Args),
    Extract(extract::Args),
    Decode(decode::Args),
    Analyze(analyze::Args),
    Checksum(checksum::Args),
    #[command(name = "dump-db")]
    DumpDb(dump_db::Args),
    Pages(pages::Args),
    Page(page::Args),
    Buckets(buckets::Args),
    Hexdump(hexdump::Args),
    Wal(wal::Args),
    Help(help::Args),
}

impl Command {
    /// The word of the verb.
    fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Ls(_) => "ls",
            Self::Get(_) => "get",
            Self::Log(_) => "log",
            Self::Show(_) => "show",
            Self::Watch(_) => "watch",
            Self::Diff(_) => "diff",
            Self::Blame(_) => "blame",
            Self::Grep(_) => "grep",
            Self::Fsck(_) => "fsck",
            Self::Recover(_) => "recover",
            Self::Explain(_) => "explain",
            Self::Extract(_) => "extract",
            Self::Decode(_) => "decode",
            Self::Analyze(_) => "analyze",
            Self::Checksum(_) => "checksum",
            Self::DumpDb(_) => "dump-db",
            Self::Pages(_) => "pages",
            Self::Page(_) => "page",
            Self::Buckets(_) => "buckets",
            Self::Hexdump(_) => "hexdump",
            Self::Wal(_) => "wal",
            Self::Help(_) => "help",
        }
    }

    fn verb(&self) -> &dyn Verb {
        match self {
            Self::Status(args) => args,
            Self::Ls(args) => args,
            Self::Get(args) => args,
            Self::Log(args) => args,
            Self::Show(args) => args,
            Self::Watch(args) => args,
            Self::Diff(args) => args,
            Self::Blame(args) => args,
            Self::Grep(args) => args,
            Self::Fsck(args) => args,
            Self::Recover(args) => args,
            Self::Explain(args) => args,
            Self::Extract(args) => args,
            Self::Decode(args) => args,
            Self::Analyze(args) => args,
            Self::Checksum(args) => args,
            Self::DumpDb(args) => args,
            Self::Pages(args) => args,
            Self::Page(args) => args,
            Self::Buckets(args) => args,
            Self::Hexdump(args) => args,
            Self::Wal(args) => args,
            Self::Help(args) => args,
        }
    }
}

/// What every subcommand does.
pub trait Verb {
    /// The databases it reads, in the order in which it is given them.
    ///
    /// # Errors
    /// When the arguments name none or too many.
    fn databases(&self) -> Result<Vec<PathBuf>, Failure>;

    /// Whether the trailer of a snapshot is verified at any size.
    fn verify(&self) -> Verify {
        Verify::IfSmall
    }

    /// The write-ahead log that it reads.
    fn logs(&self) -> Option<PathBuf> {
        None
    }

    /// The keys of values that are encrypted at rest, of a verb that looks into values.
    fn keys(&self) -> Option<&Keys> {
        None
    }

    /// Where its records come from in addition to the state of the database.
    fn origins(&self) -> Origins {
        Origins::default()
    }

    /// Answers on `out`.
    ///
    /// # Errors
    /// When there is no answer.
    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure>;
}

/// What every verb is given.
#[derive(Debug, Clone, Copy)]
pub struct Run<'r> {
    /// The databases that it named.
    pub evidence: &'r [Evidence],
    /// The write-ahead log that it named.
    pub logs: Option<&'r Logs>,
    /// The keys of values that are encrypted at rest; empty unless some were given.
    pub keyring: &'r Keyring,
    /// The files that the keys were read from.
    pub key_files: &'r [PathBuf],
    /// What the answer has to admit.
    pub notices: &'r Notices,
    /// The verb and its database, for hints.
    pub invocation: &'r Invocation,
}

impl<'r> Run<'r> {
    /// The question to the one database of a verb.
    ///
    /// # Errors
    /// If it was not given exactly one, or it cannot be read.
    pub fn question(&self) -> Result<Question<'r>, Failure> {
        self.question_to(Evidence::only(self.evidence)?)
    }

    /// The question to one of the databases.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn question_to(&self, evidence: &'r Evidence) -> Result<Question<'r>, Failure> {
        Ok(Question::open(evidence, self.keyring, self.notices)?)
    }
}

/// Runs a parsed command line on standard output.
pub fn run(cli: &Cli) -> ExitCode {
    answer(cli, Out::stdout(cli.color))
}

/// Runs a parsed command line; its answer goes to `out`.
pub fn answer(cli: &Cli, mut out: Out) -> ExitCode {
    if let Some(db) = &cli.named_db {
        // [`arguments::parse`] puts it in front of the other words; whoever parses the words alone has to do the same.
        let shown = db.display();
        return report::failure(
            &Failure::cannot(format!(
                "--db {shown}: the words were not arranged before they were parsed"
            )),
            &Invocation::default(),
        );
    }
    let verb = cli.command.verb();
    let databases = verb.databases();
    let db = databases.as_ref().ok().and_then(|paths| paths.first());
    let invocation = Invocation::new(cli.command.name(), db.map(PathBuf::as_path));
    let typed = databases.as_ref().map_or_else(|_| Vec::new(), Vec::clone);
    progress::start();
    let opened = databases.and_then(|paths| open(cli, verb, &paths));
    let (keyring, evidence, logs) = match opened {
        Ok(opened) => opened,
        Err(failure) => return report::failure(&failure.with_log(&typed), &invocation),
    };
    let key_files: Vec<PathBuf> = verb
        .keys()
        .map_or_else(Vec::new, |keys| keys.files().map(Into::into).collect());
    let notices = Notices::default();
    let run = Run {
        evidence: &evidence,
        logs: logs.as_ref(),
        keyring: &keyring,
        key_files: &key_files,
        notices: &notices,
        invocation: &invocation,
    };
    let answer = verb.run(&run, &mut out).and_then(|answer| {
        let finished = out.finish().map_err(Failure::from);
        finished.map_err(|failure| failure.with_answer(answer))?;
        Ok(answer)
    });
    let answer = answer.map_err(|failure| failure.with_log(&typed));
    report::notices(&notices.take(), &invocation);
    report::conclude(&evidence, logs.as_ref(), answer, &invocation)
}

/// Opens everything that a verb reads.
fn open(
    cli: &Cli,
    verb: &dyn Verb,
    paths: &[PathBuf],
) -> Result<(Keyring, Vec<Evidence>, Option<Logs>), Failure> {
    let verify = match (cli.verify, verb.verify()) {
        (true, Verify::IfSmall) => Verify::Always,
        (_, verify) => verify,
    };
    let keyring = verb
        .keys()
        .map_or_else(|| Ok(Keyring::default()), Keys::keyring)?;
    let unpacking = unpacking::unpacking(cli.unpack_limit);
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::cannot("standard input can be read once only"));
    }
    let open = |path: &PathBuf| -> Result<Evidence, Failure> {
        let origins = verb.origins();
        let evidence = Evidence::open_for(path, verify, &origins, &unpacking)?.by_meta(cli.meta);
        Ok(evidence.with_origins(origins)?)
    };
    let evidence = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let logs = verb.logs().map(|path| Logs::open(&path)).transpose()?;
    Ok((keyring, evidence, logs))
}
