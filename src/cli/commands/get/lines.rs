//! `-o jsonl`: one object per line.

use std::io::Write;

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::query::live_objects::{LiveEntries, Writing};
use crate::query::objects::Order;
use crate::view::json::{JsonStyle, JsonWriter, write_value};

use super::{Get, Noted};

/// The order of fields.
const ORDER: Order = Order::Sorted;

impl Get<'_, '_> {
    /// Prints each record as a line; whether there were any.
    pub(super) fn print_lines(
        &self,
        entries: &LiveEntries<'_>,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let writing = Writing {
            order: ORDER,
            managed_fields: self.args.show_managed_fields,
            sink: &|room| JsonWriter::in_memory(JsonStyle::Compact, room),
            tree: &|tree, sink| write_value(tree, ORDER, sink),
        };
        let mut any = false;
        for batch in entries.batches() {
            let written = self.live.write_batch(&batch, &writing);
            for (placed, written) in batch.iter().zip(written) {
                if let Some((line, notes)) = written {
                    out.write_all(&line.into_bytes())?;
                    any = true;
                    if !notes.is_empty()
                        && let Some(record) = placed.record()
                    {
                        let version = None;
                        self.report_noted(&record, Some(Noted { notes, version }));
                    }
                } else if let Some(record) = placed.record() {
                    let mut line = JsonWriter::new(Vec::new(), JsonStyle::Compact);
                    let noted = self.write_one(&mut line, ORDER, &record);
                    out.write_all(&line.finish()?)?;
                    any |= self.report_noted(&record, noted);
                }
            }
        }
        Ok(any)
    }
}
