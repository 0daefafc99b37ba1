//! Cutting a value to the width of a terminal.

use std::borrow::Cow;

/// Cuts a text to what is left of a terminal's line, and says its size.
pub(super) fn cut(text: Cow<'_, str>, width: Option<usize>, used: usize) -> Cow<'_, str> {
    const LEAST: usize = 20;
    let Some(width) = width else {
        return text;
    };
    let room = width.saturating_sub(used).max(LEAST);
    if text.chars().count() <= room {
        return text;
    }
    let note = format!("... ({} bytes)", text.len());
    let keep = room.saturating_sub(note.len()).max(LEAST / 2);
    let kept: String = text.chars().take(keep).collect();
    Cow::Owned(kept + &note)
}
