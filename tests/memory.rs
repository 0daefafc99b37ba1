//! Memory follows what is asked for, not the length of the file.

use std::io::Read as _;
use std::process::Stdio;

use crate::support::synth::Rng;
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Scratch, program, read_unpacked, testdata};

/// The most memory that a process had resident so far, the pages of its files included, in bytes; none
/// once it has ended.
fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Runs the program to its end, and looks at its memory meanwhile.
fn peak_of_run(arguments: &[&str]) -> u64 {
    peak_and_output(arguments).0
}

/// The same, and the length of the output.
fn peak_and_output(arguments: &[&str]) -> (u64, usize) {
    let mut child = program()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let id = child.id();
    let (ended, is_ended) = std::sync::mpsc::channel::<()>();
    // It is looked at now and then, for it may print nothing before its end.
    let watch = std::thread::spawn(move || {
        let mut peak = 0;
        loop {
            peak = peak.max(peak_of(id).unwrap_or(0));
            let most = std::time::Duration::from_millis(1);
            if is_ended.recv_timeout(most) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                return peak;
            }
        }
    });
    let mut part = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let read = output.read(&mut part).unwrap();
        if read == 0 {
            break;
        }
        length += read;
    }
    drop(ended);
    let peak = watch.join().unwrap();
    let code = child.wait().unwrap().code();
    // Of two states, 1 says that they differ.
    assert!(
        code == Some(0) || code == Some(1),
        "{arguments:?}: {code:?}"
    );
    assert!(peak > 0, "it was looked at");
    (peak, length)
}

fn store_file(scratch: &Scratch, name: &str, values: usize, value_bytes: usize) -> String {
    let mut value = Rng::new(7).bytes(value_bytes);
    let mut store = Store::new(Version::V3_6);
    for index in 0..values {
        value.rotate_left(1);
        store.put(format!("/k/{}", index % 7), value.clone());
    }
    scratch
        .file(name, &store.builder().build().bytes)
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_dump_of_a_store_of_any_length_takes_the_same_memory() {
    let scratch = Scratch::new("memory");
    // Random bytes, which quoted are three times as long.
    let small = store_file(&scratch, "small", 60, 700_000);
    let large = store_file(&scratch, "large", 120, 700_000);
    let length = std::fs::metadata(&large).unwrap().len();
    let peak = |path: &str| peak_of_run(&["dump-db", "iterate-bucket", path, "key", "--decode"]);
    let (small, large) = (peak(&small), peak(&large));
    println!("{small} bytes for a third of it, {large} for {length}");
    assert!(length > 80_000_000 && large < length, "{large} of {length}");
    assert!(large < small + small / 4, "{small} -> {large}");
}

#[test]
fn a_table_takes_the_memory_of_its_cells() {
    let scratch = Scratch::new("memory-tables");
    let mut store = Store::new(Version::V3_6);
    let wide = format!("/k/{}", "w".repeat(100_000));
    for row in 0..2000 {
        store.put(format!("/k/{row}"), "x");
        store.delete(format!("/k/{row}"));
    }
    store.put(wide.as_str(), "x");
    store.delete(wide.as_str());
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    // Each row padded to the widest would be 200 megabytes, or twice that.
    for line in [
        ["recover", db, "-o", "table"],
        ["log", db, "--timeline", "-A"],
    ] {
        let peak = peak_of_run(&line);
        assert!(peak < 64 << 20, "{} of {line:?}", peak);
    }
}

/// An object with a name of 160,000 bytes above 16,000 small values, in two versions.
fn long_name(scratch: &Scratch) -> (String, u64) {
    let bytes = read_unpacked(&testdata("hostile/deep-paths-1.db.gz"));
    let db = scratch.file("db", &bytes);
    (db.to_str().unwrap().to_owned(), bytes.len() as u64)
}

#[test]
fn a_long_name_above_many_values_is_not_repeated_for_each_of_them() {
    let scratch = Scratch::new("memory-paths");
    let (db, length) = long_name(&scratch);
    let key = "/registry/x.io/foos/a/c";
    for line in [
        "grep DB b",
        "grep DB b -o jsonl",
        "grep DB b --history",
        "grep DB b --history -o jsonl",
        "log DB -G b",
        "log DB -S b",
        "log DB -p",
        "diff DB 2..@",
        "diff DB 2..@ -o jsonl",
        "show DB @",
        "blame DB KEY",
        "blame DB KEY -o jsonl",
    ] {
        let words: Vec<&str> = line
            .split(' ')
            .map(|word| match word {
                "DB" => db.as_str(),
                "KEY" => key,
                word => word,
            })
            .collect();
        let (peak, output) = peak_and_output(&words);
        println!("{line}: {peak} bytes of memory, {output} of output for {length}");
        assert!(output > 0, "{line}");
        assert!(
            output as u64 <= 64 * length,
            "{line}: {output} for {length}"
        );
        assert!(peak < 128 << 20, "{line}: {peak} for {length}");
    }
}

#[test]
fn a_transaction_of_many_events_is_read_once_for_all_of_them() {
    let dir = testdata("hostile/wal-timeline");
    let dir = dir.to_str().unwrap();
    for output in ["table", "jsonl"] {
        let peak = peak_of_run(&["log", dir, "--timeline", "-o", output]);
        assert!(peak < 128 << 20, "-o {output}: {peak}");
    }
}
