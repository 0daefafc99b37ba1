//! Stored values against what Go's serializers say of them: the samples in testdata/k8s. Whole
//! databases are compared in `kubernetes.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::testdata;
use etcdive::k8s::resource::openshift;
use etcdive::k8s::schema;
use etcdive::k8s::{DecodeError, Note, Options, Order, Sink, TreeSink, decode, meta::Meta};

/// Writes JSON as Go's encoding/json does, HTML escapes included.
#[derive(Default)]
struct JsonSink {
    out: String,
    comma: bool,
}

impl JsonSink {
    fn item(&mut self) {
        if self.comma {
            self.out.push(',');
        }
        self.comma = true;
    }

    fn quote(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    write!(self.out, "\\u{:04x}", u32::from(c)).unwrap()
                }
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn open(&mut self, bracket: char) {
        self.item();
        self.out.push(bracket);
        self.comma = false;
    }

    fn close(&mut self, bracket: char) {
        self.out.push(bracket);
        self.comma = true;
    }
}

impl Sink for JsonSink {
    fn null(&mut self) {
        self.item();
        self.out.push_str("null");
    }
    fn bool(&mut self, value: bool) {
        self.item();
        write!(self.out, "{value}").unwrap();
    }
    fn int(&mut self, value: i64) {
        self.item();
        write!(self.out, "{value}").unwrap();
    }
    fn uint(&mut self, value: u64) {
        self.item();
        write!(self.out, "{value}").unwrap();
    }
    fn float(&mut self, value: f64) {
        self.item();
        let size = value.abs();
        if !value.is_finite() {
            write!(self.out, "\"{value}\"").unwrap();
        } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format!("{value:e}");
            self.out.push_str(&if text.contains("e-") {
                text
            } else {
                text.replace('e', "e+")
            });
        } else {
            write!(self.out, "{value}").unwrap();
        }
    }
    fn number(&mut self, text: &str) {
        self.item();
        self.out.push_str(text);
    }
    fn string(&mut self, value: &str) {
        self.item();
        self.quote(value);
    }
    fn base64(&mut self, value: &[u8]) {
        self.string(&STANDARD.encode(value));
    }
    fn begin_map(&mut self) {
        self.open('{');
    }
    fn key(&mut self, key: &str) {
        self.item();
        self.quote(key);
        self.out.push(':');
        self.comma = false;
    }
    fn end_map(&mut self) {
        self.close('}');
    }
    fn begin_list(&mut self) {
        self.open('[');
    }
    fn end_list(&mut self) {
        self.close(']');
    }
}

fn json(value: &[u8], options: impl Into<Options>) -> Result<String, DecodeError> {
    let mut sink = JsonSink::default();
    decode(value, options, &mut sink)?;
    Ok(sink.out)
}

fn tree(value: &[u8]) -> Value {
    let mut sink = TreeSink::new();
    decode(value, Order::Declared, &mut sink).unwrap();
    sink.into_value()
}

struct Row {
    key: String,
    value: Vec<u8>,
    truth: Value,
}

fn rows(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let truth: Value = serde_json::from_str(line).unwrap();
        Row {
            key: truth["key"].as_str().unwrap().to_owned(),
            value: STANDARD
                .decode(truth["value_b64"].as_str().unwrap())
                .unwrap(),
            truth,
        }
    };
    text.lines().map(row).collect()
}

/// The samples of the repository, or the file (made in the same way) that ETCDIVE_VALUES names.
fn samples() -> Vec<Row> {
    let shipped = || ["values", "openshift"].map(|name| testdata(&format!("k8s/{name}.jsonl")));
    let paths = std::env::var_os("ETCDIVE_VALUES")
        .map_or_else(|| shipped().to_vec(), |path| vec![PathBuf::from(path)]);
    let mut all = Vec::new();
    for path in paths {
        let rows = rows(&std::fs::read_to_string(path).unwrap());
        assert!(!rows.is_empty());
        all.extend(rows);
    }
    all
}

