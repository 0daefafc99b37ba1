//! Evaluates a template on a value (upstream: `util/jsonpath/jsonpath.go` of k8s.io/client-go).
//!
//! A range is not nested in the syntax tree: `range` and `end` are nodes in different actions of one flat list of parts.
//! Example: `{range .items[*]}{.a}{"\n"}{end}` has four parts. When part 0 sets `begins`, [`Evaluation::range`] runs the
//! parts from 1 on for each item, and each run returns at the part with `end`, which it remembers in `last_end`. After
//! the last item the outer run continues after that part.

use serde_json::Value;

use super::JsonPathError;
use super::budget::{Budget, TemplateBudget};
use super::compare::compare;
use super::found::{Found, Kind};
use super::node::{Bound, Comparison, Filter, Node, Part, Slice};

/// The maximal nesting of ranges.
const MAX_RANGES: usize = 64;

/// The error of a step.
pub(super) struct Failure {
    error: JsonPathError,
    /// Whether upstream returns values together with this error. A filter that tests whether something exists uses these
    /// values and ignores the error.
    has_values: bool,
}

impl From<JsonPathError> for Failure {
    fn from(error: JsonPathError) -> Self {
        Self {
            error,
            has_values: false,
        }
    }
}

impl Failure {
    fn with_values(error: JsonPathError) -> Self {
        Self {
            error,
            has_values: true,
        }
    }
}

type Step<'a> = Result<Vec<Found<'a>>, Failure>;

/// The values that a template finds in `root`: one list for each part that prints something.
pub(super) fn evaluate<'a>(
    parts: &'a [Part],
    allow_missing_keys: bool,
    root: &'a Value,
    budget: &Budget,
) -> Result<Vec<Vec<Found<'a>>>, JsonPathError> {
    let mut evaluation = Evaluation {
        parts,
        allow_missing_keys,
        budget: TemplateBudget::new(budget, root),
        begins: 0,
        ranges: 0,
        ends: 0,
        last_end: None,
    };
    let mut results = Vec::new();
    evaluation
        .run(Found::Tree(root), 0, &mut results)
        .map_err(|failure| failure.error)?;
    Ok(results)
}

struct Evaluation<'a, 'b> {
    parts: &'a [Part],
    allow_missing_keys: bool,
    budget: TemplateBudget<'b>,
    /// The number of `range` nodes whose body has not started.
    begins: usize,
    /// The number of ranges whose body is being evaluated.
    ranges: usize,
    /// The number of `end` nodes whose range has not returned.
    ends: usize,
    /// The part with the last `end` that was evaluated; evaluation continues after it. It is never reset, as in upstream.
    last_end: Option<usize>,
}

