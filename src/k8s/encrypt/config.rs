//! Parses an EncryptionConfiguration: the file for the API server's `--encryption-provider-config`.
//!
//! Upstream: apiserver's `pkg/apis/apiserver/v1/types_encryption.go` and its validation. Settings that only a running API
//! server needs (endpoints, timeouts, overlapping resources) are ignored.

use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use super::cipher::Scheme;
use super::secret::Secret;
use super::tree::{TreeAllowance, is_affordable};
use crate::k8s::decode::shown_name;

/// A provider whose keys are in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Provider {
    /// `aescbc`.
    AesCbc,
    /// `aesgcm`.
    AesGcm,
    /// `secretbox`.
    Secretbox,
}

impl Provider {
    pub(super) const ALL: [Self; 3] = [Self::AesCbc, Self::AesGcm, Self::Secretbox];

    /// Its name in the configuration and in the prefix of a value.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AesCbc => "aescbc",
            Self::AesGcm => "aesgcm",
            Self::Secretbox => "secretbox",
        }
    }

    pub(super) fn scheme(self) -> Scheme {
        match self {
            Self::AesCbc => Scheme::Cbc,
            Self::AesGcm => Scheme::Gcm,
            Self::Secretbox => Scheme::Secretbox,
        }
    }

    /// The lengths that a key may have, in bytes.
    fn key_lengths(self) -> &'static [usize] {
        match self {
            Self::AesCbc | Self::AesGcm => &[16, 24, 32],
            Self::Secretbox => &[32],
        }
    }
}

/// A key with its name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct NamedKey {
    pub(super) provider: Provider,
    pub(super) name: String,
    pub(super) secret: Secret,
}

/// A KMS plugin. Its keys are not in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plugin {
    pub(super) version: String,
    pub(super) name: String,
}

/// The keys of one file, for all resources. The resources do not matter, because each value names its key.
#[derive(Clone, Default)]
pub struct Config {
    pub(super) keys: Vec<NamedKey>,
    pub(super) plugins: Vec<Plugin>,
}

/// Why a text is not an EncryptionConfiguration. The messages quote nothing from the file except names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is neither YAML nor JSON.
    #[error("it is neither YAML nor JSON: line {line}, column {column}")]
    Syntax {
        /// From 1; 0 if it is not known.
        line: usize,
        /// From 1; 0 if it is not known.
        column: usize,
    },
    /// It is YAML that the parser would need minutes to read.
    #[error("it is nested too deeply, or has too many brackets or directives")]
    TooNested,
    /// It is YAML or JSON of something else.
    #[error("it is not an EncryptionConfiguration{}", .kind.as_deref().map_or_else(String::new, |kind| format!(" but of kind {}", shown_name(kind))))]
    OtherKind {
        /// Its kind, if it has one.
        kind: Option<String>,
    },
    /// A part of the configuration is not valid.
    #[error("{at}: {problem}")]
    Field {
        /// The path of the part.
        at: String,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with a part of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is absent or empty.
    #[error("it is missing")]
    Missing,
    /// It is not a list.
    #[error("it is not a list")]
    NotAList,
    /// It is not a text. YAML reads `1` as a number and `yes` as a boolean.
    #[error("it is not a text; put it in quotes")]
    NotAText,
    /// An entry must have exactly one provider.
    #[error(
        "it has {found} of the providers aescbc, aesgcm, secretbox, kms and identity, but it needs exactly one"
    )]
    Providers {
        /// The number of providers it has.
        found: usize,
    },
    /// A secret is not base64.
    #[error("the secret of key {} is not base64", shown_name(.name))]
    Base64 {
        /// The key's name.
        name: String,
    },
    /// A secret has a length that the provider does not accept.
    #[error("the secret of key {} has {found} bytes, but {provider} needs {}", shown_name(.name), list(.wanted))]
    Length {
        /// The key's name.
        name: String,
        /// Its length in bytes.
        found: usize,
        /// The provider's name.
        provider: &'static str,
        /// The lengths that the provider accepts, in bytes.
        wanted: &'static [usize],
    },
}

/// Lengths joined with "or".
fn list(lengths: &[usize]) -> String {
    let texts: Vec<String> = lengths.iter().map(ToString::to_string).collect();
    texts.join(" or ")
}

