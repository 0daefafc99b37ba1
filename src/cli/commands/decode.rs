//! `decode`: one stored value to YAML or JSON, as auger does.

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Verb};
use crate::k8s::{DecodeError, Order, decode};
use crate::view::json::{JsonStyle, JsonWriter};
use crate::view::yaml::YamlWriter;

/// Decode one stored value from a file or standard input
///
/// Takes the bytes that etcd stores: Kubernetes protobuf, JSON, CBOR or plain text, as
/// `etcdctl get KEY --print-value-only` prints them. Prints the object as it is stored.
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
}

/// How one object is printed as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// YAML, as auger and kubectl print it
    Yaml,
    /// JSON on one line, in the order of the Go types, as auger prints it
    Json,
}

/// A value that etcd takes is far smaller; what is larger is not one value.
const LONGEST_VALUE_BYTES: u64 = 1 << 30;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &[Evidence], out: &mut Out) -> Result<Answer, Failure> {
        let value = match self.path.as_ref().or(self.file.as_ref()) {
            Some(path) => read(
                &mut std::fs::File::open(path)
                    .map_err(|error| cannot_read(&path.display().to_string(), &error))?,
                &path.display().to_string(),
            )?,
            None => read(&mut std::io::stdin().lock(), "standard input")?,
        };
        if crate::bbolt::Meta::parse(&value, 0).is_ok() {
            return Err(Failure::cannot("this is a database, not one value")
                .hint("`ls` lists its keys, `extract -k KEY` decodes one"));
        }
        let text = text_of(&value, self.output).or_else(|error| {
            // etcdctl prints a newline behind the value.
            value
                .strip_suffix(b"\n")
                .and_then(|value| text_of(value, self.output).ok())
                .ok_or(error)
        });
        let instead =
            "expected the bytes of one value, as `etcdctl get KEY --print-value-only` prints them";
        let text = text.map_err(|error| undecodable("the value", &error, instead))?;
        out.write_all(&text)?;
        Ok(Answer::Yes)
    }
}

fn cannot_read(name: &str, error: &std::io::Error) -> Failure {
    Failure::cannot(format!("{name}: cannot be read: {error}"))
}

fn read(from: &mut dyn Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    from.take(LONGEST_VALUE_BYTES)
        .read_to_end(&mut value)
        .map_err(|error| cannot_read(name, &error))?;
    if value.is_empty() {
        return Err(Failure::cannot(format!("{name}: no bytes to decode")));
    }
    Ok(value)
}

/// A stored value as text. What the schema table does not know is said in comments before YAML, and is
/// marked in the object itself.
///
/// # Errors
/// The value is not what it begins like, or is encrypted.
pub fn text_of(value: &[u8], output: Output) -> Result<Vec<u8>, DecodeError> {
    // Writing to a vector does not fail.
    match output {
        Output::Yaml => {
            let mut writer = YamlWriter::new(Vec::new());
            let outcome = decode(value, Order::Natural, &mut writer)?;
            let mut text: Vec<u8> = Vec::new();
            for note in outcome.notes {
                text.extend_from_slice(format!("# {note}\n").as_bytes());
            }
            text.extend_from_slice(&writer.finish().unwrap_or_default());
            Ok(text)
        }
        Output::Json => {
            let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
            decode(value, Order::Declared, &mut writer)?;
            Ok(writer.finish().unwrap_or_default())
        }
    }
}

/// The failure for a value that cannot be told; `instead` is what can be done.
pub fn undecodable(what: &str, error: &DecodeError, instead: &str) -> Failure {
    let failure = Failure::cannot(format!("{what} cannot be decoded: {error}"));
    match error {
        DecodeError::Encrypted { .. } => failure.hint(format!(
            "it is encrypted at rest, and decrypting with an EncryptionConfiguration is not there yet; {instead}"
        )),
        _ => failure.hint(instead),
    }
}
