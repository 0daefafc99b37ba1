//! Which columns of a table fit the width of a terminal, and texts cut to a width.
//!
//! A table that is too wide loses its least important columns first, as many as are needed for the others to keep
//! a width at which they can be read. What is still too wide is cut with an ellipsis in its place. Nothing wraps at any
//! width: a wrapped row is read as two.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use super::pad::width_of;

/// In the place of what was cut. One column wide.
pub const ELLIPSIS: char = '\u{2026}';

/// How wide a column of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// As wide as its widest cell.
    pub natural: usize,
    /// The width down to which its cells may be cut. Equal to `natural` for what is never cut: numbers, times.
    pub least: usize,
}

/// The width of each column in a line of at most `width`, with `gap` between two; none for a column that is left
/// out. `drop_first` has the columns that may be left out, the least important one first.
///
/// If even the others do not fit, all are cut alike, and in a very narrow terminal the last ones are left out: the
/// line never becomes wider than the terminal.
#[must_use]
pub fn fit(needs: &[Need], drop_first: &[usize], gap: usize, width: usize) -> Vec<Option<usize>> {
    let mut is_shown = vec![true; needs.len()];
    let mut droppable = drop_first.iter();
    while total(needs, &is_shown, gap, |need| need.least.min(need.natural)) > width {
        let Some(next) = droppable.next() else { break };
        if let Some(shown) = is_shown.get_mut(*next) {
            *shown = false;
        }
    }
    let mut leasts: Vec<usize> = needs
        .iter()
        .map(|need| need.least.min(need.natural))
        .collect();
    if total(needs, &is_shown, gap, |need| need.least.min(need.natural)) > width {
        leasts.fill(1);
        while minimum(&is_shown, gap) > width {
            let Some(last) = is_shown.iter().rposition(|shown| *shown) else {
                break;
            };
            if let Some(shown) = is_shown.get_mut(last) {
                *shown = false;
            }
        }
    }
    share(needs, &leasts, &is_shown, gap, width)
}

/// The width of a line with the columns that are shown.
fn total(needs: &[Need], is_shown: &[bool], gap: usize, of: impl Fn(&Need) -> usize) -> usize {
    let shown = needs.iter().zip(is_shown).filter(|(_, shown)| **shown);
    let (mut sum, mut count) = (0_usize, 0_usize);
    for (need, _) in shown {
        sum = sum.saturating_add(of(need));
        count = count.saturating_add(1);
    }
    sum.saturating_add(gap.saturating_mul(count.saturating_sub(1)))
}

/// The narrowest line of the columns that are shown.
fn minimum(is_shown: &[bool], gap: usize) -> usize {
    let count = is_shown.iter().filter(|shown| **shown).count();
    count.saturating_add(gap.saturating_mul(count.saturating_sub(1)))
}

/// Shares the room among the columns: each gets its least, then the narrow ones as much as they need, and the
/// wide ones equal parts of what is left.
fn share(
    needs: &[Need],
    leasts: &[usize],
    is_shown: &[bool],
    gap: usize,
    width: usize,
) -> Vec<Option<usize>> {
    let columns = || needs.iter().zip(leasts).zip(is_shown);
    let shown = || {
        columns()
            .filter(|(_, shown)| **shown)
            .map(|(column, _)| column)
    };
    let gaps = gap.saturating_mul(shown().count().saturating_sub(1));
    let used = shown().fold(gaps, |sum, (need, least)| {
        sum.saturating_add((*least).min(need.natural))
    });
    let mut room = width.saturating_sub(used);
    // The width that each column needs beyond its least, the smallest need first.
    let mut wants: Vec<usize> = shown()
        .map(|(need, least)| need.natural.saturating_sub(*least))
        .filter(|want| *want > 0)
        .collect();
    wants.sort_unstable();
    let mut most = usize::MAX;
    let mut left = wants.len();
    for want in wants {
        let part = room.checked_div(left).unwrap_or_default();
        if want > part {
            most = part;
            break;
        }
        room = room.saturating_sub(want);
        left = left.saturating_sub(1);
    }
    columns()
        .map(|((need, least), shown)| {
            let least = (*least).min(need.natural);
            let more = need.natural.saturating_sub(least).min(most);
            shown.then(|| least.saturating_add(more))
        })
        .collect()
}

