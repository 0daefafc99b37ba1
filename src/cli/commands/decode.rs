//! `decode`: stored values to YAML, JSON or their protobuf message, as auger does.

use std::ffi::OsString;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::unpacking::unpacking;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, report};
use crate::query::event_log::{Event, EventFilters, EventLog};
use crate::query::pasted::{Pasted, PastedValue};
use crate::query::stored_value::{decrypted, hex_bytes, is_database, object_within};
use crate::source::work::Work;
use crate::source::{Source, is_delta_snapshot, open_untouched};
use crate::view;
use crate::view::record::key_text;
use crate::view::stored_value::{Format, NotPrinted, text, type_meta_text};

/// Decode a stored value, in whatever form it was copied
///
/// Reads a file or standard input. The form is recognised: the bytes that etcd stores (Kubernetes protobuf with or
/// without its prefix k8s\0, JSON, CBOR), base64, hexadecimal digits, \x00 and \000 escapes, hexdump, xxd, od, Go's %q,
/// `etcdctl get` with -w simple, json or fields and any number of keys, `kubectl get --raw`, and a delta snapshot of
/// etcd-backup-restore, whose events are listed. Forms may be nested, such as base64 of a hexdump. A note on standard
/// error says what was recognised. Objects are printed as they are stored.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file (default: standard input)
    #[arg(value_name = "FILE")]
    path: Option<PathBuf>,
    /// The file, as auger names it
    #[arg(short, long, value_name = "FILE", conflicts_with = "path")]
    file: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    /// Print only apiVersion and kind: `TypeMeta.APIVersion: V`, `TypeMeta.Kind: K`
    #[arg(long, conflicts_with = "output")]
    meta_only: bool,
    /// The etcd key of the value
    ///
    /// Most encrypted values can only be decrypted with their key. If the input has several values, only the one with
    /// this key is printed.
    #[arg(long, value_name = "KEY")]
    key: Option<OsString>,
    /// Decode each line of standard input, in hexadecimal
    ///
    /// Each line is answered by `OK|OBJECT` or `ERROR:REASON|`. For `etcd-dump-logs -stream-decoder`, together with -o
    /// json, because it reads one line per answer: the object is found inside the bytes of a raft entry.
    #[arg(long, conflicts_with_all = ["path", "file"])]
    batch_process: bool,
    #[command(flatten)]
    keys: Keys,
}

/// How one object is printed as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// YAML, as auger and kubectl print it
    Yaml,
    /// JSON on one line, with the field order of the Go types, as auger prints it
    Json,
    /// The stored protobuf message, without its envelope
    Proto,
}

words!(Output);

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Yaml => Self::Yaml,
            Output::Json => Self::Json,
            Output::Proto => Self::Proto,
        }
    }
}

/// etcd accepts 1.5 MiB by default. Larger input is not one value.
const LONGEST_VALUE_BYTES: u64 = 64 << 20;

impl Verb for Args {
    /// A delta snapshot of etcd-backup-restore is read like a database: it has events, not one value.
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        let path = self.path.as_ref().or(self.file.as_ref());
        let path = path.filter(|path| path.is_file() && is_delta(path));
        Ok(path.cloned().into_iter().collect())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if self.batch_process {
            return self.batch(run, &mut std::io::stdin().lock(), out);
        }
        if !run.evidence.is_empty() {
            return self.print_events(run, out);
        }
        let input = read_input(self.path.as_deref().or(self.file.as_deref()), "one value")?;
        let pasted = Pasted::read(&input).map_err(|no| {
            Failure::cannot(view::pasted::not_recognised(&no)).hint(view::pasted::TAKEN)
        })?;
        if let Some(forms) = view::pasted::recognised(&pasted) {
            report::note(&forms);
        }
        let values = self.chosen(&pasted.values)?;
        match values.as_slice() {
            [one] => {
                let text = self.value_text(run, one);
                out.write_all(&text.map_err(|error| self.failure(one, error))?)?;
            }
            several => self.print_several(run, several, out)?,
        }
        Ok(Answer::Yes)
    }
}

/// How many of several values that are not printed are named.
const NAMED_FAILURES: usize = 10;

