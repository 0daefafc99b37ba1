//! The command line: one file per verb in [`commands`], each a `struct Args` whose doc comment is its help, and a
//! [`Verb`]. What the help has besides is in [`help`].
//!
//! A run goes one way: the verb names its databases, they are opened, the verb answers on standard
//! output, and what is wrong with the databases is said on standard error. What a verb returns and
//! what was found make the exit code.

pub mod args;
pub mod arguments;
pub mod auger;
pub mod by_manager;
pub mod commands;
pub mod complete;
pub mod custody;
pub mod etcdctl;
pub mod export;
pub mod failure;
pub mod help;
pub mod keys;
pub mod opened;
pub mod out;
pub mod outlook;
pub mod pager;
pub mod plumbing;
pub mod progress;
pub mod report;
pub mod select;
pub mod sources;
pub mod unified;
pub mod unpacking;
pub mod v2_store;
pub mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::query::evidence::{MetaBy, Verify, Work};
use crate::query::logs::Logs;
use crate::query::objects::Keyring;
use crate::query::{Evidence, NoAnswer, Notices, Origins, Question};
use crate::source::Unpacking;
use crate::view::command::Invocation;

pub use crate::query::Answer;

use commands::{
    analyze, blame, buckets, checksum, churn, compare, complete as complete_verb, completions,
    decode, diff, du, dump_db, events, explain, extract, fsck, get, grep, hash, hashkv,
    help as help_verb, hexdump, log, ls, man, page, pages, recover, restore, show, status, verify,
    wal, watch,
};
use failure::Failure;
use keys::Keys;
use out::{ColorWhen, Out};

/// Read an etcd database file offline: objects, history, health, recovery
///
/// DB is a copied member/snap/db, an `etcdctl snapshot save` file, a data directory, or a folder of snapshots of
/// etcd-backup-restore. Any of them may be compressed or in an archive (ARCHIVE::path/in/it names one of several); - is
/// standard input. No etcd, no cluster and no network are needed. The file is never written or locked, and its times
/// are not changed. --db FILE or the variable ETCDIVE_DB can name the database instead. As in kubectl, -n NS, -A and
/// --db may come before the verb.
///
/// Exit codes: 0 answered; 1 answered "no": nothing found, or differences (diff), or harmless findings (fsck); 2 could
/// not answer; 3 answered, but damage may hide a part of the answer. `etcdive help exit-codes` has the details.
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
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Global options"
    )]
    color: ColorWhen,

    /// Print long output on a terminal at once, not through a pager
    ///
    /// Output on a terminal that is longer than its screen goes through the program that ETCDIVE_PAGER or PAGER names,
    /// or else `less`; the value `cat` or none turns that off for good. Output into a pipe or a file never does.
    /// Example: etcdive log DB --no-pager
    #[arg(long, global = true, help_heading = "Global options")]
    no_pager: bool,

    /// Verify the SHA-256 at the end of a large snapshot file
    ///
    /// Without this flag it is verified up to 64 MiB, and at any size by status and fsck.
    #[arg(long, global = true, help_heading = "Global options")]
    verify: bool,

    /// Read the state of this meta page: 0, 1 or older
    ///
    /// The default is the newest valid one. `older` is the state one commit before.
    #[arg(long, global = true, value_name = "META", value_parser = MetaBy::parse, help_heading = "Global options")]
    meta: Option<MetaBy>,

    /// Read this database; DB is then left out
    ///
    /// The variable ETCDIVE_DB does the same, unless the first word after the verb is a database.
    #[arg(
        long = "db",
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    named_db: Option<PathBuf>,

    /// Unpack a database of at most this size (default: 8GiB)
    ///
    /// A larger one in a compressed file or an archive is an error, so that a hostile archive cannot fill the disk.
    /// Sizes: 20GiB, 20G, 500M, or a number of bytes.
    #[arg(long, global = true, value_name = "SIZE", value_parser = unpacking::parse_size, help_heading = "Global options")]
    unpack_limit: Option<u64>,

    /// Use at most so many cores (default: all)
    ///
    /// The output is the same for any number. Example: etcdive ls DB --threads 1
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Global options")]
    threads: Option<u16>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Args),
    Ls(ls::Args),
    Get(get::Args),
    Events(events::Args),
    Log(log::Args),
    Show(show::Args),
    Watch(watch::Args),
    Diff(diff::Args),
    Blame(blame::Args),
    Grep(grep::Args),
    Du(du::Args),
    Churn(churn::Args),
    Fsck(fsck::Args),
    Verify(verify::Args),
    Hash(hash::Args),
    Hashkv(hashkv::Args),
    Compare(compare::Args),
    Recover(recover::Args),
    Restore(restore::Args),
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
    Help(help_verb::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(name = "__complete", hide = true)]
    Complete(complete_verb::Args),
}

