//! Parses the text of a template into nodes (upstream: `util/jsonpath/parser.go` of k8s.io/client-go).
//!
//! The only grammar of the language is upstream's parser, and this parser accepts exactly what that one accepts, including
//! its peculiarities: a union is split at every comma and a quoted key at every dot, the first `]` ends an array, and the
//! first `)` outside of the first quotes ends a filter. A path that works with kubectl must give the same result here, and
//! vice versa.

use super::JsonPathError;
use super::node::{Bound, Comparison, Filter, Node, Operator, Part, Slice};

/// The nesting limit of texts that are parsed again (a filter in a quoted key in a union, ...). Real templates have two
/// levels.
const MAX_DEPTH: usize = 32;

/// Parses a template: text, and actions in braces.
pub(super) fn template(text: &str) -> Result<Vec<Part>, JsonPathError> {
    parts(text, 0)
}

/// Splits a text into plain texts and actions.
fn parts(text: &str, depth: usize) -> Result<Vec<Part>, JsonPathError> {
    if depth > MAX_DEPTH {
        return Err(JsonPathError::NestedTooDeep);
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((plain, action)) = rest.split_once('{') {
        if !plain.is_empty() {
            parts.push(Part::Text(plain.as_bytes().to_vec()));
        }
        let mut parser = Parser::new(action, depth);
        parts.push(Part::Action(parser.action()?));
        rest = parser.rest();
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.as_bytes().to_vec()));
    }
    Ok(parts)
}

/// Parses a part of an action as an action of its own.
fn nodes_of(inner: &str, depth: usize) -> Result<Vec<Node>, JsonPathError> {
    let braced = format!("{{{inner}}}");
    match parts(&braced, depth.saturating_add(1))?.into_iter().next() {
        Some(Part::Action(nodes)) => Ok(nodes),
        _ => Ok(Vec::new()),
    }
}

