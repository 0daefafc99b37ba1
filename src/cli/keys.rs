//! The keys of values that are encrypted at rest, as they are given on the command line.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::query::objects::{Config, ConfigError, DataKey, Keyring, is_database};
use crate::sniff;
use crate::source::open_untouched;

use super::failure::Failure;

/// A configuration is some hundred lines; what is longer is another file. A Secret that holds one is no
/// longer either.
const LONGEST_CONFIG_BYTES: u64 = 1 << 20;

/// The longest text of a data key is far shorter.
const LONGEST_KEY_FILE_BYTES: u64 = 4096;

/// The keys of values encrypted at rest.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Keys {
    /// Decrypt with the keys in this EncryptionConfiguration
    ///
    /// The file that kube-apiserver reads as --encryption-provider-config. The flag can be repeated.
    #[arg(long, value_name = "FILE", help_heading = "Encryption at rest")]
    pub encryption_config: Vec<PathBuf>,
    /// Decrypt KMS values with this data key or seed
    ///
    /// The key as the KMS unwraps it: 32 bytes, raw, in hexadecimal or in base64. The flag can be repeated.
    #[arg(long, value_name = "FILE", help_heading = "Encryption at rest")]
    pub kms_key: Vec<PathBuf>,
}

impl Keys {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read or is something else.
    pub fn keyring(&self) -> Result<Keyring, Failure> {
        let mut keyring = Keyring::default();
        for path in &self.encryption_config {
            keyring.add_config(read_config(path)?);
        }
        for path in &self.kms_key {
            keyring.add_data_key(read_data_key(path)?);
        }
        Ok(keyring)
    }
}

impl Keys {
    /// The files that were given.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let files = self.encryption_config.iter().chain(&self.kms_key);
        files.map(PathBuf::as_path)
    }
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    let text = read(path, LONGEST_CONFIG_BYTES)?;
    let name = path.display();
    if let Some(other) = other_file(&text) {
        return Err(Failure::cannot(format!(
            "{name}: it is {other}, not an EncryptionConfiguration"
        )));
    }
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    if length > LONGEST_CONFIG_BYTES {
        return Err(Failure::cannot(format!(
            "{name}: it is too long for an EncryptionConfiguration"
        )));
    }
    Config::parse(&text).map_err(|error| {
        let failure = Failure::cannot(format!("{name}: {error}"));
        match &error {
            ConfigError::OtherKind { kind: Some(kind) } if kind == "Secret" => failure.hint(
                "a Secret may hold one in its data: decode that field from base64 into a file of its own",
            ),
            ConfigError::OtherKind { .. }
            | ConfigError::Syntax { .. }
            | ConfigError::TooNested => failure.hint(
                "expected the file that kube-apiserver has as `--encryption-provider-config`, of kind EncryptionConfiguration",
            ),
            ConfigError::Field { .. } => failure,
        }
    })
}

/// What a file is that cannot be a configuration.
fn other_file(text: &[u8]) -> Option<&'static str> {
    if is_database(text) {
        return Some("a database");
    }
    let binary = text.is_empty() || text.contains(&0) || std::str::from_utf8(text).is_err();
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    binary.then(|| {
        let head = text.get(..sniff::HEAD_LEN).unwrap_or(text);
        sniff::sniff(head, length).unwrap_or("no text")
    })
}

fn read_data_key(path: &Path) -> Result<DataKey, Failure> {
    let content = read(path, LONGEST_KEY_FILE_BYTES)?;
    DataKey::parse(&content).map_err(|error| {
        Failure::cannot(format!("{}: no data key of KMS: {error}", path.display())).hint(
            "`--kms-key` takes the key as the KMS unwraps it: 32 bytes, or hex or base64 of them",
        )
    })
}

/// A file, or its start and one byte more where it is longer.
fn read(path: &Path, longest: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::cannot(format!("{}: cannot be read: {error}", path.display()))
    };
    let file = open_untouched(path).map_err(cannot)?;
    let length = file.metadata().map_err(cannot)?.len().min(longest);
    // Enough capacity for all of it: a vector that grows leaves copies of the key in memory.
    let room = usize::try_from(length)
        .unwrap_or_default()
        .saturating_add(64);
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    file.take(longest.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(cannot)?;
    Ok(content)
}
