//! `hexdump`: bytes of the file with their offsets.

use std::io::Write;
use std::path::PathBuf;

use base64::Engine as _;
use clap::ValueEnum;
use serde_json::json;

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::plumbing::{layout, number};
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::Evidence;
use crate::view::hexdump::Hexdump;
use crate::view::json_rows::{Form, JsonRows};

/// Print bytes of the file with their offsets, as `hexdump -C` does
///
/// Prints a page with its overflow, a range, or the whole file. Offsets are from the start of the file, in hexadecimal.
/// Repeated lines are replaced by one `*`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Print this page with its overflow pages: 7 or 0x7
    #[arg(long, value_name = "ID", conflicts_with_all = ["offset", "length"], value_parser = number)]
    page: Option<u64>,
    /// Start at this offset in bytes: 4096 or 0x1000
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, value_parser = number)]
    offset: u64,
    /// Print N bytes (default: to the end)
    #[arg(long, value_name = "N", value_parser = number)]
    length: Option<u64>,
    /// Output format
    #[arg(
        short,
        long,
        visible_alias = "format",
        value_name = "FORMAT",
        default_value = "text"
    )]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Text for people
    Text,
    /// One JSON array of objects with an offset and up to 4096 bytes in base64
    Json,
    /// The same objects, one per line
    Jsonl,
}

words!(Output);

/// How many bytes one JSON object has, and one write of text.
const PART_BYTES: usize = 4096;

/// After this many parts the memory of the mapped file is given back to the system, so that it stays small for a large
/// file.
const PARTS_A_RELEASE: usize = 8192;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let layout = layout(evidence)?;
        let (offset, bytes) = match self.page {
            Some(id) => layout.page_bytes(id)?,
            None => layout.bytes(self.offset, self.length)?,
        };
        self.print(evidence, offset, bytes, out)?;
        Ok(Answer::Yes)
    }
}

impl Args {
    /// Prints the bytes in parts, as text or as JSON rows. `offset` is the offset of the first byte in the file.
    fn print(
        &self,
        evidence: &Evidence,
        offset: u64,
        bytes: &[u8],
        out: &mut Out,
    ) -> Result<(), Failure> {
        let mut dump = Hexdump::at(offset, "");
        let mut json = JsonRows::new(Form::array_if(self.output == Output::Json));
        let mut part_offset = offset;
        for (index, part) in bytes.chunks(PART_BYTES).enumerate() {
            if index % PARTS_A_RELEASE == 0 {
                evidence.source().forget_resident();
            }
            if self.output == Output::Text {
                out.write_all(dump.lines(part).as_bytes())?;
            } else {
                let bytes_base64 = base64::engine::general_purpose::STANDARD.encode(part);
                json.row(
                    &json!({ "offset": part_offset, "bytes_base64": bytes_base64 }),
                    out,
                )?;
            }
            part_offset = part_offset.saturating_add(part.len() as u64);
        }
        if self.output == Output::Text {
            return Ok(out.write_all(dump.end().as_bytes())?);
        }
        Ok(json.finish(out)?)
    }
}
