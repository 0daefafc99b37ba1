//! One line of a dump: its offset, and the bytes after it.

use super::super::form::Form;

/// A line in its parts.
pub(super) struct Row<'t> {
    /// The digits of the offset.
    pub(super) offset: &'t str,
    /// What follows.
    pub(super) body: &'t str,
}

impl<'t> Row<'t> {
    pub(super) fn parse(line: &'t str) -> Option<Self> {
        let end = line
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(line.len());
        let (offset, body) = line.split_at_checked(end)?;
        (!offset.is_empty()).then_some(Self { offset, body })
    }
}

/// How the bytes of a line are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Groups of hexadecimal digits after a colon, then the characters. How they are written is known from the first line.
    Xxd(Option<Groups>),
    /// Numbers of one width, little endian if they are longer than a byte; maybe the characters after `|` or `>`.
    Numbers(NumberWidth),
    /// A byte in four columns, as a character, an escape or three octal digits.
    Characters,
}

/// The groups of a line of `xxd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Groups {
    order: GroupOrder,
    /// Where the characters begin; none if the dump lacks them.
    column: Option<usize>,
}

/// The order of the bytes in a group of `xxd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupOrder {
    Natural,
    /// With -e.
    Reversed,
}

/// Numbers of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberWidth {
    radix: u32,
    digits: usize,
    bytes: usize,
}

/// The widths that dumps have: radix, digits, bytes. Those of three octal digits are [`Layout::Characters`] as well.
const WIDTHS: [(u32, usize, usize); 7] = [
    (16, 2, 1),
    (16, 4, 2),
    (16, 8, 4),
    (16, 16, 8),
    (8, 6, 2),
    (8, 11, 4),
    (8, 22, 8),
];

/// `od -A x` writes so many digits, the others more.
pub(super) const SHORTEST_OFFSET: usize = 6;

/// Columns of a byte that is shown as a character.
const CELL: usize = 4;

impl Layout {
    /// The layout of a dump with this line; none if it is not of a dump.
    pub(super) fn recognise(line: &str) -> Option<Self> {
        let Row { offset, body } = Row::parse(line)?;
        if offset.len() < SHORTEST_OFFSET {
            return None;
        }
        if body.starts_with(':') {
            return Some(Self::Xxd(None));
        }
        let first = body.split_whitespace().next()?;
        let numbers = WIDTHS
            .iter()
            .filter(|(_, digits, _)| *digits == first.len())
            .map(|&(radix, digits, bytes)| NumberWidth {
                radix,
                digits,
                bytes,
            });
        let numbers = numbers.map(Self::Numbers);
        let mut layouts = numbers.chain([Self::Characters]);
        layouts.find(|layout| {
            let (mut layout, mut bytes) = (*layout, Vec::new());
            layout.append(body, &mut bytes) && !bytes.is_empty()
        })
    }

    /// How many bytes a number has: the last one may be filled up with zeros.
    pub(super) fn word_bytes(self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.bytes,
            Self::Xxd(_) | Self::Characters => 1,
        }
    }

    /// Whether spaces at the end of a line are bytes.
    pub(super) fn has_invisible_bytes(self) -> bool {
        self == Self::Characters
    }

    /// Whether offsets are hexadecimal in any case.
    pub(super) fn is_xxd(self) -> bool {
        matches!(self, Self::Xxd(_))
    }

    /// The program that prints so.
    pub(super) fn form(self, is_hexdump: bool) -> Form {
        match self {
            Self::Xxd(_) => Form::Xxd,
            _ if is_hexdump => Form::Hexdump,
            _ => Form::Od,
        }
    }

    /// Appends the bytes of a line after its offset; the last line has none. False if it is not of this layout.
    pub(super) fn append(&mut self, body: &str, bytes: &mut Vec<u8>) -> bool {
        if body.is_empty() {
            return true;
        }
        let appended = match self {
            Self::Xxd(groups) => append_xxd(body, groups, bytes),
            Self::Numbers(width) => append_numbers(body, *width, bytes),
            Self::Characters => append_characters(body, bytes),
        };
        appended.is_some()
    }
}

