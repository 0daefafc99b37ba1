//! YAML loads back to what was meant, whatever the file has for keys, strings, names and comments.
//!
//! Two readers: libyaml (`serde_norway`) on generated objects, and Go's on recorded ones. Each line of
//! `testdata/yaml/loaded/hostile.jsonl` is `{"json": VALUE, "yaml": OURS}`, and Go's readers loaded each of the texts to
//! its value (`testdata/yaml/README.md`). ETCDIVE_BLESS writes the file anew, and ETCDIVE_YAML_CASES names a file for
//! more such cases: both are then to be read by Go.

use std::fmt::Write as _;

use etcdive::k8s::Order;
use etcdive::view::json::write_value;
use etcdive::view::manifest::{loads_to, manifest};
use etcdive::view::yaml::{Quoting, YamlWriter};
use serde_json::{Map, Value, json};

use crate::support::random::Random;
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Scratch, etcdive, files_below, read_unpacked, testdata};

/// What has a meaning in YAML, to some reader, somewhere in a text.
const WORDS: &[&str] = &[
    "",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\0",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{1f600}",
    "\u{10ffff}",
    "\u{200b}",
    "\u{202e}",
    "\u{e9}",
    "-",
    "- ",
    "?",
    "? ",
    ":",
    ": ",
    " :",
    "#",
    " #",
    "# ",
    "---",
    "--- ",
    "\n---\n",
    "...",
    "\n...\n",
    "%YAML 1.1",
    "!!binary ",
    "!a ",
    "&a ",
    "*a",
    "|",
    ">",
    "|-\n",
    "@",
    "`",
    "'",
    "''",
    "\"",
    "\\",
    "\\n",
    "<<",
    "=",
    "{",
    "}",
    "[",
    "]",
    ",",
    "{a: b}",
    "[a]",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "true",
    "null",
    "~",
    "0x1",
    "0b1",
    "0o7",
    "017",
    "08",
    "1_000",
    "1:30",
    "1:2:3.5",
    ".inf",
    "-.inf",
    ".nan",
    "1",
    "-1",
    "+1",
    "1.5",
    "1e3",
    "1e999",
    ".5",
    "1.",
    "0x1ffffffffffffffff",
    "99999999999999999999",
    "2001-01-01",
    "2001-13-01",
    "2001-01-01T10:00:00",
    "2001-01-01T10:00:00Z",
    "2001-01-01 10:00:00 +1",
    "10:00:00Z",
    "a",
    "word",
    "kind: Secret",
    "apiVersion: v1",
    "nginx:1.2.3",
    "\u{a0}{",
    "\u{3000}{\"a\": 1}",
];

/// Texts of these lengths go beyond the width of lines, and the limits of keys.
const LENGTHS: &[usize] = &[
    77, 78, 79, 80, 81, 82, 126, 127, 128, 129, 500, 1022, 1023, 1024, 1025, 1500,
];

fn text(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(5) + usize::from(!random.one_in(20)) {
        match random.below(12) {
            0..=6 => text.push_str(random.pick(WORDS)),
            7 | 8 => text.push(char::from_u32(random.below(0x250) as u32).unwrap_or('x')),
            9 => text.push_str(&"word ".repeat(random.below(40))),
            10 => {
                let unit = random.pick(WORDS);
                let count = LENGTHS[random.below(LENGTHS.len())] / unit.len().max(1);
                text.push_str(&unit.repeat(count));
            }
            _ => text.push_str(random.pick(&["abc", "v1", "x y", "a-b", "a.b/c"])),
        }
    }
    text
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 4 { 6 } else { 9 }) {
        0..=3 => text(random).into(),
        4 => match random.below(6) {
            0 => Value::Null,
            1 => random.one_in(2).into(),
            2 => (random.below(1 << 31) as i64 - (1 << 30)).into(),
            3 => u64::MAX.into(),
            4 => i64::MIN.into(),
            _ => [1e20, 1.5, 5e-324, 1e300, 1e-5, 1e6][random.below(6)].into(),
        },
        5 => [json!({}), json!([])][random.below(2)].clone(),
        6 | 7 => {
            let count = random.below(4);
            let pairs = (0..count).map(|_| (text(random), value(random, depth + 1)));
            Value::Object(pairs.collect())
        }
        _ => {
            let count = random.below(4);
            (0..count).map(|_| value(random, depth + 1)).collect()
        }
    }
}

/// An object with hostile texts in every place.
fn object(random: &mut Random) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": text(random), "annotations": {text(random): text(random)}},
        "data": value(random, 0),
    });
    object[text(random)] = value(random, 0);
    object
}