impl Command {
    /// The word of the verb.
    fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Ls(_) => "ls",
            Self::Get(_) => "get",
            Self::Events(_) => "events",
            Self::Log(_) => "log",
            Self::Show(_) => "show",
            Self::Watch(_) => "watch",
            Self::Diff(_) => "diff",
            Self::Blame(_) => "blame",
            Self::Grep(_) => "grep",
            Self::Du(_) => "du",
            Self::Churn(_) => "churn",
            Self::Fsck(_) => "fsck",
            Self::Verify(_) => "verify",
            Self::Hash(_) => "hash",
            Self::Hashkv(_) => "hashkv",
            Self::Compare(_) => "compare",
            Self::Recover(_) => "recover",
            Self::Restore(_) => "restore",
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
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Complete(_) => "__complete",
        }
    }

    fn verb(&self) -> &dyn Verb {
        match self {
            Self::Status(args) => args,
            Self::Ls(args) => args,
            Self::Get(args) => args,
            Self::Events(args) => args,
            Self::Log(args) => args,
            Self::Show(args) => args,
            Self::Watch(args) => args,
            Self::Diff(args) => args,
            Self::Blame(args) => args,
            Self::Grep(args) => args,
            Self::Du(args) => args,
            Self::Churn(args) => args,
            Self::Fsck(args) => args,
            Self::Verify(args) => args,
            Self::Hash(args) => args,
            Self::Hashkv(args) => args,
            Self::Compare(args) => args,
            Self::Recover(args) => args,
            Self::Restore(args) => args,
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
            Self::Completions(args) => args,
            Self::Man(args) => args,
            Self::Complete(args) => args,
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

    /// Whether its output is text that a pager may show.
    fn is_paged(&self) -> bool {
        true
    }

    /// Whether its tables are printed whole, even if the terminal is narrower.
    fn is_wide(&self) -> bool {
        false
    }

    /// Answers on `out`.
    ///
    /// # Errors
    /// When there is no answer.
    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure>;
}

/// How a database is opened: what the global flags say about all databases of a run.
#[derive(Debug)]
pub struct Opening {
    /// How packed input is unpacked.
    unpacking: Unpacking,
    /// The meta page whose state is read; the default is the newest.
    meta: Option<MetaBy>,
}

impl Opening {
    /// Opens a database.
    ///
    /// # Errors
    /// If it cannot be opened, or is something else.
    pub fn open(
        &self,
        path: &Path,
        verify: Verify,
        origins: Origins,
        work: &Work,
    ) -> Result<Evidence, NoAnswer> {
        let evidence = Evidence::open_for(path, verify, &origins, &self.unpacking, work)?;
        evidence.by_meta(self.meta).with_origins(origins)
    }
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
    /// How further databases are opened, for a verb that opens them itself.
    pub opening: &'r Opening,
    /// Counts passes over files.
    pub work: &'r Work,
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
    report::look(cli.color.resolve(true));
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.into());
        if let Err(error) = pool.build_global() {
            let failure = Failure::cannot(format!("--threads {threads}: {error}"));
            return report::failure(&failure, &Invocation::default());
        }
    }
    let pages = !cli.no_pager && cli.command.verb().is_paged();
    answer(cli, Out::stdout(cli.color, pages))
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
    let work = Work::default();
    progress::start(&work);
    let opening = Opening {
        unpacking: unpacking::unpacking(cli.unpack_limit, &work),
        meta: cli.meta,
    };
    let opened = databases.and_then(|paths| open(cli, verb, &paths, &opening, &work));
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
        opening: &opening,
        work: &work,
    };
    if verb.is_wide() {
        out.uncut();
    }
    let answer = verb.run(&run, &mut out);
    // A pager is waited for, whatever the answer is.
    let finished = out.finish().map_err(Failure::from);
    let answer = answer.and_then(|answer| {
        finished.map_err(|failure| failure.with_answer(answer))?;
        Ok(answer)
    });
    let answer = answer.map_err(|failure| failure.with_log(&typed));
    // Without an answer after a reader left, on a terminal: the user quit the pager, and wants no more.
    if !(out.is_terminal() && matches!(answer, Err(Failure::BrokenPipe(_)))) {
        report::notices(&notices.take(), &invocation);
        report::left_out(out.left_out(), has_wide(cli.command.name()));
    }
    report::conclude(&evidence, logs.as_ref(), answer, &invocation)
}

/// Whether a verb has `-o wide`.
fn has_wide(verb: &str) -> bool {
    if verb == "get" {
        // Its formats may have a template after them: clap does not list them.
        return true;
    }
    let root = Cli::command();
    let values = root
        .find_subcommand(verb)
        .and_then(|command| command.get_arguments().find(|arg| arg.get_id() == "output"))
        .map(clap::Arg::get_possible_values);
    values
        .into_iter()
        .flatten()
        .any(|value| value.get_name() == "wide")
}

/// Refuses to read standard input twice.
///
/// # Errors
/// If two of the paths are `-`.
pub fn standard_input_once(paths: &[PathBuf]) -> Result<(), Failure> {
    match paths.iter().filter(|path| path.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err(Failure::cannot("standard input can be read once only")),
    }
}

/// Opens everything that a verb reads.
fn open(
    cli: &Cli,
    verb: &dyn Verb,
    paths: &[PathBuf],
    opening: &Opening,
    work: &Work,
) -> Result<(Keyring, Vec<Evidence>, Option<Logs>), Failure> {
    let verify = match (cli.verify, verb.verify()) {
        (true, Verify::IfSmall) => Verify::Always,
        (_, verify) => verify,
    };
    let keyring = verb
        .keys()
        .map_or_else(|| Ok(Keyring::default()), Keys::keyring)?;
    standard_input_once(paths)?;
    let open = |path: &PathBuf| opening.open(path, verify, verb.origins(), work);
    let evidence = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let logs = verb.logs().map(|path| Logs::open(&path)).transpose()?;
    Ok((keyring, evidence, logs))
}