impl Config {
    /// Parses a configuration: YAML with one or more documents, or JSON.
    ///
    /// # Errors
    /// It is not a valid EncryptionConfiguration.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut documents = 0_usize;
        for document in documents_of(text)? {
            if !document.0.is_null() {
                documents = documents.saturating_add(1);
                config.document(&document.0)?;
            }
        }
        if documents == 0 {
            return Err(ConfigError::OtherKind { kind: None });
        }
        Ok(config)
    }

    /// The names of the KMS plugins.
    pub fn plugins(&self) -> impl Iterator<Item = &str> {
        self.plugins.iter().map(|plugin| plugin.name.as_str())
    }

    /// Whether the configuration has any key.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Adds the keys of one document.
    fn document(&mut self, document: &Value) -> Result<(), ConfigError> {
        let kind = document.get("kind").and_then(Value::as_str);
        // `EncryptionConfig` is the kind from before Kubernetes 1.13, which API servers still accept.
        if !matches!(kind, Some("EncryptionConfiguration" | "EncryptionConfig")) {
            return Err(ConfigError::OtherKind {
                kind: kind.map(str::to_owned),
            });
        }
        for (i, entry) in items(document, "", "resources")?.iter().enumerate() {
            let at = format!("resources[{i}]");
            for (j, provider) in items(entry, &at, "providers")?.iter().enumerate() {
                self.provider(provider, &format!("{at}.providers[{j}]"))?;
            }
        }
        Ok(())
    }

    /// Adds the keys or the plugin of one provider entry.
    fn provider(&mut self, provider: &Value, at: &str) -> Result<(), ConfigError> {
        let given = |name: &str| provider.get(name).filter(|value| !value.is_null());
        let with_keys = Provider::ALL.map(|kind| given(kind.name()).map(|value| (kind, value)));
        let (kms, identity) = (given("kms"), given("identity"));
        let found = [kms.is_some(), identity.is_some()]
            .into_iter()
            .chain(with_keys.iter().map(Option::is_some))
            .filter(|is_given| *is_given)
            .count();
        if found != 1 {
            return Err(field(at, Problem::Providers { found }));
        }
        if let Some(kms) = kms {
            let at = format!("{at}.kms");
            let version = match kms.get("apiVersion") {
                None | Some(Value::Null) => "v1",
                Some(_) => text(kms, &at, "apiVersion")?,
            };
            self.plugins.push(Plugin {
                version: version.to_owned(),
                name: text(kms, &at, "name")?.to_owned(),
            });
        }
        for (kind, value) in with_keys.into_iter().flatten() {
            let at = format!("{at}.{}", kind.name());
            for (i, key) in items(value, &at, "keys")?.iter().enumerate() {
                self.keys
                    .push(key_of(kind, key, &format!("{at}.keys[{i}]"))?);
            }
        }
        Ok(())
    }
}

/// Parses and checks a key.
fn key_of(provider: Provider, key: &Value, at: &str) -> Result<NamedKey, ConfigError> {
    let name = text(key, at, "name")?;
    let secret = Secret::from_base64(text(key, at, "secret")?.as_bytes()).ok_or_else(|| {
        field(
            at,
            Problem::Base64 {
                name: name.to_owned(),
            },
        )
    })?;
    let found = secret.bytes().len();
    if !provider.key_lengths().contains(&found) {
        let problem = Problem::Length {
            name: name.to_owned(),
            found,
            provider: provider.name(),
            wanted: provider.key_lengths(),
        };
        return Err(field(at, problem));
    }
    Ok(NamedKey {
        provider,
        name: name.to_owned(),
        secret,
    })
}

fn field(at: impl fmt::Display, problem: Problem) -> ConfigError {
    ConfigError::Field {
        at: at.to_string(),
        problem,
    }
}

/// The value of a member and its path; an error if it is missing.
fn member<'v>(parent: &'v Value, at: &str, name: &str) -> Result<(&'v Value, String), ConfigError> {
    let path = if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    };
    match parent.get(name).filter(|value| !value.is_null()) {
        Some(value) => Ok((value, path)),
        None => Err(field(path, Problem::Missing)),
    }
}

/// The items of a member that must be a list which is not empty.
fn items<'v>(parent: &'v Value, at: &str, name: &str) -> Result<&'v [Value], ConfigError> {
    let (value, path) = member(parent, at, name)?;
    match value.as_array() {
        None => Err(field(path, Problem::NotAList)),
        Some(items) if items.is_empty() => Err(field(path, Problem::Missing)),
        Some(items) => Ok(items),
    }
}

/// The text of a member that must be a text which is not empty.
fn text<'v>(parent: &'v Value, at: &str, name: &str) -> Result<&'v str, ConfigError> {
    let (value, path) = member(parent, at, name)?;
    match value.as_str() {
        None => Err(field(path, Problem::NotAText)),
        Some("") => Err(field(path, Problem::Missing)),
        Some(text) => Ok(text),
    }
}