impl Args {
    /// The values that are asked for: all, unless the key of one of them is given.
    fn chosen<'p>(&self, values: &'p [PastedValue]) -> Result<Vec<&'p PastedValue>, Failure> {
        let Some(key) = &self.key else {
            return Ok(values.iter().collect());
        };
        let is_of_key = |value: &&PastedValue| {
            let own = value.key.as_deref();
            own.is_none_or(|own| own == key.as_encoded_bytes())
        };
        let chosen: Vec<_> = values.iter().filter(is_of_key).collect();
        if chosen.is_empty() {
            let name = key_text(key.as_encoded_bytes());
            let mut keys = values.iter().filter_map(|value| value.key.as_deref());
            let first = keys.next().map(key_text).unwrap_or_default();
            return Err(
                Failure::not_found(format!("the input has no value of {name}")).hint(format!(
                    "it has {}, the first of {first}",
                    view::pasted::count(values)
                )),
            );
        }
        Ok(chosen)
    }

    /// Prints values one after the other, YAML as documents.
    fn print_several(
        &self,
        run: &Run<'_>,
        values: &[&PastedValue],
        out: &mut Out,
    ) -> Result<(), Failure> {
        if self.output == Output::Proto && !self.meta_only {
            return Err(Failure::cannot(format!(
                "-o proto prints one message, and the input has {} values",
                values.len()
            ))
            .hint("`--key KEY` chooses one, `-o json` prints one per line"));
        }
        let is_yaml = self.output == Output::Yaml && !self.meta_only;
        let (mut printed, mut failed) = (0_usize, 0_usize);
        for value in values {
            match self.value_text(run, value) {
                Ok(text) => {
                    if is_yaml && printed > 0 {
                        out.write_all(b"---\n")?;
                    }
                    out.write_all(&text)?;
                    printed = printed.saturating_add(1);
                }
                Err(error) => {
                    failed = failed.saturating_add(1);
                    if failed <= NAMED_FAILURES {
                        let name = value.key.as_deref().map(key_text);
                        report::note(&format!("{} {error}", name.as_deref().unwrap_or("a value")));
                    }
                }
            }
        }
        if failed > 0 {
            out.flush()?;
            let all = values.len();
            return Err(Failure::cannot(format!(
                "{failed} of {all} values are not printed"
            )));
        }
        Ok(())
    }

    /// Prints the events of a delta snapshot, oldest first: YAML with a comment above each value, or a JSON object per
    /// event.
    fn print_events(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if self.output == Output::Proto || self.meta_only {
            return Err(Failure::cannot(
                "a delta snapshot has many events: -o yaml or -o json lists them",
            ));
        }
        let question = run.question()?;
        let filters = EventFilters {
            with_times: true,
            ..EventFilters::default()
        };
        let log = EventLog::read(&question, &filters)?;
        let mut events = log.newest()?;
        events.reverse();
        let asked = self.key.as_ref().map(|key| key.as_encoded_bytes());
        let asked_for = |event: &Event<'_>| asked.is_none_or(|asked| asked == event.record.key);
        let events: Vec<_> = events.iter().filter(asked_for).collect();
        for (index, event) in events.iter().enumerate() {
            let record = &event.record;
            let time = question.timeline().bounds(record.revision.main).exact;
            let value = match record.tombstone {
                true => None,
                false => Some(self.text_or_without_newline(run, record.key, record.value)),
            };
            let row = view::backup::EventRow {
                revision: (record.revision.main, record.revision.sub),
                key: record.key,
                time,
                value,
            };
            out.write_all(&match self.output {
                Output::Json => view::backup::event_json(&row),
                _ => view::backup::event_yaml(&row, index > 0),
            })?;
        }
        Ok(question.finish(if events.is_empty() {
            Answer::No
        } else {
            Answer::Yes
        }))
    }

    fn failure(&self, value: &PastedValue, error: NotPrinted) -> Failure {
        match error {
            NotPrinted::Unreadable(why)
                if why.may_need_key() && self.key.is_none() && value.key.is_none() =>
            {
                let error = NotPrinted::from(why);
                Failure::cannot(format!("the value {error}"))
                    .hint("`--key /registry/secrets/NS/NAME`: it opens only with the key under which it was stored")
            }
            error => refusal("the value", &error, view::pasted::TAKEN),
        }
    }

    /// A value as text, decrypted under the key that was given, or the one that the input has.
    fn value_text(&self, run: &Run<'_>, value: &PastedValue) -> Result<Vec<u8>, NotPrinted> {
        let given = self.key.as_ref().map(|key| key.as_encoded_bytes());
        let key = given.or(value.key.as_deref()).unwrap_or_default();
        self.text_or_without_newline(run, key, &value.value)
    }

    /// The text of a value; if it is none, of the value without the newline that etcdctl prints after it.
    fn text_or_without_newline(
        &self,
        run: &Run<'_>,
        key: &[u8],
        value: &[u8],
    ) -> Result<Vec<u8>, NotPrinted> {
        self.text(run, key, value).or_else(|error| {
            value
                .strip_suffix(b"\n")
                .and_then(|value| self.text(run, key, value).ok())
                .ok_or(error)
        })
    }

    fn text(&self, run: &Run<'_>, key: &[u8], value: &[u8]) -> Result<Vec<u8>, NotPrinted> {
        let value = &decrypted(run.keyring, key, value)?;
        if self.meta_only {
            type_meta_text(value)
        } else {
            text(value, self.output.into())
        }
    }

    fn batch(
        &self,
        run: &Run<'_>,
        input: &mut dyn BufRead,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let key = self.key.as_ref().map(|key| key.as_encoded_bytes());
        let key = key.unwrap_or_default();
        let read = |value: &[u8]| self.text_or_without_newline(run, key, value);
        let mut line = Vec::new();
        loop {
            line.clear();
            let taken = (&mut *input)
                .take(LONGEST_VALUE_BYTES)
                .read_until(b'\n', &mut line);
            match taken.map_err(|error| cannot_read("standard input", &error))? {
                0 => return Ok(Answer::Yes),
                _ if line.len() as u64 == LONGEST_VALUE_BYTES => {
                    return Err(Failure::cannot("standard input: a line of over 64 MiB"));
                }
                _ => {}
            }
            match hex_bytes(line.trim_ascii()) {
                None => out.write_all(b"ERROR:the line is not hexadecimal|\n")?,
                Some(entry) => match object_within(&entry, read) {
                    Ok(text) => {
                        out.write_all(b"OK|")?;
                        out.write_all(&text)?;
                        // Of JSON the answer is one line: a blank one would be the next answer.
                        if !(self.output == Output::Json && text.ends_with(b"\n")) {
                            out.write_all(b"\n")?;
                        }
                    }
                    Err(error) => writeln!(out, "ERROR:{error}|")?,
                },
            }
            // The sender of the line waits for the answer before sending the next.
            out.flush()?;
        }
    }
}