fn print(value: &Value, quoting: Quoting) -> String {
    let mut writer = YamlWriter::with_quoting(Vec::new(), quoting);
    write_value(value, Order::Natural, &mut writer);
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// The documents of a text as libyaml reads them.
pub fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize;
    let documents = serde_norway::Deserializer::from_str(text);
    let read =
        |document| Value::deserialize(document).unwrap_or_else(|error| panic!("{error}\n{text}"));
    documents.map(read).collect()
}

/// The same value where -0 is 0 and 1e20 an integer, as JSON.
fn normal(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{:e}", number.as_f64().unwrap() + 0.0),
        Value::Array(items) => {
            items
                .iter()
                .fold("[".to_owned(), |text, item| text + &normal(item) + ",")
                + "]"
        }
        Value::Object(map) => {
            let mut pairs: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", normal(value)))
                .collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(","))
        }
        other => other.to_string(),
    }
}

#[test]
fn every_text_of_every_quoting_loads_back_as_one_document() {
    let mut random = Random::new(1);
    for case in 0..1500 {
        let object = object(&mut random);
        for quoting in [Quoting::Kubectl, Quoting::Portable, Quoting::Everything] {
            let text = print(&object, quoting);
            let read = documents(&text);
            assert_eq!(read.len(), 1, "case {case}, {quoting:?}: {text}");
            // kubectl takes a text that begins so for JSON.
            assert!(
                !text.trim_start().starts_with('{'),
                "case {case}, {quoting:?}: {text}"
            );
            assert_eq!(
                normal(&read[0]),
                normal(&object),
                "case {case}, {quoting:?}: {text}"
            );
            assert!(
                loads_to(text.as_bytes(), &object),
                "case {case}, {quoting:?}: {text}"
            );
        }
    }
}

#[test]
fn every_word_loads_back_as_a_key_and_as_a_text() {
    for word in WORDS {
        for text in [
            (*word).to_owned(),
            format!("a{word}"),
            format!("{word}a"),
            format!("a\n{word}\nb"),
        ] {
            let object = json!({&text: [&text, {&text: &text}]});
            for quoting in [Quoting::Kubectl, Quoting::Portable, Quoting::Everything] {
                let yaml = print(&object, quoting);
                assert!(loads_to(yaml.as_bytes(), &object), "{quoting:?}: {yaml}");
                assert!(!yaml.trim_start().starts_with('{'), "{quoting:?}: {yaml}");
                assert_eq!(
                    documents(&yaml),
                    std::slice::from_ref(&object),
                    "{quoting:?}: {yaml}"
                );
            }
        }
    }
}

#[test]
fn documents_of_a_stream_stay_apart() {
    let mut random = Random::new(2);
    for case in 0..300 {
        let objects: Vec<Value> = (0..3).map(|_| object(&mut random)).collect();
        let mut stream = String::new();
        for object in &objects {
            let comments = [text(&mut random), format!("bound to {}", text(&mut random))];
            let manifest = String::from_utf8(manifest(&comments, object).unwrap()).unwrap();
            for line in manifest.lines().take(2) {
                assert!(
                    line.starts_with("# ") && line.is_ascii(),
                    "case {case}: {line:?}"
                );
            }
            write!(stream, "---\n{manifest}").unwrap();
        }
        let read: Vec<_> = documents(&stream).iter().map(normal).collect();
        let meant: Vec<_> = objects.iter().map(normal).collect();
        assert_eq!(read, meant, "case {case}: {stream}");
        // kubectl finds its documents by these lines alone.
        assert_eq!(stream.matches("\n---").count(), 2, "case {case}: {stream}");
    }
}

/// Cases for Go's readers: manifests with a comment, and kubectl's texts.
fn cases(seed: u64, count: usize) -> String {
    let mut random = Random::new(seed);
    let mut lines = String::new();
    for _ in 0..count {
        let object = object(&mut random);
        let comment = text(&mut random);
        let yaml = with_comment(&comment, &object);
        let case = json!({"json": object, "yaml": yaml, "comment": comment});
        writeln!(lines, "{case}").unwrap();
        let yaml = print(&object, Quoting::Kubectl);
        writeln!(lines, "{}", json!({"json": object, "yaml": yaml})).unwrap();
    }
    lines
}

fn with_comment(comment: &str, object: &Value) -> String {
    String::from_utf8(manifest(&[comment.to_owned()], object).unwrap()).unwrap()
}

