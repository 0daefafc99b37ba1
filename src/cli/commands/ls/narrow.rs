//! Which keys `ls` is asked about, beyond addresses and labels.

use regex::bytes::Regex;

use crate::query::glob::compile;
use crate::query::key_list::{Custom, KeyFilters};
use crate::query::revision::RevisionExpr;

/// Only some of the keys.
#[derive(Debug, clap::Args)]
pub struct Narrow {
    /// Only custom resources, or only those named NAME
    ///
    /// NAME is a plural, a singular, a kind or a short name: `--custom=books`.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    custom: Option<Option<String>>,
    /// Only keys that match this pattern: '*/prod/*'
    ///
    /// `*` matches any bytes, `/` included; `?` matches one byte. The pattern must match the whole key.
    #[arg(long = "match", value_name = "GLOB", value_parser = glob)]
    glob: Option<Regex>,
    /// Only keys that contain a match of this regular expression
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    regex: Option<Regex>,
    /// Only keys written or deleted after this revision: 123, 123.2, @~5
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    modified_since: Option<RevisionExpr>,
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

fn glob(text: &str) -> Result<Regex, String> {
    compile(text).map_err(|error| error.to_string())
}

impl Narrow {
    /// The filters in these words.
    pub fn filters(&self) -> KeyFilters {
        KeyFilters {
            custom: self.custom.clone().map(|name| match name {
                None => Custom::Any,
                Some(name) => Custom::Named(name),
            }),
            glob: self.glob.clone(),
            regex: self.regex.clone(),
            modified_since: self.modified_since,
            ..KeyFilters::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_glob_is_about_the_whole_key_and_its_bytes() {
        for (pattern, key, matches) in [
            ("/a/*/c", &b"/a/b/c"[..], true),
            ("/a/*/c", b"/a/b/x/c", true),
            ("/a/*/c", b"/a/b/c/d", false),
            ("*.c", b"/xc", false),
            ("a?c", b"a\xffc", true),
            ("a?c", b"ac", false),
            ("a*c", b"a\n\xff\xfec", true),
            ("\u{e4}[x", "\u{e4}[x".as_bytes(), true),
            ("", b"", true),
            ("", b"a", false),
        ] {
            assert_eq!(glob(pattern).unwrap().is_match(key), matches, "{pattern}");
        }
    }
}