/// Parses one action. `start` is the offset at which the current token starts.
struct Parser<'t> {
    text: &'t str,
    start: usize,
    position: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, depth: usize) -> Self {
        Self {
            text,
            start: 0,
            position: 0,
            depth,
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.position = self.position.saturating_add(next.len_utf8());
        Some(next)
    }

    /// Skips a prefix of the rest; returns whether it was there.
    fn skip(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.position = self.position.saturating_add(prefix.len());
        }
        found
    }

    /// The text since the last token.
    fn token(&mut self) -> &'t str {
        let token = self.text.get(self.start..self.position).unwrap_or_default();
        self.start = self.position;
        token
    }

    /// The byte before the character just read.
    fn byte_before(&self) -> Option<u8> {
        let at = self.position.checked_sub(2)?;
        self.text.as_bytes().get(at).copied()
    }

    /// Parses nodes up to the closing brace.
    fn action(&mut self) -> Result<Vec<Node>, JsonPathError> {
        let mut nodes = Vec::new();
        loop {
            if self.skip("}") {
                return Ok(nodes);
            }
            if self.skip("[?(") {
                self.filter(&mut nodes)?;
            } else if self.skip("..") {
                self.recursive(&mut nodes)?;
            } else {
                self.simple(&mut nodes)?;
            }
            self.token();
        }
    }

    /// Parses one node that is neither a filter nor a recursive descent.
    fn simple(&mut self, nodes: &mut Vec<Node>) -> Result<(), JsonPathError> {
        match self.peek() {
            None | Some('\r' | '\n') => return Err(JsonPathError::UnclosedAction),
            // `@` and `$` mean the current value, and a space separates: none of them needs a node.
            Some(' ' | '@' | '$') => {
                self.next();
            }
            Some('[') => self.array(nodes)?,
            Some(quote @ ('"' | '\'')) => nodes.push(self.quoted(quote)?),
            Some('.') => {
                self.next();
                nodes.push(self.field());
            }
            Some(c) if c == '+' || c == '-' || is_digit(c) => nodes.push(self.number()?),
            Some(c) if is_word(c) => nodes.push(self.identifier()),
            Some(c) => return Err(JsonPathError::Unrecognized(c)),
        }
        Ok(())
    }

    /// Parses what follows `..`.
    fn recursive(&mut self, nodes: &mut Vec<Node>) -> Result<(), JsonPathError> {
        if matches!(nodes.last(), Some(Node::Recursive)) {
            return Err(JsonPathError::RecursiveTwice);
        }
        nodes.push(Node::Recursive);
        if self.peek().is_some_and(is_word) {
            nodes.push(self.field());
        }
        Ok(())
    }

    /// A name up to a terminator. A backslash escapes the next character.
    fn field(&mut self) -> Node {
        self.token();
        while let Some(c) = self.peek() {
            if c == '\\' {
                self.next();
            } else if is_terminator(c) {
                break;
            }
            self.next();
        }
        match self.token() {
            "*" => Node::Wildcard,
            name => Node::Field(name.replace('\\', "")),
        }
    }

    /// Parses a keyword.
    fn identifier(&mut self) -> Node {
        while self.peek().is_some_and(|c| !is_terminator(c)) {
            self.next();
        }
        match self.token() {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "range" => Node::Range,
            "end" => Node::End,
            name => Node::Unknown(name.to_owned()),
        }
    }

    fn number(&mut self) -> Result<Node, JsonPathError> {
        if matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        while self.peek().is_some_and(|c| c == '.' || is_digit(c)) {
            self.next();
        }
        let text = self.token();
        if let Ok(integer) = text.parse::<i64>() {
            return Ok(Node::Int(integer));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Node::Float(float)),
            _ => Err(JsonPathError::NotANumber(text.to_owned())),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Node, JsonPathError> {
        self.next();
        loop {
            match self.next() {
                None | Some('\n') => return Err(JsonPathError::UnterminatedQuote),
                Some(c) if c == quote && self.byte_before() != Some(b'\\') => break,
                Some(_) => {}
            }
        }
        let text = self.token();
        let inner = text
            .strip_prefix(quote)
            .and_then(|inner| inner.strip_suffix(quote))
            .unwrap_or_default();
        unquote(inner, quote)
            .map(Node::Text)
            .ok_or_else(|| JsonPathError::BadEscape(text.to_owned()))
    }

    /// Parses `[...]` without a filter.
    fn array(&mut self, nodes: &mut Vec<Node>) -> Result<(), JsonPathError> {
        loop {
            match self.next() {
                None | Some('\n') => return Err(JsonPathError::UnterminatedArray),
                Some(']') => break,
                Some(_) => {}
            }
        }
        let text = self.token();
        let inner = text
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or_default();
        if inner.contains(',') {
            let members = inner.split(',').map(|member| {
                let member = member.trim_matches(' ');
                nodes_of(&format!("[{member}]"), self.depth)
            });
            nodes.push(Node::Union(members.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = inner
            .strip_prefix('\'')
            .and_then(|key| key.strip_suffix('\''))
            .filter(|key| !key.contains('\''));
        match key {
            Some(key) => nodes.extend(nodes_of(&format!(".{key}"), self.depth)?),
            None => nodes.push(Node::Slice(slice(inner)?)),
        }
        Ok(())
    }

    /// Parses `[?(...)]`. Quotes matter only to find its end.
    fn filter(&mut self, nodes: &mut Vec<Node>) -> Result<(), JsonPathError> {
        self.token();
        let mut pair = None;
        let mut is_closed = false;
        loop {
            match self.next() {
                None | Some('\n') => return Err(JsonPathError::UnterminatedFilter),
                Some(c @ ('"' | '\'')) => match pair {
                    None => pair = Some(c),
                    Some(first) if first == c && self.byte_before() != Some(b'\\') => {
                        is_closed = true;
                    }
                    Some(_) => {}
                },
                Some(')') if pair.is_some() == is_closed => break,
                Some(_) => {}
            }
        }
        if self.next() != Some(']') {
            return Err(JsonPathError::UnclosedFilter);
        }
        let text = self.token().strip_suffix(")]").unwrap_or_default();
        let filter = match split_comparison(text) {
            None => Filter {
                left: nodes_of(text, self.depth)?,
                comparison: None,
            },
            Some((left, operator, right)) => Filter {
                left: nodes_of(left, self.depth)?,
                comparison: Some(Comparison {
                    operator: Operator::parse(operator),
                    right: nodes_of(right, self.depth)?,
                }),
            },
        };
        nodes.push(Node::Filter(filter));
        Ok(())
    }
}

/// Splits a comparison into left side, operator and right side: upstream's `^([^!<>=]+)([!<>=]+)(.+?)$`.
fn split_comparison(text: &str) -> Option<(&str, &str, &str)> {
    let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
    let (left, rest) = text.split_at_checked(text.find(is_operator)?)?;
    let end = rest.find(|c| !is_operator(c)).unwrap_or(rest.len());
    // If nothing follows the operator, its last character becomes the right side, as the regular expression does it.
    let end = end.min(rest.len().saturating_sub(1));
    let (operator, right) = rest.split_at_checked(end)?;
    (!left.is_empty() && !operator.is_empty()).then_some((left, operator, right))
}

/// Parses `FIRST:END:STEP`; each of the three is optional.
fn slice(text: &str) -> Result<Slice, JsonPathError> {
    let text = if text == "*" { ":" } else { text };
    let bad = || JsonPathError::BadIndex(text.to_owned());
    let mut numbers = text.split(':').map(|number| match number {
        "" => Ok(None),
        digits => digits.parse::<i64>().map(Some).map_err(|_| bad()),
    });
    if text.contains('+') {
        return Err(bad());
    }
    let first = numbers.next().transpose()?.flatten();
    let end = numbers.next().transpose()?;
    let step = numbers.next().transpose()?.flatten();
    if numbers.next().is_some() {
        return Err(bad());
    }
    let end = match end {
        None => Bound::One(first.unwrap_or(0).wrapping_add(1)),
        Some(None) => Bound::Open,
        Some(Some(end)) => Bound::At(end),
    };
    Ok(Slice { first, end, step })
}

/// Resolves Go's escapes (`strconv.UnquoteChar`) in double or single quotes. None if there is an escape that Go does not
/// have.
fn unquote(text: &str, quote: char) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        if c == quote {
            return None;
        }
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.chars().next()?;
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0'..='7' => 3,
            _ => {
                bytes.push(short_escape(escape, quote)?);
                rest = rest.get(escape.len_utf8()..)?;
                continue;
            }
        };
        let (code, after) = if escape.is_ascii_digit() {
            (
                u32::from_str_radix(digits_of(rest, 0, digits, 8)?, 8).ok()?,
                digits,
            )
        } else {
            let end = digits.checked_add(1)?;
            (
                u32::from_str_radix(digits_of(rest, 1, end, 16)?, 16).ok()?,
                end,
            )
        };
        rest = rest.get(after..)?;
        if matches!(escape, 'u' | 'U') {
            let c = char::from_u32(code)?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            bytes.push(u8::try_from(code).ok()?);
        }
    }
    Some(bytes)
}

fn digits_of(text: &str, from: usize, to: usize, radix: u32) -> Option<&str> {
    let digits = text.get(from..to)?;
    digits.chars().all(|c| c.is_digit(radix)).then_some(digits)
}

/// The byte of an escape sequence of one character.
fn short_escape(escape: char, quote: char) -> Option<u8> {
    Some(match escape {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' | '\'' if escape == quote => u8::try_from(quote).ok()?,
        _ => return None,
    })
}

fn is_terminator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}'
    )
}

/// Whether a number may start with the character. Digits of other scripts count, and then give an error, as in upstream.
fn is_digit(c: char) -> bool {
    c.is_numeric()
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