#[test]
fn texts_are_those_which_go_loaded() {
    let path = testdata("yaml/loaded/hostile.jsonl");
    if std::env::var_os("ETCDIVE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, cases(3, 60)).unwrap();
    }
    if let Some(more) = std::env::var_os("ETCDIVE_YAML_CASES") {
        std::fs::write(more, cases(4, 50_000)).unwrap();
    }
    let recorded = std::fs::read_to_string(path).unwrap();
    let count = recorded.lines().count();
    assert!(count > 100, "only {count} cases found");
    for (index, line) in recorded.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let ours = match case["comment"].as_str() {
            Some(comment) => with_comment(comment, &case["json"]),
            None => print(&case["json"], Quoting::Kubectl),
        };
        assert_eq!(ours, case["yaml"].as_str().unwrap(), "line {}", index + 1);
    }
}

/// A store of custom resources with hostile texts: half of them deleted, with claims that were bound to hostile volumes.
/// The image, and the objects by their names.
fn hostile_store() -> (Vec<u8>, Vec<(String, Value)>) {
    let mut random = Random::new(5);
    let mut store = Store::new(Version::V3_6);
    let mut objects = Vec::new();
    for number in 0..60 {
        let name = format!("n{number:02}");
        let (kind, api, spec) = if number % 3 == 0 {
            let spec = json!({"volumeName": text(&mut random), "volumeMode": "Block"});
            ("PersistentVolumeClaim", "v1", spec)
        } else {
            ("Book", "example.com/v1", value(&mut random, 0))
        };
        // The controller chose the volume, so the claim comes back without it.
        let bound = "pv.kubernetes.io/bound-by-controller";
        let annotations = json!({text(&mut random): text(&mut random), bound: "yes"});
        let object = json!({
            "apiVersion": api, "kind": kind,
            "metadata": {"name": name, "namespace": "a", "uid": name, "annotations": annotations},
            "spec": spec,
        });
        let resource = if api == "v1" {
            "persistentvolumeclaims"
        } else {
            "example.com/books"
        };
        let key = format!("/registry/{resource}/a/{name}");
        store.put(key.clone(), object.to_string());
        if number % 2 == 0 {
            store.delete(key);
        }
        objects.push((name, object));
    }
    (store.builder().build().bytes, objects)
}

/// Fails unless the documents are these objects, but for what the server owns. Claims lose their volume.
#[track_caller]
fn assert_objects(documents: &[Value], meant: &[&(String, Value)], is_recovered: bool) {
    assert!(
        !meant.is_empty() && documents.len() == meant.len(),
        "{} documents",
        documents.len()
    );
    for (name, object) in meant {
        let mut named = documents
            .iter()
            .filter(|document| document["metadata"]["name"] == **name);
        let document = named.next().unwrap_or_else(|| panic!("{name} is missing"));
        let mut object = object.clone();
        if is_recovered {
            let spec = object["spec"].as_object_mut();
            let is_claim =
                |_: &&mut Map<String, Value>| document["kind"] == "PersistentVolumeClaim";
            spec.filter(is_claim).map(|spec| spec.remove("volumeName"));
            let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
            annotations.remove("pv.kubernetes.io/bound-by-controller");
        }
        assert!(named.next().is_none(), "{name} is there twice");
        for field in ["kind", "spec"] {
            assert_eq!(normal(&document[field]), normal(&object[field]), "{name}");
        }
        assert_eq!(
            document["metadata"]["annotations"],
            object["metadata"]["annotations"]
        );
    }
}

