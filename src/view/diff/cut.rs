//! Cutting a value to the width of a terminal.

use std::borrow::Cow;

use super::super::fit::start_of;
use super::super::pad::width_of;

/// Cuts a text to what is left of a terminal's line, and adds its size.
pub(super) fn cut(text: Cow<'_, str>, width: Option<usize>, used: usize) -> Cow<'_, str> {
    const LEAST: usize = 20;
    let Some(width) = width else {
        return text;
    };
    let room = width.saturating_sub(used).max(LEAST);
    if width_of(&text) <= room {
        return text;
    }
    let note = format!("... ({} bytes)", text.len());
    let keep = room.saturating_sub(note.len()).max(LEAST / 2);
    Cow::Owned(format!("{}{note}", start_of(&text, keep)))
}