#[test]
fn every_kind_that_openshift_stores_has_a_sample_with_all_names() {
    let text = std::fs::read_to_string(testdata("k8s/openshift.jsonl")).unwrap();
    let samples = rows(&text);
    let mut kinds = 0;
    for resource in openshift() {
        let key = format!("{}/v1 {}", resource.group(), resource.kind);
        let sample = samples.iter().find(|row| row.key == key);
        let sample = sample.unwrap_or_else(|| panic!("no sample of {key}"));
        let mut sink = TreeSink::new();
        let outcome = decode(&sample.value, Order::Declared, &mut sink).unwrap();
        assert_eq!(outcome.notes, [], "{key}");
        // OpenShift 3 stored most of them in the core group, too.
        for group in resource.groups.iter().filter(|group| group.is_empty()) {
            assert!(schema::is_known("v1", &resource.kind), "{group}{key}");
        }
        kinds += 1;
    }
    assert!(kinds > 25, "{kinds}");
}

/// Compares, and shows the first few differences.
fn assert_all_equal(what: &str, pairs: impl Iterator<Item = (String, String, String)>) {
    let (mut total, mut wrong) = (0, Vec::new());
    for (key, got, want) in pairs {
        total += 1;
        if got != want {
            wrong.push((key, got, want));
        }
    }
    println!("{what}: {} of {total} equal", total - wrong.len());
    for (key, got, want) in wrong.iter().take(5) {
        let at = got
            .bytes()
            .zip(want.bytes())
            .take_while(|(a, b)| a == b)
            .count()
            .saturating_sub(60);
        println!(
            "{key}\n got {:.300}\nwant {:.300}",
            got.get(at..).unwrap_or(got),
            want.get(at..).unwrap_or(want)
        );
    }
    assert!(
        wrong.is_empty() && total > 0,
        "{what}: {} of {total} differ",
        wrong.len()
    );
}

/// The samples' JSON in this form (`json`, or `sorted`), as written with these options and as Go's.
fn compare_with_go(what: &str, form: &str, options: Options) {
    let pair = |r: Row| {
        let want = r.truth.get(form)?.as_str()?.to_owned();
        Some((r.key, json(&r.value, options).unwrap(), want))
    };
    assert_all_equal(what, samples().into_iter().filter_map(pair));
}

#[test]
fn samples_give_the_bytes_of_gos_json_in_declared_order() {
    compare_with_go("declared", "json", Order::Declared.into());
}

#[test]
fn samples_give_the_bytes_of_gos_json_in_sorted_order() {
    compare_with_go("sorted", "sorted", Order::Sorted.into());
}

#[test]
fn samples_written_by_the_newest_release_are_the_same_as_served() {
    let options = Options {
        order: Order::Declared,
        as_served: true,
    };
    compare_with_go("as served", "json", options);
}

/// All keys in the order of the text.
fn yaml_keys(value: &serde_norway::Value, out: &mut Vec<String>) {
    match value {
        serde_norway::Value::Mapping(map) => {
            for (key, value) in map {
                out.push(key.as_str().unwrap_or("?").to_owned());
                yaml_keys(value, out);
            }
        }
        serde_norway::Value::Sequence(list) => list.iter().for_each(|item| yaml_keys(item, out)),
        _ => {}
    }
}

fn json_keys(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.push(key.clone());
                json_keys(value, out);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| json_keys(item, out)),
        _ => {}
    }
}

#[test]
fn natural_order_is_the_order_of_keys_in_go_yamls_text() {
    let of = |r: Row| {
        let yaml: serde_norway::Value =
            serde_norway::from_str(r.truth.get("yaml")?.as_str()?).ok()?;
        let (mut want, mut got) = (Vec::new(), Vec::new());
        yaml_keys(&yaml, &mut want);
        let mut sink = TreeSink::new();
        decode(&r.value, Order::Natural, &mut sink).unwrap();
        json_keys(&sink.into_value(), &mut got);
        Some((r.key, got.join("\n"), want.join("\n")))
    };
    assert_all_equal("natural", samples().into_iter().filter_map(of));
}

