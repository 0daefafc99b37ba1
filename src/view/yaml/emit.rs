//! Writing scalars and indentation: what go-yaml's `emitterc.go` does once the style is chosen.
//!
//! Columns are counted in characters. [`Emitter::whitespace`] and [`Emitter::indention`] are
//! libyaml's: whether the last thing written was white space, and whether the line holds nothing
//! but indentation and the marks `-`, `?` and `:` that keep it so.

use super::scalar::{self, Style};
use crate::k8s::words;

/// Columns of one level.
pub(super) const INDENT: usize = 2;

/// Text is folded at the first single space after this column.
const WIDTH: usize = 80;

/// A line break, and more spaces than most levels have.
const NEW_LINE: &[u8; 65] = b"\n                                                                ";

/// How a mark is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indicator {
    /// `-`, `?`, and the `:` of a long key: needs a space before it, and the line can still be
    /// seen as indentation.
    OpensLine,
    /// The `:` after a short key.
    EndsKey,
}

/// The position of the text.
#[derive(Debug, Default, Clone)]
pub(super) struct Emitter {
    /// Columns of the current level; `None` before the root.
    pub(super) indent: Option<usize>,
    /// The line holds indentation only.
    pub(super) indention: bool,
    whitespace: bool,
    column: usize,
}

impl Emitter {
    pub(super) fn begin_document(&mut self) {
        *self = Self {
            indent: None,
            indention: true,
            whitespace: true,
            column: 0,
        };
    }

    /// Goes to the current level's column, on a new line unless this one is free up to there.
    pub(super) fn write_indent(&mut self, buffer: &mut Vec<u8>) {
        self.move_to(buffer, self.indent.unwrap_or(0));
    }

