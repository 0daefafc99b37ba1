//! Label selectors (upstream: `pkg/labels/selector.go` of k8s.io/apimachinery; the rules for keys and values are in
//! `pkg/api/validate/content/kube.go`).

use serde_json::Value;

/// The maximal length of a label's name and of its value, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// The maximal length of the prefix of a label's key, before the slash, in bytes.
const MAX_PREFIX_BYTES: usize = 253;

/// Why a label selector cannot be parsed. Each error quotes the wrong part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelSelectorError {
    /// Another token was expected.
    #[error("label selector: found {found}, expected {wanted}")]
    Unexpected {
        /// The text found, quoted, or "the end".
        found: String,
        /// What is expected there.
        wanted: &'static str,
    },
    /// The key is not valid.
    #[error("label selector: '{key}' is not a valid label key: {why}")]
    BadKey {
        /// The key.
        key: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The value is not valid.
    #[error("label selector: '{value}' is not a valid value of the label {key}: {why}")]
    BadValue {
        /// The label's key.
        key: String,
        /// The value.
        value: String,
        /// Which rule it breaks.
        why: &'static str,
    },
}

/// The labels that an object must have; all requirements must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Exists,
    IsAbsent,
    /// `=`, `==` and `in`.
    OneOf(Vec<String>),
    /// `!=` and `notin`: an object without the label fulfils them.
    NoneOf(Vec<String>),
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Parses a selector: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, `a>1`, `a<1`, separated by commas.
    /// An empty selector selects every object.
    ///
    /// # Errors
    /// It is not a valid selector, or a key or value is not valid.
    pub fn parse(text: &str) -> Result<Self, LabelSelectorError> {
        Parser {
            tokens: tokens(text),
            at: 0,
        }
        .selector()
    }

    /// Whether an object fulfils all requirements.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.requirements.iter().all(|requirement| {
            let label = labels.and_then(|labels| labels.get(&requirement.key));
            requirement.condition.holds(label.and_then(Value::as_str))
        })
    }
}

impl Condition {
    /// Whether a label fulfils the condition. None means that the object does not have the label.
    fn holds(&self, label: Option<&str>) -> bool {
        let is_one_of = |values: &[String]| {
            label.is_some_and(|label| values.iter().any(|value| value == label))
        };
        let number = || label.and_then(|label| label.parse::<i64>().ok());
        match self {
            Self::Exists => label.is_some(),
            Self::IsAbsent => label.is_none(),
            Self::OneOf(values) => is_one_of(values),
            Self::NoneOf(values) => !is_one_of(values),
            Self::Above(limit) => number().is_some_and(|number| number > *limit),
            Self::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

/// A token of the selector: a word or an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Sign(&'static str),
    End,
}

/// The operators. Of two with the same start, the longer one is first.
const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

/// Splits a selector into tokens.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return tokens;
        }
        let sign = SIGNS
            .into_iter()
            .find_map(|sign| Some((sign, rest.strip_prefix(sign)?)));
        if let Some((sign, after)) = sign {
            tokens.push(Token::Sign(sign));
            rest = after;
            continue;
        }
        let ends_word = |c| " \t\r\n=!(),><".contains(c);
        let end = rest.find(ends_word).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        tokens.push(Token::Word(word));
        rest = after;
    }
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Token<'t> {
        self.tokens.get(self.at).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'t> {
        let token = self.peek();
        self.at = self.at.saturating_add(1);
        token
    }

    fn selector(&mut self) -> Result<LabelSelector, LabelSelectorError> {
        let mut requirements = Vec::new();
        if self.peek() == Token::End {
            return Ok(LabelSelector { requirements });
        }
        loop {
            requirements.push(self.requirement()?);
            match self.next() {
                Token::End => return Ok(LabelSelector { requirements }),
                Token::Sign(",") => {}
                other => return Err(unexpected(other, "',' or the end")),
            }
        }
    }

    /// Parses one requirement.
    fn requirement(&mut self) -> Result<Requirement, LabelSelectorError> {
        let is_absent = self.peek() == Token::Sign("!");
        if is_absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other if is_absent => return Err(unexpected(other, "a label key")),
            other => return Err(unexpected(other, "a label key or '!'")),
        };
        check_key(key).map_err(|why| LabelSelectorError::BadKey {
            key: key.to_owned(),
            why,
        })?;
        let condition = match self.peek() {
            _ if is_absent => Condition::IsAbsent,
            Token::End | Token::Sign(",") => Condition::Exists,
            _ => self.condition(key)?,
        };
        Ok(Requirement {
            key: key.to_owned(),
            condition,
        })
    }

    /// Parses the operator and the values of a requirement.
    fn condition(&mut self, key: &str) -> Result<Condition, LabelSelectorError> {
        match self.next() {
            Token::Word("in") => Ok(Condition::OneOf(self.values(key)?)),
            Token::Word("notin") => Ok(Condition::NoneOf(self.values(key)?)),
            Token::Sign("=" | "==") => Ok(Condition::OneOf(vec![self.value(key)?])),
            Token::Sign("!=") => Ok(Condition::NoneOf(vec![self.value(key)?])),
            Token::Sign(">") => Ok(Condition::Above(self.number(key)?)),
            Token::Sign("<") => Ok(Condition::Below(self.number(key)?)),
            other => Err(unexpected(other, "=, ==, !=, in, notin, > or <")),
        }
    }

    /// Parses a value: a word, or nothing for the empty value.
    fn value(&mut self, key: &str) -> Result<String, LabelSelectorError> {
        match self.peek() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            Token::Word(value) => {
                self.next();
                checked_value(key, value)
            }
            other @ Token::Sign(_) => Err(unexpected(other, "a value")),
        }
    }

    fn number(&mut self, key: &str) -> Result<i64, LabelSelectorError> {
        let value = self.value(key)?;
        value.parse().map_err(|_| LabelSelectorError::BadValue {
            key: key.to_owned(),
            value,
            why: "> and < compare integers of 64 bits",
        })
    }

    /// Parses `(a,b)`. Nothing between two commas, and `()`, is the empty value.
    fn values(&mut self, key: &str) -> Result<Vec<String>, LabelSelectorError> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(unexpected(other, "'('")),
        }
        let mut values = Vec::new();
        loop {
            values.push(match self.peek() {
                Token::Word(value) => {
                    self.next();
                    checked_value(key, value)?
                }
                Token::Sign("," | ")") => String::new(),
                other => return Err(unexpected(other, "a value, ',' or ')'")),
            });
            match self.next() {
                Token::Sign(")") => return Ok(values),
                Token::Sign(",") => {}
                other => return Err(unexpected(other, "',' or ')'")),
            }
        }
    }
}