impl<'a> Evaluation<'a, '_> {
    /// Evaluates the parts from `start` on for one value, until the end of the current range.
    fn run(
        &mut self,
        value: Found<'a>,
        start: usize,
        results: &mut Vec<Vec<Found<'a>>>,
    ) -> Result<(), Failure> {
        let parts = self.parts;
        let mut at = start;
        while let Some(part) = parts.get(at) {
            let found = match part {
                Part::Text(text) => vec![Found::Text(text)],
                Part::Action(nodes) => self.list(vec![value], nodes)?,
            };
            self.budget.pay(1)?;
            if self.ends > 0 && self.ends <= self.ranges {
                self.ends = self.ends.saturating_sub(1);
                self.last_end = Some(at);
                return Ok(());
            }
            if self.begins > 0 {
                self.range(found, at.saturating_add(1), results)?;
                if let Some(end) = self.last_end.filter(|end| *end > at) {
                    at = end;
                }
            } else {
                self.budget.keep(found.len().saturating_add(1))?;
                results.push(found);
            }
            at = at.saturating_add(1);
        }
        Ok(())
    }

    /// Evaluates the parts from `body` on for each value.
    fn range(
        &mut self,
        values: Vec<Found<'a>>,
        body: usize,
        results: &mut Vec<Vec<Found<'a>>>,
    ) -> Result<(), Failure> {
        self.begins = self.begins.saturating_sub(1);
        self.ranges = self.ranges.saturating_add(1);
        if self.ranges > MAX_RANGES {
            return Err(JsonPathError::NestedTooDeep.into());
        }
        if values.is_empty() {
            // The body is evaluated once for nothing, to find its end. Its errors count.
            let mut discarded = Vec::new();
            self.run(Found::Nothing, body, &mut discarded)?;
        }
        for value in values {
            self.run(value.alone(), body, results)?;
        }
        self.ranges = self.ranges.saturating_sub(1);
        Ok(())
    }

    /// Evaluates nodes one after the other; each gets the values of the previous one.
    fn list(&mut self, input: Vec<Found<'a>>, nodes: &'a [Node]) -> Step<'a> {
        let mut values = input;
        for node in nodes {
            values = self.walk(values, node)?;
        }
        Ok(values)
    }

    /// Evaluates one node.
    fn walk(&mut self, input: Vec<Found<'a>>, node: &'a Node) -> Step<'a> {
        self.budget.pay(input.len().saturating_add(1))?;
        match node {
            Node::Text(text) => Ok(vec![Found::Text(text)]),
            Node::Int(number) => Ok(vec![Found::Int(*number); input.len()]),
            Node::Float(number) => Ok(vec![Found::Float(*number); input.len()]),
            Node::Bool(truth) => Ok(vec![Found::Bool(*truth); input.len()]),
            Node::Field(name) => self.field(&input, name),
            Node::Wildcard => self.wildcard(&input),
            Node::Recursive => self.recursive(input),
            Node::Slice(slice) => self.slice(&input, *slice),
            Node::Union(members) => self.union(&input, members),
            Node::Filter(filter) => self.filter(&input, filter),
            Node::Range => {
                self.begins = self.begins.saturating_add(1);
                Ok(input)
            }
            Node::End if self.ranges > 0 => {
                self.ends = self.ends.saturating_add(1);
                Ok(Vec::new())
            }
            Node::End => Err(JsonPathError::EndWithoutRange.into()),
            Node::Unknown(word) => Err(Failure {
                error: JsonPathError::UnknownWord(word.clone()),
                has_values: !input.is_empty(),
            }),
        }
    }

    /// The values of a field in all input maps that have it.
    fn field(&mut self, input: &[Found<'a>], name: &str) -> Step<'a> {
        let found: Vec<_> = input
            .iter()
            .filter_map(|value| match value.kind() {
                Kind::Map(map) => map.get(name).map(Found::Tree),
                _ => None,
            })
            .collect();
        if found.is_empty() && !input.is_empty() && !self.allow_missing_keys {
            return Err(JsonPathError::NotFound(name.to_owned()).into());
        }
        Ok(found)
    }

    /// All elements of the input values.
    fn wildcard(&mut self, input: &[Found<'a>]) -> Step<'a> {
        let mut found = Vec::new();
        for value in input {
            self.budget.pay(value.len())?;
            self.budget
                .room_for(found.len().saturating_add(value.len()))?;
            match value.kind() {
                Kind::Text(bytes) => found.extend(bytes.iter().map(|byte| Found::Byte(*byte))),
                Kind::List(list) => found.extend(list.iter().map(Found::Tree)),
                Kind::Map(map) => found.extend(Found::sorted_values(map)),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Each value, followed by all its descendants. Values without elements (numbers, `""`, `{}`) are left out.
    fn recursive(&mut self, input: Vec<Found<'a>>) -> Step<'a> {
        let mut found = Vec::new();
        let mut waiting = input;
        waiting.reverse();
        while let Some(value) = waiting.pop() {
            let elements = match value.kind() {
                Kind::List(list) => list.len(),
                Kind::Map(map) => map.len(),
                _ => 0,
            };
            self.budget.pay(elements.saturating_add(1))?;
            if value.len() == 0 {
                continue;
            }
            self.budget.room_for(found.len().saturating_add(1))?;
            found.push(value);
            let first = waiting.len();
            match value.kind() {
                Kind::List(list) => waiting.extend(list.iter().map(Found::Tree)),
                Kind::Map(map) => waiting.extend(Found::sorted_values(map)),
                _ => {}
            }
            waiting.get_mut(first..).unwrap_or_default().reverse();
        }
        Ok(found)
    }

    /// The selected elements of the input lists.
    fn slice(&mut self, input: &[Found<'a>], slice: Slice) -> Step<'a> {
        let mut found = Vec::new();
        for value in input {
            let list = match value.kind() {
                Kind::Null => continue,
                Kind::List(list) => list,
                _ => return Err(Failure::with_values(JsonPathError::NotAList(value.name()))),
            };
            let (first, end) = bounds(slice, list.len()).map_err(Failure::with_values)?;
            if first == end {
                // Upstream leaves out all lists after this one too.
                return Ok(found);
            }
            let step = match slice.step {
                None => 1,
                Some(step) => usize::try_from(step)
                    .ok()
                    .filter(|step| *step > 0)
                    .ok_or_else(|| Failure::with_values(JsonPathError::BadStep(step)))?,
            };
            let elements = list.get(first..end).unwrap_or_default();
            self.budget.pay(elements.len())?;
            self.budget
                .room_for(found.len().saturating_add(elements.len()))?;
            found.extend(elements.iter().step_by(step).map(Found::Tree));
        }
        Ok(found)
    }

    /// The values of all members of a union, one member after the other.
    fn union(&mut self, input: &[Found<'a>], members: &'a [Vec<Node>]) -> Step<'a> {
        let mut found = Vec::new();
        for member in members {
            self.budget.pay(input.len().saturating_add(1))?;
            let values = self
                .list(input.to_vec(), member)
                .map_err(|failure| Failure {
                    has_values: !input.is_empty(),
                    ..failure
                })?;
            self.budget.pay(values.len())?;
            self.budget
                .room_for(found.len().saturating_add(values.len()))?;
            found.extend(values);
        }
        Ok(found)
    }

    /// The elements of the input lists that a filter selects.
    fn filter(&mut self, input: &[Found<'a>], filter: &'a Filter) -> Step<'a> {
        let mut found = Vec::new();
        for value in input {
            let Kind::List(list) = value.kind() else {
                return Err(Failure::with_values(JsonPathError::NotAList(value.name())));
            };
            for element in list {
                let element = Found::Tree(element);
                let is_selected = match &filter.comparison {
                    None => self.exists(element, &filter.left)?,
                    Some(comparison) => self.satisfies(element, &filter.left, comparison).map_err(
                        |(failure, own_values)| Failure {
                            has_values: own_values || !found.is_empty(),
                            ..failure
                        },
                    )?,
                };
                if is_selected {
                    self.budget.room_for(found.len().saturating_add(1))?;
                    found.push(element);
                }
            }
        }
        Ok(found)
    }

    /// Whether the left side of a filter finds a value in an element.
    fn exists(&mut self, element: Found<'a>, left: &'a [Node]) -> Result<bool, Failure> {
        match self.list(vec![element], left) {
            Ok(values) => Ok(!values.is_empty()),
            Err(failure) if failure.error.is_limit() => Err(failure),
            Err(failure) => Ok(failure.has_values),
        }
    }

    /// Whether a comparison holds for an element. The flag of an error is true if upstream returns values with it: then
    /// it returns the input of the filter, not its result.
    fn satisfies(
        &mut self,
        element: Found<'a>,
        left: &'a [Node],
        comparison: &'a Comparison,
    ) -> Result<bool, (Failure, bool)> {
        let mut sides = [Found::Nothing; 2];
        for (side, nodes) in sides.iter_mut().zip([left, &comparison.right]) {
            let values = self
                .list(vec![element], nodes)
                .map_err(|failure| (failure, true))?;
            *side = match values.as_slice() {
                [] => return Ok(false),
                [one] => *one,
                _ => return Err((JsonPathError::ComparesSeveral.into(), true)),
            };
        }
        let [left, right] = sides;
        compare(left, &comparison.operator, right).map_err(|error| (error.into(), false))
    }
}

/// The first index and the index after the last one, for a list of `len` elements.
fn bounds(slice: Slice, len: usize) -> Result<(usize, usize), JsonPathError> {
    let count = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add(count)
        } else {
            index
        }
    };
    let first = from_end(slice.first.unwrap_or(0));
    let end = match slice.end {
        Bound::Open => count,
        Bound::At(end) => from_end(end),
        Bound::One(0) => count,
        Bound::One(end) => from_end(end),
    };
    if first == end {
        return Ok((0, 0));
    }
    let inside = |index: i64, last: i64| {
        usize::try_from(index)
            .ok()
            .filter(|_| index <= last)
            .ok_or(JsonPathError::OutOfBounds { index, len })
    };
    let from = inside(first, count.saturating_sub(1))?;
    let to = inside(end, count).map_err(|_| JsonPathError::OutOfBounds {
        index: end.saturating_sub(1),
        len,
    })?;
    if from > to {
        return Err(JsonPathError::EndsBeforeStart { first, end });
    }
    Ok((from, to))
}
