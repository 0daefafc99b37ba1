//! Values of any bytes: what `recover --out` writes are the values, and no verb that reads them finds damage.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::random::Rng;
use crate::support::{Scratch, etcdive, full_or};

/// A JSON value; never an object with apiVersion and kind.
fn json(rng: &mut Rng, depth: u64) -> String {
    let key = |rng: &mut Rng| {
        (*rng
            .pick(&["a", "kind", "metadata", "data", "x y", "status"])
            .unwrap())
        .to_owned()
    };
    match rng.below(if depth > 3 { 5 } else { 7 }) {
        0 => rng.next_u64().to_string(),
        1 => format!("-{}.{}e{}", rng.below(99), rng.below(1000), rng.below(400)),
        2 => "null".to_owned(),
        3 => format!("{:?}", rng.word(9)),
        4 => (*rng
            .pick(&["true", "\"\\u00e9\\n\"", "\"\"", "[]", "{}"])
            .unwrap())
        .to_owned(),
        5 => {
            let items: Vec<String> = (0..rng.below(5)).map(|_| json(rng, depth + 1)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let space = *rng.pick(&["", " ", "\n  "]).unwrap();
            let members = (0..rng.below(5))
                .map(|_| format!("\"{}\":{space}{}", key(rng), json(rng, depth + 1)));
            let members: Vec<String> = members.collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// JSON, often broken: cut, with a byte changed, followed by more.
fn json_like(rng: &mut Rng) -> Vec<u8> {
    let mut value = match rng.below(2) {
        0 => format!("{{\"a\":{}}}", json(rng, 0)),
        _ => format!("[{}]", json(rng, 0)),
    }
    .into_bytes();
    match rng.below(5) {
        0 => value.truncate(rng.index(value.len())),
        1 => {
            let at = rng.index(value.len());
            value[at] = rng.next_u64() as u8;
        }
        2 => value.extend_from_slice(format!("\n{}", json(rng, 0)).as_bytes()),
        _ => {}
    }
    value
}

fn lines(rng: &mut Rng) -> Vec<u8> {
    let begin = *rng
        .pick(&[
            "[db]\n",
            "{{range}}\n",
            "---\n",
            "",
            "#!\n",
            "k8s:\n",
            "\u{feff}{\r\n",
            "a\tb\u{0}\u{2028}",
        ])
        .unwrap();
    let lines = (0..rng.below(9)).map(|_| {
        let size = rng.log_size(1, 40) as usize;
        rng.word(size) + rng.pick(&["\n", "\r\n", "=", " \n"]).unwrap()
    });
    (begin.to_owned() + &lines.collect::<String>()).into_bytes()
}

/// A protobuf message whose first field is often 91 or 123 bytes long: `\n[`, `\n{`.
fn protobuf_like(rng: &mut Rng) -> Vec<u8> {
    let mut value = Vec::new();
    for number in 1..=rng.between(1, 5) {
        let size = *rng.pick(&[91, 123, 1, 40]).unwrap();
        value.extend_from_slice(&[(number as u8) << 3 | 2, size as u8]);
        let bytes = rng.bytes(size);
        value.extend(bytes.iter().map(|byte| {
            if rng.percent(10) {
                *byte
            } else {
                b'a' + byte % 26
            }
        }));
    }
    value
}

fn value(rng: &mut Rng) -> Vec<u8> {
    let size = rng.log_size(1, 600) as usize - 1;
    match rng.below(6) {
        0 => rng.bytes(size),
        1 => [b"\xd9\xd9\xf7", &rng.bytes(size)[..]].concat(),
        2 => lines(rng),
        3 => protobuf_like(rng),
        _ => json_like(rng),
    }
}

/// Runs the program, which may answer with one of these codes, and must not report damage.
fn answers(codes: &[i32], db: &str, words: &[&str]) -> Vec<u8> {
    let run = etcdive([&[words[0], db], &words[1..]].concat());
    assert!(
        codes.contains(&run.code),
        "{words:?}: {} {}",
        run.code,
        run.stderr
    );
    assert!(!run.stderr.contains("error:"), "{words:?}: {}", run.stderr);
    run.stdout
}

#[test]
fn values_of_any_bytes_are_recovered_exactly_and_read_by_every_verb() {
    let mut compared = 0;
    for seed in 0..full_or(200, 12_u64) {
        let mut rng = Rng::new(seed);
        let mut store = Store::new(Version::V3_6);
        let mut expected = BTreeMap::new();
        for number in 0..24 {
            let folder = if number % 4 == 0 { "kept" } else { "gone" };
            let key = format!("/{folder}/{number:02}");
            for _ in 0..rng.between(1, 3) {
                let value = value(&mut rng);
                store.put(key.clone(), value.clone());
                expected.insert(key.clone(), value);
            }
            if folder == "gone" {
                store.delete(key);
            }
        }
        let scratch = Scratch::new(&format!("values-{seed}"));
        let page_size = [512, 4096, 16384][seed as usize % 3];
        let image = store.builder().page_size(page_size).build().bytes;
        let db = scratch.file("db", &image).to_str().unwrap().to_owned();
        let folder = scratch.path().join("out");
        let printed = answers(&[0], &db, &["recover", "--out", folder.to_str().unwrap()]);
        for path in std::str::from_utf8(&printed)
            .unwrap()
            .lines()
            .map(Path::new)
        {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let (_, key) = name.split_once("-key-").unwrap();
            let key = key.replace("%2F", "/");
            assert_eq!(
                std::fs::read(path).unwrap(),
                expected[&key],
                "store {seed}: {key}"
            );
            compared += 1;
        }
        answers(&[0], &db, &["log", "-p"]);
        answers(&[1], &db, &["diff", "1..@", "-o", "unified"]);
        answers(&[1], &db, &["diff", "2..@", "--stat"]);
        answers(&[0], &db, &["grep", "[a-z]", "--history"]);
        for key in expected.keys().filter(|key| key.starts_with("/kept")) {
            answers(&[0], &db, &["blame", key]);
        }
    }
    assert_eq!(compared, full_or(200, 12) * 18);
}
