//! `restore`: writes a database that etcd accepts, as of any revision, from what can be read.

mod destination;
mod member;
mod typed;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::export::new_file::NewPlace;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, custody, report};
use crate::query::Origins;
use crate::query::evidence::{Evidence, Verify};
use crate::query::log_beside::log_beside;
use crate::query::logs::Logs;
use crate::query::origins::ReplayRequest;
use crate::query::restore::{History, Restore, RestoreError, RestoreRequest};
use crate::query::revision::RevisionExpr;
use crate::view;
use crate::view::restore::Written;

use destination::Destination;
use member::{LogArgs, MemberArgs};

/// Write a database that etcd accepts, as of any revision
///
/// Reads a database, a snapshot or a data directory, also a damaged one, and writes a new snapshot file for `etcdutl
/// snapshot restore`. With --at it has the state of an earlier revision: keys, values, versions, leases and history are as
/// they were then. Afterwards the new file is read back and compared. Beside it is a report, NEW.db.restore.json: where the
/// data comes from, what was left out, and what is missing.
///
/// If records may be missing, nothing is written, and the message names the newest revision that is complete. With
/// --allow-loss what is left is written, and every known loss is listed.
///
/// To bring back single objects instead, see `etcdive recover`.
///
/// Exit codes: 0 written and complete; 2 nothing was written; 3 written, but something is missing or had to be guessed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Write the new database to this file
    ///
    /// The file must not exist, and must not be in the data directory of the source. It appears when it is complete.
    #[arg(long, value_name = "NEW.db", conflicts_with = "data_dir")]
    out: Option<PathBuf>,
    /// Restore this revision: 123, @~5 (default: the newest)
    ///
    /// It must not be below the compacted revision: `etcdive status` prints it.
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    at: Option<RevisionExpr>,
    /// Restore the state at this time: 21:05, 10m ago
    ///
    /// Times are inferred from the objects. If several revisions fit and have different keys, nothing is written. See
    /// `etcdive help times`.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "at"
    )]
    at_time: Option<String>,
    /// Which history to write: all or none (default: all)
    ///
    /// none writes the state only, as after a compaction at that revision. The file is smaller, and older revisions cannot
    /// be read.
    #[arg(long, value_name = "HISTORY")]
    history: Option<HistoryArg>,
    /// Write only keys that begin with this text
    ///
    /// May be repeated. Keys keep their revisions. To clients all other keys look deleted. No history is written.
    #[arg(long, value_name = "P")]
    prefix: Vec<OsString>,
    /// Leave out keys that begin with this text
    ///
    /// May be repeated. No history is written.
    #[arg(long, value_name = "P")]
    exclude: Vec<OsString>,
    /// Seconds to live of leases that are written anew
    ///
    /// A lease that keys of the restored revision name may have ended since. etcd stops when such a key is written, so the
    /// lease is written anew. Those of API servers get 15 seconds.
    #[arg(long, value_name = "S", default_value_t = 3600, value_parser = clap::value_parser!(i64).range(1..=9_000_000_000))]
    lease_ttl: i64,
    /// Write although records are missing
    ///
    /// Every known loss is listed and is in the report; the exit code is 3.
    #[arg(long)]
    allow_loss: bool,
    /// off: switch damaged authentication off
    ///
    /// Only with --allow-loss, and only if users or roles are damaged. Every client can then read and write.
    #[arg(long, value_name = "off", requires = "allow_loss")]
    auth: Option<AuthArg>,
    /// Restore although the cluster raised a CORRUPT alarm
    ///
    /// The alarm says that members had different data. Compare them first.
    #[arg(long)]
    drop_corrupt_alarm: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// Also use records that the tree does not reach
    ///
    /// They are in pages that a scan of the file finds. Those that fill a gap in the revisions are used, and counted. Below
    /// the compacted revision, and only with --allow-loss, it also uses what freed pages still contain.
    #[arg(long, help_heading = "More sources")]
    carve: bool,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    member: MemberArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HistoryArg {
    /// Every record up to the revision
    All,
    /// Only the state at the revision
    None,
}

words!(HistoryArg);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AuthArg {
    /// Users and roles are left out
    Off,
}

words!(AuthArg);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Text for people
    Table,
    /// The report, as one JSON object
    Json,
}

