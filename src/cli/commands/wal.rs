//! `wal`: the write-ahead log, decoded.

mod print;
mod style;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, report};
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::query::logs::{Entry, Request, Wal, writes};
use crate::view::dump_logs::{EntryType, Release};

use style::Style;

/// Decode the write-ahead log: every request, applied or not
///
/// DIR is a data directory, its member or member/wal folder, or one .wal or .snap file. Entries are listed by index,
/// including those that were replaced after a change of the leader. REVISION is printed if it is certain: counted from
/// the database next to the log, or from the first entry of the cluster. A log contains no times. Passwords, tokens and
/// values of Secrets are masked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A data directory, a folder of log files, or one file
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Only entries at this index or after it
    #[arg(long, value_name = "INDEX")]
    start_index: Option<u64>,
    /// Only entries before this index
    #[arg(long, value_name = "INDEX")]
    end_index: Option<u64>,
    /// Only entries of these types: Normal,IRRPut
    ///
    /// Types: Normal, ConfigChange, Request, InternalRaftRequest, IRRRange, IRRPut, IRRDeleteRange, IRRTxn,
    /// IRRCompaction, IRRLeaseGrant, IRRLeaseRevoke, IRRLeaseCheckpoint.
    #[arg(
        long,
        value_name = "TYPES",
        default_value = "Normal,ConfigChange",
        hide_default_value = true
    )]
    entry_type: String,
    /// Only entries that may change this key
    ///
    /// If KEY ends in `/`, entries that may change any key below it.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only the last N entries
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// Print the values that are put, objects as YAML
    #[arg(long)]
    values: bool,
    /// Show passwords, tokens and the values of Secrets
    #[arg(long)]
    show_secrets: bool,
    /// Output format
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "text",
        conflicts_with = "style"
    )]
    output: Output,
    /// Print exactly what this program prints
    #[arg(long, value_name = "PROGRAM")]
    style: Option<Program>,
    /// With --style: print each record of the files undecoded
    #[arg(long, requires = "style")]
    raw: bool,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Text for people
    Text,
    /// The same with whole lines, even if the terminal is narrower
    Wide,
    /// One JSON array: the log, its files, raft's snapshots, the entries
    Json,
    /// The same, one JSON object per line
    Jsonl,
}

words!(Output);

impl Output {
    /// Whether it is for people.
    fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Wide)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Program {
    /// etcd-dump-logs of etcd 3.6
    EtcdDumpLogs,
    /// etcd-dump-logs of etcd 3.5
    #[value(name = "etcd-dump-logs-3.5")]
    EtcdDumpLogs35,
}

words!(Program);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn logs(&self) -> Option<PathBuf> {
        Some(self.dir.clone())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn is_wide(&self) -> bool {
        self.output == Output::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let logs = run.logs.ok_or_else(|| Failure::cannot("which log?"))?;
        let types: Vec<EntryType> = self.types()?;
        if let Some(program) = self.style {
            let style = Style {
                release: match program {
                    Program::EtcdDumpLogs => Release::V3_6,
                    Program::EtcdDumpLogs35 => Release::V3_5,
                },
                start_index: self.start_index,
                end_index: self.end_index,
                entry_type: &self.entry_type,
            };
            if self.raw {
                style::raw(logs, &style, out)?;
            } else {
                style::list(logs, &style, out)?;
            }
            return Ok(Answer::Yes);
        }
        let wal = logs.wal();
        let revisions = print::Beside::open(logs)?.revisions(&wal);
        let picked = self.pick(&wal, &types);
        report_unknown(&wal, &picked, logs.diagnostics());
        print::Printer::new(self, run.keyring, logs, &wal, &revisions, out).print(&picked)?;
        if let Some(notice) = revisions.contradiction() {
            report::notices(&[notice], run.invocation);
        }
        Ok(if picked.is_empty() && !wal.entries.is_empty() {
            Answer::No
        } else {
            Answer::Yes
        })
    }
}

impl Args {
    fn types(&self) -> Result<Vec<EntryType>, Failure> {
        let read = |name: &str| {
            EntryType::of(name).ok_or_else(|| {
                Failure::cannot(format!("{name} is no type of an entry"))
                    .hint("`etcdive wal --help` lists them")
            })
        };
        self.entry_type.split(',').map(read).collect()
    }

    /// The entries that were asked for, each with its request.
    fn pick<'w, 'a>(
        &self,
        wal: &'w Wal<'a>,
        types: &[EntryType],
    ) -> Vec<(&'w Entry<'a>, Request<'a>)> {
        let from = self.start_index.unwrap_or_default();
        let until = self.end_index.unwrap_or(u64::MAX);
        let entries = wal
            .entries
            .iter()
            .filter(|entry| (from..until).contains(&entry.index));
        let read = entries.map(|entry| (entry, entry.request()));
        let mut picked: Vec<_> = read
            .filter(|(entry, request)| {
                let all =
                    types.contains(&EntryType::Normal) && types.contains(&EntryType::ConfigChange);
                all || types.iter().any(|one| one.passes(entry, request))
            })
            .filter(|(_, request)| self.key.as_ref().is_none_or(|key| names(request, key)))
            .collect();
        let limit = self.limit.unwrap_or(usize::MAX);
        picked.drain(..picked.len().saturating_sub(limit));
        picked
    }
}

/// Reports requests that no version of etcd has.
fn report_unknown(wal: &Wal<'_>, picked: &[(&Entry<'_>, Request<'_>)], diagnostics: &Diagnostics) {
    for (entry, _) in picked
        .iter()
        .filter(|(_, request)| matches!(request, Request::Unknown))
    {
        let file = wal.files.get(entry.segment).map(|file| file.name.clone());
        let locus = Locus {
            file,
            ..Locus::at(entry.offset)
        };
        diagnostics.report(
            Diagnostic::new(Code::WalRequest, locus)
                .found(format!("entry {}, whose data is no request", entry.index))
                .effect("what it did is not known"),
        );
    }
}

/// Whether a request may change this key, or a key below it if it ends in a slash.
fn names(request: &Request<'_>, key: &str) -> bool {
    let below = |name: &[u8]| key.ends_with('/') && name.starts_with(key.as_bytes());
    let changes = writes::changes(request);
    let covers = |change: &writes::Change<'_>| change.covers(key.as_bytes());
    changes
        .iter()
        .any(|(_, change)| covers(change) || below(change.key()))
}
