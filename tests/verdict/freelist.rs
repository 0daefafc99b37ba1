//! What bbolt's check finds outside the trees: `status` finds it too, and where etcdutl refuses the file, `-w` does.

use super::{agree, run};
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::{Endian, Freelist, Image};
use crate::support::{Scratch, etcdive, testdata};

const FORMATS: [&str; 4] = ["simple", "json", "table", "fields"];

/// A file that etcdutl refuses for what its check finds.
#[track_caller]
fn is_refused(path: &std::path::Path, code: &str, name: &str) {
    let (exit, sentence) = agree(path, name);
    assert_eq!(exit, 1, "{name}: {sentence}");
    let status = run("status", path);
    let finding = format!("warning: {code}: page ");
    assert!(
        status.stderr.contains(&finding),
        "{name}: {}",
        status.stderr
    );
    for format in FORMATS {
        let etcdutl = run(&format!("status -w {format}"), path);
        assert_eq!((etcdutl.code, etcdutl.text()), (3, ""), "{name}: {format}");
        let stderr = &etcdutl.stderr;
        assert!(stderr.contains("refuses this file"), "{name}: {stderr}");
        assert!(stderr.contains(&finding), "{name}: {stderr}");
    }
}

/// etcd 3.6.6, compacted by `bbolt compact`; then the second id of the freelist was set equal to the first.
#[test]
fn a_page_that_the_freelist_has_twice_is_not_intact() {
    let path = testdata("verdict/freelist-id-twice.db");
    is_refused(&path, "freelist-id", "twice");
    is_refused(&path, "page-leaked", "twice");
}

fn image(page_size: usize, endian: Endian, freelist: Freelist) -> Image {
    let mut store = Store::new(Version::V3_5);
    for index in 0..300 {
        store.put(format!("/key/{index:03}"), "v".repeat(100));
    }
    let builder = store.builder().page_size(page_size).endian(endian);
    builder.zero_pages(6).freelist(freelist).build()
}

#[test]
fn other_wrong_freelists_are_not_intact_with_any_page_size() {
    let scratch = Scratch::new("verdict-freelist");
    let mut compared = 0;
    for (page_size, endian) in [
        (512, Endian::Little),
        (1024, Endian::Big),
        (4096, Endian::Little),
        (65536, Endian::Little),
    ] {
        let right = image(page_size, endian, Freelist::Persisted);
        let path = scratch.file("right.db", &right.bytes);
        assert_eq!(agree(&path, "right").0, 0);
        for format in FORMATS {
            assert_eq!(run(&format!("status -w {format}"), &path).code, 0);
        }
        let free = right.free.clone();
        assert!(free.len() >= 6, "{} free pages", free.len());
        let used = right.bucket_runs(b"key")[0].pgid;
        let mut in_use = free.clone();
        in_use.push(used);
        in_use.sort_unstable();
        let twice: Vec<u64> = free.iter().copied().chain(free.last().copied()).collect();
        let outside = [free.as_slice(), &[right.metas[0].high_water_mark + 3]].concat();
        for (ids, code) in [
            (in_use, "freelist-in-use"),
            (free[1..].to_vec(), "page-leaked"),
            (twice, "freelist-id"),
            (outside, "freelist-id"),
        ] {
            let name = format!("page size {page_size}, {code}");
            let wrong = image(page_size, endian, Freelist::Ids(ids));
            is_refused(&scratch.file("wrong.db", &wrong.bytes), code, &name);
            compared += 1;
        }
    }
    assert_eq!(compared, 16);
}

/// As etcd's own `corrupted_backup.db`, of which `etcdutl snapshot status` says: page 3: already freed; page 4:
/// unreachable unfreed.
#[test]
fn every_verb_answers_of_a_file_with_a_wrong_freelist_as_of_the_right_one() {
    let scratch = Scratch::new("verdict-freelist-verbs");
    let right = image(4096, Endian::Little, Freelist::Persisted);
    let mut twice = right.free.clone();
    twice[1] = twice[0];
    let wrong = image(4096, Endian::Little, Freelist::Ids(twice));
    assert_ne!(right.bytes, wrong.bytes);
    let [right, wrong] = [("right.db", right), ("wrong.db", wrong)]
        .map(|(name, image)| scratch.file(name, &image.bytes));
    is_refused(&wrong, "freelist-id", "twice");
    is_refused(&wrong, "page-leaked", "twice");
    for line in [
        "ls DB",
        "get DB /key/001 -w json",
        "log DB /key/001 -o jsonl",
        "show DB 7",
        "grep DB v{5}",
        "analyze DB",
        "recover DB --at 5 -o json",
        "dump-db hash DB",
        "dump-db iterate-bucket DB meta",
        "extract DB -k /key/001 --raw",
        "buckets DB",
        "diff DB 3..9",
    ] {
        let ask = |path: &std::path::Path| {
            let path = path.to_str().unwrap();
            let run = etcdive(line.split(' ').map(|word| match word {
                "DB" => path,
                word => word,
            }));
            (run.code, run.text().replace(path, "DB"))
        };
        assert_eq!(ask(&wrong), ask(&right), "{line}");
    }
}