/// A tree that is overwritten when it is dropped. Copies that the parser made before are not.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites the texts of a tree. The recursion is safe: the parsers here build no tree deeper than 128 levels.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => {
            std::mem::take(map)
                .into_iter()
                .for_each(|(mut key, value)| {
                    key.zeroize();
                    drop(Wiped(value));
                });
            *map = Map::new();
        }
        _ => {}
    }
}

/// Parses the documents of a text.
fn documents_of(text: &[u8]) -> Result<Vec<Wiped>, ConfigError> {
    // JSON is tried first, because it may contain tabs where YAML does not allow them.
    if text.trim_ascii_start().starts_with(b"{")
        && let Ok(document) = serde_json::from_slice(text)
    {
        return Ok(vec![Wiped(document)]);
    }
    if !is_affordable(text) {
        return Err(ConfigError::TooNested);
    }
    let mut documents = Vec::new();
    let allowance = TreeAllowance::default();
    for document in serde_norway::Deserializer::from_slice(text) {
        // The parser's own message may quote the text, so only its location is kept.
        let value = allowance.read(document).map_err(|error| {
            let at = error.location();
            ConfigError::Syntax {
                line: at.as_ref().map_or(0, serde_norway::Location::line),
                column: at.as_ref().map_or(0, serde_norway::Location::column),
            }
        })?;
        documents.push(Wiped(value));
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &str = "c2VjcmV0IGlzIHNlY3VyZQ==";

    fn yaml(provider: &str) -> String {
        format!(
            "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n  - {provider}\n"
        )
    }

    fn error_of(text: &str) -> String {
        let error = Config::parse(text.as_bytes()).err().unwrap();
        let message = error.to_string();
        for part in ["c2Vjcm", "secret is secure", "hunter2"] {
            assert!(!message.contains(part), "{message}");
            assert!(!format!("{error:?}").contains(part), "{error:?}");
        }
        message
    }

    fn names(config: &Config) -> Vec<(&'static str, &str)> {
        let keys = config.keys.iter();
        keys.map(|key| (key.provider.name(), key.name.as_str()))
            .collect()
    }

    #[test]
    fn the_keys_of_all_entries_and_documents_are_read() {
        let text = format!(
            "{}---\n# the old form\nkind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [a]\n  providers:\n  - identity: {{}}\n  - kms: {{name: old, endpoint: unix:///x, cachesize: 5}}\n  - kms: {{apiVersion: v2, name: new, endpoint: unix:///x}}\n- providers:\n  - aesgcm: {{keys: [{{name: '1', secret: {SECRET}}}, {{name: k2, secret: {SECRET}}}]}}\n",
            yaml(&format!(
                "aescbc: {{keys: [{{name: k, secret: {SECRET}}}]}}"
            ))
        );
        let config = Config::parse(text.as_bytes()).unwrap();
        assert_eq!(
            names(&config),
            [("aescbc", "k"), ("aesgcm", "1"), ("aesgcm", "k2")]
        );
        assert_eq!(config.plugins().collect::<Vec<_>>(), ["old", "new"]);
        assert_eq!(config.plugins.first().unwrap().version, "v1");
        assert!(config.has_keys());
    }

    #[test]
    fn json_with_tabs_is_read_too() {
        let text = format!(
            "{{\n\t\"kind\": \"EncryptionConfiguration\",\n\t\"resources\": [{{\"providers\": [{{\"aescbc\": {{\"keys\": [{{\"name\": \"k\", \"secret\": \"{SECRET}\"}}]}}}}]}}]\n}}"
        );
        assert_eq!(
            names(&Config::parse(text.as_bytes()).unwrap()),
            [("aescbc", "k")]
        );
    }

    #[test]
    fn another_kind_is_named_in_the_error() {
        assert_eq!(
            error_of("kind: Secret\ndata: {password: hunter2}"),
            "it is not an EncryptionConfiguration but of kind \"Secret\""
        );
        for text in ["", "---\n", "hunter2", "[1, 2]", "{}", "kind: 5"] {
            assert_eq!(error_of(text), "it is not an EncryptionConfiguration");
        }
        assert_eq!(
            error_of("a: hunter2\n b: [hunter2"),
            "it is neither YAML nor JSON: line 2, column 3"
        );
        assert!(error_of("a: \u{1}hunter2").contains("neither YAML nor JSON"));
    }

    #[test]
    fn a_wrong_part_is_named_by_its_path_and_not_quoted() {
        let key = |secret: &str| {
            error_of(&yaml(&format!(
                "secretbox: {{keys: [{{name: k1, secret: {secret}}}]}}"
            )))
        };
        let at = "resources[0].providers[0]";
        assert_eq!(
            key(SECRET),
            format!(
                "{at}.secretbox.keys[0]: the secret of key \"k1\" has 16 bytes, but secretbox needs 32"
            )
        );
        assert_eq!(
            key("hunter2"),
            format!("{at}.secretbox.keys[0]: the secret of key \"k1\" is not base64")
        );
        assert_eq!(
            key("12345678"),
            format!("{at}.secretbox.keys[0].secret: it is not a text; put it in quotes")
        );
        assert_eq!(
            key("''"),
            format!("{at}.secretbox.keys[0].secret: it is missing")
        );
        assert_eq!(
            error_of(&yaml("aescbc: {keys: hunter2}")),
            format!("{at}.aescbc.keys: it is not a list")
        );
        assert_eq!(
            error_of(&yaml("kms: {apiVersion: v2}")),
            format!("{at}.kms.name: it is missing")
        );
        assert!(error_of(&yaml("AESCBC: hunter2")).contains("has 0 of the providers"));
        assert!(error_of(&yaml("{identity: {}, kms: {name: hunter2}}")).contains("has 2 of"));
        assert_eq!(
            error_of("kind: EncryptionConfig\nresources: []"),
            "resources: it is missing"
        );
    }

    #[test]
    fn aliases_that_multiply_a_text_are_refused() {
        let mut text = String::from("a0: &a0 [x]\n");
        for n in 1..40 {
            let before = n - 1;
            text += &format!("a{n}: &a{n} [*a{before}, *a{before}, *a{before}]\n");
        }
        assert!(error_of(&text).contains("neither YAML nor JSON"));
        // One level of aliases, for a wide list and for a long text.
        for anchor in [format!("[{}]", "0,".repeat(100_000)), "x".repeat(100_000)] {
            let text = format!("a: &a {anchor}\nb: [{}]\n", "*a,".repeat(100_000));
            assert!(error_of(&text).contains("neither YAML nor JSON"));
        }
        let key = format!("&k {{name: k, secret: {SECRET}}}");
        let text = yaml(&format!("aescbc: {{keys: [{key}, *k]}}"));
        assert_eq!(
            names(&Config::parse(text.as_bytes()).unwrap()),
            [("aescbc", "k"); 2]
        );
    }

    #[test]
    fn deep_nesting_is_refused_before_it_is_parsed() {
        let nested = |open: &str, close: &str, levels| open.repeat(levels) + &close.repeat(levels);
        let many = 300_000;
        for text in [
            nested("[", "]", many),
            nested("{a: ", "}", many),
            nested("- [", "]", many),
            "[".repeat(many),
            // A bracket in quotes does not close anything.
            "[ \"]\", ".repeat(many),
            "[ ']', ".repeat(many),
            "[ # ]\n".repeat(many),
            format!("{}{}", "[".repeat(100), "[],".repeat(many)),
            (0..many).map(|n| format!("%TAG !a{n}! x\n")).collect(),
            format!(
                "%YAML 1.1\n{}---\n{}",
                "%TAG !a! x\n".repeat(20),
                yaml("identity: {}")
            ),
        ] {
            let error = Config::parse(text.as_bytes()).err();
            let start = text.get(..20).unwrap_or_default();
            assert_eq!(error, Some(ConfigError::TooNested), "{start:?}");
        }
        // Depth without brackets is cheap for the parser, which has its own limit for it.
        for text in ["- ".repeat(many), "? ".repeat(many)] {
            assert!(error_of(&text).contains("neither YAML nor JSON"));
        }
    }

    #[test]
    fn a_configuration_with_thousands_of_keys_is_read_in_every_style() {
        let count = 2000;
        let key = |n| format!("{{\"name\": \"k{n}\", \"secret\": \"{SECRET}\"}}");
        let keys: Vec<String> = (0..count).map(key).collect();
        let in_brackets = yaml(&format!("aescbc: {{keys: [{}]}}", keys.join(", ")));
        let json = format!(
            "{{\"kind\": \"EncryptionConfiguration\", \"resources\": [{{\"providers\": [{{\"aescbc\": {{\"keys\": [{}]}}}}]}}]}}",
            keys.join(",")
        );
        let block = (0..count).map(|n| format!("\n      - name: k{n}\n        secret: {SECRET}"));
        let block = yaml(&format!(
            "aescbc:\n      keys:{}",
            block.collect::<String>()
        ));
        for text in [in_brackets, json, block] {
            let config = Config::parse(text.as_bytes()).unwrap();
            assert_eq!(names(&config).len(), count);
        }
    }
}
