//! Which keys `ls` is asked about, beyond addresses and labels.

use regex::bytes::Regex;

use crate::cli::failure::Failure;
use crate::etcd::{KeyEntry, Revision};
use crate::k8s::catalog::Catalog;
use crate::k8s::resource::Resource;
use crate::near::near;
use crate::query::Question;
use crate::query::filters::{Filter, Filters};
use crate::query::glob::compile;
use crate::query::not_found::{Missing, NameKind, Why};
use crate::query::resolve::resolve;
use crate::query::revision::RevisionExpr;
use crate::query::select::Which;
use crate::query::tally::is_custom;

/// Only some of the keys.
#[derive(Debug, clap::Args)]
pub struct Narrow {
    /// Only keys of custom resources; with =NAME of those of this plural, singular, kind or short name
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    custom: Option<Option<String>>,
    /// Only keys that are like this as a whole: `*` is any bytes, `/` too, `?` is one byte
    #[arg(long = "match", value_name = "GLOB", value_parser = glob)]
    glob: Option<Regex>,
    /// Only keys in which this regular expression is found
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    regex: Option<Regex>,
    /// Only keys written, or deleted, after this revision: 123, 123.2, @~5
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
    /// Whether any key may be left out.
    pub fn is_given(&self) -> bool {
        self.custom.is_some()
            || self.glob.is_some()
            || self.regex.is_some()
            || self.modified_since.is_some()
    }

    /// Whether the resources of the store must be known.
    pub fn needs_catalog(&self) -> bool {
        self.custom.is_some()
    }

    /// Whether custom resources were asked for, and not by name.
    pub fn is_any_custom(&self) -> bool {
        self.custom == Some(None)
    }

    /// The question, with everything in it understood.
    ///
    /// # Errors
    /// When no custom resource has the name, or the revision is not of this store.
    pub fn resolve<'n>(
        &'n self,
        question: &Question<'_>,
        which: &Which,
        catalog: Option<&'n Catalog>,
    ) -> Result<Narrowed<'n>, Failure> {
        if let (Some(Some(name)), Some(catalog)) = (&self.custom, catalog) {
            let custom = || catalog.resources().iter().filter(|known| is_custom(known));
            if !custom().any(|resource| is_named(resource, name)) {
                return Err(unknown_custom(name, custom()));
            }
        }
        let since = self
            .modified_since
            .map(|revision| newest_of(revision, question, which))
            .transpose()?;
        Ok(Narrowed {
            narrow: self,
            since,
            catalog,
        })
    }
}

/// The newest record that counts as not after a revision. Compaction does not matter: of a live key the last
/// record is always retained.
fn newest_of(
    revision: RevisionExpr,
    question: &Question<'_>,
    which: &Which,
) -> Result<Revision, Failure> {
    let store = question.store();
    let current = store.current_revision();
    let (main, sub) = match revision {
        RevisionExpr::Main(main) => (main, i64::MAX),
        RevisionExpr::Record(main, sub) => (main, sub),
        RevisionExpr::Head(back) => (current.saturating_sub(back), i64::MAX),
        _ => (resolve(revision, question, which)?.0, i64::MAX),
    };
    if main > current {
        store.at(Some(main))?;
    }
    Ok(Revision { main, sub })
}

fn is_named(resource: &Resource, name: &str) -> bool {
    let (word, group) = name.split_once('.').unwrap_or((name, ""));
    resource.is_called(word) && (group.is_empty() || resource.group() == group)
}

fn unknown_custom<'r>(name: &str, known: impl Iterator<Item = &'r Resource>) -> Failure {
    let names: Vec<String> = known.map(Resource::plural_with_group).collect();
    Failure::from(Missing {
        address: None,
        why: Why::Unknown {
            kind: NameKind::CustomResource,
            names: vec![name.to_owned()],
            near: near(name, names.iter().map(String::as_str)),
        },
    })
}

/// A question that can be asked of keys.
#[derive(Debug)]
pub struct Narrowed<'n> {
    narrow: &'n Narrow,
    since: Option<Revision>,
    catalog: Option<&'n Catalog>,
}

impl Narrowed<'_> {
    /// Whether a key is asked about.
    pub fn covers(&self, entry: &KeyEntry<'_>, filters: &Filters) -> bool {
        let Narrow {
            glob,
            regex,
            custom,
            ..
        } = self.narrow;
        let of_custom = |name: &Option<String>| {
            let found = self.catalog.and_then(|catalog| catalog.locate(&entry.key));
            found.is_some_and(|location| {
                is_custom(location.resource)
                    && name
                        .as_ref()
                        .is_none_or(|name| is_named(location.resource, name))
            })
        };
        let key = &entry.key;
        self.since.is_none_or(|since| {
            filters.test(Filter("--modified-since"), entry.record.revision > since)
        }) && glob
            .as_ref()
            .is_none_or(|glob| filters.test(Filter("--match"), glob.is_match(key)))
            && regex
                .as_ref()
                .is_none_or(|regex| filters.test(Filter("--regex"), regex.is_match(key)))
            && custom
                .as_ref()
                .is_none_or(|name| filters.test(Filter("--custom"), of_custom(name)))
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
