//! `status`: the state of the file and of the store, or etcdutl's text.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, custody, outlook};
use crate::query::Notice;
use crate::query::evidence::{Evidence, Verify};
use crate::query::file_status::{FileStatus, deltas_status, snapshot_status};
use crate::query::v2_store;
use crate::view;
use crate::view::answer_part::AnswerPart;
use crate::view::etcdutl::Style;

/// Show what the file is: revisions, sizes, members, health
///
/// Prints the metas, the newest and the compacted revision, the number of keys and their sizes, free space, hashes,
/// members, alarms, encryption, and a verdict about pages and records. `fsck` also decodes every object, and lists every
/// finding. In a data directory the database, the log and the raft snapshots are compared too:
/// `etcdive status /var/lib/etcd`.
///
/// With -w the output is what `etcdutl snapshot status -w` prints. If etcdutl would refuse the file,
/// nothing is printed and the exit code is 3.
///
/// Exit codes: 0 intact; 1 findings, but every record could be read; 3 findings that may hide records, or no state can
/// be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Print what `etcdutl snapshot status` prints
    #[arg(short, long, value_name = "FORMAT", conflicts_with = "output")]
    write_out: Option<WriteOut>,
    /// The release whose -w text is printed: 3.5 or 3.6
    ///
    /// etcdutl 3.6 counts live keys as the total of keys, and prints the storage version. 3.5 and earlier count the
    /// elements of all buckets, so each revision of a key, and print no version. Example: etcdive status DB -w json
    /// --style 3.5
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "3.6",
        requires = "write_out"
    )]
    style: StyleArg,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// Add SHA-256, file times, and details of this run
    ///
    /// For a report: the SHA-256, size, times and inode of the file, and the version, arguments and time of this run.
    /// The file is hashed again at the end. If it changed meanwhile, the exit code is 3.
    #[arg(long, conflicts_with = "write_out")]
    evidence: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WriteOut {
    /// One line, separated by commas
    Simple,
    /// One JSON object
    Json,
    /// A table drawn in ASCII
    Table,
    /// One field per line
    Fields,
}

words!(WriteOut);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StyleArg {
    /// etcdutl 3.5 and earlier
    #[value(name = "3.5")]
    V35,
    /// etcdutl 3.6 and later
    #[value(name = "3.6")]
    V36,
}

words!(StyleArg);

impl From<StyleArg> for Style {
    fn from(style: StyleArg) -> Self {
        match style {
            StyleArg::V35 => Self::V3_5,
            StyleArg::V36 => Self::V3_6,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Text for people
    Table,
    /// One JSON object
    Json,
}

words!(Output);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn verify(&self) -> Verify {
        if self.evidence {
            Verify::AndHash
        } else {
            Verify::Always
        }
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        evidence.note_archive(run.notices);
        if let Some((path, count)) = v2_store::beside(evidence) {
            run.notices.add(Notice::V2Keys(path, count));
        }
        if let Some(format) = self.write_out {
            let status = snapshot_status(evidence)?;
            let text_of = match format {
                WriteOut::Simple => view::etcdutl::simple,
                WriteOut::Json => view::etcdutl::json,
                WriteOut::Table => view::etcdutl::table,
                WriteOut::Fields => view::etcdutl::fields,
            };
            let text = text_of(&status, self.style.into());
            out.write_all(text.as_bytes())?;
            return Ok(Answer::Yes);
        }
        let report = self.report(evidence);
        // After everything else was read, because it compares the file with what it was at the start.
        let custody = self.evidence.then(|| custody::of(evidence));
        // If no state can be read, --evidence still describes the file itself.
        let report = match (report, &custody) {
            (Err(failure), None) => return Err(failure),
            (report, _) => report,
        };
        match self.output {
            Output::Table => {
                if let Ok((parts, _)) = &report {
                    out.parts(parts)?;
                }
                if report.is_ok() && custody.is_some() {
                    out.write_all(b"\n")?;
                }
                if let Some(custody) = &custody {
                    out.table(&view::evidence::table(custody))?;
                }
            }
            Output::Json => {
                let mut fields = match &report {
                    Ok((_, Value::Object(fields))) => fields.clone(),
                    _ => Map::new(),
                };
                if let Some(custody) = &custody {
                    fields.insert("evidence".to_owned(), view::evidence::json(custody));
                }
                serde_json::to_writer(&mut *out, &fields).map_err(std::io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()?;
        outlook::say(evidence, run.invocation);
        report.map(|_| Answer::Verdict)
    }
}

impl Args {
    /// The state of file and store: parts for people, or JSON. The one that `output` does not ask for is empty.
    fn report(&self, evidence: &Evidence) -> Result<(Vec<AnswerPart>, Value), Failure> {
        if let Some(deltas) = evidence.deltas_alone() {
            let checked = deltas_status(evidence)?;
            let file = view::backup::File {
                path: &evidence.given_path().display().to_string(),
                deltas,
                verdict: checked.verdict,
                findings: &checked.findings,
            };
            return Ok(match self.output {
                Output::Table => (view::backup::status_parts(&file), Value::Null),
                Output::Json => (Vec::new(), view::backup::status_json(&file)),
            });
        }
        let status = FileStatus::read(evidence)?;
        let file = view::status::File {
            encryption: status.encryption,
            path: &evidence.source().path().display().to_string(),
            size_bytes: evidence.source().len_bytes(),
            trailer: evidence.trailer(),
            tail: status.tail,
            log: status.log,
            pages: status.pages,
            verdict: status.verdict,
            findings: status.findings,
        };
        Ok(match (self.output, evidence.deltas()) {
            (Output::Table, None) => (view::status::parts(&file, &status.store), Value::Null),
            (Output::Table, Some(deltas)) => {
                let mut parts = view::status::parts(&file, &status.store);
                parts.extend(view::backup::parts(deltas));
                (parts, Value::Null)
            }
            (Output::Json, deltas) => {
                let mut state = view::status::json(&file, &status.store);
                if let (Value::Object(fields), Some(deltas)) = (&mut state, deltas) {
                    fields.insert("backup".to_owned(), view::backup::json(deltas));
                }
                (Vec::new(), state)
            }
        })
    }
}
