//! Copies whose meta pages and pages are of different commits: the state of the older meta page is newer than the newest.

use std::path::Path;

use super::{agree, run};
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::faults::with_meta;
use crate::support::synth::{Bucket, Endian, Image, Older, Role};
use crate::support::{Scratch, etcdive, testdata};

/// A torn copy: no verb calls it intact, and no verb shows its last commit in reverse.
#[track_caller]
fn is_torn(path: &Path, older: usize, why: &str, name: &str) {
    let (exit, sentence) = agree(path, name);
    assert_eq!(exit, 3, "{name}: {sentence}");
    assert!(
        sentence.starts_with(
            "this copy was taken while etcd was writing: its pages and its meta pages"
        ),
        "{name}: {sentence}"
    );
    let fsck = run("fsck", path);
    let finding = format!("error: former-newer: page {older}, offset ");
    assert!(fsck.text().contains(&finding), "{name}: {}", fsck.text());
    assert!(fsck.text().contains(why), "{name}: {}", fsck.text());
    assert!(!fsck.text().contains("former state is whole"), "{name}");
    let json = run("fsck -o json", path);
    assert!(
        json.text().contains("\"former_state_is_whole\":false"),
        "{name}"
    );
    for verb in [
        "diff --metas",
        "status --meta older",
        "fsck --meta older",
        "ls --meta older",
    ] {
        let run = run(verb, path);
        assert_eq!((run.code, run.text()), (2, ""), "{name}: {verb}");
        let said = run.stderr.contains("there is no former state: ") && run.stderr.contains(why);
        assert!(said, "{name}: {verb}: {}", run.stderr);
    }
    // Who names the meta page gets what its pages have, and the finding.
    let by_index = format!("ls --meta {older}");
    let listed = run(&by_index, path);
    assert_eq!(listed.code, 3, "{name}: {}", listed.stderr);
    assert!(
        listed.stderr.contains(&finding),
        "{name}: {}",
        listed.stderr
    );
    assert_eq!(run(&format!("fsck --meta {older}"), path).code, 3, "{name}");
}

/// Pages 0 and 1 of a copy of etcd 3.6.6's file, the others of a copy one commit later.
#[test]
fn a_former_state_that_is_newer_than_the_newest_shows_a_torn_copy() {
    let path = testdata("verdict/former-overwritten.db");
    is_torn(
        &path,
        0,
        "it is at revision 14, the newest state at 13",
        "etcd",
    );
    let words = [
        "log",
        path.to_str().unwrap(),
        "app/counter",
        "--carve",
        "--oneline",
    ];
    let carved = etcdive(words);
    let newest = carved.text().lines().next().unwrap_or_default();
    assert!(newest.contains("14"), "{}", carved.text());
}

/// A file whose older meta page leads to the second state.
fn image(newest: &Store, other: Bucket, page_size: usize, endian: Endian) -> Image {
    let builder = newest.builder().page_size(page_size).endian(endian);
    builder.txid(19).older(Older::State(other)).build()
}

fn store(version: Version, records: usize) -> Store {
    let mut store = Store::new(version);
    for index in 0..records {
        store.put(format!("/key/{:02}", index % 20), format!("value {index}"));
    }
    store
}

