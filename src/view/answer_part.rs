//! A short answer in parts: tables, facts, and sentences between them.
//!
//! In a pipe each sentence is one line. On a terminal it is broken between words, and its lines after the first are
//! indented, so that each sentence is still seen as one.

use std::io::{self, Write};

use super::fit::{wrap, wrap_around_commands};
use super::pad::blanks;
use super::rows::Rows;
use super::style::{Paint, Style};

/// How many blanks are before the second and later lines of a sentence.
const HANGING: usize = 4;

/// A terminal narrower than this has no room for an indentation.
const LEAST_INDENTED: usize = 24;

/// One part of an answer.
#[derive(Debug)]
pub enum AnswerPart {
    /// A table, or facts in two columns.
    Table(Rows),
    /// A sentence of one line.
    Line {
        /// The sentence; empty for a blank line.
        text: String,
        /// How many of its first bytes are painted.
        painted: usize,
        /// How they are painted.
        paint: fn(&Style) -> Paint,
        /// Where a terminal may break it.
        breaks: Breaks,
    },
}

/// Where a sentence may be broken if it is wider than the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// Between any two words.
    Words,
    /// Between words, but not within a command in backticks, because it may be pasted.
    AroundCommands,
    /// Nowhere: the whole line may be pasted.
    Never,
}

impl AnswerPart {
    /// A sentence, or a blank line.
    pub fn line(text: impl Into<String>) -> Self {
        Self::painted(text, 0, |_| Paint::default())
    }

    /// A sentence whose first bytes are painted.
    pub fn painted(text: impl Into<String>, painted: usize, paint: fn(&Style) -> Paint) -> Self {
        Self::Line {
            text: text.into(),
            painted,
            paint,
            breaks: Breaks::Words,
        }
    }

    /// The same, but it stays on one line: a command to paste.
    pub fn unbroken(text: impl Into<String>, painted: usize, paint: fn(&Style) -> Paint) -> Self {
        Self::Line {
            text: text.into(),
            painted,
            paint,
            breaks: Breaks::Never,
        }
    }

    /// A hint: its commands in backticks stay whole.
    pub fn hint(text: impl Into<String>, painted: usize, paint: fn(&Style) -> Paint) -> Self {
        Self::Line {
            text: text.into(),
            painted,
            paint,
            breaks: Breaks::AroundCommands,
        }
    }

    /// A heading.
    pub fn heading(text: &str) -> Self {
        Self::painted(text, text.len(), |style| style.header)
    }

    /// A line for each line of a text.
    pub fn lines(text: &str) -> impl Iterator<Item = Self> {
        text.lines().map(Self::line)
    }

    /// The paragraphs of a page of the documentation, whose lines are broken by hand. A line that does not end a sentence
    /// continues on the next one. Indented lines are code, and stay as they are.
    pub fn paragraphs(page: &str) -> Vec<Self> {
        const CODE: &str = "    ";
        let mut paragraphs: Vec<String> = Vec::new();
        for line in page.lines() {
            let is_alone = line.is_empty() || line.starts_with([' ', '|', '-']);
            match paragraphs
                .last_mut()
                .filter(|last| !is_alone && continues(last))
            {
                Some(last) => {
                    last.push(' ');
                    last.push_str(line);
                }
                None => paragraphs.push(line.to_owned()),
            }
        }
        let parts = paragraphs
            .into_iter()
            .map(|text| match text.starts_with(CODE) {
                true => Self::unbroken(text, 0, |_| Paint::default()),
                false => Self::line(text),
            });
        parts.collect()
    }
}

/// Writes the parts one after the other. Returns the names of the table columns that are left out because the terminal
/// is too narrow.
///
/// # Errors
/// Those of the writer.
pub fn write<'b>(
    parts: &'b [AnswerPart],
    out: &mut dyn Write,
    style: &Style,
) -> io::Result<Vec<&'b str>> {
    let mut left_out = Vec::new();
    for block in parts {
        match block {
            AnswerPart::Table(rows) => left_out.extend(rows.write(out, style)?),
            AnswerPart::Line {
                text,
                painted,
                paint,
                breaks,
            } => {
                let (style, wrap): (_, Wrap) = match breaks {
                    Breaks::Words => (*style, wrap),
                    Breaks::AroundCommands => (*style, wrap_around_commands),
                    Breaks::Never => (style.uncut(), wrap),
                };
                write_line(text, (*painted, paint(&style)), out, &style, wrap)?;
            }
        }
    }
    Ok(left_out)
}

/// Breaks a text into lines of a width.
type Wrap = fn(&str, usize) -> Vec<String>;

/// Whether the next line of a page continues this one: it is prose, and does not end a sentence.
fn continues(line: &str) -> bool {
    !line.is_empty() && !line.starts_with([' ', '|']) && !line.ends_with(['.', ':', '?'])
}

/// The parts as they are written to a pipe.
#[must_use]
pub fn text(parts: &[AnswerPart]) -> String {
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = write(parts, &mut text, &Style::default());
    String::from_utf8(text).unwrap_or_default()
}