/// A text of at most `width` columns: its middle is cut, because names differ at their ends.
#[must_use]
pub fn cut_middle(text: &str, width: usize) -> Cow<'_, str> {
    if width_of(text) <= width {
        return Cow::Borrowed(text);
    }
    let kept = width.saturating_sub(1);
    let start = start_of(text, kept.div_ceil(2));
    let end = end_of(text, kept / 2);
    mark(start, end, width)
}

/// A text of at most `width` columns: its end is cut, as of a sentence or a list.
#[must_use]
pub fn cut_end(text: &str, width: usize) -> Cow<'_, str> {
    if width_of(text) <= width {
        return Cow::Borrowed(text);
    }
    mark(start_of(text, width.saturating_sub(1)), "", width)
}

fn mark<'t>(start: &str, end: &str, width: usize) -> Cow<'t, str> {
    let mut text = String::with_capacity(start.len().saturating_add(end.len()).saturating_add(3));
    if width > 0 {
        text.push_str(start);
        text.push(ELLIPSIS);
        text.push_str(end);
    }
    Cow::Owned(text)
}

fn width_of_character(c: char) -> usize {
    c.width().unwrap_or_default()
}

/// The longest start of a text that is at most so wide.
#[must_use]
pub fn start_of(text: &str, width: usize) -> &str {
    let mut used = 0_usize;
    for (at, c) in text.char_indices() {
        used = used.saturating_add(width_of_character(c));
        if used > width {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// The longest end of a text that is at most so wide.
fn end_of(text: &str, width: usize) -> &str {
    let mut used = 0_usize;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used = used.saturating_add(width_of_character(c));
        if used > width {
            break;
        }
        from = at;
    }
    text.get(from..).unwrap_or_default()
}

/// A sentence in lines of at most `width` columns, broken between words but not within a command in backticks. A command
/// that is longer than a line is not broken: the terminal does that, and a copy of it has no line break.
#[must_use]
pub fn wrap_around_commands(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // How many words and commands the last line has.
    let mut count = 0_usize;
    for unit in words_and_commands(text) {
        let wide = width_of(&unit);
        // A command that no line has room for stays after a single word: `hint:`.
        let is_kept = count == 1 && wide > width;
        match lines.last_mut() {
            Some(line)
                if is_kept || width_of(line).saturating_add(wide).saturating_add(1) <= width =>
            {
                line.push(' ');
                line.push_str(&unit);
                count = count.saturating_add(1);
            }
            _ => {
                lines.push(unit);
                count = 1;
            }
        }
    }
    lines
}

/// The words of a text; a command in backticks is one of them, blanks included.
fn words_and_commands(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut is_in_command = false;
    for word in text.split(' ') {
        match units.last_mut().filter(|_| is_in_command) {
            Some(unit) => {
                unit.push(' ');
                unit.push_str(word);
            }
            None => units.push(word.to_owned()),
        }
        is_in_command ^= word.matches('`').count() % 2 == 1;
    }
    units
}

/// A sentence in lines of at most `width` columns, broken between words; a word that is longer than a line is
/// broken where the line ends.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0_usize;
    for word in text.split(' ') {
        let wide = width_of(word);
        let with_blank = used.saturating_add(usize::from(used > 0));
        if used > 0 && with_blank.saturating_add(wide) > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used = with_blank;
        }
        let mut rest = word;
        while used.saturating_add(width_of(rest)) > width {
            let mut piece = start_of(rest, width.saturating_sub(used));
            if piece.is_empty() {
                // A character that is wider than the whole line.
                let first = rest.chars().next().map_or(0, char::len_utf8);
                piece = rest.get(..first).unwrap_or(rest);
            }
            line.push_str(piece);
            lines.push(std::mem::take(&mut line));
            used = 0;
            rest = rest.get(piece.len()..).unwrap_or_default();
        }
        line.push_str(rest);
        used = used.saturating_add(width_of(rest));
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    const FIXED: fn(usize) -> Need = |natural| Need {
        natural,
        least: natural,
    };

    fn cuttable(natural: usize, least: usize) -> Need {
        Need { natural, least }
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let needs = [FIXED(8), cuttable(30, 12), FIXED(6)];
        assert_eq!(fit(&needs, &[2], 2, 48), [Some(8), Some(30), Some(6)]);
    }

    #[test]
    fn names_are_cut_to_their_least_before_a_column_is_left_out() {
        let needs = [FIXED(8), cuttable(30, 12), FIXED(6)];
        assert_eq!(fit(&needs, &[2], 2, 40), [Some(8), Some(22), Some(6)]);
        assert_eq!(fit(&needs, &[2], 2, 30), [Some(8), Some(12), Some(6)]);
        assert_eq!(fit(&needs, &[2], 2, 29), [Some(8), Some(19), None]);
    }

    #[test]
    fn the_least_important_column_is_left_out_first() {
        let needs = [FIXED(10), FIXED(10), FIXED(10), FIXED(10)];
        let shown = |width| -> Vec<bool> {
            let widths = fit(&needs, &[2, 1], 2, width);
            widths.iter().map(Option::is_some).collect()
        };
        assert_eq!(shown(46), [true; 4]);
        assert_eq!(shown(45), [true, true, false, true]);
        assert_eq!(shown(33), [true, false, false, true]);
    }

    #[test]
    fn two_wide_columns_share_what_a_narrow_one_leaves() {
        let needs = [cuttable(100, 10), cuttable(12, 10), cuttable(100, 10)];
        assert_eq!(fit(&needs, &[], 2, 66), [Some(25), Some(12), Some(25)]);
    }

    #[test]
    fn no_line_is_wider_than_any_terminal() {
        let mut compared = 0;
        for count in 0..9 {
            for natural in [0, 1, 5, 30, 2000] {
                let needs: Vec<Need> = (0..count)
                    .map(|index| cuttable(natural, if index % 2 == 0 { 8 } else { natural }))
                    .collect();
                for width in 0..130 {
                    let widths = fit(&needs, &[1, 3], 2, width);
                    let shown: Vec<usize> = widths.into_iter().flatten().collect();
                    let used = shown.iter().sum::<usize>() + 2 * shown.len().saturating_sub(1);
                    assert!(used <= width, "{count} of {natural} in {width}: {shown:?}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 5000);
    }

    #[test]
    fn a_name_is_cut_in_its_middle() {
        assert_eq!(cut_middle("web-5f9d8-abcde", 20), "web-5f9d8-abcde");
        assert_eq!(cut_middle("web-5f9d8-abcde", 9), "web-\u{2026}bcde");
        assert_eq!(cut_middle("web-5f9d8-abcde", 1), "\u{2026}");
        assert_eq!(cut_middle("web-5f9d8-abcde", 0), "");
        assert_eq!(cut_end("web-5f9d8-abcde", 5), "web-\u{2026}");
    }

    #[test]
    fn a_wide_character_is_cut_whole() {
        let text = "\u{540d}".repeat(10);
        for width in 0..21 {
            assert!(width_of(&cut_middle(&text, width)) <= width, "{width}");
            assert!(width_of(&cut_end(&text, width)) <= width, "{width}");
        }
        assert_eq!(cut_middle(&text, 6), "\u{540d}\u{2026}\u{540d}");
    }

    #[test]
    fn a_sentence_is_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 100), ["one two three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("\u{540d}\u{540d}", 1), ["\u{540d}", "\u{540d}"]);
        for width in 1..40 {
            let text = "a word, anotherword and \u{540d}\u{524d} at the end";
            let lines = wrap(text, width);
            let widest = lines.iter().map(|line| width_of(line)).max();
            assert!(widest <= Some(width.max(2)), "{width}: {lines:?}");
            let letters = |text: &str| text.replace(' ', "");
            assert_eq!(letters(&lines.concat()), letters(text));
        }
    }
}