#[test]
fn meta_is_what_the_whole_object_says() {
    for row in samples() {
        let (object, meta) = (tree(&row.value), Meta::read(&row.value));
        if !object.is_object() || object["kind"].as_str().is_some_and(|k| k.ends_with("List")) {
            continue;
        }
        let meta = meta.unwrap();
        let metadata = &object["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (meta.name.as_ref(), meta.namespace.as_ref()),
            (&*text("name"), &*text("namespace")),
            "{}",
            row.key
        );
        assert_eq!(
            (&*meta.kind, &*meta.uid),
            (object["kind"].as_str().unwrap_or_default(), &*text("uid")),
            "{}",
            row.key
        );
        assert_eq!(
            meta.managed_fields.len(),
            metadata["managedFields"].as_array().map_or(0, Vec::len),
            "{}",
            row.key
        );
    }
}

/// xorshift, so that every run mutates alike.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit.max(1)
    }
}

#[test]
fn mutated_values_never_panic_and_always_give_valid_json() {
    let mut random = Random(20_261_121);
    let (mut told, mut refused, mut damaged) = (0, 0, 0);
    for row in samples().iter().filter(|r| !r.value.is_empty()) {
        for round in 0..12 {
            let mut value = row.value.clone();
            for _ in 0..=round % 4 {
                let at = random.below(value.len());
                value[at] ^= 1 << random.below(8);
            }
            if round % 3 == 0 {
                value.truncate(random.below(value.len()));
            }
            for order in [Order::Declared, Order::Sorted, Order::Natural] {
                let mut sink = JsonSink::default();
                match decode(&value, order, &mut sink) {
                    Ok(outcome) => {
                        told += 1;
                        damaged += usize::from(
                            outcome
                                .notes
                                .iter()
                                .any(|n| matches!(n, Note::Malformed { .. })),
                        );
                        assert!(
                            serde_json::from_str::<Value>(&sink.out).is_ok(),
                            "{} {}",
                            row.key,
                            sink.out
                        );
                    }
                    Err(_) => {
                        refused += 1;
                        assert!(sink.out.is_empty(), "an error after output: {}", row.key);
                    }
                }
            }
            let _ = Meta::read(&value);
        }
    }
    println!("{told} told, {damaged} of them with damage inside, {refused} refused");
    assert!(told > 0 && refused > 0 && damaged > 0);
}

/// A protobuf field of wire type 2.
fn field(number: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut varint in [number << 3 | 2, bytes.len()] {
        while varint >= 0x80 {
            out.push(u8::try_from(varint & 0x7f).unwrap() | 0x80);
            varint >>= 7;
        }
        out.push(u8::try_from(varint).unwrap());
    }
    [&out, bytes].concat()
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &type_meta), field(2, raw)].concat()
}

#[test]
fn fields_of_a_newer_server_are_kept_by_number() {
    let config_map = [
        field(1, &field(1, b"a")),
        field(2, &[field(1, b"k"), field(2, b"v")].concat()),
        field(14, b"new"),
        vec![0x78, 5],
    ]
    .concat();
    let value = envelope("v1", "ConfigMap", &config_map);
    let want = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"k":"v"},"$unknownFields":[{"field":14,"wire":2,"string":"new"},{"field":15,"wire":0,"int":5}]}"#;
    assert_eq!(json(&value, Order::Declared).unwrap(), want);
    let want = r#"{"$unknownFields":[{"field":14,"string":"new","wire":2},{"field":15,"int":5,"wire":0}],"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"name":"a"}}"#;
    assert_eq!(json(&value, Order::Sorted).unwrap(), want);
    let mut sink = TreeSink::new();
    let outcome = decode(&value, Order::Natural, &mut sink).unwrap();
    assert_eq!(outcome.notes, [Note::UnknownFields { count: 2 }]);
    // A known field with an impossible wire type is an unknown one too.
    let value = envelope("v1", "ConfigMap", &field(1, &[8, 7]));
    let want = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"$unknownFields":[{"field":1,"wire":0,"int":7}]}}"#;
    assert_eq!(json(&value, Order::Declared).unwrap(), want);
}