words!(Output);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        self.check()?;
        Ok(vec![self.database.db.clone()])
    }

    fn verify(&self) -> Verify {
        // A hash reads the whole file, and a refused source needs none, unless it has a trailer.
        Verify::KeepingHash
    }

    fn origins(&self) -> Origins {
        let replay = ReplayRequest {
            committed_only: self.log.committed_only,
            at: self.at,
            at_time: self.at_time.clone(),
            skips_authentication: self.auth.is_some(),
        };
        Origins::new(self.carve, self.log.wal.clone()).for_restore(replay)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let destination = Destination::check(self, run)?;
        let report_path = report_path(destination.path());
        let report_place = NewPlace::check(&report_path, run)?;
        let question = run.question()?;
        let request = self.request(evidence);
        let restore =
            Restore::read(&question, request).map_err(|error| self.failure(error, run))?;
        let prepared = destination.prepare(self, &restore)?;
        let write = || destination.write(&restore, &prepared);
        let (new, custody) = custody::hashed_beside(evidence, write);
        let new = new?;
        let log_files = evidence.logs().map_or_else(Vec::new, Logs::hashes);
        self.refuse_change(evidence)?;
        let written = Written {
            restore: &restore,
            verified: *new.verified(),
            file: destination.path(),
            report: &report_path,
            is_kubernetes: restore.is_kubernetes(),
            directory: destination.directory(),
            beside: log_beside(evidence, restore.store()),
            log_files,
        };
        let json = view::restore::report::json(&written, &custody);
        let mut report = report_place.create()?;
        let text = format!("{json:#}\n");
        let result = report.file().write_all(text.as_bytes());
        result.map_err(|error| report.failure(&error))?;
        // The report comes first: a new database is never without it.
        let report = report.commit()?;
        if let Err(failure) = new.commit() {
            report.withdraw();
            return Err(failure);
        }

        match self.output {
            Output::Table => out.parts(&view::restore::parts(&written))?,
            Output::Json => out.write_all(text.as_bytes())?,
        }
        let answer = match restore.is_complete() {
            true => Answer::Complete,
            false => Answer::Partial,
        };
        Ok(question.finish(answer))
    }
}

/// The path of the report: that of the new file or directory, with an extension.
fn report_path(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".restore.json");
    name.into()
}

impl Args {
    /// Refuses flags that contradict each other, before anything is read.
    fn check(&self) -> Result<(), Failure> {
        let db = crate::view::command::quoted(&self.database.db.to_string_lossy());
        if let Some(RevisionExpr::Record(main, sub)) = self.at {
            return Err(Failure::cannot(format!(
                "--at {main}.{sub} is a part of a transaction, and a restore has whole ones"
            ))
            .hint(format!("`--at {main}` restores the whole revision")));
        }
        let Some(out) = &self.out else {
            return match self.member.data_dir {
                Some(_) => Ok(()),
                None => Err(Failure::cannot("restore needs --out or --data-dir").hint(format!(
                    "`etcdive restore {db} --out NEW.db` writes a snapshot file, `etcdive restore {db} --data-dir NEW.etcd` a data directory on which etcd starts"
                ))),
            };
        };
        if out == Path::new("-") {
            return Err(Failure::cannot(
                "--out - is no file: a database is not written to standard output",
            )
            .hint("`--out NEW.db` names a new file"));
        }
        let typed = self.member.of_directory();
        if let Some(first) = typed.first() {
            let flag = first.split([' ', '=']).next().unwrap_or_default();
            return Err(Failure::cannot(format!(
                "{flag} needs --data-dir: the file of --out has no members and keeps its revision"
            ))
            .hint(format!(
                "`etcdive restore {db} --data-dir NEW.etcd {}` writes a data directory",
                typed.join(" ")
            )));
        }
        Ok(())
    }

    /// What the flags ask for. If only some keys are selected, the default is no history, because it would have gaps.
    fn request(&self, evidence: &Evidence) -> RestoreRequest {
        let bytes = |words: &[OsString]| -> Vec<Vec<u8>> {
            let words = words.iter();
            words.map(|word| word.as_encoded_bytes().to_vec()).collect()
        };
        let selects = !self.prefix.is_empty() || !self.exclude.is_empty();
        let history = match self.history {
            Some(HistoryArg::All) => History::All,
            Some(HistoryArg::None) => History::None,
            None if selects => History::None,
            None => History::All,
        };
        RestoreRequest {
            at: self.at,
            at_time: self.at_time.clone(),
            history,
            prefixes: bytes(&self.prefix),
            excludes: bytes(&self.exclude),
            lease_ttl: self.lease_ttl,
            allow_loss: self.allow_loss,
            auth_off: self.auth.is_some(),
            drop_corrupt_alarm: self.drop_corrupt_alarm,
            skip_hash_check: self.member.skip_hash_check,
            carve: self.carve,
            meta_is_chosen: evidence.meta_is_chosen(),
        }
    }

    /// Why nothing is restored, as a failure. All reasons but the first are printed as notes at once.
    fn failure(&self, error: RestoreError, run: &Run<'_>) -> Failure {
        match error {
            RestoreError::NoAnswer(no) => Failure::Query(no),
            RestoreError::Refused(refused) => {
                let target = typed::flags(self);
                let text = view::restore::refusal::text(&refused, run.invocation, &target);
                text.notes.iter().for_each(|note| report::note(note));
                Failure::cannot(text.message).hint(text.hint)
            }
        }
    }

    /// Refuses a source that changed while it was read: a database, or a log.
    fn refuse_change(&self, evidence: &Evidence) -> Result<(), Failure> {
        let changed = match evidence.change() {
            Some(_) => Some(evidence.given_path().to_path_buf()),
            None => evidence.logs().and_then(Logs::change),
        };
        let Some(path) = changed else {
            return Ok(());
        };
        Err(Failure::cannot(format!(
            "{} changed while it was read; nothing was written",
            path.display()
        ))
        .hint("copy it while etcd is stopped, or take a snapshot with `etcdctl snapshot save`"))
    }
}