fn append_xxd(body: &str, known: &mut Option<Groups>, bytes: &mut Vec<u8>) -> Option<()> {
    let body = body.strip_prefix(':')?;
    let body = body.strip_prefix(' ').unwrap_or(body);
    // With -e an incomplete group has spaces before it.
    let at = known.map_or_else(|| body.find("  "), |groups| groups.column);
    let (groups, column) = at
        .and_then(|at| body.split_at_checked(at))
        .unwrap_or((body, ""));
    let (mut natural, mut reversed) = (Vec::new(), Vec::new());
    for group in groups.split_ascii_whitespace() {
        let (pairs, rest) = group.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        let start = natural.len();
        for pair in pairs {
            let digits = std::str::from_utf8(pair).ok()?;
            natural.push(u8::try_from(number(digits, 16)?).ok()?);
        }
        reversed.extend(natural.get(start..)?.iter().rev());
    }
    let candidates = [
        (GroupOrder::Natural, natural),
        (GroupOrder::Reversed, reversed),
    ];
    let fits = |(of, line): &(GroupOrder, Vec<u8>)| {
        known.is_none_or(|groups| groups.order == *of) && agrees(line, column)
    };
    let (order, line) = candidates.into_iter().find(fits)?;
    *known = Some(Groups { order, column: at });
    bytes.extend_from_slice(&line);
    Some(())
}

fn append_numbers(body: &str, width: NumberWidth, bytes: &mut Vec<u8>) -> Option<()> {
    let numbers = body.split_once(['|', '>']);
    let (numbers, column) = numbers.unwrap_or((body, ""));
    let start = bytes.len();
    for word in numbers.split_ascii_whitespace() {
        if word.len() != width.digits {
            return None;
        }
        let number = number(word, width.radix)?.to_le_bytes();
        let (low, high) = number.split_at_checked(width.bytes)?;
        if high.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(low);
    }
    let column = column.strip_suffix(['|', '<']).unwrap_or(column);
    agrees(bytes.get(start..)?, column).then_some(())
}

/// A number of digits alone.
fn number(digits: &str, radix: u32) -> Option<u64> {
    let is_digit = |c: char| c.is_digit(radix);
    let number = digits.chars().all(is_digit).then_some(digits)?;
    u64::from_str_radix(number, radix).ok()
}

/// Whether the characters beside the bytes are theirs. A dump may lack them.
fn agrees(bytes: &[u8], column: &str) -> bool {
    let column = column.trim();
    let is_space = |byte: &u8| *byte == b' ';
    let begin = bytes.iter().position(|byte| !is_space(byte));
    let end = bytes.iter().rposition(|byte| !is_space(byte));
    let (Some(begin), Some(end)) = (begin, end) else {
        return column.is_empty();
    };
    let shown = bytes.get(begin..=end).unwrap_or_default();
    let is_shown_as = |(byte, c): (&u8, char)| !byte.is_ascii_graphic() || char::from(*byte) == c;
    column.is_empty()
        || column.chars().count() == shown.len()
            && shown.iter().zip(column.chars()).all(is_shown_as)
}

/// The short escapes of `od -c`.
const ESCAPES: [(&str, u8); 8] = [
    ("\\0", 0),
    ("\\a", 7),
    ("\\b", 8),
    ("\\t", 9),
    ("\\n", 10),
    ("\\v", 11),
    ("\\f", 12),
    ("\\r", 13),
];

fn append_characters(body: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let mut columns = body.chars().peekable();
    while columns.peek().is_some() {
        let cell: String = columns.by_ref().take(CELL).collect();
        let shown = cell.trim_start_matches(' ');
        let escape = ESCAPES.iter().find(|(escape, _)| *escape == shown);
        let mut characters = shown.chars();
        match (characters.next(), characters.next(), escape) {
            (None, ..) if cell.len() == CELL => bytes.push(b' '),
            (_, _, Some((_, byte))) => bytes.push(*byte),
            // The first byte of a rune is shown as the whole rune, the others so.
            (Some('*'), Some('*'), _) if shown.len() == 2 => {}
            (Some(character), None, _) if cell.chars().count() == CELL => {
                let mut text = [0; 4];
                bytes.extend_from_slice(character.encode_utf8(&mut text).as_bytes());
            }
            _ if shown.len() == 3 => bytes.push(u8::try_from(number(shown, 8)?).ok()?),
            _ => return None,
        }
    }
    Some(())
}
