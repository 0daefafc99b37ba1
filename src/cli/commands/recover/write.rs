//! Manifests: a file an object, or one stream.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::cli::export::{Export, Place, summary, write_name};
use crate::cli::failure::Failure;
use crate::cli::objects::Told;
use crate::cli::out::Out;
use crate::cli::report;
use crate::k8s::Order;
use crate::k8s::manifest::{Options, manifest};
use crate::view::json::write_value;
use crate::view::record::key_text;
use crate::view::yaml::YamlWriter;

use super::Recovery;
use super::plan::Item;

/// What an item comes back as.
enum Content {
    /// An object, as YAML.
    Object(Vec<u8>),
    /// Anything else, as it was stored.
    Plain(Vec<u8>),
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
        // So that names sort as numbers do.
        let width = items.len().to_string().len().max(4);
        for item in items.iter().filter(|item| self.comes_back(item)) {
            let Some(content) = self.content(item) else {
                continue;
            };
            number = number.saturating_add(1);
            let export = match &mut export {
                Some(export) => export,
                // Not before there is something to write.
                none => none.insert(Export::into(folder, self.run.evidence)?),
            };
            let name = file_name(number, width, item);
            let (extension, content) = match &content {
                Content::Object(yaml) => (".yaml", yaml),
                Content::Plain(bytes) => (".value", bytes),
            };
            let path = export.write(Place::Flat(&name), extension, content)?;
            write_name(&path, out)?;
        }
        if let Some(export) = &export {
            report::note(&summary(export));
        }
        Ok(export.is_some())
    }

    /// Writes the objects that come back one behind the other; whether there was any.
    pub(super) fn write_stream(&self, items: &[Item<'_>], out: &mut Out) -> Result<bool, Failure> {
        let mut any = false;
        let mut plain = Vec::new();
        for item in items.iter().filter(|item| self.comes_back(item)) {
            match self.content(item) {
                Some(Content::Object(yaml)) => {
                    out.write_all(b"---\n")?;
                    out.write_all(&yaml)?;
                    any = true;
                }
                Some(Content::Plain(_)) => plain.push(key_text(item.key)),
                None => {}
            }
        }
        if let Some(first) = plain.first() {
            report::note(&format!(
                "{} are no objects ({first}{}): --out writes their values",
                plain.len(),
                if plain.len() > 1 { ", ..." } else { "" }
            ));
        }
        Ok(any)
    }

    /// What an item comes back as; none where its value stays encrypted or cannot be decoded.
    fn content(&self, item: &Item<'_>) -> Option<Content> {
        let record = item.restored?.record;
        match self.objects.read(&record, Order::Declared.into()) {
            Told::Object(tree, _) => {
                let tree = if self.args.exact {
                    tree
                } else {
                    self.stripped(tree, item)
                };
                let mut writer = YamlWriter::new(Vec::new());
                write_value(&tree, Order::Natural, &mut writer);
                writer.finish().ok().map(Content::Object)
            }
            Told::Plain => {
                let value = self.objects.open(&record).ok()?;
                Some(Content::Plain(value.into_owned()))
            }
            Told::Closed(_) | Told::Undecodable(_) => None,
        }
    }

    fn stripped(&self, tree: Value, item: &Item<'_>) -> Value {
        let options = Options {
            strip_finalizers: self.args.strip_finalizers,
        };
        let (tree, notes) = manifest(tree, options, &|uid| self.world.lives(uid));
        for note in notes {
            report::note(&format!("{}: {note}", key_text(item.key)));
        }
        tree
    }
}

/// `0012-deployment-shop-cart`: kubectl applies files in the order of their names.
fn file_name(number: usize, width: usize, item: &Item<'_>) -> Vec<u8> {
    let what = match &item.facts {
        Some(facts) => {
            let parts = [&facts.kind.to_lowercase(), &facts.namespace, &facts.name];
            let parts: Vec<&str> = parts
                .into_iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            parts.join("-").into_bytes()
        }
        None => [b"key-", item.key].concat(),
    };
    [format!("{number:0width$}-").as_bytes(), &what].concat()
}
