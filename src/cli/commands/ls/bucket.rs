//! `ls --bucket`: the keys of one bucket of any bbolt file.

use std::ffi::OsStr;
use std::io::Write;

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Run};
use crate::query::bucket_dump::{BucketDump, key_prefixes};
use crate::query::{Evidence, NoAnswer};
use crate::view::json_rows::{Form, JsonRows};
use crate::view::listing;
use crate::view::record::key_text;

use super::{Args, Output};

/// What has a meaning only for etcd's keys.
pub(super) const NOT_OF_BUCKETS: [&str; 18] = [
    "namespace",
    "all_namespaces",
    "labels",
    "at",
    "at_time",
    "kinds",
    "namespaces",
    "custom",
    "glob",
    "regex",
    "modified_since",
    "deleted",
    "sort",
    "reverse",
    "carve",
    "wal",
    "encryption_config",
    "kms_key",
];

impl Args {
    pub(super) fn print_bucket(
        &self,
        run: &Run<'_>,
        path: &OsStr,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let dump = BucketDump::open(Evidence::only(run.evidence)?, path, false)?;
        let prefixes = key_prefixes(&self.which.asked().addresses)?;
        let form = match self.output {
            None | Some(Output::Name | Output::Wide) => None,
            Some(form) => Some(Form::array_if(form == Output::Json)),
        };
        let mut rows = JsonRows::new(form.unwrap_or(Form::Lines));
        let (mut printed, mut has_any) = (0, false);
        dump.keys(&prefixes, |entry| {
            has_any = true;
            if printed >= self.limit() {
                return Ok::<bool, Failure>(false);
            }
            printed = printed.saturating_add(1);
            if self.output.is_none() && out.is_cut() {
                let end = if entry.value_bytes.is_none() { "/" } else { "" };
                out.name(&format!("{}{end}", key_text(entry.key)))?;
            } else if form.is_some() {
                rows.row(&listing::bucket_entry_json(entry), out)?;
            } else {
                // Copies: the bytes of the map may not be handed to the system.
                let end: &[u8] = if entry.value_bytes.is_none() {
                    b"/\n"
                } else {
                    b"\n"
                };
                out.write_all(&[entry.key, end].concat())?;
            }
            Ok(true)
        })?;
        if form.is_some() {
            rows.finish(out)?;
        }
        if !has_any {
            return Err(NoAnswer::NoKeyInBucket(path.to_string_lossy().into_owned()).into());
        }
        Ok(Answer::Yes)
    }
}
