//! YAML against what the Go module sigs.k8s.io/yaml v1.6.0 printed (`JSONToYAML`, on go-yaml
//! v2.4.2).
//!
//! Each line of `testdata/yaml/*.jsonl` is `{"json": VALUE, "yaml": TEXT}`. The texts of `unreadable.jsonl` do not
//! load back: go-yaml itself takes a plain key `<<` for a merge, and finds no `---` after a U+2028. There our text is
//! another, `"ours"`, which does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use etcdive::k8s::sink::Order;
use etcdive::view::json::write_value;
use etcdive::view::yaml::YamlWriter;
use serde_json::Value;

/// The name of a case (`FILE:LINE`), the value, and the text which Go printed.
fn cases() -> Vec<(String, Value, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/yaml");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "jsonl")
        {
            continue;
        }
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let mut case: Value = serde_json::from_str(line).unwrap();
            let text = case["yaml"].as_str().unwrap().to_owned();
            cases.push((format!("{file}:{}", index + 1), case["json"].take(), text));
        }
    }
    assert!(cases.len() > 300, "only {} cases found", cases.len());
    cases
}

fn print(value: &Value) -> String {
    let mut writer = YamlWriter::new(Vec::new());
    write_value(value, Order::Natural, &mut writer);
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// Equal, where `1e+20` and 100000000000000000000 are the same number.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let is_in_b = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| is_same(a, b));
            a.len() == b.len() && a.iter().all(is_in_b)
        }
        _ => a == b,
    }
}

#[test]
fn every_text_is_go_yamls_byte_for_byte() {
    let readable = cases()
        .into_iter()
        .filter(|(name, ..)| !is_unreadable(name));
    let mut count = 0;
    for (name, value, text) in readable {
        assert_eq!(print(&value), text, "{name}");
        count += 1;
    }
    assert!(count > 300, "compared {count} cases");
}

/// Whether the recorded text does not load back.
fn is_unreadable(name: &str) -> bool {
    name.starts_with("unreadable.jsonl:")
}

#[test]
fn a_text_that_does_not_load_back_is_quoted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/yaml/unreadable.jsonl");
    let mut count = 0;
    for line in fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = print(&case["json"]);
        assert_eq!(text, case["ours"].as_str().unwrap(), "{line}");
        assert_ne!(text, case["yaml"].as_str().unwrap(), "{line}");
        count += 1;
    }
    assert!(count > 20, "compared {count} cases");
}

#[test]
fn every_text_reads_back_as_the_value() {
    for (name, value, _) in cases() {
        let text = print(&value);
        let read: Value = match serde_norway::from_str(&text) {
            Ok(read) => read,
            Err(error) => panic!("{name}: {error}\n{text}"),
        };
        assert!(is_same(&value, &read), "{name}: {read}\n{text}");
    }
}

#[test]
fn every_text_is_the_same_when_written_after_another_document() {
    for (name, value, _) in cases() {
        let text = print(&value);
        let mut writer = YamlWriter::new(Vec::new());
        write_value(&value, Order::Natural, &mut writer);
        writer.separator();
        write_value(&value, Order::Natural, &mut writer);
        let both = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert_eq!(both, format!("{text}---\n{text}"), "{name}");
    }
}