#[test]
fn it_is_found_in_every_layout() {
    let scratch = Scratch::new("verdict-former");
    let mut compared = 0;
    for (page_size, endian) in [
        (512, Endian::Big),
        (1024, Endian::Little),
        (4096, Endian::Little),
    ] {
        for (version, records) in [
            (Version::V3_4, 3),
            (Version::V3_5, 60),
            (Version::V3_6, 400),
        ] {
            let newest = store(version, records);
            let name = format!("page size {page_size}, {version:?}, {records} records");
            let mut later = newest.clone();
            later.put("/key/00", "later");
            later.delete("/key/01");
            let image = image(&newest, later.root(), page_size, endian);
            let path = scratch.file("db", &image.bytes);
            let why = format!(
                "it is at revision {}, the newest state at {}",
                later.revision(),
                newest.revision()
            );
            is_torn(&path, 1 - image.current_meta, &why, &name);
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn a_later_compaction_and_a_later_raft_entry_show_it_too() {
    let scratch = Scratch::new("verdict-former-others");
    let newest = store(Version::V3_6, 60);
    let mut compacted = newest.clone();
    compacted.compact(30);
    let image = image(&newest, compacted.root(), 1024, Endian::Little);
    let path = scratch.file("compacted.db", &image.bytes);
    let why = "it is compacted to revision 30, the newest state to 0";
    is_torn(&path, 1 - image.current_meta, why, "compaction");
    let image = image_with_indices(&newest, [999, 998], 2);
    let path = scratch.file("index.db", &image.bytes);
    let why = "its consistent index is 999, that of the newest state 998";
    is_torn(&path, 1 - image.current_meta, why, "raft entry");
}

/// The same records in both states, with these indices of the former and the newest, the newest in this term.
fn image_with_indices(store: &Store, indices: [u64; 2], term: u64) -> Image {
    let [former, newest] =
        [(indices[0], 2), (indices[1], term)].map(|(index, term): (u64, u64)| {
            let mut state = store.clone();
            let meta = Bucket::new().put("consistent_index", index.to_be_bytes());
            state.set_bucket("meta", meta.put("term", u64::to_be_bytes(term)));
            state
        });
    image(&newest, former.root(), 1024, Endian::Little)
}

/// `etcdutl snapshot restore` counts the members as raft entries, and begins with term 1.
#[test]
fn a_restored_store_has_a_smaller_index_and_is_not_torn() {
    let scratch = Scratch::new("verdict-former-restored");
    let image = image_with_indices(&store(Version::V3_6, 60), [999, 3], 1);
    let path = scratch.file("restored.db", &image.bytes);
    let (exit, sentence) = agree(&path, "restored");
    assert_eq!(exit, 0, "{sentence}");
    assert_eq!(run("ls --meta older", &path).code, 0);
}

#[test]
fn meta_pages_of_transactions_that_do_not_follow_each_other_show_it() {
    let scratch = Scratch::new("verdict-former-txid");
    let newest = store(Version::V3_6, 60);
    let mut before = newest.clone();
    before.put("/key/00", "newest");
    let whole = image(&before, newest.root(), 1024, Endian::Little);
    let path = scratch.file("whole.db", &whole.bytes);
    assert_eq!(agree(&path, "whole").0, 0);
    assert_eq!(run("diff --metas --name-only", &path).text(), "~ /key/00\n");
    let older = 1 - whole.current_meta as u64;
    let stale = with_meta(&whole.bytes, older, 64, 8, 16);
    let path = scratch.file("stale.db", &stale);
    let why = "its meta page is of transaction 16, the newest of 19";
    is_torn(&path, older as usize, why, "txid");
}

/// Damage of the newest state can make it look older than the former one. The former one can be used then.
#[test]
fn damage_of_the_newest_state_is_not_called_a_torn_copy() {
    let scratch = Scratch::new("verdict-former-damage");
    let former = store(Version::V3_6, 60);
    let mut newest = former.clone();
    newest.put("/key/00", "newest");
    let mut image = image(&newest, former.root(), 1024, Endian::Little);
    let shared: Vec<u64> = image
        .runs
        .iter()
        .filter(|run| run.role == Role::OlderTree)
        .map(|run| run.pgid)
        .collect();
    assert!(!shared.is_empty());
    let last = image
        .bucket_runs(b"key")
        .iter()
        .filter(|run| run.level == 0)
        .map(|run| run.pgid)
        .max()
        .unwrap();
    image.page_mut(last)[8] = 0;
    let path = scratch.file("db", &image.bytes);
    let fsck = run("fsck", &path);
    assert_eq!(fsck.code, 3, "{}", fsck.text());
    assert!(!fsck.text().contains("former-newer"), "{}", fsck.text());
}
