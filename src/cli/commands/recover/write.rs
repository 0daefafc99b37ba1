//! Manifests: a file an object, or one stream.

use std::io::Write;
use std::path::Path;

use crate::cli::export::{Export, Place, summary, write_name};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::query::Notice;
use crate::query::deletions::Item;
use crate::query::recovery::{self, Note};
use crate::query::recovery_notice::{Keys, RecoveryNotice};
use crate::view::manifest::manifest;
use crate::view::pad;
use crate::view::yaml::value_in_comment;

use super::Printer;

/// What an item comes back as.
enum Content {
    /// An object, as YAML, with what there is to know of it before.
    Object(Vec<u8>),
    /// Anything else, as it was stored.
    Plain(Vec<u8>),
    /// An object whose YAML would not load back, as it was stored.
    NotLoadable(Vec<u8>),
}

/// The keys of manifests that lack what somebody has to know of.
#[derive(Default)]
struct Lacking<'a> {
    owners: Vec<&'a [u8]>,
    volumes: Vec<&'a [u8]>,
}

impl Printer<'_, '_> {
    /// Writes a file for each item that comes back; whether there was any.
    pub(super) fn write_files(&self, folder: &Path, out: &mut Out) -> Result<bool, Failure> {
        let items = self.recovery.items();
        let mut export: Option<Export> = None;
        let mut number = 0_usize;
        let mut lacking = Lacking::default();
        // So that names sort as numbers do.
        let width = items.len().to_string().len().max(4);
        for item in items.iter().filter(|item| self.recovery.is_wanted(item)) {
            let Some(content) = self.content(item, &mut lacking) else {
                continue;
            };
            number = number.saturating_add(1);
            let export = match &mut export {
                Some(export) => export,
                // Not before there is something to write.
                none => none.insert(Export::into(folder, self.run)?),
            };
            let name = file_name(number, width, item);
            let (extension, content) = match &content {
                Content::Object(yaml) => (".yaml", yaml),
                Content::Plain(bytes) | Content::NotLoadable(bytes) => (".value", bytes),
            };
            let path = export.write(Place::Flat(&name), extension, content)?;
            write_name(&path, out)?;
        }
        if let Some(export) = &export {
            report::note(&summary(export));
        }
        self.explain_what_lacks(&lacking);
        Ok(export.is_some())
    }

    /// Writes the objects that come back one behind the other; whether there was any.
    pub(super) fn write_stream(&self, out: &mut Out) -> Result<bool, Failure> {
        let items = self.recovery.items();
        let mut any = false;
        let mut plain = Vec::new();
        let mut lacking = Lacking::default();
        for item in items.iter().filter(|item| self.recovery.is_wanted(item)) {
            match self.content(item, &mut lacking) {
                Some(Content::Object(yaml)) => {
                    out.write_all(b"---\n")?;
                    out.write_all(&yaml)?;
                    any = true;
                }
                Some(Content::Plain(_)) => plain.push(item.key),
                Some(Content::NotLoadable(_)) | None => {}
            }
        }
        if !plain.is_empty() {
            note(RecoveryNotice::NoObjects(Keys::new(&plain)));
        }
        self.explain_what_lacks(&lacking);
        Ok(any)
    }

    /// What an item comes back as; none if its value is still encrypted or cannot be decoded.
    fn content<'i>(&self, item: &Item<'i>, lacking: &mut Lacking<'i>) -> Option<Content> {
        let options = self.args.manifest_options();
        let (tree, notes) = match self.recovery.content(item, options)? {
            recovery::Content::Object(tree, notes) => (tree, notes),
            recovery::Content::Plain(value) => return Some(Content::Plain(value)),
        };
        let mut comments = Vec::new();
        for note in &notes {
            match note {
                Note::Owners => lacking.owners.push(item.key),
                Note::Bound(volume) => {
                    lacking.volumes.push(item.key);
                    comments.extend(comments_on(volume));
                }
            }
        }
        Some(match manifest(&comments, &tree) {
            Ok(yaml) => Content::Object(yaml),
            Err(error) => Content::NotLoadable(self.recovery.not_loadable(item, &error)?),
        })
    }

    fn explain_what_lacks(&self, Lacking { owners, volumes }: &Lacking<'_>) {
        if !owners.is_empty() {
            note(RecoveryNotice::WithoutOwners {
                keys: Keys::new(owners),
                keeps_owners: self.args.keep_owners,
            });
        }
        if !volumes.is_empty() {
            note(RecoveryNotice::WithoutVolumes(Keys::new(volumes)));
        }
    }
}

fn note(notice: RecoveryNotice) {
    report::notices(&[Notice::Recovery(notice)]);
}

/// The comments at the beginning of the manifest of a claim that was bound.
fn comments_on(volume: &str) -> [String; 3] {
    [
        format!(
            "It was bound to volume {}, which is left out: a new, empty volume is made.",
            value_in_comment(volume)
        ),
        "To take the old one, if it is still there (reclaim policy Retain): remove its spec.claimRef,"
            .to_owned(),
        "and set spec.volumeName here.".to_owned(),
    ]
}

/// `0012-deployment-shop-cart`: kubectl applies files in the order of their names.
fn file_name(number: usize, width: usize, item: &Item<'_>) -> Vec<u8> {
    let what = match &item.facts {
        Some(facts) if facts.is_named => {
            let parts = [&facts.kind.to_lowercase(), &facts.namespace, &facts.name];
            let parts: Vec<&str> = parts
                .into_iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            parts.join("-").into_bytes()
        }
        _ => [b"key-", item.key].concat(),
    };
    [format!("{}-", pad::zeros(number, width)).as_bytes(), &what].concat()
}
