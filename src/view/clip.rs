//! Lines that end where the terminal ends.
//!
//! For views whose lines are no rows of a table: a line that is too long ends with an ellipsis in the last column. What
//! the views paint stays painted, and escape sequences take no room.

use std::io::{self, Write};

use unicode_width::UnicodeWidthChar;

use super::fit::ELLIPSIS;

/// A writer of text that is clean already, in UTF-8; each write ends with a whole character.
pub struct Clip<'o> {
    out: &'o mut dyn Write,
    width: Option<usize>,
    line: String,
}

impl<'o> Clip<'o> {
    /// Cuts lines to a width; nothing without one. The last line is written when it ends, or by [`Self::end`].
    pub fn new(out: &'o mut dyn Write, width: Option<usize>) -> Self {
        let line = String::new();
        Self { out, width, line }
    }

    /// Writes a last line that has no end.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        self.put(&line)
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        match self.width {
            Some(width) => self.out.write_all(clipped(line, width).as_bytes()),
            None => self.out.write_all(line.as_bytes()),
        }
    }
}

impl Write for Clip<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.width.is_none() {
            return self.out.write_all(bytes);
        }
        self.line.push_str(&String::from_utf8_lossy(bytes));
        let lines = std::mem::take(&mut self.line);
        let mut rest = lines.as_str();
        while let Some((line, after)) = rest.split_once('\n') {
            self.put(line)?;
            self.out.write_all(b"\n")?;
            rest = after;
        }
        rest.clone_into(&mut self.line);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line with its colours, cut to at most `width` columns.
#[must_use]
pub fn clipped(line: &str, width: usize) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut used = 0_usize;
    // Where the line is cut if it turns out to be too long: the last column is for the mark.
    let mut cut = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            kept.push(c);
            let sequence = characters.by_ref();
            for c in sequence {
                kept.push(c);
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
            continue;
        }
        let wide = match c {
            '\t' => 8_usize.saturating_sub(used % 8),
            c => c.width().unwrap_or_default(),
        };
        if cut.is_none() && used.saturating_add(wide) > width.saturating_sub(1) {
            cut = Some(kept.len());
        }
        used = used.saturating_add(wide);
        if used > width {
            let at = cut.unwrap_or_default();
            let has_colour = kept.get(..at).is_some_and(|kept| kept.contains('\u{1b}'));
            kept.truncate(at);
            if width > 0 {
                kept.push(ELLIPSIS);
            }
            if has_colour {
                kept.push_str("\u{1b}[0m");
            }
            return kept;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::pad::width_of;
    use super::*;

    #[test]
    fn a_line_ends_where_the_terminal_ends() {
        assert_eq!(clipped("abcdef", 6), "abcdef");
        assert_eq!(clipped("abcdefg", 6), "abcde\u{2026}");
        assert_eq!(
            clipped("\u{540d}\u{540d}\u{540d}", 5),
            "\u{540d}\u{540d}\u{2026}"
        );
        assert_eq!(clipped("\u{540d}\u{540d}\u{540d}", 4), "\u{540d}\u{2026}");
        assert_eq!(clipped("\tab", 9), "\t\u{2026}");
        assert_eq!(clipped("abc", 0), "");
    }

    #[test]
    fn colours_take_no_room_and_end() {
        let red = "\u{1b}[31mabc\u{1b}[0m";
        assert_eq!(clipped(red, 3), red);
        assert_eq!(clipped(red, 2), "\u{1b}[31ma\u{2026}\u{1b}[0m");
    }

    #[test]
    fn each_line_of_a_stream_is_cut() {
        let text = "abcdef\nab\n\n\u{540d}\u{540d}\u{540d}\u{540d}\nlast one";
        for size in [1, 3, 100] {
            let mut out = Vec::new();
            let mut clip = Clip::new(&mut out, Some(4));
            let characters: Vec<char> = text.chars().collect();
            for piece in characters.chunks(size) {
                let piece: String = piece.iter().collect();
                let _ = clip.write_all(piece.as_bytes());
            }
            let _ = clip.end();
            let out = String::from_utf8(out).unwrap_or_default();
            assert_eq!(out, "abc\u{2026}\nab\n\n\u{540d}\u{2026}\nlas\u{2026}");
            assert!(out.lines().all(|line| width_of(line) <= 4));
        }
    }
}
