//! `verify`: whether files are usable backups, one line per file.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use rayon::prelude::*;

use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, outlook, report, standard_input_once};
use crate::query::Origins;
use crate::query::evidence::{Verify, Work};
use crate::query::log_alone::with_reach;
use crate::query::timeline::When;
use crate::query::verify::{Outcome, Requirements, VerifiedFile};
use crate::view::command::Invocation;
use crate::view::json_rows::{Form, JsonRows};
use crate::view::verify::{Verified, hint, json, line, outcome};

/// Check whether backups can be restored, one line per file
///
/// OK means: `etcdutl snapshot restore` restores the file, and it holds everything. The pages, the SHA-256, the revisions,
/// the records and every Kubernetes value are checked, as by `fsck`. The line also shows the revision, the time of the
/// newest write, the number of keys and the size, because an intact file may still be the wrong one. A file without keys
/// is not OK. A file without SHA-256, such as a copied member/snap/db, is OK, but etcdutl restores it with
/// --skip-hash-check only; --require-sha makes it a failure.
///
/// Several files are checked at the same time. The lines are in the order of the files.
///
/// Exit codes, the largest of all files: 0 OK; 1 every record could be read, but something is wrong or a requirement is
/// not met; 2 not a database of etcd, or not readable; 3 damaged: records may be missing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Snapshots, db files, data directories or archives; - is stdin
    ///
    /// Files of `etcdctl snapshot save`, copied member/snap/db files, data directories, or folders of backups of
    /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
    #[arg(value_name = "DB", required = true)]
    files: Vec<PathBuf>,
    /// Fail if a file has no SHA-256 at its end
    ///
    /// `etcdctl snapshot save` appends it. A copy of member/snap/db has none, so a changed byte in a value is not noticed.
    #[arg(long)]
    require_sha: bool,
    /// Fail if the newest write is older than this: 25h
    ///
    /// etcd stores no times: the newest time in the Kubernetes objects counts. A running cluster writes every few seconds.
    /// Forms: 90m, 25h, 2d. A file in which no value has a time fails.
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    max_age: Option<i64>,
    /// Fail if a file is not readable up to this revision
    ///
    /// For example the revision of the backup before, or of the cluster when the backup began.
    #[arg(long, value_name = "REV", value_parser = clap::value_parser!(i64).range(1..))]
    min_revision: Option<i64>,
    /// Count ages from this time, not from the clock
    ///
    /// For a backup that was taken earlier. Example: --max-age 1h --now 2026-11-20T22:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<i64>,
    /// Print nothing about files that are OK
    #[arg(short, long)]
    quiet: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line per file
    Table,
    /// One JSON array, with an object for each file
    Json,
    /// One JSON object per line
    Jsonl,
}

words!(Output);

/// Reads a length of time such as `25h`, in seconds. `25h ago` and `-25h` are points in time, so they are refused.
fn length(text: &str) -> Result<i64, String> {
    let has_sign = text.trim_start().starts_with(['-', '+']) || text.contains("ago");
    match text.parse::<When>() {
        Ok(When::BeforeNewest(seconds)) if !has_sign => Ok(seconds),
        _ => Err("a length of time is 90m, 25h or 2d".to_owned()),
    }
}

/// Reads a time with its date, in seconds since 1970. Times relative to a file are refused, because there may be
/// several files.
fn moment(text: &str) -> Result<i64, String> {
    match text.parse::<When>() {
        Ok(When::At(seconds)) => Ok(seconds),
        _ => Err("a time is 2026-11-20T22:00:00Z".to_owned()),
    }
}

/// The clock of this machine, in seconds since 1970.
fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// The first hint of each sort: with many files of one sort, one hint shows what to do with all of them.
#[derive(Debug, Default)]
struct FirstHints {
    /// About a file that is damaged.
    damaged: Option<String>,
    /// About a file that could not be read.
    unreadable: Option<String>,
    /// How to restore what a damaged file still has.
    restore: Option<String>,
}

impl FirstHints {
    fn add(&mut self, result: &Verified, hint: Option<String>, restore: Option<String>) {
        let first = match result {
            Ok(_) => &mut self.damaged,
            Err(_) => &mut self.unreadable,
        };
        *first = first.take().or(hint);
        self.restore = self.restore.take().or(restore);
    }

    fn report(&self) {
        let hints = [&self.damaged, &self.unreadable, &self.restore];
        hints
            .into_iter()
            .flatten()
            .for_each(|hint| report::hint(hint));
    }
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        // `run` opens them one by one: a file that cannot be opened does not end the run.
        Ok(Vec::new())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        standard_input_once(&self.files)?;
        let required = Requirements {
            sha: self.require_sha,
            max_age: self.max_age,
            min_revision: self.min_revision,
            now: self.now.unwrap_or_else(clock),
        };
        let verify = |path: &PathBuf, work: &Work| -> (Verified, Option<String>) {
            let origins = Origins::default();
            let evidence = match run.opening.open(path, Verify::Always, origins, work) {
                Ok(evidence) => evidence,
                Err(no) => return (Err(with_reach(no, std::slice::from_ref(path))), None),
            };
            let result = VerifiedFile::read(&evidence, run.keyring, &required)
                .map_err(|no| with_reach(no, std::slice::from_ref(path)));
            let restore = result
                .is_ok()
                .then(|| Invocation::new("verify", Some(path)));
            let restore = restore.and_then(|invocation| outlook::hint(&evidence, &invocation));
            (result, restore)
        };
        let mut rows = match self.output {
            Output::Table => None,
            output => Some(JsonRows::new(Form::array_if(output == Output::Json))),
        };
        let mut worst = Outcome::Ok;
        let mut hints = FirstHints::default();
        // As many files at once as there are cores. Their lines are printed before the next files are read.
        for files in self.files.chunks(rayon::current_num_threads().max(1)) {
            let results: Vec<(Verified, Option<String>)> = match files {
                [one] => vec![verify(one, run.work)],
                files => files
                    .par_iter()
                    .map(|path| verify(path, &Work::default()))
                    .collect(),
            };
            for (path, (result, restore)) in files.iter().zip(results) {
                let outcome = outcome(&result);
                worst = worst.max(outcome);
                hints.add(&result, hint(path, &result), restore);
                if self.quiet && outcome == Outcome::Ok {
                    continue;
                }
                match &mut rows {
                    Some(rows) => rows.row(&json(path, &result, required.now), out)?,
                    None => out.parts(&[line(path, &result, required.now)])?,
                }
            }
        }
        if let Some(rows) = rows {
            rows.finish(out)?;
        }
        let answer = Answer::Worst(worst);
        // The lines have to be written before the hint: both may go to one terminal or file.
        let flushed = out.flush().map_err(Failure::from);
        flushed.map_err(|failure| failure.with_answer(answer))?;
        hints.report();
        Ok(answer)
    }
}
