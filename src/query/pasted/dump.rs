//! Dumps of bytes, back to the bytes: `hexdump` (-C, -x, -b, -c), `xxd` and `od` (octal and hexadecimal bytes and words,
//! characters).
//!
//! The offsets are checked: a line that is missing, doubled or altered is found. Whether they are hexadecimal, octal or
//! decimal is seen from how they grow.

mod offsets;
mod row;

use super::form::Form;

use offsets::Offsets;
use row::{Layout, Row, SHORTEST_OFFSET};

/// A dump from its first line on; none if the text does not begin as one.
///
/// # Errors
/// The number of the line that does not continue the dump.
pub(super) fn read(text: &str) -> Result<Option<(Form, Vec<u8>)>, usize> {
    let lines = (1_usize..).zip(text.lines());
    let mut lines = lines
        .map(|(number, line)| (number, line.trim_end()))
        .filter(|(_, line)| !line.is_empty())
        .peekable();
    let Some((first, line)) = lines.peek().copied() else {
        return Ok(None);
    };
    let margin = indent(line);
    let Some(mut layout) = Layout::recognise(line.trim_start()) else {
        return Ok(None);
    };
    let offset = Row::parse(line.trim_start()).map_or("", |row| row.offset);
    if offset.bytes().any(|digit| digit != b'0') {
        // A text may begin with numbers: only the characters at the end of a line make it a dump.
        let is_dump = layout.is_xxd() || line.ends_with(['|', '<']);
        return if is_dump { Err(first) } else { Ok(None) };
    }
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut offsets = Offsets::new(&layout);
    let (mut is_repeated, mut last) = (false, first);
    for (number, line) in lines {
        if indent(line) > margin {
            // od prints further types of the same bytes below them.
            continue;
        }
        let line = line.trim_start();
        last = number;
        if line == "*" {
            is_repeated = true;
            continue;
        }
        let Some(Row { offset, body }) = Row::parse(line) else {
            return Err(number);
        };
        let known = bytes.len();
        if !layout.append(body, &mut bytes) {
            return Err(number);
        }
        let added = bytes.len().saturating_sub(known);
        if !offsets.add(offset, is_repeated, added) {
            return Err(number);
        }
        is_repeated = false;
    }
    // The line after the repeated ones is missing.
    if is_repeated || bytes.is_empty() {
        return Err(last);
    }
    let is_hexdump = offsets.are_hexadecimal() && offset.len() > SHORTEST_OFFSET;
    let form = layout.form(is_hexdump);
    let bytes = offsets.expand(&bytes).ok_or(last)?;
    Ok(Some((form, bytes)))
}

fn indent(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start().len())
}
