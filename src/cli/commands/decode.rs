//! `decode`: one stored value to YAML, JSON or its protobuf message, as auger does.

use std::ffi::OsString;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::k8s::encrypt::{Keyring, OpenError};
use crate::k8s::envelope::{PROTOBUF_MAGIC, Unknown};
use crate::k8s::meta::Meta;
use crate::k8s::object::tree_with;
use crate::k8s::{DecodeError, Note, Order, Stored, decode};
use crate::source::open_untouched;
use crate::view::json::{JsonStyle, JsonWriter};
use crate::view::manifest::{NotLoadable, write_checked};
use crate::view::notice::encryption_hint;
use crate::view::yaml::{YamlWriter, comment};

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

/// Why a value is not printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not what it begins like, or is encrypted.
    #[error("cannot be decoded: {0}")]
    Undecodable(#[from] DecodeError),
    /// It stays encrypted.
    #[error("cannot be decoded: {0}")]
    Closed(#[from] OpenError),
    /// It is not stored as protobuf.
    #[error("is stored as {0}: -o proto prints stored protobuf, and nothing is encoded anew")]
    NotProtobuf(&'static str),
    /// It has no YAML that loads back to it.
    #[error("cannot be printed: {0}")]
    NotLoadable(#[from] NotLoadable),
    /// It tells no kind.
    #[error("is no Kubernetes object")]
    NoObject,
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
            return self.batch(run.keyring, &mut std::io::stdin().lock(), out);
        }
        let input = read_input(self.path.as_deref().or(self.file.as_deref()), "one value")?;
        let value = behind_key(&input);
        let text = self.told(run.keyring, value).or_else(|error| {
            // etcdctl prints a newline behind the value.
            value
                .strip_suffix(b"\n")
                .and_then(|value| self.told(run.keyring, value).ok())
                .ok_or(error)
        });
        let instead =
            "expected the bytes of one value, as `etcdctl get KEY --print-value-only` prints them";
        let text = text.map_err(|error| match error {
            Refused::Closed(OpenError::Altered { .. } | OpenError::NoDataKey(_))
                if self.key.is_none() =>
            {
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
    fn told(&self, keyring: &Keyring, value: &[u8]) -> Result<Vec<u8>, Refused> {
        let key = self.key.as_ref().map(|key| key.as_encoded_bytes());
        let value = &keyring.open(key.unwrap_or_default(), value)?;
        if self.meta_only {
            type_meta_of(value)
        } else {
            text_of(value, self.output)
        }
    }

    fn batch(
        &self,
        keyring: &Keyring,
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
            match bytes_of_hex(line.trim_ascii()) {
                None => out.write_all(b"ERROR:the line is not hexadecimal|\n")?,
                Some(entry) => match self.object_within(keyring, &entry) {
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
            // Who sent the line waits for the answer before sending the next.
            out.flush()?;
        }
    }

    /// The object that begins somewhere within a raft entry.
    fn object_within(&self, keyring: &Keyring, entry: &[u8]) -> Result<Vec<u8>, Refused> {
        let starts = [PROTOBUF_MAGIC, b"k8s:enc:", b"\xd9\xd9\xf7"];
        if let Some(at) = starts.iter().find_map(|start| position(entry, start)) {
            return self.told(keyring, entry.get(at..).unwrap_or_default());
        }
        let braces = entry.iter().enumerate().filter(|(_, byte)| **byte == b'{');
        braces
            .take(TRIED_STARTS)
            .filter_map(|(at, _)| self.told(keyring, entry.get(at..)?).ok())
            .next()
            .ok_or(Refused::NoObject)
    }
}

/// At how many braces JSON is looked for in an entry: each try may read all of it.
const TRIED_STARTS: usize = 64;

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The value behind the key and the newline that `etcdctl get KEY` prints before it.
fn behind_key(input: &[u8]) -> &[u8] {
    let is_object = |value: &[u8]| {
        !matches!(
            Stored::detect(value),
            Stored::Empty | Stored::Text(_) | Stored::Binary(_)
        )
    };
    if is_object(input) || !input.starts_with(b"/") {
        return input;
    }
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    parts
        .nth(1)
        .filter(|value| is_object(value))
        .unwrap_or(input)
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
    if crate::bbolt::Meta::parse(&input, 0).is_ok() {
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

/// The bytes that hexadecimal digits tell; none if there is anything else.
pub fn bytes_of_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let nibble = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let byte = |[high, low]: &[u8; 2]| Some(nibble(*high)? << 4 | nibble(*low)?);
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(byte).collect()
}

/// A stored value as text. What the schema table does not know is said in comments before YAML, and is
/// marked in the object itself.
///
/// # Errors
/// The value is not what it begins like, is encrypted, or is not stored in the form that was asked for.
pub fn text_of(value: &[u8], output: Output) -> Result<Vec<u8>, Refused> {
    // Writing to a vector does not fail.
    match output {
        Output::Yaml => {
            let mut writer = YamlWriter::new(Vec::new());
            let mut outcome = None;
            let tell = |writer: &mut YamlWriter<_>| {
                let decoded = decode(value, Order::Natural, writer);
                outcome.insert(decoded).is_ok()
            };
            let tree = || {
                let tree = tree_with(value, Order::Declared);
                tree.ok().map(|(tree, _)| tree)
            };
            let written = write_checked(&mut writer, tell, tree);
            let notes = match outcome {
                Some(decoded) => decoded?.notes,
                None => Vec::new(),
            };
            written?;
            let mut text: Vec<u8> = Vec::new();
            // The writer has the remark on an unknown kind already.
            let rest = |note: &&Note| !matches!(note, Note::UnknownKind { .. });
            for note in notes.iter().filter(rest) {
                text.extend_from_slice(comment(&note.to_string()).as_bytes());
                text.push(b'\n');
            }
            text.extend_from_slice(&writer.finish().unwrap_or_default());
            Ok(text)
        }
        Output::Json => {
            let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
            decode(value, Order::Declared, &mut writer)?;
            Ok(writer.finish().unwrap_or_default())
        }
        Output::Proto => protobuf_of(value).map(<[u8]>::to_vec),
    }
}

/// The message within the envelope of a value that is stored as protobuf.
fn protobuf_of(value: &[u8]) -> Result<&[u8], Refused> {
    match Stored::detect(value) {
        Stored::Protobuf(body) => {
            let unknown = Unknown::parse(body).map_err(DecodeError::Envelope)?;
            Ok(unknown.raw.ok_or(DecodeError::NoObject)?)
        }
        Stored::Json(_) => Err(Refused::NotProtobuf("JSON")),
        Stored::Cbor(_) => Err(Refused::NotProtobuf("CBOR")),
        Stored::Encrypted(_) => Err(undecodable(value)),
        Stored::Text(_) => Err(Refused::NotProtobuf("a text")),
        Stored::Empty | Stored::Binary(_) => Err(Refused::NoObject),
    }
}

/// apiVersion and kind, as auger prints them; both are empty where JSON does not tell them.
fn type_meta_of(value: &[u8]) -> Result<Vec<u8>, Refused> {
    let meta = Meta::read(value).ok_or_else(|| undecodable(value))?;
    Ok(format!(
        "TypeMeta.APIVersion: {}\nTypeMeta.Kind: {}\n",
        meta.api_version, meta.kind
    )
    .into_bytes())
}

/// Why a value is no object.
fn undecodable(value: &[u8]) -> Refused {
    let decoded = text_of(value, Output::Json);
    decoded.err().unwrap_or(Refused::NoObject)
}

/// The failure for a value that is not printed; `instead` is what can be done.
pub fn refusal(what: &str, error: &Refused, instead: &str) -> Failure {
    let failure = Failure::cannot(format!("{what} {error}"));
    match error {
        Refused::Closed(error) => failure.hint(encryption_hint(error).unwrap_or(instead)),
        Refused::NotLoadable(_) => failure.hint("-o json prints the object"),
        Refused::NotProtobuf(_) => failure.hint("-o json prints the object, without -o it is YAML"),
        _ => failure.hint(instead),
    }
}
