//! `--threads` changes how many cores are used, and no byte of the output.

use std::path::{Path, PathBuf};

use crate::every_verb::LINES;
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::mutate::mutate;
use crate::support::{Run, Scratch, corpus, etcdive, files_below, is_full, part, testdata};

/// The lines that read one database and write nothing else.
fn lines() -> Vec<&'static str> {
    let is_repeatable = |line: &&str| {
        let mut words = line.split(' ');
        // It prints the arguments and the time of the run.
        !words.any(|word| ["VALUE", "LOG", "NEW", "--evidence"].contains(&word))
    };
    let lines = LINES.iter().copied().filter(is_repeatable);
    lines.filter(|line| line.contains("DB")).collect()
}

fn run(line: &str, path: &Path, threads: &str) -> Run {
    let path = path.to_str().unwrap();
    let words = line.split(' ').map(|word| word.replace("DB", path));
    // It prints ages, which would grow from one run to the next.
    let now: &[&str] = match line.starts_with("verify ") {
        true => &["--now", "2026-11-20T22:00:00Z"],
        false => &[],
    };
    let flags = [now, &["--threads", threads]].concat();
    etcdive(words.chain(flags.into_iter().map(str::to_owned)))
}

#[track_caller]
fn same_with_any_threads(line: &str, path: &Path) -> Run {
    let [one, four] = ["1", "4"].map(|threads| run(line, path, threads));
    let name = path.display();
    assert_eq!(one.code, four.code, "{line}: {name}");
    assert!(one.stdout == four.stdout, "{line}: {name}");
    assert_eq!(one.stderr, four.stderr, "{line}: {name}");
    one
}

/// A store with many leaves, so that several of them are checked at once.
fn large() -> Vec<u8> {
    let mut store = Store::new(Version::V3_6);
    for index in 0..6000 {
        let value = "x".repeat(600 + index % 700);
        store.put(
            format!("/registry/configmaps/shop/{:04}", index % 900),
            value,
        );
    }
    store.builder().build().bytes
}

/// Files in pairs with the lines that are run on them: each file with some lines, each line with some files.
fn pairs(files: &[PathBuf], every: usize) -> Vec<(&'static str, &Path)> {
    let files = files.iter().enumerate();
    let pairs = files.flat_map(|(place, file)| {
        let lines = lines().into_iter().enumerate();
        let chosen = lines.filter(move |(line, _)| is_full() || (line + place) % every == 0);
        chosen.map(|(_, line)| (line, file.as_path()))
    });
    pairs.collect()
}

#[test]
fn every_verb_prints_the_same_bytes_with_one_thread_and_with_four() {
    let is_database = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "db");
    let mut files: Vec<PathBuf> = files_below(&testdata("damaged"));
    files.retain(is_database);
    let scratch = Scratch::new("threads");
    files.push(scratch.file("large.db", &large()));
    files.push(testdata("healthy/k8s-encrypted/mixed.db"));
    let (mut compared, mut answered) = (0, 0);
    for (line, path) in pairs(&files, 7) {
        answered += usize::from(!same_with_any_threads(line, path).stdout.is_empty());
        compared += 1;
    }
    println!("{compared} pairs compared, {answered} with output");
    assert!(
        compared > 100 && answered > compared / 2,
        "{answered} of {compared}"
    );
}

#[test]
fn a_damaged_page_among_many_gives_the_same_findings_with_any_number_of_threads() {
    let image = large();
    let scratch = Scratch::new("threads-damaged");
    let lines = [
        "fsck DB -o json",
        "ls DB",
        "hashkv DB",
        "status DB -o json",
        "log DB --oneline",
    ];
    let (mut compared, mut damaged) = (0, 0);
    for seed in part(0..100, 10) {
        let (bytes, _) = mutate(&image, seed);
        let path = scratch.file("db", &bytes);
        for line in lines {
            damaged += usize::from(same_with_any_threads(line, &path).code == 3);
            compared += 1;
        }
    }
    assert!(compared >= 50 && damaged > 10, "{damaged} of {compared}");
}

#[test]
fn the_corpus_gives_the_same_bytes_with_any_number_of_threads() {
    let Some(corpus) = corpus() else { return };
    let is_database = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name == "db" || name.ends_with(".db") || name.ends_with(".snap")
    };
    let mut files = files_below(&corpus.join("corpus"));
    files.retain(is_database);
    let mut compared = 0;
    for (line, path) in pairs(&files, 31) {
        same_with_any_threads(line, path);
        compared += 1;
    }
    assert!(compared > 100, "compared {compared}");
}

#[test]
fn a_number_of_threads_is_from_1_to_1024() {
    let path = testdata("healthy/talk/3.6/06-after.live.db");
    for wrong in ["0", "1025", "many"] {
        let run = run("ls DB", &path, wrong);
        assert_eq!(run.code, 2, "{wrong}");
        assert!(run.stderr.contains("--threads"), "{}", run.stderr);
    }
}

/// Without its effect the flag would be accepted all the same: the threads of the process are counted.
#[test]
#[cfg(target_os = "linux")]
fn one_thread_starts_no_others() {
    use std::io::Read as _;
    use std::process::Stdio;

    // The program waits at the pipe until its output is read, so its threads can be counted meanwhile.
    let scratch = Scratch::new("threads-count");
    let path = scratch.file("db", &large());
    let count = |threads: &str| {
        let mut child = crate::support::program()
            .args([
                "log",
                path.to_str().unwrap(),
                "-o",
                "jsonl",
                "--values",
                "--threads",
                threads,
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0]).unwrap();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
        let names = tasks
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        let count = names.count();
        child.kill().unwrap();
        child.wait().unwrap();
        count
    };
    assert_eq!(count("5") - count("1"), 4);
}
