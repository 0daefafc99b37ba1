//! What a template is made of (upstream: `util/jsonpath/node.go` of k8s.io/client-go).

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// Text outside of braces: printed as it is.
    Text(Vec<u8>),
    /// What stands in one pair of braces.
    Action(Vec<Node>),
}

/// One step of an action: values in, values out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A quoted text. Bytes: `"\xff"` need not be UTF-8.
    Text(Vec<u8>),
    /// `.name` of a map.
    Field(String),
    /// `.*`: the values of a map, the elements of a list, the bytes of a text.
    Wildcard,
    /// `..`: the value and all below it that have something in them.
    Recursive,
    /// `[1]`, `[-1]`, `[1:4:2]`, `[*]` of a list.
    Slice(Slice),
    /// `[0,2]`, `['a','b']`.
    Union(Vec<Vec<Node>>),
    /// `[?(...)]`.
    Filter(Filter),
    /// A number, the right side of a comparison mostly.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` and `false`.
    Bool(bool),
    /// `range`: what follows is done for each value.
    Range,
    /// `end` of a range.
    End,
    /// Any other word: an error, but only when it is reached.
    Unknown(String),
}

/// Which elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// The first index; negative counts from the end.
    pub(super) first: Option<i64>,
    pub(super) end: Bound,
    pub(super) step: Option<i64>,
}

/// Where a slice ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// No slice but one index; this is the one behind it.
    One(i64),
    /// Before this index; negative counts from the end.
    At(i64),
    /// At the end of the list.
    Open,
}

/// Which elements of a list, by what is in them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    pub(super) left: Vec<Node>,
    /// None: the left side must be there.
    pub(super) comparison: Option<Comparison>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) operator: Operator,
    pub(super) right: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Such as `=`: an error, but only when two values are there to compare.
    Unknown(String),
}

impl Operator {
    pub(super) fn of(text: &str) -> Self {
        match text {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            other => Self::Unknown(other.to_owned()),
        }
    }
}
