//! Manifests: a file an object, or one stream.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::cli::export::{Export, Place, summary, write_name};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::k8s::Order;
use crate::k8s::manifest::{Note, Options, manifest as stripped};
use crate::query::objects::Told;
use crate::view::manifest::manifest;
use crate::view::pad;
use crate::view::yaml::value_in_comment;

use super::Recovery;
use super::print::first_of;
use crate::query::deletions::Item;

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

impl Recovery<'_, '_> {
    /// Writes a file for each item that comes back; whether there was any.
    pub(super) fn write_files(
        &self,
        items: &[Item<'_>],
        folder: &Path,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let mut export: Option<Export> = None;
        let mut number = 0_usize;
        let mut lacking = Lacking::default();
        // So that names sort as numbers do.
        let width = items.len().to_string().len().max(4);
        for item in items.iter().filter(|item| self.is_wanted(item)) {
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
    pub(super) fn write_stream(&self, items: &[Item<'_>], out: &mut Out) -> Result<bool, Failure> {
        let mut any = false;
        let mut plain = Vec::new();
        let mut lacking = Lacking::default();
        for item in items.iter().filter(|item| self.is_wanted(item)) {
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
            report::note(&format!(
                "{} are no objects ({}): --out writes their values",
                plain.len(),
                first_of(&plain)
            ));
        }
        self.explain_what_lacks(&lacking);
        Ok(any)
    }

    /// What an item comes back as; none where its value stays encrypted or cannot be decoded.
    fn content<'i>(&self, item: &Item<'i>, lacking: &mut Lacking<'i>) -> Option<Content> {
        let record = item.restored?.record;
        match self.objects.read(&record, Order::Declared.into()) {
            Told::Object(tree, _) => {
                let (tree, notes) = if self.args.exact {
                    (tree, Vec::new())
                } else {
                    self.stripped(tree, item)
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
                    Err(error) => {
                        self.objects.report_unreadable(&record, &error);
                        Content::NotLoadable(self.objects.open(&record).ok()?.into_owned())
                    }
                })
            }
            Told::Plain => {
                let value = self.objects.open(&record).ok()?;
                Some(Content::Plain(value.into_owned()))
            }
            Told::Closed(error) => {
                self.objects.report_closed(&record, &error);
                None
            }
            Told::Undecodable(_) => None,
        }
    }

    fn stripped(&self, tree: Value, item: &Item<'_>) -> (Value, Vec<Note>) {
        let options = Options {
            strip_finalizers: self.args.strip_finalizers,
            keeps_status: item.facts.as_ref().is_some_and(|facts| facts.keeps_status),
            keeps_owner: &|uid| self.args.keep_owners && self.history.lives(uid),
        };
        stripped(tree, options)
    }

    fn explain_what_lacks(&self, lacking: &Lacking<'_>) {
        let Lacking { owners, volumes } = lacking;
        if !owners.is_empty() {
            let why = if self.args.keep_owners {
                "that are not there"
            } else {
                "(--keep-owners keeps those to owners that are there)"
            };
            report::note(&format!(
                "{} are without references to owners {why}: a garbage collector deletes what refers to an owner it does not know ({})",
                owners.len(),
                first_of(owners)
            ));
        }
        if !volumes.is_empty() {
            report::note(&format!(
                "{} were bound to volumes, which are left out: the first lines of each manifest say which, and how to take the old one ({})",
                volumes.len(),
                first_of(volumes)
            ));
        }
    }
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