#[test]
fn an_unknown_kind_has_its_metadata_by_name_and_the_rest_by_number() {
    let route = [
        field(1, &[field(1, b"www"), field(3, b"shop")].concat()),
        field(2, &[field(1, b"www.example.com"), vec![0x10, 80]].concat()),
    ]
    .concat();
    let value = envelope("vendor.example.com/v1", "Gizmo", &route);
    let want = r#"{"kind":"Gizmo","apiVersion":"vendor.example.com/v1","metadata":{"name":"www","namespace":"shop"},"$unknownFields":[{"field":2,"wire":2,"message":[{"field":1,"wire":2,"string":"www.example.com"},{"field":2,"wire":0,"int":80}]}]}"#;
    assert_eq!(json(&value, Order::Declared).unwrap(), want);
    let mut sink = TreeSink::new();
    let outcome = decode(&value, Order::Sorted, &mut sink).unwrap();
    assert_eq!(
        outcome.notes[0].to_string(),
        "no schema for vendor.example.com/v1 Gizmo: fields are shown by number"
    );
}

#[test]
fn damage_inside_is_reported_in_place_and_the_rest_is_read() {
    let pod = [
        field(1, &field(1, b"web")),
        field(2, b"\x0a\x7f"),
        field(3, &field(1, b"Running")),
    ]
    .concat();
    let value = envelope("v1", "Pod", &pod);
    let want = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"},"spec":{"$malformed":"Cn8="},"status":{"phase":"Running"}}"#;
    assert_eq!(json(&value, Order::Declared).unwrap(), want);
    let mut sink = TreeSink::new();
    let notes = decode(&value, Order::Declared, &mut sink).unwrap().notes;
    assert_eq!(
        notes[0].to_string(),
        "spec: cut off at byte 2: 127 bytes needed, 0 left, shown as base64"
    );
}

#[test]
fn a_message_that_comes_in_parts_is_joined_and_of_scalars_the_last_counts() {
    let meta = [
        field(1, &field(1, b"old")),
        field(1, &[field(3, b"ns"), field(1, b"new")].concat()),
    ]
    .concat();
    let volume = |n| field(2, &field(n, &field(1, b"/x")));
    let pod = [
        meta,
        field(
            2,
            &field(1, &[field(1, b"v"), volume(1), volume(1)].concat()),
        ),
    ]
    .concat();
    let want = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"new","namespace":"ns"},"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}],"containers":null}}"#;
    assert_eq!(
        json(&envelope("v1", "Pod", &pod), Order::Declared).unwrap(),
        want
    );
}

#[test]
fn values_that_are_no_object_are_shown_as_what_they_are() {
    assert_eq!(json(b"", Order::Declared).unwrap(), "\"\"");
    assert_eq!(json(b"1234", Order::Declared).unwrap(), "\"1234\"");
    assert_eq!(json(b"\xff\x00", Order::Declared).unwrap(), "\"/wA=\"");
    assert_eq!(
        json(b"\xd9\xd9\xf7\xa1\x44kind\x43Foo", Order::Declared).unwrap(),
        r#"{"kind":"Foo"}"#
    );
    assert_eq!(
        json(b"{\"b\":1.0,\"a\":1e3}", Order::Sorted).unwrap(),
        r#"{"a":1000,"b":1}"#
    );
}

