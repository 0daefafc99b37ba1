//! `status --evidence`: what names the file and the run, and that the file is still the same at the end.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::SystemTime;

use etcdive::cli::custody;
use etcdive::diag::Code;
use etcdive::query::evidence::{Evidence, Verify};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::synth::Trailer;
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, program};

fn store(records: usize) -> Store {
    let mut store = Store::new(Version::V3_6);
    for index in 0..records {
        store.put(format!("/key/{index:06}"), "x".repeat(900));
    }
    store
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn json(run: &Run) -> Value {
    serde_json::from_slice(&run.stdout).unwrap()
}

#[test]
fn a_report_names_the_file_and_the_run() {
    use std::os::unix::fs::MetadataExt as _;
    let scratch = Scratch::new("custody");
    let bytes = store(20).builder().build().bytes;
    let path = scratch.file("data/member/snap/db", &bytes);
    let given = scratch.path().join("data");
    let before = SystemTime::now();
    let run = etcdive([
        "status",
        "--evidence",
        "-o",
        "json",
        given.to_str().unwrap(),
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let told = json(&run);
    // The state is reported as without it.
    assert!(told["records"] == 20 && told["findings"] == Value::Array(Vec::new()));
    let evidence = &told["evidence"];
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(evidence["given_path"], given.to_str().unwrap());
    assert_eq!(evidence["path"], path.to_str().unwrap());
    assert_eq!(evidence["size"], metadata.len());
    assert_eq!(evidence["inode"], metadata.ino());
    assert_eq!(evidence["device"], metadata.dev());
    assert_eq!(evidence["sha256"], sha256(&bytes));
    assert_eq!(evidence["sha256_after"], sha256(&bytes));
    assert_eq!(evidence["unchanged"], true);
    assert_eq!(evidence["atime_untouched"], cfg!(target_os = "linux"));
    let version = concat!("etcdive ", env!("CARGO_PKG_VERSION"));
    assert_eq!(evidence["program"], version);
    let words: Vec<&str> = evidence["arguments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word["argument"].as_str().unwrap())
        .collect();
    assert!(words[0].ends_with("etcdive"));
    assert_eq!(words[1..5], ["status", "--evidence", "-o", "json"]);
    let time =
        |name: &str| -> jiff::Timestamp { evidence[name].as_str().unwrap().parse().unwrap() };
    let nanoseconds = |time: SystemTime| {
        i128::try_from(
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_nanos(),
        )
        .unwrap()
    };
    assert_eq!(
        time("modified").as_nanosecond(),
        nanoseconds(metadata.modified().unwrap())
    );
    let run_at = time("run_at").as_nanosecond();
    assert!(nanoseconds(before) <= run_at && run_at <= nanoseconds(SystemTime::now()));
    let text = etcdive(["status", "--evidence", given.to_str().unwrap()]);
    for said in [
        format!("sha256             {}\n", sha256(&bytes)),
        "sha256 at the end  the same\n".to_owned(),
        format!(
            "inode              {} on device {}\n",
            metadata.ino(),
            metadata.dev()
        ),
        "access time        left alone\n".to_owned(),
        "status --evidence ".to_owned(),
        "20 live of 20".to_owned(),
    ] {
        assert!(text.text().contains(&said), "{said}: {}", text.text());
    }
    let without = etcdive(["status", "-o", "json", given.to_str().unwrap()]);
    assert!(json(&without).get("evidence").is_none());
}

#[test]
fn the_hash_is_that_of_the_whole_file_with_a_snapshots_trailer() {
    let scratch = Scratch::new("custody-trailer");
    for (name, trailer, code) in [("good", Trailer::Good, 0), ("bad", Trailer::Bad, 3)] {
        let bytes = store(20).builder().trailer(trailer).build().bytes;
        let path = scratch.file(name, &bytes);
        let run = etcdive(["status", "--evidence", "-o", "json", path.to_str().unwrap()]);
        assert_eq!(run.code, code, "{}", run.stderr);
        let evidence = &json(&run)["evidence"];
        assert_eq!(evidence["sha256"], sha256(&bytes));
        let (image, stored) = bytes.split_at(bytes.len() - 32);
        if name == "bad" {
            assert_eq!(evidence["wrong_trailer"]["stored"], hex(stored));
            assert_eq!(evidence["wrong_trailer"]["computed"], sha256(image));
        } else {
            assert!(evidence.get("wrong_trailer").is_none());
        }
    }
}

#[test]
fn a_file_whose_state_cannot_be_read_is_named_all_the_same() {
    let scratch = Scratch::new("custody-no-state");
    let bytes = vec![7; 10_000];
    let path = scratch.file("db", &bytes);
    let run = etcdive(["status", "--evidence", "-o", "json", path.to_str().unwrap()]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(json(&run)["evidence"]["sha256"], sha256(&bytes));
    let text = etcdive(["status", "--evidence", path.to_str().unwrap()]);
    assert!(
        text.code == 2 && text.text().starts_with("EVIDENCE\n"),
        "{}",
        text.text()
    );
}

/// Changes the file while `status --evidence` has it open: the program waits in its first hash, for the file is
/// large, and is stopped meanwhile.
fn changed_meanwhile(name: &str, change: impl FnOnce(&Path)) -> Run {
    let scratch = Scratch::new(name);
    // A quarter of a gigabyte of zeros after the store, which takes a while to hash.
    let bytes = store(20).builder().build().bytes;
    let path = scratch.file("db", &bytes);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(256 << 20).unwrap();
    let mut child = program()
        .args(["status", "--evidence", "-o", "json"])
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It has the file mapped: from now on it is examined.
    let maps = format!("/proc/{}/maps", child.id());
    let is_mapped = || {
        let mut text = String::new();
        std::fs::File::open(&maps)
            .and_then(|mut file| file.read_to_string(&mut text))
            .is_ok_and(|_| text.contains(path.to_str().unwrap()))
    };
    while !is_mapped() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    change(&path);
    child.wait_with_output().unwrap().into()
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_changes_meanwhile_is_reported_with_exit_3() {
    let run = changed_meanwhile("custody-written", |path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    });
    assert_eq!(run.code, 3, "{}", run.stderr);
    let evidence = &json(&run)["evidence"];
    assert_eq!(
        (&evidence["unchanged"], &evidence["change"]),
        (&false.into(), &"it was written".into())
    );
    assert!(
        run.stderr.contains("error: file-changed: "),
        "{}",
        run.stderr
    );
}

#[test]
#[cfg(unix)]
fn a_change_that_no_time_shows_is_seen_by_the_second_hash() {
    use std::os::unix::fs::FileExt as _;
    let scratch = Scratch::new("custody-quiet");
    let bytes = store(20).builder().build().bytes;
    let path = scratch.file("db", &bytes);
    let evidence = Evidence::open(&path, Verify::AndHash).unwrap();
    assert_eq!(
        evidence.sha256().map(|hash| hex(&hash)),
        Some(sha256(&bytes))
    );
    let same = custody::of(&evidence);
    assert!(Some(same.sha256) == same.sha256_after && !evidence.diagnostics().found_damage());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(b"changed", 5000).unwrap();
    file.set_modified(modified).unwrap();
    let other = custody::of(&evidence);
    assert_eq!((other.change, hex(&other.sha256)), (None, sha256(&bytes)));
    assert_eq!(
        hex(&other.sha256_after.unwrap()),
        sha256(&std::fs::read(&path).unwrap())
    );
    assert_eq!(evidence.diagnostics().count(Code::FileChanged), 1);
    let text = etcdive::view::evidence::table(&other).text();
    assert!(text.contains(": THE FILE CHANGED\n"), "{text}");
}