    fn move_to(&mut self, buffer: &mut Vec<u8>, column: usize) {
        let is_beyond = self.column > column || (self.column == column && !self.whitespace);
        if !self.indention || is_beyond {
            self.column = 0;
            // A line break and some spaces, mostly in one piece.
            if let Some(line) = NEW_LINE.get(..=column) {
                buffer.extend_from_slice(line);
                self.column = column;
            } else {
                buffer.push(b'\n');
            }
        }
        let spaces = column.saturating_sub(self.column);
        if spaces > 0 {
            buffer.resize(buffer.len().saturating_add(spaces), b' ');
            self.column = column;
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// The column of lines that go on with a scalar of the current level.
    fn scalar_indent(&self) -> usize {
        self.indent
            .map_or(INDENT, |columns| columns.saturating_add(INDENT))
    }

    pub(super) fn indicator(&mut self, buffer: &mut Vec<u8>, mark: u8, how: Indicator) {
        if how == Indicator::OpensLine {
            self.space(buffer);
        } else {
            self.indention = false;
        }
        buffer.push(mark);
        self.column = self.column.saturating_add(1);
        self.whitespace = false;
    }

    /// Writes ASCII that needs neither quotes nor folding.
    pub(super) fn token(&mut self, buffer: &mut Vec<u8>, text: &[u8]) {
        self.space(buffer);
        buffer.extend_from_slice(text);
        self.column = self.column.saturating_add(text.len());
        self.end_scalar();
    }

    /// Appends more ASCII to the text before.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, text: &[u8]) {
        buffer.extend_from_slice(text);
        self.column = self.column.saturating_add(text.len());
    }

    /// Writes a short key which needs no quotes, and the colon after it.
    pub(super) fn name(&mut self, buffer: &mut Vec<u8>, name: &str) {
        self.token(buffer, name.as_bytes());
        self.append(buffer, b":");
    }

    fn space(&mut self, buffer: &mut Vec<u8>) {
        if !self.whitespace {
            buffer.push(b' ');
            self.column = self.column.saturating_add(1);
        }
    }

    pub(super) fn end_scalar(&mut self) {
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes a text in the given style; `may_fold` is false for short keys.
    pub(super) fn scalar(
        &mut self,
        buffer: &mut Vec<u8>,
        text: &str,
        style: Style,
        may_fold: bool,
    ) {
        match style {
            Style::Token => return self.token(buffer, text.as_bytes()),
            Style::Literal => return self.literal(buffer, text),
            Style::Ascii => {
                self.open_quote(buffer, b'"');
                for c in text.chars() {
                    if c.is_ascii() && !scalar::is_escaped(c) {
                        self.put(buffer, c);
                    } else {
                        self.escape(buffer, c);
                    }
                }
                self.put(buffer, '"');
            }
            Style::Plain => {
                self.space(buffer);
                self.words(buffer, text, style, may_fold);
            }
            Style::SingleQuoted => {
                self.open_quote(buffer, b'\'');
                self.words(buffer, text, style, may_fold);
                buffer.push(b'\'');
                self.column = self.column.saturating_add(1);
            }
            Style::DoubleQuoted => {
                self.open_quote(buffer, b'"');
                self.words(buffer, text, style, may_fold);
                buffer.push(b'"');
                self.column = self.column.saturating_add(1);
            }
        }
        self.end_scalar();
    }

    fn open_quote(&mut self, buffer: &mut Vec<u8>, quote: u8) {
        self.space(buffer);
        buffer.push(quote);
        self.column = self.column.saturating_add(1);
        self.end_scalar();
    }

    /// Writes words and the runs of spaces between them, folding where the line is too long.
    fn words(&mut self, buffer: &mut Vec<u8>, text: &str, style: Style, may_fold: bool) {
        // Every character of a text that begins with a byte order mark is escaped: is_bom() of
        // yamlprivateh.go looks at the beginning, wherever it is asked about.
        if style == Style::DoubleQuoted && text.starts_with('\u{feff}') {
            for c in text.chars() {
                self.escape(buffer, c);
            }
            return;
        }
        let end = self.column.saturating_add(text.len());
        let needs_care = needs_care(text, style);
        if !may_fold || (style == Style::Plain && end <= WIDTH) {
            return self.word(buffer, text, style, needs_care);
        }
        let mut rest = text;
        loop {
            let space = words::position(rest.as_bytes(), |word| words::equal(word, b' '));
            let (word, tail) = rest.split_at(space.unwrap_or(rest.len()));
            self.word(buffer, word, style, needs_care);
            let after = tail.trim_start_matches(' ');
            let spaces = tail.len().saturating_sub(after.len());
            if spaces == 0 {
                return;
            }
            let is_inner = rest.len() < text.len() || !word.is_empty();
            let folds = may_fold && self.column > WIDTH && is_inner;
            self.spaces(buffer, spaces, folds, after.is_empty(), style);
            rest = after;
        }
    }

    /// Writes a run of spaces, the first of them as a line break if that is allowed.
    fn spaces(
        &mut self,
        buffer: &mut Vec<u8>,
        count: usize,
        folds: bool,
        is_last: bool,
        style: Style,
    ) {
        let is_double = style == Style::DoubleQuoted;
        let folds = folds
            && if is_double {
                !is_last || count > 1
            } else {
                !is_last && count == 1
            };
        let mut left = count;
        if folds {
            self.move_to(buffer, self.scalar_indent());
            left = left.saturating_sub(1);
            if left > 0 {
                buffer.push(b'\\');
                self.column = self.column.saturating_add(1);
            }
        }
        buffer.resize(buffer.len().saturating_add(left), b' ');
        self.column = self.column.saturating_add(left);
    }

    /// Writes a part in which nothing is folded.
    fn word(&mut self, buffer: &mut Vec<u8>, word: &str, style: Style, may_need_care: bool) {
        if !may_need_care || !needs_care(word, style) {
            buffer.extend_from_slice(word.as_bytes());
            self.column = self.column.saturating_add(word.len());
            if !word.is_empty() && style != Style::DoubleQuoted {
                self.indention = false;
            }
            return;
        }
        for c in word.chars() {
            if style == Style::DoubleQuoted {
                if scalar::is_escaped(c) {
                    self.escape(buffer, c);
                } else {
                    self.put(buffer, c);
                }
                continue;
            }
            if c == '\'' && style == Style::SingleQuoted {
                self.put(buffer, c);
            }
            self.put(buffer, c);
            self.indention = false;
        }
    }

    fn put(&mut self, buffer: &mut Vec<u8>, c: char) {
        buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.column = self.column.saturating_add(1);
    }

    /// Writes a character of a double-quoted text as an escape.
    fn escape(&mut self, buffer: &mut Vec<u8>, c: char) {
        let start = buffer.len();
        buffer.push(b'\\');
        let short = match c {
            '\0' => b'0',
            '\u{7}' => b'a',
            '\u{8}' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\u{b}' => b'v',
            '\u{c}' => b'f',
            '\r' => b'r',
            '\u{1b}' => b'e',
            '"' => b'"',
            '\\' => b'\\',
            '\u{85}' => b'N',
            '\u{a0}' => b'_',
            '\u{2028}' => b'L',
            '\u{2029}' => b'P',
            _ => 0,
        };
        let code = u32::from(c);
        let (letter, digits) = match code {
            _ if short != 0 => (short, 0),
            ..=0xff => (b'x', 2),
            0x100..=0xffff => (b'u', 4),
            _ => (b'U', 8),
        };
        buffer.push(letter);
        for digit in (0..digits).rev() {
            let [nibble, ..] = (code >> (4 * digit) & 15).to_le_bytes();
            buffer.push(nibble + if nibble < 10 { b'0' } else { b'A' - 10 });
        }
        let written = buffer.len().saturating_sub(start);
        self.column = self.column.saturating_add(written);
    }

    /// Writes a literal block: `|`, its hints, and the lines as they are.
    fn literal(&mut self, buffer: &mut Vec<u8>, text: &str) {
        self.space(buffer);
        buffer.push(b'|');
        // Without the hint a reader would take leading spaces for indentation.
        if text.starts_with([' ', '\n']) {
            buffer.push(b'2');
        }
        match text.strip_suffix('\n') {
            None => buffer.push(b'-'),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => buffer.push(b'+'),
            Some(_) => {}
        }
        buffer.push(b'\n');
        self.column = 0;
        self.indention = true;
        self.whitespace = true;
        let mut rest = text;
        while !rest.is_empty() {
            let at = words::position(rest.as_bytes(), |word| words::equal(word, b'\n'));
            let (line, tail) = rest.split_at(at.unwrap_or(rest.len()));
            if !line.is_empty() {
                self.move_to(buffer, self.scalar_indent());
                buffer.extend_from_slice(line.as_bytes());
                // The column matters only as "not at the start".
                self.column = self.column.saturating_add(line.len());
                self.indention = false;
            }
            rest = tail.strip_prefix('\n').unwrap_or_default();
            if !tail.is_empty() {
                buffer.push(b'\n');
                self.column = 0;
                self.indention = true;
            }
        }
    }
}

/// Are there characters that cannot just be copied, or that are more bytes than columns?
fn needs_care(text: &str, style: Style) -> bool {
    match style {
        Style::DoubleQuoted | Style::Ascii => scalar::needs_escape(text),
        Style::SingleQuoted => !text.is_ascii() || text.contains('\''),
        _ => !text.is_ascii(),
    }
}