#[test]
fn bad_values_are_refused_with_a_reason_before_anything_is_reported() {
    let cases: [(&[u8], &str); 7] = [
        (b"k8s\0", "the envelope holds no object"),
        (
            b"k8s\0\x0a\x09",
            "the envelope is not readable: cut off at byte 2: 9 bytes needed, 0 left",
        ),
        (
            b"k8s\0\x0a\x05\x0a\x03abc\x12\x01\x0b",
            "<3 bytes, not a name> <0 bytes, not a name> is not readable: wire type 3 at byte 0",
        ),
        (
            b"k8s\0\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "the envelope is not readable: a varint of more than 64 bits at byte 1",
        ),
        (b"{\"a\":", "not JSON at byte 5: a value expected"),
        (b"\xd9\xd9\xf7\x9f", "not CBOR at byte 4: an item expected"),
        (
            b"k8s:enc:aescbc:v1:key1:xxxx",
            "encrypted at rest by aescbc v1, key \"key1\"",
        ),
    ];
    for (value, want) in cases {
        assert_eq!(json(value, Order::Declared).unwrap_err().to_string(), want);
    }
    let deep = vec![b'['; 10_000];
    assert!(json(&deep, Order::Natural).is_err());
}

#[test]
fn schemas_nested_ten_thousand_deep_end_in_bytes() {
    // CustomResourceDefinition.spec.validation.openAPIV3Schema.not.not.not...
    let mut schema = field(5, b"string");
    for _ in 0..10_000 {
        schema = field(28, &schema);
    }
    let crd = field(2, &field(5, &field(1, &schema)));
    let text = json(
        &envelope(
            "apiextensions.k8s.io/v1beta1",
            "CustomResourceDefinition",
            &crd,
        ),
        Order::Declared,
    )
    .unwrap();
    assert!(text.contains("$malformed"));
    assert!(
        (200..=256).contains(&text.matches("\"not\":").count()),
        "{}",
        text.matches("\"not\":").count()
    );
}

/// A ControllerRevision whose `data`, a RawExtension, has these bytes.
fn revision(data: &[u8]) -> Vec<u8> {
    envelope("apps/v1", "ControllerRevision", &field(2, &field(1, data)))
}

#[test]
fn embedded_documents_are_shown_as_what_they_are() {
    let head = r#"{"kind":"ControllerRevision","apiVersion":"apps/v1","data":"#;
    let config_map = envelope("v1", "ConfigMap", &field(1, &field(1, b"a")));
    let cases: [(&[u8], &str); 6] = [
        (b"", "null"),
        (br#"{"b": 1.0, "a": 1e3}"#, r#"{"b":1.0,"a":1e3}"#),
        (b"{broken", "\"e2Jyb2tlbg==\""),
        (b"\xd9\xd9\xf7\xa1\x41k\x01", r#"{"k":1}"#),
        (
            &config_map,
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}"#,
        ),
        (b"k8s\0\xff", "\"azhzAP8=\""),
    ];
    for (data, want) in cases {
        let got = json(&revision(data), Order::Declared).unwrap();
        assert_eq!(got, format!("{head}{want}}}"));
    }
    let sorted = json(&revision(br#"{"b": 1.0, "a": 1e3}"#), Order::Sorted).unwrap();
    assert!(sorted.contains(r#"{"a":1000,"b":1}"#), "{sorted}");
}

#[test]
fn objects_embedded_in_objects_a_thousand_deep_end_in_bytes() {
    let mut value = revision(b"");
    for _ in 0..1000 {
        value = revision(&value);
    }
    for order in [Order::Declared, Order::Sorted, Order::Natural] {
        let text = json(&value, order).unwrap();
        let objects = text.matches("ControllerRevision").count();
        assert!((100..=256).contains(&objects), "{objects}");
    }
}

#[test]
fn damage_in_many_places_is_counted() {
    let conditions = field(2, b"\x0a\x7f").repeat(50);
    let value = envelope("v1", "Pod", &field(3, &conditions));
    let mut sink = TreeSink::new();
    let notes = decode(&value, Order::Declared, &mut sink).unwrap().notes;
    assert_eq!(notes.len(), 21);
    assert_eq!(notes[20].to_string(), "30 more places shown as base64");
}

// ---- recorded clusters ----
