//! Manifests: one file per object, or one stream.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::export::{Export, Place, summary, write_name};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::query::deletions::Item;
use crate::query::recovery::{self, Remarked};
use crate::query::recovery_notice::{Keys, RecoveryNotice};
use crate::view::manifest::manifest;
use crate::view::pad;
use crate::view::record::key_text;
use crate::view::recovery_comment::{comments, script};

use super::{Printer, Written};

/// The form in which an item comes back.
enum Content {
    /// An object, as YAML, with comments in its first lines.
    Object(Vec<u8>),
    /// Anything else, as it was stored.
    Plain(Vec<u8>),
    /// An object whose YAML would not load back, as it was stored.
    NotLoadable(Vec<u8>),
}

impl Printer<'_, '_> {
    /// Writes a file for each item that comes back. Returns whether there was any.
    pub(super) fn write_files(&self, folder: &Path, out: &mut Out) -> Result<Written, Failure> {
        let items = self.recovery.items();
        let mut export: Option<Export> = None;
        let mut number = 0_usize;
        let mut put_back = None;
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        let mut remarked = Remarked::default();
        let width = width(items.len());
        for item in items.iter().filter(|item| self.recovery.is_wanted(item)) {
            let Some(content) = self.content(item, &mut remarked) else {
                continue;
            };
            number = number.saturating_add(1);
            let export = match &mut export {
                Some(export) => export,
                // The folder is created only if there is something to write.
                none => none.insert(Export::into(folder, self.run)?),
            };
            let name = file_name(number, width, item);
            let (extension, bytes) = match &content {
                Content::Object(yaml) => (".yaml", yaml),
                Content::Plain(bytes) | Content::NotLoadable(bytes) => (".value", bytes),
            };
            let place = match self.recovery.cluster_of(item) {
                Some(cluster) => Place::Inside(cluster, &name),
                None => Place::Flat(&name),
            };
            let path = export.write(place, extension, bytes)?;
            write_name(&path, out)?;
            if extension == ".yaml" {
                folders.extend(path.parent().map(Path::to_path_buf));
            }
            if let Content::Plain(_) = &content {
                put_back.get_or_insert_with(|| RecoveryNotice::put_back(&item.key, path));
            }
        }
        let mut written = Written::any(export.is_some());
        if let Some(export) = &mut export {
            report::note(&summary(export));
            let script = script(&remarked.reserved);
            if let Some(script) = script.filter(|_| self.args.keep_volumes) {
                let path = export.write(Place::Flat(b"volumes"), ".sh", script.as_bytes())?;
                written.next.push(RecoveryNotice::VolumeScript(path));
            }
            if !folders.is_empty() {
                written.next.push(RecoveryNotice::Create {
                    folders: folders.into_iter().collect(),
                    too_long: remarked.too_long,
                });
            }
            written.next.extend(put_back);
        }
        written.notices = remarked.notices(self.args.keep_owners, self.args.release);
        Ok(written)
    }

    /// Writes the objects that come back, one after the other. Returns whether there was any.
    pub(super) fn write_stream(&self, out: &mut Out) -> Result<Written, Failure> {
        let items = self.recovery.items();
        let mut any = false;
        let mut clusters: BTreeSet<&[u8]> = BTreeSet::new();
        let mut plain = Vec::new();
        let mut remarked = Remarked::default();
        for item in items.iter().filter(|item| self.recovery.is_wanted(item)) {
            match self.content(item, &mut remarked) {
                Some(Content::Object(yaml)) => {
                    out.write_all(b"---\n")?;
                    out.write_all(&yaml)?;
                    clusters.extend(self.recovery.cluster_of(item));
                    any = true;
                }
                Some(Content::Plain(_)) => plain.push(&*item.key),
                Some(Content::NotLoadable(_)) | None => {}
            }
        }
        let mut written = Written::any(any);
        written.notices = remarked.notices(self.args.keep_owners, self.args.release);
        if let Some(first) = clusters.first().filter(|_| clusters.len() > 1) {
            let first = key_text(first).into_owned();
            let notice = RecoveryNotice::SeveralClusters(clusters.len(), first);
            written.notices.push(notice);
        }
        if !plain.is_empty() {
            let keys = Keys::new(&plain);
            let is_kubernetes = self.recovery.question().catalog().holds_objects();
            written.notices.push(RecoveryNotice::NoObjects {
                keys,
                is_kubernetes,
            });
        }
        Ok(written)
    }

    /// An item as it comes back. None if its value is still encrypted or cannot be decoded.
    fn content<'i>(&self, item: &'i Item, remarked: &mut Remarked<'i>) -> Option<Content> {
        let options = self.args.manifest_options();
        let (tree, remarks) = match self.recovery.content(item, options)? {
            recovery::Content::Object(tree, remarks) => (tree, remarks),
            recovery::Content::Plain(value) => return Some(Content::Plain(value)),
        };
        let comments: Vec<String> = remarks.iter().flat_map(comments).collect();
        Some(match manifest(&comments, &tree) {
            Ok(yaml) => {
                remarked.add(&item.key, &tree, &remarks);
                Content::Object(yaml)
            }
            Err(error) => Content::NotLoadable(self.recovery.not_loadable(item, &error)?),
        })
    }
}

/// How many digits the numbers of files have, so that names sort as numbers do.
pub(super) fn width(items: usize) -> usize {
    items.to_string().len().max(4)
}

/// `0012-deployment-shop-cart`: kubectl applies files in the order of their names.
pub(super) fn file_name(number: usize, width: usize, item: &Item) -> Vec<u8> {
    let what = match &item.facts {
        Some(facts) if facts.is_named => {
            let parts = [
                &*facts.common.kind.to_lowercase(),
                facts.common.namespace.as_str(),
                &*facts.name,
            ];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            parts.join("-").into_bytes()
        }
        _ => [b"key-", &*item.key].concat(),
    };
    [format!("{}-", pad::zeros(number, width)).as_bytes(), &what].concat()
}