/// The documents of the files below a folder: one in each file.
fn documents_of_files(folder: &std::path::Path) -> Vec<Value> {
    let read = |path: std::path::PathBuf| {
        assert_eq!(path.extension().unwrap(), "yaml", "{}", path.display());
        let mut documents = documents(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(documents.len(), 1, "{}", path.display());
        documents.remove(0)
    };
    files_below(folder).into_iter().map(read).collect()
}

#[test]
fn recover_writes_the_objects_of_a_hostile_store_and_no_others() {
    let (image, objects) = hostile_store();
    let meant: Vec<_> = objects.iter().step_by(2).collect();
    let scratch = Scratch::new("yaml-recover");
    let db = scratch.file("db", &image);
    let db = db.to_str().unwrap();
    let stream = etcdive(["recover", db, "-o", "yaml"]);
    assert_eq!(stream.code, 0, "{}", stream.stderr);
    assert_objects(&documents(stream.text()), &meant, true);
    let folder = scratch.path().join("out");
    let run = etcdive(["recover", db, "--out", folder.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_objects(&documents_of_files(&folder), &meant, true);
}

#[test]
fn get_writes_the_objects_of_a_hostile_store_and_no_others() {
    let (image, objects) = hostile_store();
    let meant: Vec<_> = objects.iter().skip(1).step_by(2).collect();
    let scratch = Scratch::new("yaml-get");
    let db = scratch.file("db", &image);
    let db = db.to_str().unwrap();
    let stream = etcdive(["get", db, "/registry/", "-o", "yaml"]);
    assert_eq!(stream.code, 0, "{}", stream.stderr);
    let list = documents(stream.text());
    assert_eq!(list.len(), 1);
    assert_objects(list[0]["items"].as_array().unwrap(), &meant, false);
    let folder = scratch.path().join("out");
    let run = etcdive(["get", db, "/registry/", "--out", folder.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_objects(&documents_of_files(&folder), &meant, false);
    for (name, object) in meant {
        let resource = if object["kind"] == "Book" {
            "example.com/books"
        } else {
            "persistentvolumeclaims"
        };
        let run = etcdive([
            "extract",
            db,
            "-k",
            &format!("/registry/{resource}/a/{name}"),
        ]);
        assert_objects(
            &documents(run.text()),
            &[&(name.clone(), object.clone())],
            false,
        );
    }
}

/// The manifests that `recover --out` makes of a hostile file.
fn recovered(file: &str) -> Vec<String> {
    let scratch = Scratch::new(&format!("yaml-{file}"));
    let db = scratch.file("db", &read_unpacked(&testdata("hostile").join(file)));
    let folder = scratch.path().join("out");
    let words = [
        "recover",
        db.to_str().unwrap(),
        "--out",
        folder.to_str().unwrap(),
    ];
    let run = etcdive(words);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let files = files_below(&folder);
    assert!(!files.is_empty());
    files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn a_volume_name_cannot_leave_its_comment() {
    for text in recovered("comment-injection.db.gz") {
        let comments: Vec<_> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        assert_eq!(comments.len(), 3, "{text}");
        assert!(comments.iter().all(|line| line.is_ascii()), "{text}");
        assert!(comments[0].contains("\\u{202"), "{text}");
        assert_eq!(documents(&text).len(), 1, "{text}");
        assert_eq!(documents(&text)[0]["kind"], "PersistentVolumeClaim");
    }
}

#[test]
fn a_merge_key_is_quoted() {
    let texts = recovered("merge-key.db.gz");
    assert!(
        texts.iter().any(|text| text.contains("\"<<\":")),
        "{texts:?}"
    );
    assert!(!texts.iter().any(|text| text.contains(" <<:")), "{texts:?}");
}

#[test]
fn empty_fields_that_the_author_wrote_come_back() {
    let mut store = Store::new(Version::V3_6);
    let empty = json!({
        "apiVersion": "example.com/v1", "kind": "Book",
        "metadata": {"name": "a", "namespace": "a", "uid": "u", "annotations": {}, "finalizers": [], "labels": {}},
        "spec": {}, "more": [], "parts": {"none": {}, "list": []},
    });
    let key = "/registry/example.com/books/a/a";
    store.put(key, empty.to_string());
    store.delete(key);
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "secrets": [{"name": "b-token-x7k2p"}],
        "metadata": {"name": "b", "namespace": "a", "annotations": {"kubernetes.io/service-account.uid": "u"}},
    });
    let key = "/registry/serviceaccounts/a/b";
    store.put(key, account.to_string());
    store.delete(key);
    let scratch = Scratch::new("yaml-empty");
    let db = scratch.file("db", &store.builder().build().bytes);
    let run = etcdive(["recover", db.to_str().unwrap(), "-o", "yaml"]);
    let mut expected = empty;
    expected["metadata"].as_object_mut().unwrap().remove("uid");
    // What only the server and its controllers filled is not left empty.
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "b", "namespace": "a"}});
    assert_eq!(documents(run.text()), [account, expected], "{}", run.text());
}

/// A field of a protobuf message whose value has a length.
fn field(number: usize, bytes: &[u8]) -> Vec<u8> {
    let varint = |mut value: usize| {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    [varint(number << 3 | 2), varint(bytes.len()), bytes.to_vec()].concat()
}

#[test]
fn an_object_deeper_than_readers_follow_is_reported_and_kept_as_it_is_stored() {
    // `not`, in `not`, in `not`, ... of a schema.
    let schema = (0..140).fold(field(5, b"object"), |inner, _| field(28, &inner));
    let version = [field(1, b"v1"), field(4, &field(1, &schema))].concat();
    let object = [
        field(1, &field(1, b"a.x.io")),
        field(2, &field(7, &version)),
    ]
    .concat();
    let type_meta = [
        field(1, b"apiextensions.k8s.io/v1"),
        field(2, b"CustomResourceDefinition"),
    ]
    .concat();
    let value = [b"k8s\0".to_vec(), field(1, &type_meta), field(2, &object)].concat();
    let mut store = Store::new(Version::V3_6);
    let key = "/registry/apiextensions.k8s.io/customresourcedefinitions/a.x.io";
    store.put(key, value.clone());
    store.put(
        "/registry/configmaps/a/b",
        r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "a"}}"#,
    );
    let scratch = Scratch::new("yaml-deep");
    let live = scratch.file("live", &store.builder().build().bytes);
    store.delete(key);
    let deleted = scratch.file("deleted", &store.builder().build().bytes);
    let (live, deleted) = (live.to_str().unwrap(), deleted.to_str().unwrap());
    let folder = scratch.path().join("out");
    let folder = folder.to_str().unwrap();
    let lines: [&[&str]; 4] = [
        &["get", live, "/registry/", "-o", "yaml"],
        &["get", live, key, "--out", &format!("{folder}-get")],
        &["recover", deleted, "-o", "yaml"],
        &["recover", deleted, "--out", folder],
    ];
    for line in lines {
        let run = etcdive(line);
        assert_eq!(run.code, 3, "{line:?}: {}", run.stderr);
        assert!(
            run.stderr.contains("manifest-unreadable"),
            "{line:?}: {}",
            run.stderr
        );
        assert!(!run.text().contains("not:"), "{line:?}: {}", run.text());
    }
    let stream = etcdive(lines[0]);
    let list = documents(stream.text());
    assert_eq!(
        list[0]["items"].as_array().unwrap().len(),
        1,
        "{}",
        stream.text()
    );
    let files = files_below(std::path::Path::new(folder));
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].extension().unwrap(), "value");
    assert_eq!(std::fs::read(&files[0]).unwrap(), value);
    let extract = etcdive(["extract", live, "-k", key]);
    assert_eq!((extract.code, extract.text()), (2, ""));
    assert!(
        extract.stderr.contains("hint: `-o json` prints the object"),
        "{}",
        extract.stderr
    );
}

