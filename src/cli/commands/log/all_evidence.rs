//! `log --timeline`: one list of all evidence, each row with where it is found and how certain it is.

use crate::cli::args::RowFormat;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, report};
use crate::query::Notice;
use crate::query::all_evidence::{AllEvidence, EvidenceRow, wal_of};
use crate::query::writers::managers_of;
use crate::view::all_evidence::{self as view, Written};
use crate::view::json_rows::{Form, JsonRows, with_object};

use super::Log;

impl Log<'_, '_> {
    /// Prints the events, and what the log has of the selected keys in addition.
    pub fn print_all_evidence(&self, out: &mut Out) -> Result<Answer, Failure> {
        let wal = wal_of(&self.log);
        let AllEvidence { mut rows, left_out } = AllEvidence::read(&self.log, &wal);
        if left_out > 0 {
            report::notices(&[Notice::RequestsLeftOut(left_out)], self.run.invocation);
        }
        let answer = if rows.is_empty() {
            Answer::No
        } else {
            Answer::Yes
        };
        if !self.args.reverse {
            rows.reverse();
        }
        if self.args.output.is_table() {
            let names = self.key_names(out);
            let names = Some(names).filter(|_| !self.log.names_one());
            let mut table = view::table();
            for row in &rows {
                let written = self.written(row);
                let time = written.as_ref().map(|written| {
                    let time = self.times.text(&written.time);
                    match self.age(&written.time) {
                        Some(age) => format!("{time} ({age} ago)"),
                        None => time,
                    }
                });
                table.add(&view::cells(row, written.as_ref(), time, names.as_ref()));
            }
            out.table(&table)?;
            return Ok(answer);
        }
        let mut json = JsonRows::new(Form::array_if(self.args.output == RowFormat::Json));
        for row in &rows {
            let value = view::json(row, self.written(row).as_ref());
            let key = row.event.map_or(&[][..], |event| event.record.key);
            let catalog = self.log.question().catalog();
            json.row(&with_object(value, key, catalog), out)?;
        }
        json.finish(out)?;
        Ok(answer)
    }

    fn written(&self, row: &EvidenceRow<'_, '_>) -> Option<Written> {
        let event = row.event.as_ref()?;
        Some(Written {
            managers: managers_of(event, self.log.objects()),
            time: self.timeline().bounds(event.record.revision.main),
        })
    }
}
