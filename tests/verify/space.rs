//! The new numbers of `status` beside recorded numbers: free pages, the size after a defragmentation, the release.

use std::path::Path;

use serde_json::Value;

use crate::reference::{database_of, folders};
use crate::support::synth::Bucket;
use crate::support::synth::etcd::{Store, Version, role_value, user_value};
use crate::support::{Scratch, case_roots, corpus, etcdive, testdata};

fn status(path: &Path) -> Value {
    let run = etcdive(["status", "-o", "json", path.to_str().unwrap()]);
    serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|_| panic!("{}: {}", path.display(), run.stderr))
}

#[test]
fn free_pages_are_those_that_bbolt_lists() {
    let mut compared = 0;
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for db in folders(&root.join("reference").join(&cluster)) {
                let folder = root.join("reference").join(&cluster).join(&db);
                let Ok(pages) = std::fs::read_to_string(folder.join("bbolt.pages.txt")) else {
                    continue;
                };
                let free = pages
                    .lines()
                    .filter(|line| line.split_whitespace().nth(1) == Some("free"))
                    .count();
                let got = status(&database_of(&root, &cluster, &db));
                assert_eq!(got["free_pages"], free, "{cluster}/{db}");
                let page_size = got["page_size"].as_u64().unwrap();
                assert_eq!(got["free_size"], free as u64 * page_size, "{cluster}/{db}");
                let used = got["total_size"].as_u64().unwrap() - free as u64 * page_size;
                assert_eq!(got["in_use_size"], used, "{cluster}/{db}");
                compared += 1;
            }
        }
    }
    println!("{compared} databases compared");
    assert!(compared > 0);
}

/// `reference/defrag.tsv`: the size of a database, and its size after `etcdutl defrag`.
#[test]
fn the_size_after_a_defragmentation_is_that_of_etcdutl_to_two_pages() {
    let text = std::fs::read_to_string(testdata("reference/defrag.tsv")).unwrap();
    let (mut compared, mut freed) = (0, 0);
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let path = match cells[0].strip_prefix("corpus:") {
            None => testdata(cells[0]),
            Some(name) => match corpus() {
                Some(corpus) => corpus.join("corpus").join(name),
                None => continue,
            },
        };
        let number = |cell: &str| cell.parse::<u64>().unwrap();
        let (before, after) = (number(cells[1]), number(cells[2]));
        let got = status(&path);
        assert_eq!(got["total_size"], before, "{row}");
        let estimate = got["defragmented_size"].as_u64().unwrap();
        let page_size = got["page_size"].as_u64().unwrap();
        assert!(
            estimate.abs_diff(after) <= 2 * page_size,
            "estimated {estimate}: {row}"
        );
        // `du` gives the same number.
        let du = etcdive(["du", "-o", "json", path.to_str().unwrap()]);
        let du: Value = serde_json::from_slice(&du.stdout).unwrap();
        let frees = &du["advice"]["defragmentation_frees_bytes"];
        assert_eq!(*frees, before.saturating_sub(estimate), "{row}");
        assert_eq!(*frees, got["defragmentation_frees_bytes"], "{row}");
        freed += usize::from(*frees != 0);
        compared += 1;
    }
    println!("{compared} databases compared, {freed} have something to free");
    assert!(compared > 20 && freed > 10);
}

#[test]
fn the_release_is_inferred_from_the_bucket_meta() {
    for (name, release) in [
        ("healthy/talk/3.4/01-talk.live.db", "3.4"),
        ("healthy/talk/3.6/01-talk.live.db", "3.6"),
        ("healthy/k8s/after.db", "3.6"),
    ] {
        assert_eq!(status(&testdata(name))["release"], release, "{name}");
    }
    let scratch = Scratch::new("status-release");
    let mut store = Store::new(Version::V3_5);
    store.put("a", "1");
    let file = scratch.file("db", &store.builder().build().bytes);
    assert_eq!(status(&file)["release"], "3.5");
}

#[test]
fn users_roles_leases_and_voters_are_shown() {
    let mut store = Store::new(Version::V3_6);
    store.put("a", "1");
    let users = ["root", "alice"].map(|name| (name.as_bytes().to_vec(), user_value(name, "", &[])));
    store.set_bucket("authUsers", Bucket::of(users));
    store.set_bucket(
        "authRoles",
        Bucket::of([(b"root".to_vec(), role_value("root", &[]))]),
    );
    store.set_bucket(
        "lease",
        Bucket::of([(7_u64.to_be_bytes().to_vec(), vec![8, 7, 16, 60])]),
    );
    let scratch = Scratch::new("status-users");
    let file = scratch.file("db", &store.builder().build().bytes);
    let got = status(&file);
    assert_eq!(got["users"], serde_json::json!(["alice", "root"]));
    assert_eq!(
        (&got["roles"], &got["leases"]),
        (&serde_json::json!(["root"]), &1.into())
    );
    let text = etcdive(["status", file.to_str().unwrap()]);
    assert!(
        text.text().contains("2 users (alice, root), 1 role (root)"),
        "{}",
        text.text()
    );
    let after = etcdive(["status", testdata("healthy/k8s/after.db").to_str().unwrap()]);
    assert!(after.text().contains(", voters "), "{}", after.text());
    let voters = &status(&testdata("healthy/k8s/after.db"))["conf_state"]["voters"];
    assert_eq!(voters.as_array().map(Vec::len), Some(1));
}
