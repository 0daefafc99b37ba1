//! Formats labels and label selectors as one text, like apimachinery's labels and meta/v1 helpers.

use crate::arrange::Arrange as _;

use serde_json::{Map, Value};

use super::fields::{given, list, map, text, texts};

const LONGEST_NAME: usize = 63;
const LONGEST_PREFIX: usize = 253;

/// Labels as `a=1,b=2`, sorted; `<none>` if there are none.
pub fn format_labels(labels: Option<&Map<String, Value>>) -> String {
    let mut pairs: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    // Go sorts the pairs, not the keys: `a-b=1` comes before `a=1`.
    pairs.sort_unstable();
    none_if_empty(pairs.join(","))
}

/// `<none>` for an empty text.
pub(super) fn none_if_empty(text: String) -> String {
    if text.is_empty() {
        "<none>".to_owned()
    } else {
        text
    }
}

/// The selector at a path as one text: empty if it selects everything or nothing, None if it is
/// not valid.
pub(super) fn selector(value: &Value, path: &str) -> Option<String> {
    match given(value, path) {
        Some(selector) => selector_of(selector),
        None => Some(String::new()),
    }
}

fn selector_of(selector: &Value) -> Option<String> {
    let mut requirements = Vec::new();
    for (key, value) in map(selector, "matchLabels").into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !is_key(key) || !is_value(value) {
            return None;
        }
        requirements.push((key.as_str(), format!("{key}={value}")));
    }
    // Go iterates over the map in random order and sorts afterwards.
    requirements.sort_unstable();
    for expression in list(selector, "matchExpressions") {
        requirements.push((text(expression, "key"), requirement(expression)?));
    }
    requirements.arrange_by_key(|(key, _)| *key);
    let texts: Vec<String> = requirements.into_iter().map(|(_, text)| text).collect();
    Some(texts.join(","))
}

/// The selector at a path, `<none>` if it is empty and `<error>` if it is not valid.
pub(super) fn format_selector(value: &Value, path: &str) -> String {
    selector(value, path).map_or_else(|| "<error>".to_owned(), none_if_empty)
}

/// A selector, `<none>` if it is empty and `<error>` if it is not valid.
pub(super) fn format_selector_of(selector: &Value) -> String {
    selector_of(selector).map_or_else(|| "<error>".to_owned(), none_if_empty)
}

/// One expression of a selector as text; None if it is not valid.
fn requirement(expression: &Value) -> Option<String> {
    let key = text(expression, "key");
    let mut values = texts(expression, "values");
    if !is_key(key) || !values.iter().all(|value| is_value(value)) {
        return None;
    }
    values.sort_unstable();
    let values_text = values.join(",");
    match (text(expression, "operator"), values.is_empty()) {
        ("In", false) => Some(format!("{key} in ({values_text})")),
        ("NotIn", false) => Some(format!("{key} notin ({values_text})")),
        ("Exists", true) => Some(key.to_owned()),
        ("DoesNotExist", true) => Some(format!("!{key}")),
        _ => None,
    }
}

/// Whether a text is a valid label key: a name, optionally after a DNS name and a slash.
fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name(text),
        Some((prefix, name)) => {
            let is_label = |label: &str| {
                label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && !label.is_empty()
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            };
            prefix.len() <= LONGEST_PREFIX && prefix.split('.').all(is_label) && is_name(name)
        }
    }
}

/// Whether a text is a valid label value: a name or empty.
fn is_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

/// Whether a text has at most 63 characters: letters and digits, and `-_.` except at both ends.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    bytes.len() <= LONGEST_NAME
        && ends
            .iter()
            .all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// A selector as the Go struct's `String` method prints it.
pub(super) fn go_struct(selector: &Value) -> String {
    let mut out = String::from("&LabelSelector{MatchLabels:map[string]string{");
    let mut labels: Vec<(&String, &Value)> =
        map(selector, "matchLabels").into_iter().flatten().collect();
    labels.sort_unstable_by_key(|(key, _)| *key);
    for (key, value) in labels {
        out.push_str(&format!("{key}: {},", value.as_str().unwrap_or_default()));
    }
    out.push_str("},MatchExpressions:[]LabelSelectorRequirement{");
    for expression in list(selector, "matchExpressions") {
        out.push_str(&format!(
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
            text(expression, "key"),
            text(expression, "operator"),
            texts(expression, "values").join(" "),
        ));
    }
    out.push_str("},}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_sorted_as_pairs() {
        let labels = json!({"a": "1", "a-b": "2", "B": ""});
        assert_eq!(format_labels(labels.as_object()), "B=,a-b=2,a=1");
        assert_eq!(format_labels(None), "<none>");
    }

    #[test]
    fn a_selector_is_formatted_as_one_text_or_is_invalid() {
        let shown = |selector: Value| format_selector(&json!({"s": selector}), "s");
        assert_eq!(shown(json!(null)), "<none>");
        assert_eq!(shown(json!({})), "<none>");
        assert_eq!(
            shown(json!({
                "matchLabels": {"b": "1", "a": ""},
                "matchExpressions": [
                    {"key": "c/d", "operator": "NotIn", "values": ["y", "x"]},
                    {"key": "a", "operator": "Exists"},
                ]
            })),
            "a=,a,b=1,c/d notin (x,y)"
        );
        for bad in [
            json!({"matchLabels": {"-a": "1"}}),
            json!({"matchLabels": {"A.b/c/d": "1"}}),
            json!({"matchLabels": {"Example.com/a": "1"}}),
            json!({"matchLabels": {"a": "two words"}}),
            json!({"matchLabels": {"a": "x".repeat(64)}}),
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
        ] {
            assert_eq!(shown(bad.clone()), "<error>", "{bad}");
        }
    }
}
