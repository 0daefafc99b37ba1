//! `--side-by-side`: two versions of an object beside each other, as `diff -y` does.
//!
//! ```text
//! @@ -9,7 +9,7 @@
//!   replicas: 2             |   replicas: 5
//!   selector:                   selector:
//!                           >   paused: true
//! ```
//!
//! The sign in the middle shows what happened: `|` changed, `<` only in the old version, `>` only in the new one. A line
//! that is too long continues on the lines below: nothing is cut.

use std::io::{self, Write};

use similar::{DiffOp, DiffTag};

use super::super::pad::blanks;
use super::lines::{Hunks, TextSide, span};
use super::words::{self, Kind, Painted};
use super::{Paint, Style};

/// Number of columns between the two sides: a blank, the sign, a blank.
const MIDDLE: usize = 3;

/// A line of one side, folded into lines that fit. Each has its width in columns.
type Folded = Vec<(String, usize)>;

/// Writes the hunks of two texts beside each other in lines of at most `width` columns.
///
/// # Errors
/// Those of the writer.
pub fn write_side_by_side(
    out: &mut dyn Write,
    old: Option<TextSide<'_>>,
    new: Option<TextSide<'_>>,
    style: &Style,
    width: usize,
) -> io::Result<()> {
    let text = |side: Option<TextSide<'_>>| {
        side.map_or_else(String::new, |side| side.text.replace('\t', "    "))
    };
    let (old, new) = (text(old), text(new));
    let hunks = Hunks::new(&old, &new);
    let half = width.saturating_sub(MIDDLE) / 2;
    let mut sides = Sides { out, style, half };
    for group in &hunks.groups {
        let Paint { before, after } = style.note;
        let old = span(group.iter().map(DiffOp::old_range));
        let new = span(group.iter().map(DiffOp::new_range));
        writeln!(sides.out, "{before}@@ -{old} +{new} @@{after}")?;
        for op in group {
            let left = hunks.old.get(op.old_range()).unwrap_or_default();
            let right = hunks.new.get(op.new_range()).unwrap_or_default();
            sides.op(op.tag(), left, right)?;
        }
    }
    Ok(())
}

/// Writes both sides, line by line.
struct Sides<'o> {
    out: &'o mut dyn Write,
    style: &'o Style,
    /// Width of one side in columns.
    half: usize,
}

impl Sides<'_> {
    /// The lines of one step from the old text to the new one; those of a replacement are beside each other.
    fn op(&mut self, tag: DiffTag, left: &[&str], right: &[&str]) -> io::Result<()> {
        for index in 0..left.len().max(right.len()) {
            match (left.get(index), right.get(index)) {
                (Some(old), Some(new)) if tag == DiffTag::Equal => {
                    let plain = Paint::default();
                    self.line(self.whole(old, plain), ' ', self.whole(new, plain))?;
                }
                (Some(old), Some(new)) => self.changed(old, new)?,
                (Some(old), None) => {
                    let old = self.whole(old, self.style.removed);
                    self.line(old, '<', Folded::new())?;
                }
                (None, Some(new)) => {
                    let new = self.whole(new, self.style.added);
                    self.line(Folded::new(), '>', new)?;
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// A changed line. With `--word`, the words that differ are marked.
    fn changed(&mut self, old: &str, new: &str) -> io::Result<()> {
        let (old, new) = (without_end(old), without_end(new));
        let pieces = self.style.words.then(|| words::pieces(old, new)).flatten();
        let Some(pieces) = pieces else {
            let old = self.whole(old, self.style.removed);
            let new = self.whole(new, self.style.added);
            return self.line(old, '|', new);
        };
        let side = |skip| words::fold(&words::marked(&pieces, Some(skip), self.style), self.half);
        self.line(side(Kind::Added), '|', side(Kind::Removed))
    }

    /// A line without marked words, folded.
    fn whole(&self, line: &str, paint: Paint) -> Folded {
        let text = self.style.cleaned(without_end(line)).into_owned();
        words::fold(&[Painted { paint, text }], self.half)
    }

    /// Writes one line of each side with the sign between them.
    fn line(&mut self, left: Folded, mark: char, right: Folded) -> io::Result<()> {
        let paint = match mark {
            '<' => self.style.removed,
            '>' => self.style.added,
            '|' => self.style.changed,
            _ => Paint::default(),
        };
        for index in 0..left.len().max(right.len()) {
            let (text, used) = left
                .get(index)
                .map_or(("", 0), |(text, used)| (text, *used));
            let other = right.get(index).map_or("", |(text, _)| text);
            let fill = blanks(self.half.saturating_sub(used));
            let shown = if index == 0 { mark } else { ' ' };
            let Paint { before, after } = paint;
            let line = format!("{text}{fill} {before}{shown}{after} {other}");
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn without_end(line: &str) -> &str {
    line.strip_suffix('\n').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::super::super::pad::width_of;
    use super::*;

    fn sides(old: &str, new: &str, width: usize, words: bool) -> String {
        let mut out = Vec::new();
        let side = |text| {
            Some(TextSide {
                mod_revision: 1,
                text,
            })
        };
        let style = Style {
            words,
            ..Style::default()
        };
        let _ = write_side_by_side(&mut out, side(old), side(new), &style, width);
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn versions_are_beside_each_other_with_a_sign_between() {
        assert_eq!(
            sides("a: 1\nb: 2\nc: 3\n", "a: 1\nb: 5\nc: 3\nd: 4\n", 23, false),
            "@@ -1,3 +1,4 @@\n\
             a: 1         a: 1\n\
             b: 2       | b: 5\n\
             c: 3         c: 3\n\
             \u{20}          > d: 4\n"
        );
        assert_eq!(sides("a\n", "a\n", 23, false), "");
    }

    #[test]
    fn a_long_line_goes_on_below_itself() {
        let (old, new) = ("x".repeat(12), "y".repeat(7));
        assert_eq!(
            sides(&old, &new, 13, false),
            "@@ -1 +1 @@\nxxxxx | yyyyy\nxxxxx   yy\nxx\n"
        );
        for width in 5..60 {
            let text = sides(
                "one two three \u{540d}\u{524d}\n",
                "one two four\n",
                width,
                true,
            );
            let lines = text.lines().filter(|line| !line.starts_with("@@"));
            let widest = lines.map(width_of).max();
            assert!(widest <= Some(width), "{width}: {text}");
        }
    }

    #[test]
    fn a_changed_word_is_marked_on_both_sides() {
        let text = sides(
            "args: run --port 80 --host a\n",
            "args: run --port 81 --host a\n",
            90,
            true,
        );
        let line = text.lines().nth(1).unwrap_or_default();
        assert!(line.contains("--port [-80-] --host a"), "{line}");
        assert!(line.contains("--port {+81+} --host a"), "{line}");
    }
}
