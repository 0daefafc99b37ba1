//! The plumbing verbs: `pages`, `page`, `buckets`, `hexdump`. bbolt's recorded output has the same facts; an
//! independent writer knows which page is what; damage is shown, not refused.

mod damage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::reference::{database_of, folders};
use crate::support::synth::{Bucket, Builder, Freelist, Image, Role, shapes};
use crate::support::{Run, Scratch, assert_same, case_roots, etcdive, testdata};

const SNAPSHOT: &str = "testdata/healthy/talk/3.6/06-after.snapshot.db";

/// Every database of which bbolt's output was recorded, with the folder of the recordings.
fn recorded() -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for db in folders(&root.join("reference").join(&cluster)) {
                let folder = root.join("reference").join(&cluster).join(&db);
                if folder.join("bbolt.pages.txt").is_file() {
                    found.push((database_of(&root, &cluster, &db), folder));
                }
            }
        }
    }
    println!("{} recorded databases", found.len());
    assert!(found.len() > 3);
    found
}

fn recording(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(format!("bbolt.{name}.txt"))).unwrap()
}

fn run(verb: &str, db: &Path, words: &[&str]) -> Run {
    let db = db.to_str().unwrap();
    etcdive([verb, db].iter().chain(words))
}

#[track_caller]
fn rows(run: &Run) -> Vec<Value> {
    let lines = run.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ok(verb: &str, db: &Path, words: &[&str]) -> Run {
    let run = run(verb, db, words);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{verb} {words:?}");
    run
}

#[test]
fn pages_has_the_facts_of_bbolts_list_in_every_format() {
    for (db, folder) in recorded() {
        let what = folder.display().to_string();
        let expected = recording(&folder, "pages");
        let bbolt = ok("pages", &db, &["-o", "bbolt"]);
        assert_same(expected.as_bytes(), &bbolt.stdout, &what);
        let facts: Vec<Vec<&str>> = expected
            .lines()
            .skip(2)
            .map(|line| line.split_whitespace().collect())
            .collect();
        let table = ok("pages", &db, &[]);
        let columns: Vec<&str> = table.text().lines().skip(1).collect();
        assert_eq!(columns.len(), facts.len(), "{what}");
        let json = rows(&ok("pages", &db, &["--format", "jsonl"]));
        let array: Vec<Value> =
            serde_json::from_slice(&ok("pages", &db, &["--output", "json"]).stdout).unwrap();
        assert_eq!(json, array, "{what}");
        for ((fact, line), row) in facts.iter().zip(&columns).zip(&json) {
            let ours: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(&ours[..fact.len()], &fact[..], "{what}");
            let overflow = row["overflow"].as_u64().filter(|pages| *pages > 0);
            let told = [
                Some(row["page"].to_string()),
                row["type"].as_str().map(str::to_owned),
                row["items"].as_u64().map(|items| items.to_string()),
                overflow.map(|pages| pages.to_string()),
            ];
            let told: Vec<String> = told.into_iter().flatten().collect();
            assert_eq!(&told, fact, "{what}");
            assert_eq!(
                row["offset"].as_u64().unwrap(),
                row["page"].as_u64().unwrap() * 4096
            );
            let in_tree = matches!(fact[1], "leaf" | "branch");
            assert_eq!(row["bucket"].is_string(), in_tree, "{what}: {row}");
        }
    }
}

#[test]
fn buckets_prints_the_names_that_bbolt_prints() {
    for (db, folder) in recorded() {
        let what = folder.display().to_string();
        let expected = recording(&folder, "buckets");
        assert_same(expected.as_bytes(), &ok("buckets", &db, &[]).stdout, &what);
        let json = rows(&ok("buckets", &db, &["-o", "jsonl"]));
        let names: Vec<&str> = json
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected.lines().collect::<Vec<_>>(), "{what}");
        let array: Vec<Value> =
            serde_json::from_slice(&ok("buckets", &db, &["-o", "json"]).stdout).unwrap();
        assert_eq!(array, json, "{what}");
        let table = ok("buckets", &db, &["--format", "table"]);
        for (line, row) in table.text().lines().skip(1).zip(&json) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let expected = [
                "sequence",
                "header_offset",
                "depth",
                "elements",
                "key_bytes",
            ];
            assert_eq!(words[0], row["name"].as_str().unwrap(), "{what}");
            for (word, name) in words[2..].iter().zip(expected) {
                assert_eq!(*word, row[name].to_string(), "{what}: {name} in {line}");
            }
        }
    }
}

