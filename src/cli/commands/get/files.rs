//! `get --out`: a file for each object.

use std::path::Path;

use crate::cli::export::{Export, Place, summary, write_name};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::query::live_objects::{KeyEntry, Record};
use crate::query::objects::Order;
use crate::view::json::{JsonStyle, JsonWriter};
use crate::view::manifest::loadable;
use crate::view::yaml::{Quoting, YamlWriter};

use super::{Args, Format, Get, JSON_INDENT};

/// What the files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    Yaml,
    Json,
}

impl FileFormat {
    fn extension(self) -> &'static str {
        match self {
            Self::Yaml => ".yaml",
            Self::Json => ".json",
        }
    }
}

impl Args {
    /// How files are written; none without --out.
    ///
    /// # Errors
    /// When -o asks for what is no file of an object.
    pub(super) fn file_format(&self) -> Result<Option<FileFormat>, Failure> {
        if self.out.is_none() {
            return Ok(None);
        }
        match &self.output {
            None | Some(Format::Yaml) => Ok(Some(FileFormat::Yaml)),
            Some(Format::Json) => Ok(Some(FileFormat::Json)),
            Some(_) => Err(Failure::cannot(
                "--out writes files of one object each, as YAML or as JSON",
            )
            .hint("`-o yaml` or `-o json`")),
        }
    }
}

impl Get<'_, '_> {
    /// Writes the selected objects; whether there were any.
    pub(super) fn write_files(
        &self,
        folder: &Path,
        format: FileFormat,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let mut export: Option<Export> = None;
        let catalog = self.live.catalog();
        for KeyEntry { key, record } in self.live.entries().iter() {
            let Some(content) = self.content(&record, format)? else {
                continue;
            };
            let resource;
            let place = match catalog.locate(&key) {
                Some(location) => {
                    resource = location.resource.plural_with_group();
                    Place::Object {
                        cluster: location.cluster.filter(|_| catalog.has_several_clusters()),
                        namespace: location.namespace,
                        resource: &resource,
                        name: location.name,
                    }
                }
                None => Place::Key(&key),
            };
            let export = match &mut export {
                Some(export) => export,
                // Not before there is something to write.
                none => none.insert(Export::into(folder, self.run)?),
            };
            let path = export.write(place, format.extension(), &content)?;
            write_name(&path, out)?;
        }
        if let Some(export) = &export {
            report::note(&summary(export));
        }
        Ok(export.is_some())
    }

    /// The content of the file of an object. None if the object is not selected.
    fn content(&self, record: &Record<'_>, format: FileFormat) -> Result<Option<Vec<u8>>, Failure> {
        let mut content = Vec::new();
        let is_written = match format {
            FileFormat::Yaml => {
                let mut writer = YamlWriter::with_quoting(&mut content, Quoting::Portable);
                let noted = self.write_one(&mut writer, Order::Natural, record);
                let comments = noted.as_ref().map(|noted| noted.comments(record));
                let comments = comments.unwrap_or_default();
                writer.finish()?;
                let is_written = self.report_noted(record, noted);
                if is_written {
                    match loadable(content, &comments, &self.shown_again(record)) {
                        Ok(text) => content = text,
                        Err(error) => {
                            self.report_unreadable(record, &error);
                            return Ok(None);
                        }
                    }
                }
                is_written
            }
            FileFormat::Json => {
                let mut writer = JsonWriter::new(&mut content, JsonStyle::Indent(JSON_INDENT));
                let noted = self.write_one(&mut writer, Order::Sorted, record);
                writer.finish()?;
                self.report_noted(record, noted)
            }
        };
        Ok(is_written.then_some(content))
    }
}
