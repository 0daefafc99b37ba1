//! Each file of `testdata/damaged` has one pathology: what is delivered all the same, what is reported, and
//! how the program ends, to the exact count.

use std::collections::BTreeMap;

use etcdive::bbolt::Direction;
use etcdive::query::evidence::{Evidence, Verify};

use crate::support::{etcdive, files_below, testdata};

const PAGE: usize = 4096;
/// The root page of the newer state, and the inline page of bucket `key` in it.
const ROOT: usize = 4 * PAGE;

/// A damaged file: what was done, and what is expected.
struct Damaged {
    name: &'static str,
    /// The healthy file that it was made of.
    of: &'static str,
    change: fn(&mut Vec<u8>),
    /// Main revisions of the records, oldest first.
    revisions: &'static [i64],
    findings: &'static [(&'static str, u64)],
}

/// The codes of findings beside which every record could be read.
const WARNINGS: [&str; 2] = ["root-searched", "records-salvaged"];

const LIVE: &str = "healthy/talk/3.6/01-talk.live.db";
const SNAPSHOT: &str = "healthy/talk/3.6/01-talk.snapshot.db";

/// Offset of the first byte of the inline page of bucket `key`: after its name and its bucket header.
fn inline_key_page(image: &[u8]) -> usize {
    let root = &image[ROOT..ROOT + PAGE];
    let elements = (0..10).map(|index| 16 + 16 * index);
    let field = |at: usize| u32::from_le_bytes(root[at..at + 4].try_into().unwrap()) as usize;
    let found = elements
        .map(|at| (at + field(at + 4), field(at + 8)))
        .find(|(key, len)| &root[*key..key + len] == b"key");
    let (key, len) = found.unwrap();
    ROOT + key + len + 16
}

const FILES: [Damaged; 10] = [
    Damaged {
        name: "newer-meta-checksum.db",
        of: LIVE,
        change: |bytes| bytes[PAGE + 72] ^= 1,
        revisions: &[2, 3, 4, 5],
        findings: &[("meta-invalid", 1)],
    },
    Damaged {
        name: "meta-0-zeroed.db",
        of: LIVE,
        change: |bytes| bytes[..PAGE].fill(0),
        revisions: &[2, 3, 4, 5, 6],
        findings: &[("meta-invalid", 1)],
    },
    Damaged {
        name: "both-metas-zeroed.db",
        of: LIVE,
        change: |bytes| bytes[..2 * PAGE].fill(0),
        revisions: &[2, 3, 4, 5, 6],
        findings: &[("meta-invalid", 2), ("root-searched", 1)],
    },
    Damaged {
        name: "root-page-id.db",
        of: LIVE,
        change: |bytes| bytes[ROOT] ^= 0x40,
        revisions: &[2, 3, 4, 5],
        findings: &[("meta-unusable", 1)],
    },
    Damaged {
        name: "root-holds-a-value.db",
        of: LIVE,
        change: |bytes| bytes[ROOT + 16] = 0,
        revisions: &[2, 3, 4, 5, 6],
        findings: &[("root-not-buckets", 1)],
    },
    Damaged {
        name: "cut-after-page-3.db",
        of: LIVE,
        change: |bytes| bytes.truncate(ROOT),
        revisions: &[2, 3, 4, 5],
        findings: &[("file-truncated", 1), ("meta-unusable", 1)],
    },
    Damaged {
        name: "wrong-trailer.db",
        of: SNAPSHOT,
        change: |bytes| bytes[4000] ^= 1,
        revisions: &[2, 3, 4, 5, 6],
        findings: &[("trailer-mismatch", 1)],
    },
    Damaged {
        name: "half-trailer.db",
        of: SNAPSHOT,
        change: |bytes| bytes.truncate(5 * PAGE + 16),
        revisions: &[2, 3, 4, 5, 6],
        findings: &[("trailer-mismatch", 1)],
    },
    Damaged {
        name: "inline-count.db",
        of: LIVE,
        change: |bytes| {
            let page = inline_key_page(bytes);
            bytes[page + 10] = 3;
        },
        revisions: &[2, 3, 4, 5, 6],
        findings: &[("element-layout", 1)],
    },
    Damaged {
        name: "torn-page.db",
        of: LIVE,
        change: |bytes| bytes.copy_within(3 * PAGE + 512..3 * PAGE + 1024, ROOT + 512),
        revisions: &[2, 3, 4, 5],
        findings: &[
            ("element-bounds", 1),
            ("element-layout", 1),
            ("key-order", 4),
            ("bucket-header", 2),
            ("bucket-missing", 1),
            ("revision-key", 2),
            ("records-salvaged", 1),
            ("root-searched", 1),
        ],
    },
];

fn made(file: &Damaged) -> Vec<u8> {
    let mut bytes = std::fs::read(testdata(file.of)).unwrap();
    (file.change)(&mut bytes);
    bytes
}

#[test]
fn every_damaged_file_is_made_as_its_readme_describes() {
    let folder = testdata("damaged");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for file in &FILES {
        let path = folder.join(file.name);
        if std::env::var_os("ETCDIVE_BLESS").is_some() {
            std::fs::write(&path, made(file)).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == made(file), "{}", file.name);
        assert!(
            readme.contains(&format!("| `{}` |", file.name)),
            "{}",
            file.name
        );
    }
    assert_eq!(
        files_below(&folder).len(),
        FILES.len() + 1,
        "a file that no test knows"
    );
}

#[test]
fn what_is_delivered_of_a_damaged_file_and_what_is_reported_is_exact() {
    for file in &FILES {
        let path = testdata("damaged").join(file.name);
        let evidence = Evidence::open(&path, Verify::Always).unwrap();
        let store = evidence.store().unwrap();
        let records = store.records(Direction::Forward);
        let revisions: Vec<i64> = records.map(|record| record.revision.main).collect();
        let findings = evidence.diagnostics().by_code();
        let told: Vec<String> = findings
            .iter()
            .flat_map(|(_, _, kept)| kept.iter().map(|one| one.to_string()))
            .collect();
        let counts: BTreeMap<&str, u64> = findings
            .iter()
            .map(|(code, count, _)| (code.as_str(), *count))
            .collect();
        let expected: BTreeMap<&str, u64> = file.findings.iter().copied().collect();
        assert_eq!(
            (&revisions[..], &counts),
            (file.revisions, &expected),
            "{}: {told:#?}",
            file.name
        );
    }
}

#[test]
fn the_program_says_what_is_wrong_with_a_damaged_file_and_where() {
    for file in &FILES {
        let path = format!("testdata/damaged/{}", file.name);
        let iterate = etcdive(["dump-db", "iterate-bucket", &path, "key", "--decode"]);
        let status = etcdive(["status", "-o", "json", &path]);
        assert_eq!((iterate.code, status.code), (3, 3), "{}", file.name);
        // What is no record is printed undecoded, and is none.
        let decoded = iterate
            .text()
            .lines()
            .filter(|line| line.starts_with("rev={"));
        assert_eq!(decoded.count(), file.revisions.len(), "{}", file.name);
        let said: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(said["records"], file.revisions.len());
        for run in [&iterate, &status] {
            for (code, _) in file.findings {
                let line = run.stderr.lines().find(|line| line.contains(code));
                let line = line.unwrap_or_else(|| panic!("{}: {}", file.name, run.stderr));
                assert!(
                    line.starts_with(
                        ["error: ", "warning: "][usize::from(WARNINGS.contains(code))]
                    ) && line.contains("offset "),
                    "{line}"
                );
            }
        }
    }
}
