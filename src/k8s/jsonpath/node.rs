//! The parts of a template (upstream: `util/jsonpath/node.go` of k8s.io/client-go).

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// Text outside of braces, which is printed as it is.
    Text(Vec<u8>),
    /// The content of one pair of braces.
    Action(Vec<Node>),
}

/// One step of an action: it gets a list of values and returns a list of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A quoted text. It is bytes because `"\xff"` is not UTF-8.
    Text(Vec<u8>),
    /// `.name` on maps.
    Field(String),
    /// `.*`: the values of a map, the elements of a list, the bytes of a text.
    Wildcard,
    /// `..`: the value and all its descendants that are not empty.
    Recursive,
    /// `[1]`, `[-1]`, `[1:4:2]`, `[*]` on lists.
    Slice(Slice),
    /// `[0,2]`, `['a','b']`.
    Union(Vec<Vec<Node>>),
    /// `[?(...)]`.
    Filter(Filter),
    /// An integer, usually the right side of a comparison.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` and `false`.
    Bool(bool),
    /// `range`: the nodes after it are evaluated for each value.
    Range,
    /// `end` of a range.
    End,
    /// Any other word. It is an error, but only when it is evaluated.
    Unknown(String),
}

/// The elements of a list that a slice selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// The first index; a negative one counts from the end.
    pub(super) first: Option<i64>,
    pub(super) end: Bound,
    pub(super) step: Option<i64>,
}

/// The end of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// There is only one index; this is the index after it.
    One(i64),
    /// Before this index; a negative one counts from the end.
    At(i64),
    /// At the end of the list.
    Open,
}

/// Selects elements of a list by their content.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    pub(super) left: Vec<Node>,
    /// None: the left side must find a value.
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
    /// Another operator, such as `=`. It is an error, but only when two values are compared.
    Unknown(String),
}

impl Operator {
    pub(super) fn parse(text: &str) -> Self {
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