/// Writes a sentence whose first `painted` bytes are painted. If it is wider than the terminal, it is broken between
/// words, and its later lines are indented: by its own leading blanks and [`HANGING`].
fn write_line(
    text: &str,
    (painted, paint): (usize, Paint),
    out: &mut dyn Write,
    style: &Style,
    wrap: Wrap,
) -> io::Result<()> {
    let (first, rest) = text.split_at_checked(painted).unwrap_or(("", text));
    let (first, rest) = (style.cleaned(first), style.cleaned(rest));
    let Paint { before, after } = paint;
    // In a pipe, or for a line to paste, there is no width.
    let Some(width) = style.width else {
        return match &*first {
            "" => writeln!(out, "{rest}"),
            first => writeln!(out, "{before}{first}{after}{rest}"),
        };
    };
    let whole = format!("{first}{rest}");
    // The leading blanks are not words: they are written again before the first line.
    let body = whole.trim_start_matches(' ');
    let margin = whole.len().saturating_sub(body.len());
    let lead = margin.min(width / 2);
    let indent = if width < LEAST_INDENTED {
        0
    } else {
        margin.saturating_add(HANGING).min(width / 2)
    };
    // The first line begins after the leading blanks; the others begin after the indentation.
    let mut lines = wrap(body, width.saturating_sub(lead)).into_iter();
    let head = lines.next().unwrap_or_default();
    let left = body.get(head.len()..).unwrap_or_default().trim_start();
    let head = format!("{}{head}", blanks(lead));
    match head.split_at_checked(first.len()) {
        Some((painted, rest)) if !first.is_empty() => {
            writeln!(out, "{before}{painted}{after}{rest}")?;
        }
        _ => writeln!(out, "{head}")?,
    }
    if left.is_empty() {
        return Ok(());
    }
    for line in wrap(left, width.saturating_sub(indent)) {
        writeln!(out, "{}{line}", blanks(indent))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(width: usize, parts: &[AnswerPart]) -> String {
        let mut text = Vec::new();
        let style = Style {
            width: Some(width),
            ..Style::default()
        };
        let _ = write(parts, &mut text, &style);
        String::from_utf8(text).unwrap_or_default()
    }

    #[test]
    fn a_sentence_is_one_line_in_a_pipe_and_broken_on_a_terminal() {
        let parts = [AnswerPart::painted(
            "error: the page is not what it says",
            5,
            |style| style.error,
        )];
        assert_eq!(text(&parts), "error: the page is not what it says\n");
        assert_eq!(at(30, &parts), "error: the page is not what it\n    says\n");
        assert_eq!(at(8, &parts), "error:\nthe page\nis not\nwhat it\nsays\n");
        let mut coloured = Vec::new();
        let _ = write(&parts, &mut coloured, &Style::coloured());
        assert_eq!(
            coloured,
            b"\x1b[1;31merror\x1b[0m: the page is not what it says\n"
        );
    }

    #[test]
    fn a_sentence_with_leading_blanks_keeps_them_and_every_word_once() {
        let sentence = "   Once per member, with --name, --initial-cluster and --initial-advertise-peer-urls. The bump makes caches of clients start again; it must be larger than the number of revisions written since.";
        let words: Vec<&str> = sentence.split_whitespace().collect();
        for width in [40, 60, 80, 100, 120, 200] {
            let shown = at(width, &[AnswerPart::line(sentence)]);
            let mut lines = shown.lines();
            let first = lines.next().unwrap_or_default();
            assert!(first.starts_with("   Once"), "{width}: {shown}");
            assert!(
                lines.all(|line| line.starts_with("       ")),
                "{width}: {shown}"
            );
            assert!(shown.lines().all(|line| line.len() <= width), "{shown}");
            let again: Vec<&str> = shown.split_whitespace().collect();
            assert_eq!(again, words, "{width}");
        }
    }

    #[test]
    fn a_command_in_a_hint_stays_whole() {
        let text = "hint: `etcdive ls db` lists them, and `etcdive explain a-code-with-a-long-name` says what to do";
        let parts = [AnswerPart::hint(text, 5, |_| Paint::default())];
        assert_eq!(
            at(40, &parts),
            "hint: `etcdive ls db` lists them, and\n    `etcdive explain a-code-with-a-long-name`\n    says what to do\n"
        );
        let long = format!("hint: `etcdive {}` helps", "word ".repeat(9).trim_end());
        let parts = [AnswerPart::hint(&long, 5, |_| Paint::default())];
        let shown = at(30, &parts);
        assert_eq!(
            shown,
            format!("{}\n    helps\n", long.trim_end_matches(" helps"))
        );
    }

    #[test]
    fn lines_of_a_page_that_are_broken_by_hand_are_joined() {
        let page = "One sentence\nin two lines.\nAnother one.\n\n    $ a command\n    its output\n| a | row |\n| b | row |\n- an item that\ngoes on\n- another";
        let expected = "One sentence in two lines.\nAnother one.\n\n    $ a command\n    its output\n| a | row |\n| b | row |\n- an item that goes on\n- another\n";
        assert_eq!(text(&AnswerPart::paragraphs(page)), expected);
    }

    #[test]
    fn a_blank_line_stays_one() {
        assert_eq!(
            at(30, &[AnswerPart::line(""), AnswerPart::line("a")]),
            "\na\n"
        );
    }
}