fn unexpected(token: Token<'_>, wanted: &'static str) -> LabelSelectorError {
    let found = match token {
        Token::Word(text) => format!("'{text}'"),
        Token::Sign(text) => format!("'{text}'"),
        Token::End => "the end".to_owned(),
    };
    LabelSelectorError::Unexpected { found, wanted }
}

/// A value, or an error if it is not valid.
fn checked_value(key: &str, value: &str) -> Result<String, LabelSelectorError> {
    let why = if value.len() > MAX_NAME_BYTES {
        "it is longer than 63 bytes"
    } else if value.is_empty() || is_name(value) {
        return Ok(value.to_owned());
    } else {
        NAME_RULE
    };
    Err(LabelSelectorError::BadValue {
        key: key.to_owned(),
        value: value.to_owned(),
        why,
    })
}

const NAME_RULE: &str =
    "only letters, digits, '-', '_' and '.', a letter or digit first and last, are allowed";

/// Checks a label key; the error is the rule that it breaks.
fn check_key(key: &str) -> Result<(), &'static str> {
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => return Err("there is more than one slash"),
        Some(("", _)) => return Err("the prefix before the slash is empty"),
        Some((prefix, name)) => {
            check_prefix(prefix)?;
            name
        }
    };
    match name {
        "" => Err("the name is empty"),
        _ if name.len() > MAX_NAME_BYTES => Err("the name is longer than 63 bytes"),
        _ if is_name(name) => Ok(()),
        _ => Err(NAME_RULE),
    }
}

/// Checks that the prefix of a key is a DNS name.
fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.len() > MAX_PREFIX_BYTES {
        return Err("the prefix before the slash is longer than 253 bytes");
    }
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        has_ends_and_inner(label, is_inner, |byte| is_inner(byte) || byte == b'-')
    };
    if prefix.split('.').all(is_label) {
        Ok(())
    } else {
        Err("the prefix before the slash is not a DNS name in lower case")
    }
}

fn is_name(text: &str) -> bool {
    has_ends_and_inner(
        text,
        |byte| byte.is_ascii_alphanumeric(),
        |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte),
    )
}

/// Whether the first and last byte fulfil `is_end`, and all bytes fulfil `is_inner`.
fn has_ends_and_inner(
    text: &str,
    is_end: impl Fn(u8) -> bool,
    is_inner: impl Fn(u8) -> bool,
) -> bool {
    let bytes = text.as_bytes();
    let ends_well = |byte: Option<&u8>| byte.is_some_and(|byte| is_end(*byte));
    ends_well(bytes.first()) && ends_well(bytes.last()) && bytes.iter().all(|byte| is_inner(*byte))
}
