//! `status`: the state of the file and of the store, or etcdutl's text.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb, custody};
use crate::query::Notice;
use crate::query::evidence::{Evidence, Verify};
use crate::query::file_status::{FileStatus, snapshot_status};
use crate::query::v2_store;
use crate::view;

/// Show the state of the file: metas, revisions, keys, sizes, hashes, members, sound or not
///
/// The verdict is that of `fsck`, by the same checks of pages, records and objects; `fsck` lists every finding. Of a data directory the
/// database, the log and the raft snapshots are compared too: `etcdive status /var/lib/etcd`.
///
/// -w prints what `etcdutl snapshot status -w` of etcd 3.6 prints, and nothing else. Where etcdutl refuses the file, it prints
/// nothing and ends with exit code 3. --evidence adds what a report
/// on the file needs to name it: its SHA-256 before and after, its place and times, and this run.
///
/// Exit codes: 0 nothing above info; 1 findings, yet every record could be read; 3 findings that may hide records,
/// or no state that could be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Print etcdutl's text instead
    #[arg(short, long, value_name = "FORMAT", conflicts_with = "output")]
    write_out: Option<WriteOut>,
    /// How to print our own
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// Add SHA-256, size, times and inode of the file, and version, arguments and time of this run; hashed again at
    /// the end: exit 3 if the file changed meanwhile
    #[arg(long, conflicts_with = "write_out")]
    evidence: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WriteOut {
    /// One line, comma separated
    Simple,
    /// One JSON object
    Json,
    /// A table drawn in ASCII
    Table,
    /// One field a line
    Fields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One JSON object
    Json,
}

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
        if let Some((path, count)) = v2_store::beside(evidence) {
            run.notices.add(Notice::V2Keys(path, count));
        }
        if let Some(format) = self.write_out {
            let status = snapshot_status(evidence)?;
            let text = match format {
                WriteOut::Simple => view::etcdutl::simple(&status),
                WriteOut::Json => view::etcdutl::json(&status),
                WriteOut::Table => view::etcdutl::table(&status),
                WriteOut::Fields => view::etcdutl::fields(&status),
            };
            out.write_all(text.as_bytes())?;
            return Ok(Answer::Yes);
        }
        let told = self.tell(evidence);
        // After everything else was read: it says whether the file is still what it was.
        let custody = self.evidence.then(|| custody::of(evidence));
        // Of a file whose state cannot be told at least the file itself is.
        let told = match (told, &custody) {
            (Err(failure), None) => return Err(failure),
            (told, _) => told,
        };
        match self.output {
            Output::Table => {
                let parts = [
                    told.as_ref().ok().map(|(text, _)| text.clone()),
                    custody.as_ref().map(view::evidence::table),
                ];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                out.write_all(parts.join("\n").as_bytes())?;
            }
            Output::Json => {
                let mut fields = match &told {
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
        told.map(|_| Answer::Verdict)
    }
}

impl Args {
    /// The state of file and store, as text or as JSON; the other one is empty.
    fn tell(&self, evidence: &Evidence) -> Result<(String, Value), Failure> {
        let status = FileStatus::read(evidence)?;
        let file = view::status::File {
            encryption: status.encryption,
            path: &evidence.source().path().display().to_string(),
            size_bytes: evidence.source().len_bytes(),
            trailer: evidence.trailer(),
            tail: status.tail,
            verdict: status.verdict,
            findings: status.findings,
        };
        Ok(match self.output {
            Output::Table => (view::status::table(&file, &status.store), Value::Null),
            Output::Json => (String::new(), view::status::json(&file, &status.store)),
        })
    }
}
