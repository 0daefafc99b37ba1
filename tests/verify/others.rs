//! What bbolt and etcdutl said of the same files: `testdata/reference/verify.tsv`.
//!
//! A row is a file of the test data, or a seeded corruption of one, with or without a SHA-256 that is right after it. The
//! programs are bbolt 1.4.3 (`check`), etcdutl 3.6 and 3.5 (`snapshot status`, `snapshot restore`, and that with
//! `--skip-hash-check`). `ok` means that a program accepted the file; it may still have lost records.

use std::collections::BTreeMap;
use std::path::PathBuf;

use etcdive::query::evidence::{Evidence, Verify};
use etcdive::query::objects::Keyring;
use etcdive::query::verify::{Outcome, Requirements, Restore, VerifiedFile};
use sha2::{Digest as _, Sha256};

use crate::support::synth::mutate::mutate;
use crate::support::{Scratch, part, testdata};

struct Row {
    file: String,
    seed: Option<u64>,
    has_sha: bool,
    /// What each program said, by its column.
    said: BTreeMap<String, String>,
}

impl Row {
    fn name(&self) -> String {
        let sha = if self.has_sha { "with" } else { "without" };
        format!("{}, seed {:?}, {sha} SHA-256", self.file, self.seed)
    }

    fn is_ok(&self, column: &str) -> bool {
        self.said[column] == "ok"
    }

    /// The file; a corruption is made in `scratch`.
    fn path(&self, scratch: &Scratch) -> PathBuf {
        let Some(seed) = self.seed else {
            return testdata(&self.file);
        };
        let mut image = std::fs::read(testdata(&self.file)).unwrap();
        if image.len() % 512 == 32 {
            image.truncate(image.len() - 32);
        }
        let (mut bytes, _) = mutate(&image, seed);
        if self.has_sha {
            let sha = Sha256::digest(&bytes);
            bytes.extend(sha);
        }
        scratch.file("db", &bytes)
    }

    fn outcome(&self, scratch: &Scratch) -> (Outcome, Option<Restore>) {
        let evidence = Evidence::open(&self.path(scratch), Verify::Always);
        let (keyring, required) = (Keyring::default(), Requirements::default());
        let file = evidence.and_then(|evidence| VerifiedFile::read(&evidence, &keyring, &required));
        match file {
            Ok(file) => (file.outcome(), Some(file.restore)),
            Err(no) => (Outcome::without_answer(&no), None),
        }
    }
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(testdata("reference/verify.tsv")).unwrap();
    let mut lines = text.lines();
    let heads: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), heads.len(), "{line}");
        let said = heads.iter().zip(&cells).skip(3);
        Row {
            file: cells[0].to_owned(),
            seed: cells[1].parse().ok(),
            has_sha: cells[2] == "sha",
            said: said
                .map(|(head, cell)| ((*head).to_owned(), (*cell).to_owned()))
                .collect(),
        }
    });
    rows.collect()
}

#[test]
fn it_never_says_ok_where_bbolt_or_etcdutl_refuse() {
    let scratch = Scratch::new("verify-others");
    let (rows, mut ok, mut says_more) = (part(rows(), 3), 0, 0);
    for row in &rows {
        let name = row.name();
        let (outcome, restore) = row.outcome(&scratch);
        let is_accepted = ["bbolt", "status-3.6", "status-3.5", "skip-3.6", "skip-3.5"]
            .iter()
            .all(|column| row.is_ok(column));
        if outcome == Outcome::Ok {
            ok += 1;
            assert!(is_accepted, "{name}: {:?}", row.said);
            let accepts = [row.is_ok("restore-3.6"), row.is_ok("restore-3.5")];
            let expected = restore == Some(Restore::Accepts);
            assert_eq!(accepts, [expected; 2], "{name}: {restore:?}");
        } else {
            says_more += usize::from(is_accepted);
        }
        if restore == Some(Restore::Refuses) {
            assert!(
                !row.is_ok("restore-3.6") && !row.is_ok("restore-3.5"),
                "{name}"
            );
        }
    }
    println!(
        "{} files: {ok} OK; {says_more} not OK although every other program accepts them",
        rows.len()
    );
    assert!(
        ok > 0 && says_more > 0 && rows.len() > 30,
        "{ok} {says_more}"
    );
}