/// The number on the line of bbolt's statistics that starts so.
fn statistic(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no {name}"));
    let digits = line.trim_start_matches(':').trim();
    digits.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn buckets_counts_pages_and_elements_as_bbolts_statistics_do() {
    for (db, folder) in recorded() {
        let expected = recording(&folder, "stats");
        let json = rows(&ok("buckets", &db, &["-o", "jsonl"]));
        let sum = |field: &str| {
            json.iter()
                .map(|row| row[field].as_u64().unwrap())
                .sum::<u64>()
        };
        let most = |field: &str| json.iter().map(|row| row[field].as_u64().unwrap()).max();
        let inline = json.iter().filter(|row| row["inline"] == true).count() as u64;
        let page_bytes = |pages: &str, overflow: &str| (sum(pages) + sum(overflow)) * 4096;
        for (name, got) in [
            ("Number of logical branch pages", sum("branch_pages")),
            (
                "Number of physical branch overflow pages",
                sum("branch_overflow"),
            ),
            ("Number of logical leaf pages", sum("leaf_pages")),
            (
                "Number of physical leaf overflow pages",
                sum("leaf_overflow"),
            ),
            ("Number of keys/value pairs", sum("elements")),
            ("Number of levels in B+tree", most("depth").unwrap()),
            (
                "Bytes allocated for physical branch pages",
                page_bytes("branch_pages", "branch_overflow"),
            ),
            (
                "Bytes allocated for physical leaf pages",
                page_bytes("leaf_pages", "leaf_overflow"),
            ),
            ("Total number of buckets", json.len() as u64),
            ("Total number on inlined buckets", inline),
        ] {
            assert_eq!(
                got,
                statistic(&expected, name),
                "{}: {name}",
                folder.display()
            );
        }
        assert_eq!(
            sum("page_bytes"),
            page_bytes("branch_pages", "branch_overflow")
                + page_bytes("leaf_pages", "leaf_overflow")
        );
    }
}

/// The fields of one page of `page -o jsonl`, by name.
fn fields(page: &Value) -> BTreeMap<&str, &Value> {
    let fields = page["fields"].as_array().unwrap();
    fields
        .iter()
        .map(|field| (field["name"].as_str().unwrap(), &field["value"]))
        .collect()
}

#[test]
fn page_has_the_facts_of_bbolts_meta_pages() {
    for (db, folder) in recorded() {
        let expected = recording(&folder, "page-0-1");
        let json = rows(&ok("page", &db, &["0", "0x1", "-o", "jsonl"]));
        let parts: Vec<&str> = expected.split("=====\n").collect();
        assert_eq!((json.len(), parts.len()), (2, 2));
        for (page, text) in json.iter().zip(parts) {
            let fields = fields(page);
            let fact = |name: &str| {
                let line = text
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap();
                line.trim_matches(|c: char| " :<>=".contains(c))
                    .trim_start_matches("pgid=")
                    .to_owned()
            };
            for (theirs, ours) in [
                ("Page ID", "id"),
                ("Overflow pages", "overflow"),
                ("Version", "version"),
                ("Root", "root"),
                ("Freelist", "freelist"),
                ("HWM", "high_water_mark"),
                ("Txn ID", "txid"),
            ] {
                assert_eq!(fields[ours].to_string(), fact(theirs), "{theirs}");
            }
            assert_eq!(fields["checksum"], &Value::from(fact("Checksum")));
            assert_eq!(format!("{} bytes", page["len_bytes"]), fact("Total Size"));
            assert_eq!(format!("{} bytes", fields["page_size"]), fact("Page Size"));
            assert_eq!(page["type"].as_str().unwrap(), fact("Page Type"));
            assert!(page.get("does_not_fit").is_none(), "{page}");
        }
        let info = recording(&folder, "info");
        assert_eq!(
            info.trim(),
            format!("Page Size: {}", fields(&json[0])["page_size"])
        );
    }
}

/// A number of the file, as its header or element has it: little endian.
fn stored_number(file: &[u8], field: &Value) -> u64 {
    let at = field["offset"].as_u64().unwrap() as usize;
    let len = field["len_bytes"].as_u64().unwrap() as usize;
    let bytes = file[at..at + len].iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn bytes_of(row: &Value, name: &str) -> Vec<u8> {
    use base64::Engine as _;
    match row[name].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64::engine::general_purpose::STANDARD
            .decode(row[format!("{name}_base64")].as_str().unwrap())
            .unwrap(),
    }
}

/// Each fact that `page` prints with an offset is what is there in the file.
#[track_caller]
fn assert_is_there(file: &[u8], row: &Value) {
    let number = |name: &str| row[name].as_u64().unwrap() as usize;
    if let Some(fields) = row["fields"].as_array() {
        for field in fields {
            let stored = stored_number(file, field);
            let shown = match field["value"].as_str() {
                Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
                None => field["value"].as_u64().unwrap(),
            };
            assert_eq!(shown, stored, "{field}");
        }
        return;
    }
    let (at, pos) = (number("offset"), number("pos"));
    let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let key_at = number("key_offset");
    assert_eq!(key_at, at + pos, "{row}");
    assert_eq!(
        &file[key_at..key_at + number("ksize")],
        &bytes_of(row, "key")
    );
    if row.get("vsize").is_some() {
        let raw = [u32_at(at), u32_at(at + 4), u32_at(at + 8), u32_at(at + 12)];
        assert_eq!(
            raw,
            [number("flags"), pos, number("ksize"), number("vsize")]
        );
        let value_at = number("value_offset");
        assert_eq!(value_at, key_at + number("ksize"));
        assert_eq!(
            &file[value_at..value_at + number("vsize")],
            &bytes_of(row, "value")
        );
    } else {
        assert_eq!([u32_at(at), u32_at(at + 4)], [pos, number("ksize")]);
        assert_eq!(u32_at(at + 8), number("pgid"));
    }
}

#[test]
fn every_field_element_and_byte_of_every_page_is_where_page_shows_it() {
    for db in [
        "healthy/talk/3.4/01-talk.live.db",
        "healthy/talk/3.6/06-after.snapshot.db",
    ] {
        let db = testdata(db);
        let file = std::fs::read(&db).unwrap();
        let listed = rows(&ok("pages", &db, &["-o", "jsonl"]));
        let (mut elements, mut inline) = (0, 0);
        for page in &listed {
            let id = page["page"].to_string();
            let told = rows(&ok("page", &db, &[&id, "--values", "-o", "jsonl"]));
            for row in &told {
                assert_is_there(&file, row);
                elements += u64::from(row.get("element").is_some());
                inline +=
                    u64::from(row.get("element").is_none() && row.get("inline_bucket").is_some());
            }
            let own = |row: &&Value| row.get("inline_bucket").is_none();
            let items = page["items"].as_u64().or(page["held"]["items"].as_u64());
            assert_eq!(told.iter().filter(own).count() as u64 - 1, items.unwrap());
            let text = ok("page", &db, &[&id]);
            assert!(!text.text().contains("NOT FIT"), "{}", text.text());
        }
        println!("{elements} elements, {inline} inline buckets");
        assert!(elements > 20 && inline > 8);
    }
}

#[test]
fn a_key_that_is_a_revision_is_printed_as_one() {
    let text = ok("page", Path::new(SNAPSHOT), &["2"]);
    let keys: Vec<&str> = text
        .text()
        .lines()
        .skip(8)
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    let expected = [
        "21.0", "22.0", "24.0", "25.0", "26.0", "27.0", "28.0", "29.0", "30.0t", "31.0",
    ];
    assert_eq!(keys, expected, "{}", text.text());
    let json = rows(&ok("page", Path::new(SNAPSHOT), &["2", "-o", "jsonl"]));
    let revisions: Vec<&str> = json[1..]
        .iter()
        .map(|row| row["revision"].as_str().unwrap())
        .collect();
    assert_eq!(revisions, expected);
    assert!(
        json.iter()
            .all(|row| row.get("value").is_none() && row.get("value_base64").is_none())
    );
}

#[test]
fn page_shows_values_as_bytes_and_the_inside_of_inline_buckets() {
    let text = ok("page", Path::new(SNAPSHOT), &["3"]);
    for said in [
        "page 3: leaf, 4096 bytes from offset 12288\nused: by the tree of buckets (root)\n",
        "cluster  (bucket: inline, sequence 0)",
        "key  (bucket: root 83, sequence 0)",
        "\n  inline bucket cluster: leaf, ",
        "clusterVersion\n",
    ] {
        assert!(text.text().contains(said), "{said}: {}", text.text());
    }
    assert!(!text.text().contains("|3.6.0|"));
    let with = ok("page", Path::new(SNAPSHOT), &["3", "--values"]);
    assert!(with.text().contains("|3.6.0|"), "{}", with.text());
    let two = ok("page", Path::new(SNAPSHOT), &["3", "0"]);
    assert!(two.text().starts_with(text.text()) && two.text().contains("\n\npage 0: meta"));
}

fn written(scratch: &Scratch, image: &Image) -> PathBuf {
    scratch.file("db", &image.bytes)
}

#[test]
fn an_independent_writer_agrees_on_what_uses_each_page() {
    let scratch = Scratch::new("plumbing-shapes");
    let mut checked = 0;
    for seed in 0..12 {
        let page_size = [1024, 4096, 16384][seed as usize % 3];
        let endian = [
            crate::support::synth::Endian::Little,
            crate::support::synth::Endian::Big,
        ][seed as usize % 2];
        let image = shapes::builder(seed, page_size, endian).build();
        let path = written(&scratch, &image);
        let run = run("pages", &path, &["-o", "jsonl"]);
        assert!(
            run.code == 0 || run.stderr.contains("trailer-mismatch"),
            "{}",
            run.stderr
        );
        let listed: BTreeMap<u64, Value> = rows(&run)
            .into_iter()
            .map(|row| (row["page"].as_u64().unwrap(), row))
            .collect();
        for page in &image.runs {
            let row = listed.get(&page.pgid);
            let pages = page.pgid..page.pgid + page.pages;
            match page.role {
                Role::Tree => {
                    let row = row.unwrap();
                    let kind = if page.level == 0 { "leaf" } else { "branch" };
                    let path = page.path.join(&b'/');
                    assert_eq!(
                        (&row["type"], bytes_of(row, "bucket")),
                        (&kind.into(), path)
                    );
                    assert_eq!(row["overflow"].as_u64(), Some(page.pages - 1));
                    assert!(pages.skip(1).all(|further| !listed.contains_key(&further)));
                }
                Role::Freelist if !image.free.contains(&page.pgid) => {
                    assert_eq!(row.unwrap()["type"], "freelist");
                }
                _ => {
                    for free in pages {
                        assert_eq!(listed[&free]["type"], "free", "seed {seed}: page {free}");
                        assert!(image.free.contains(&free));
                    }
                }
            }
            checked += 1;
        }
        let free = listed.values().filter(|row| row["type"] == "free");
        assert_eq!(free.count(), image.free.len(), "seed {seed}");
    }
    println!("{checked} runs");
    assert!(checked > 500);
}

#[test]
fn what_a_free_page_still_holds_is_distinguished_from_what_is_in_use() {
    let run = ok("pages", Path::new(SNAPSHOT), &[]);
    let line = run
        .text()
        .lines()
        .find(|line| line.starts_with("82 "))
        .unwrap();
    assert!(
        line.contains(" free ") && line.ends_with("(held a branch of 3) from 7.0"),
        "{line}"
    );
    let json = rows(&ok("pages", Path::new(SNAPSHOT), &["-o", "jsonl"]));
    let held = &json.iter().find(|row| row["page"] == 82).unwrap()["held"];
    assert_eq!(
        (&held["type"], &held["items"], &held["first_revision"]),
        (&"branch".into(), &3.into(), &"7.0".into())
    );
}

#[test]
fn the_ids_of_a_freelist_are_listed_with_their_places() {
    let scratch = Scratch::new("plumbing-freelist");
    for free in [7, 3000, 70_000] {
        let image = Builder::new()
            .bucket(
                "key",
                Bucket::of([(b"k".to_vec(), b"v".to_vec())]).never_inline(),
            )
            .zero_pages(free)
            .freelist(Freelist::Persisted)
            .build();
        let path = written(&scratch, &image);
        let meta = &image.metas[image.current_meta];
        let id = meta.freelist.to_string();
        let json = rows(&ok("page", &path, &[&id, "-o", "jsonl"]));
        let mut ids = Vec::new();
        for part in &json[1..] {
            let offset = part["offset"].as_u64().unwrap() as usize;
            assert_eq!(part["index"].as_u64(), Some(ids.len() as u64));
            for (index, id) in part["ids"].as_array().unwrap().iter().enumerate() {
                let at = offset + 8 * index;
                let stored = u64::from_le_bytes(image.bytes[at..at + 8].try_into().unwrap());
                assert_eq!(id.as_u64(), Some(stored));
                ids.push(stored);
            }
        }
        assert_eq!(ids, image.free);
        let text = ok("page", &path, &[&id]);
        assert!(text.text().contains("used: by the freelist\n"));
        let listed: Vec<u64> = text
            .text()
            .lines()
            .skip_while(|line| !line.contains(" IDS, "))
            .skip(1)
            .flat_map(|line| line.split_whitespace().skip(1))
            .map(|word| word.parse().unwrap())
            .collect();
        assert_eq!(listed, image.free);
    }
}

/// The bytes that a dump shows, and the offset of its end.
fn undumped(text: &str) -> (u64, Vec<u8>, u64) {
    let mut bytes: Vec<u8> = Vec::new();
    let (mut start, mut end, mut repeat) = (None, 0, false);
    for line in text.lines() {
        if line == "*" {
            repeat = true;
            continue;
        }
        let at = u64::from_str_radix(&line[..8], 16).unwrap();
        let first = *start.get_or_insert(at);
        while repeat && bytes.len() < (at - first) as usize {
            let last = bytes[bytes.len() - 16..].to_vec();
            bytes.extend(last);
        }
        repeat = false;
        assert_eq!(bytes.len() as u64, at - first, "{line}");
        let hex = line.get(8..58).unwrap_or_default();
        bytes.extend(
            hex.split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).unwrap()),
        );
        end = at;
    }
    (start.unwrap(), bytes, end)
}