#[test]
fn no_key_comes_twice_in_one_map() {
    // By go-yaml's order, 5 is before the second number, that before the third, and that before 5: one has 64 bits.
    let json = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "a"},
        "data": {"5": "1", "9223372036854775807": "2", "9223372036854775808": "3", "5": "4"}}"#;
    // Two keys that are not UTF-8, and look the same where that is replaced.
    let entry = |key: &[u8], value: &[u8]| field(2, &[field(1, key), field(2, value)].concat());
    let metadata = field(1, &[field(1, b"b"), field(3, b"a")].concat());
    let entries = [entry(b"\xfe", b"1"), entry(b"\xff", b"2")].concat();
    let type_meta = field(1, &[field(1, b"v1"), field(2, b"ConfigMap")].concat());
    let object = [metadata, entries].concat();
    let protobuf = [b"k8s\0".to_vec(), type_meta, field(2, &object)].concat();
    let mut store = Store::new(Version::V3_6);
    store.put("/registry/configmaps/a/a", json);
    store.put("/registry/configmaps/a/b", protobuf);
    let scratch = Scratch::new("yaml-twice");
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    let stream = etcdive(["get", db, "configmaps", "-n", "a", "-o", "yaml"]);
    // A map of this reader's own fails on a key that comes twice.
    let list: serde_norway::Value = serde_norway::from_str(stream.text())
        .unwrap_or_else(|error| panic!("{error}\n{}", stream.text()));
    let data = |item: usize| list["items"][item]["data"].as_mapping().unwrap().len();
    assert_eq!((data(0), data(1)), (3, 1), "{}", stream.text());
    assert_eq!(list["items"][0]["data"]["5"], "4", "the last one counts");
    for name in ["a", "b"] {
        let run = etcdive([
            "extract",
            db,
            "-k",
            &format!("/registry/configmaps/a/{name}"),
        ]);
        serde_norway::from_str::<serde_norway::Value>(run.text())
            .unwrap_or_else(|error| panic!("{error}\n{}", run.text()));
    }
}
