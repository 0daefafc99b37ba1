//! `decode`: one stored value to YAML, JSON or its protobuf message, as auger does.

use std::ffi::OsString;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::query::stored_value::{
    decrypted, hex_bytes, is_database, object_within, value_after_key,
};
use crate::source::open_untouched;
use crate::view::stored_value::{Format, NotPrinted, text, type_meta_text};

/// Decode one stored value from a file or standard input
///
/// Takes the bytes that etcd stores: Kubernetes protobuf, JSON, CBOR or plain text, as
/// `etcdctl get KEY --print-value-only` prints them, or `etcdctl get KEY` with the key before them.
/// Prints the object as it is stored.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; standard input without one
    #[arg(value_name = "FILE")]
    path: Option<PathBuf>,
    /// The file, as auger has it
    #[arg(short, long, value_name = "FILE", conflicts_with = "path")]
    file: Option<PathBuf>,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    /// Print only apiVersion and kind, as `TypeMeta.APIVersion: V` and `TypeMeta.Kind: K`
    #[arg(long, conflicts_with = "output")]
    meta_only: bool,
    /// The etcd key of the value: most encrypted values open only with it
    #[arg(long, value_name = "KEY")]
    key: Option<OsString>,
    /// Decode each line of standard input, in hexadecimal, to `OK|OBJECT` or `ERROR:REASON|`, one by one
    ///
    /// For `etcd-dump-logs -stream-decoder`, with -o json, which takes one line an answer: the object is found
    /// within the bytes of a raft entry.
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
    /// JSON on one line, in the order of the Go types, as auger prints it
    Json,
    /// The stored protobuf message, without the envelope around it
    Proto,
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Yaml => Self::Yaml,
            Output::Json => Self::Json,
            Output::Proto => Self::Proto,
        }
    }
}

/// etcd takes 1.5 MiB unless told otherwise; what is larger than this is not one value.
const LONGEST_VALUE_BYTES: u64 = 64 << 20;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if self.batch_process {
            return self.batch(run, &mut std::io::stdin().lock(), out);
        }
        let input = read_input(self.path.as_deref().or(self.file.as_deref()), "one value")?;
        let value = value_after_key(&input);
        let text = self.text(run, value).or_else(|error| {
            // etcdctl prints a newline after the value.
            value
                .strip_suffix(b"\n")
                .and_then(|value| self.text(run, value).ok())
                .ok_or(error)
        });
        let instead =
            "expected the bytes of one value, as `etcdctl get KEY --print-value-only` prints them";
        let text = text.map_err(|error| match error {
            NotPrinted::Unreadable(why) if why.may_need_key() && self.key.is_none() => {
                let error = NotPrinted::from(why);
                Failure::cannot(format!("the value {error}"))
                    .hint("--key /registry/secrets/NS/NAME: it opens only with the key under which it was stored")
            }
            error => refusal("the value", &error, instead),
        });
        out.write_all(&text?)?;
        Ok(Answer::Yes)
    }
}

impl Args {
    fn text(&self, run: &Run<'_>, value: &[u8]) -> Result<Vec<u8>, NotPrinted> {
        let key = self.key.as_ref().map(|key| key.as_encoded_bytes());
        let value = &decrypted(run.keyring, key.unwrap_or_default(), value)?;
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
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut *input)
                .take(LONGEST_VALUE_BYTES)
                .read_until(b'\n', &mut line);
            match read.map_err(|error| cannot_read("standard input", &error))? {
                0 => return Ok(Answer::Yes),
                _ if line.len() as u64 == LONGEST_VALUE_BYTES => {
                    return Err(Failure::cannot("standard input: a line of over 64 MiB"));
                }
                _ => {}
            }
            match hex_bytes(line.trim_ascii()) {
                None => out.write_all(b"ERROR:the line is not hexadecimal|\n")?,
                Some(entry) => match object_within(&entry, |value| self.text(run, value)) {
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