/// Whether a file is a delta snapshot, compressed or not.
fn is_delta(path: &Path) -> bool {
    let source = Source::open_unpacking(path, &unpacking(None, &Work::default()));
    source.is_ok_and(|source| is_delta_snapshot(source.bytes()))
}

fn cannot_read(name: &str, error: &std::io::Error) -> Failure {
    Failure::cannot(format!("{name}: cannot be read: {error}"))
}

/// The bytes of a file, or of standard input, which is to be `what`.
///
/// # Errors
/// When they cannot be read, there are none, or they are a database.
pub fn read_input(path: Option<&Path>, what: &str) -> Result<Vec<u8>, Failure> {
    let input = match path {
        Some(path) => read(
            &mut open_untouched(path)
                .map_err(|error| cannot_read(&path.display().to_string(), &error))?,
            &path.display().to_string(),
        )?,
        None => read(&mut std::io::stdin().lock(), "standard input")?,
    };
    if is_database(&input) {
        return Err(Failure::cannot(format!("this is a database, not {what}"))
            .hint("`ls` lists its keys, `extract -k KEY` decodes one"));
    }
    Ok(input)
}

fn read(from: &mut dyn Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    from.take(LONGEST_VALUE_BYTES)
        .read_to_end(&mut value)
        .map_err(|error| cannot_read(name, &error))?;
    if value.is_empty() {
        return Err(Failure::cannot(format!("{name}: no bytes to decode")));
    }
    if value.len() as u64 == LONGEST_VALUE_BYTES {
        return Err(Failure::cannot(format!(
            "{name}: over 64 MiB, which is not one value"
        )));
    }
    Ok(value)
}

/// The failure for a value that is not printed; `instead` is what can be done.
pub fn refusal(what: &str, error: &NotPrinted, instead: &str) -> Failure {
    Failure::cannot(format!("{what} {error}")).hint(error.hint(instead))
}