#[test]
fn hexdump_shows_every_byte_of_the_file_of_a_page_and_of_a_range() {
    let db = Path::new(SNAPSHOT);
    let file = std::fs::read(testdata("healthy/talk/3.6/06-after.snapshot.db")).unwrap();
    let whole = ok("hexdump", db, &[]);
    assert!(whole.text().contains("\n*\n"));
    assert_eq!(undumped(whole.text()), (0, file.clone(), file.len() as u64));
    // Page 5 has 75 further pages.
    let page = undumped(ok("hexdump", db, &["--page", "5"]).text());
    let (from, to) = (5 * 4096, 81 * 4096);
    assert_eq!(page, (from as u64, file[from..to].to_vec(), to as u64));
    let range = ok("hexdump", db, &["--offset", "0x3000", "--length", "100"]);
    assert_eq!(
        undumped(range.text()),
        (0x3000, file[0x3000..0x3064].to_vec(), 0x3064)
    );
    let last = ok(
        "hexdump",
        db,
        &["--offset", &(file.len() - 3).to_string(), "--length", "99"],
    );
    assert_eq!(undumped(last.text()).1, file[file.len() - 3..]);
    for format in ["json", "jsonl"] {
        let run = ok(
            "hexdump",
            db,
            &["--offset", "100", "--length", "9000", "-o", format],
        );
        let parts = match format {
            "json" => serde_json::from_slice(&run.stdout).unwrap(),
            _ => rows(&run),
        };
        let mut at = 100;
        for part in &parts {
            assert_eq!(part["offset"].as_u64(), Some(at as u64));
            let bytes = bytes_of(part, "bytes");
            assert_eq!(bytes, &file[at..at + bytes.len()]);
            at += bytes.len();
        }
        assert_eq!((at, parts.len()), (9100, 3));
    }
}

#[test]
fn what_is_not_in_the_file_is_reported_with_what_is() {
    let db = Path::new(SNAPSHOT);
    let page = run("page", db, &["3", "99", "-o", "jsonl"]);
    assert_eq!(page.code, 1);
    assert!(
        page.stderr.contains("ends before page 99") && page.stderr.contains("it has 85 pages"),
        "{}",
        page.stderr
    );
    assert!(page.text().starts_with("{\"page\":3,"));
    let dump = run("hexdump", db, &["--page", "18446744073709551615"]);
    assert!(
        dump.code == 1 && dump.stderr.contains("it has 85 pages"),
        "{}",
        dump.stderr
    );
    let offset = run("hexdump", db, &["--offset", "348192"]);
    assert!(
        offset.code == 1 && offset.stderr.contains("it has 348192 bytes"),
        "{}",
        offset.stderr
    );
    let word = run("page", db, &["root"]);
    assert!(
        word.code == 2 && word.stderr.contains("a number is 4096 or 0x1000"),
        "{}",
        word.stderr
    );
    assert_eq!(run("page", db, &[]).code, 2);
    assert_eq!(
        run("hexdump", db, &["--page", "1", "--offset", "1"]).code,
        2
    );
}
