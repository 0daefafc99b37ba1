//! The comparisons in filters (upstream: `third_party/forked/golang/template/funcs.go` of k8s.io/client-go). Only values
//! of one type can be compared; an integer and a float have different types.

use std::cmp::Ordering;

use serde_json::Value;

use super::JsonPathError;
use super::found::Found;
use super::node::Operator;

/// A value that can be compared.
enum Comparable<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a [u8]),
}

fn comparable(value: Found<'_>) -> Result<Comparable<'_>, JsonPathError> {
    Ok(match value {
        Found::Tree(Value::Bool(truth)) => Comparable::Bool(*truth),
        Found::Tree(Value::String(text)) => Comparable::Text(text.as_bytes()),
        Found::Tree(Value::Number(number)) => match number.as_i64() {
            Some(integer) => Comparable::Int(integer),
            None => Comparable::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Found::Text(text) => Comparable::Text(text),
        Found::Int(integer) => Comparable::Int(integer),
        Found::Float(float) => Comparable::Float(float),
        Found::Bool(truth) => Comparable::Bool(truth),
        Found::Byte(byte) => Comparable::Int(i64::from(byte)),
        Found::Tree(_) | Found::Nothing => {
            return Err(JsonPathError::NotComparable(value.name()));
        }
    })
}

/// The result of `left operator right`.
pub(super) fn compare(
    left: Found<'_>,
    operator: &Operator,
    right: Found<'_>,
) -> Result<bool, JsonPathError> {
    if let Operator::Unknown(text) = operator {
        return Err(JsonPathError::UnknownOperator(text.clone()));
    }
    let is_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
    let order = match (comparable(left)?, comparable(right)?) {
        (Comparable::Bool(_), Comparable::Bool(_)) if is_order => {
            return Err(JsonPathError::NotComparable(left.name()));
        }
        (Comparable::Bool(a), Comparable::Bool(b)) => Some(a.cmp(&b)),
        (Comparable::Int(a), Comparable::Int(b)) => Some(a.cmp(&b)),
        (Comparable::Float(a), Comparable::Float(b)) => a.partial_cmp(&b),
        (Comparable::Text(a), Comparable::Text(b)) => Some(a.cmp(b)),
        _ => {
            return Err(JsonPathError::DifferentTypes {
                left: left.name(),
                right: right.name(),
            });
        }
    };
    Ok(match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        // Upstream computes these two as the negation of the opposite operator, which differs for NaN.
        Operator::Greater => !matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::GreaterOrEqual => order != Some(Ordering::Less),
        Operator::Unknown(_) => false,
    })
}
