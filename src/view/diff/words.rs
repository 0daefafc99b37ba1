//! `--word`: what changed within two texts, marked as `git diff --word-diff` does: `[-old-]{+new+}`.

use similar::DiffTag;
use unicode_width::UnicodeWidthChar;

use super::super::fit::ELLIPSIS;
use super::{Paint, Style};
use crate::k8s::diff::steps::steps;

/// A longer text is shown without marks: comparing it would take too long.
const LONGEST_BYTES: usize = 64 << 10;

/// A shorter text is read at a glance.
const SHORTEST_BYTES: usize = 16;

/// How much of what is the same is shown around a change on a terminal, in characters.
const CONTEXT: usize = 24;

/// What the mask of a secret begins with: a part of one means nothing.
const MASK: &str = "<masked #";

/// A part of two texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Same,
    Removed,
    Added,
}

/// The pieces of two texts; none if marks would not help: a text is very short or long, or nearly all of it differs.
pub(super) fn pieces(old: &str, new: &str) -> Option<Vec<Piece>> {
    let is_fit =
        |text: &str| (SHORTEST_BYTES..=LONGEST_BYTES).contains(&text.len()) && !text.contains(MASK);
    if !is_fit(old) || !is_fit(new) {
        return None;
    }
    let (old_words, new_words) = (words(old), words(new));
    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |kind, words: &[&str]| {
        let text = words.concat();
        match pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.kind == kind => last.text.push_str(&text),
            _ => pieces.push(Piece { kind, text }),
        }
    };
    for op in steps(&old_words, &new_words) {
        let before = old_words.get(op.old_range()).unwrap_or_default();
        let after = new_words.get(op.new_range()).unwrap_or_default();
        if op.tag() == DiffTag::Equal {
            push(Kind::Same, before);
        } else {
            push(Kind::Removed, before);
            push(Kind::Added, after);
        }
    }
    let same = pieces.iter().filter(|piece| piece.kind == Kind::Same);
    let same: usize = same.map(|piece| piece.text.len()).sum();
    let least = old.len().min(new.len()) / 3;
    (same >= least).then_some(pieces)
}

/// A text in words, blanks, and single other characters.
fn words(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        ' ' => 1,
        _ => 2,
    };
    let mut words = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in text.char_indices() {
        let this = class(c);
        if before.is_some_and(|before| before != this || this == 2) {
            words.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
        before = Some(this);
    }
    words.push(text.get(start..).unwrap_or_default());
    words.retain(|word| !word.is_empty());
    words
}

/// A text with its paint.
#[derive(Debug, Clone)]
pub(super) struct Painted {
    pub(super) paint: Paint,
    pub(super) text: String,
}

/// The pieces with their marks, harmless where they are printed. `skip`: a kind that is not shown, on one side of two.
pub(super) fn marked(pieces: &[Piece], skip: Option<Kind>, style: &Style) -> Vec<Painted> {
    let shown = pieces.iter().filter(|piece| Some(piece.kind) != skip);
    let painted = shown.map(|Piece { kind, text }| {
        let text = style.cleaned(text);
        match kind {
            Kind::Same => Painted {
                paint: Paint::default(),
                text: text.into_owned(),
            },
            Kind::Removed => Painted {
                paint: style.removed,
                text: format!("[-{text}-]"),
            },
            Kind::Added => Painted {
                paint: style.added,
                text: format!("{{+{text}+}}"),
            },
        }
    });
    painted.collect()
}

/// The same with an ellipsis in the place of what is the same for long.
pub(super) fn shortened(mut pieces: Vec<Piece>) -> Vec<Piece> {
    for piece in pieces.iter_mut().filter(|piece| piece.kind == Kind::Same) {
        let count = piece.text.chars().count();
        if count > CONTEXT.saturating_mul(2).saturating_add(1) {
            let start: String = piece.text.chars().take(CONTEXT).collect();
            let end = piece.text.chars().skip(count.saturating_sub(CONTEXT));
            piece.text = start.chars().chain([ELLIPSIS]).chain(end).collect();
        }
    }
    pieces
}

/// Painted texts in lines of at most `width` columns, each with its own colours, and how wide each line is.
pub(super) fn fold(texts: &[Painted], width: usize) -> Vec<(String, usize)> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0_usize);
    for Painted { paint, text } in texts {
        let Paint { before, after } = *paint;
        line.push_str(before);
        for c in text.chars() {
            let wide = c.width().unwrap_or_default();
            if used > 0 && used.saturating_add(wide) > width {
                line.push_str(after);
                lines.push((std::mem::take(&mut line), used));
                line.push_str(before);
                used = 0;
            }
            line.push(c);
            used = used.saturating_add(wide);
        }
        line.push_str(after);
    }
    lines.push((line, used));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(old: &str, new: &str) -> Option<String> {
        let pieces = pieces(old, new)?;
        let marked = marked(&pieces, None, &Style::default());
        Some(marked.into_iter().map(|painted| painted.text).collect())
    }

    #[test]
    fn what_changed_within_a_text_is_marked() {
        assert_eq!(
            text(
                "nginx -c /etc/nginx.conf -v 1",
                "nginx -c /etc/other.conf -v 1"
            )
            .as_deref(),
            Some("nginx -c /etc/[-nginx-]{+other+}.conf -v 1")
        );
        assert_eq!(
            text("one two three four", "one two three four five").as_deref(),
            Some("one two three four{+ five+}")
        );
    }

    #[test]
    fn texts_that_share_little_or_are_masked_are_not_marked() {
        assert_eq!(text("abcdefghijklmnopqrst", "0123456789012345678"), None);
        assert_eq!(text("short", "shorter"), None);
        assert_eq!(
            text("<masked #1, 30 bytes> here", "<masked #2, 30 bytes> here"),
            None
        );
    }

    #[test]
    fn the_pieces_of_one_side_are_that_text() {
        let (old, new) = ("a b c d e f g h i j k", "a b x d e f g y h i j k");
        let all = pieces(old, new).unwrap_or_default();
        let side = |skip| -> String {
            let kept = all.iter().filter(|piece| piece.kind != skip);
            kept.map(|piece| piece.text.as_str()).collect()
        };
        assert_eq!(side(Kind::Added), old);
        assert_eq!(side(Kind::Removed), new);
    }

    #[test]
    fn a_long_stretch_of_the_same_is_shortened() {
        let same = "x".repeat(100);
        let pieces = shortened(vec![Piece {
            kind: Kind::Same,
            text: same,
        }]);
        let text = pieces.first().map(|piece| piece.text.chars().count());
        assert_eq!(text, Some(2 * CONTEXT + 1));
    }

    #[test]
    fn folded_lines_have_their_own_colours() {
        let texts = [Painted {
            paint: Paint {
                before: "<",
                after: ">",
            },
            text: "abcde".to_owned(),
        }];
        let lines = fold(&texts, 2);
        let lines: Vec<_> = lines
            .iter()
            .map(|(line, used)| (line.as_str(), *used))
            .collect();
        assert_eq!(lines, [("<ab>", 2), ("<cd>", 2), ("<e>", 1)]);
    }
}
