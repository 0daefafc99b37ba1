//! No verb and no flag costs more than n log n in bytes allocated, bytes printed, or steps, whatever the store holds.
//!
//! Each line of [`lines::LINES`] is run over stores of [`families::FAMILIES`] at sizes n, 2n and 4n, and the growth
//! from n to 2n is compared with that from 2n to 4n: in proportion to n it doubles, with n squared it is four times
//! as much. `cargo test` runs each line over one family at a small size and counts bytes; `cargo xtask sweep` runs
//! each over some more at a large size (4n = 200,000) and counts steps too.

mod families;
mod lines;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser as _;
use etcdive::cli::out::Out;

use crate::support::counted::{self, Counts};
use crate::support::{Scratch, etcdive};
use families::{FAMILIES, Family};
use lines::{GLOBAL, LINES};

/// The largest size, 4n; sizes below it are a half and a quarter of it.
const SMALL: usize = 1_200;
/// The size of the store that is read first, so that what is made once in a process is made.
const FIRST: usize = 60;
/// Names another largest size.
const SIZE: &str = "ETCDIVE_SWEEP";
/// How many families each line is run over; one if it is not set.
const SHARE: &str = "ETCDIVE_SWEEP_FAMILIES";
/// Only families and lines with this text in them.
const ONLY: &str = "ETCDIVE_SWEEP_ONLY";
/// Set for a child: where it writes what it counted.
const REPORT: &str = "ETCDIVE_SWEEP_REPORT";
/// Set for a child: the command lines, one per line, their words separated by U+001F.
const COMMANDS: &str = "ETCDIVE_SWEEP_COMMANDS";
/// Set for a child: the most bytes that it may have allocated at one time.
const MOST_BYTES: &str = "ETCDIVE_SWEEP_BYTES";
/// A run that needs longer is ended: growth alone would not show that it hangs.
const LONGEST: Duration = Duration::from_secs(300);

/// Growth that is in proportion doubles; with a logarithm, or with tables that double their room, it is a little more.
const MOST_GROWTH: f64 = 2.8;
/// In proportion the whole doubles at most. This keeps out a small store that costs more than its share.
const MOST_RATIO: f64 = 2.3;
/// Growth below these is not judged, in bytes and steps: buffers are filled for the first time, and a table of a few
/// megabytes doubles its room at some size or other.
const FLOOR_BYTES: u64 = 1 << 20;
const FLOOR_STEPS: u64 = 1 << 20;
/// Bytes allocated at one time: this much whatever the file is, and this much for each byte of it.
const BASE_BYTES: u64 = 48 << 20;
const BYTES_FOR_BYTE: u64 = 150;

/// What one run cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    counts: Counts,
    printed: u64,
    code: u8,
}

/// A family's stores: that of size [`FIRST`], and at three sizes, ascending.
struct Stores {
    name: &'static str,
    folders: Vec<PathBuf>,
    file_bytes: u64,
    key: String,
    resource: &'static str,
}

impl Stores {
    fn make(family: &Family, sizes: [usize; 3], scratch: &Scratch) -> Self {
        let (name, make) = *family;
        let mut stores = Self {
            name,
            folders: Vec::new(),
            file_bytes: 0,
            key: String::new(),
            resource: "",
        };
        for n in std::iter::once(FIRST).chain(sizes) {
            let made = make(n);
            let folder = format!(
                "{}-{n}",
                name.replace(|c: char| !c.is_ascii_alphabetic(), "-")
            );
            let file =
                |inner: &str, bytes: &[u8]| scratch.file(&format!("{folder}/{inner}"), bytes);
            file("dir/member/snap/db", &made.db);
            file(
                "dir/member/wal/0000000000000000-0000000000000000.wal",
                &made.wal,
            );
            file("value", &made.value);
            file("item", &made.record);
            file("kms", &[7; 32]);
            file("batch", STANDARD.encode(&made.value).as_bytes());
            let config = file("config", CONFIG.as_bytes());
            stores.folders.push(config.parent().unwrap().to_owned());
            stores.file_bytes = (made.db.len() + made.wal.len()) as u64;
            (stores.key, stores.resource) = (made.key, made.resource);
        }
        stores
    }

    /// The words of a line for the store of one size.
    fn words(&self, line: &str, folder: &Path, turn: usize) -> Vec<String> {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let word = |word: &str| match word {
            "DIR" => path("dir"),
            "VALUE" => path("value"),
            "ITEM" => path("item"),
            "CONFIG" => path("config"),
            "KMS" => path("kms"),
            "OUT" => path(&format!("out-{turn}-{}", line.len())),
            "NEWLOG" => path(&format!("log-{turn}-{}", line.len())),
            "RES" => self.resource.to_owned(),
            "RAW" => self.key.clone(),
            word => word.replace("KEY", &format!("key:{}", self.key)),
        };
        let words = line.split(' ').map(word);
        std::iter::once("etcdive".to_owned()).chain(words).collect()
    }
}

const CONFIG: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n\
    - resources: [secrets]\n  providers:\n  - aescbc:\n      keys:\n      - name: key1\n        \
    secret: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n  - identity: {}\n";

/// Counts what is printed.
struct Printed(Arc<AtomicUsize>);

impl std::io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the commands of [`COMMANDS`], if this process is a child; else checks that allocations are counted.
#[test]
fn a_child_counts_what_commands_cost() {
    let Some(report) = std::env::var_os(REPORT) else {
        // Other tests of this process may free memory meanwhile, so it is tried again.
        let are_counted = (0..100).any(|_| {
            let start = counted::start();
            drop(std::hint::black_box(vec![1_u8; 3 << 20]));
            let counts = counted::since(start);
            counts.peak >= 3 << 20 && counts.total >= 3 << 20
        });
        assert!(are_counted);
        return;
    };
    let most = std::env::var(MOST_BYTES).unwrap();
    counted::limit(most.parse().unwrap());
    let mut text = String::new();
    for line in std::env::var(COMMANDS).unwrap().lines() {
        let words: Vec<OsString> = line.split('\u{1f}').map(Into::into).collect();
        let words = etcdive::cli::arguments::arrange(&words, None).unwrap();
        let cli = etcdive::cli::Cli::try_parse_from(words).unwrap();
        let printed = Arc::new(AtomicUsize::new(0));
        let start = counted::start();
        let out = Out::to(Box::new(Printed(printed.clone())));
        let code = etcdive::cli::answer(&cli, out);
        let counts = counted::since(start);
        let Counts { peak, total, steps } = counts;
        let code = (0..4_u8)
            .find(|n| std::process::ExitCode::from(*n) == code)
            .unwrap();
        let printed = printed.load(Ordering::Relaxed);
        text += &format!("{peak} {total} {steps} {printed} {code}\n");
    }
    std::fs::write(report, text).unwrap();
}

/// Runs a line over a family's three stores; the error says how it ended.
fn run(stores: &Stores, line: &str, scratch: &Scratch) -> Result<[Cost; 3], String> {
    if let Some((line, _)) = line.split_once(" <BATCH") {
        let first = "etcdive\u{1f}help".to_owned();
        let costs = stores.folders.iter().skip(1).map(|folder| {
            let commands = [first.clone(), stores.words(line, folder, 0).join("\u{1f}")];
            let input = std::fs::File::open(folder.join("batch")).unwrap();
            let costs = run_child(&commands, input.into(), stores.file_bytes, scratch)?;
            costs
                .first()
                .copied()
                .ok_or("nothing was counted".to_owned())
        });
        let costs = costs.collect::<Result<Vec<_>, _>>()?;
        return costs
            .try_into()
            .map_err(|_| "nothing was counted".to_owned());
    }
    let folders = stores.folders.iter();
    let commands = folders
        .enumerate()
        .map(|(turn, folder)| stores.words(line, folder, turn).join("\u{1f}"));
    let commands: Vec<_> = commands.collect();
    let costs = run_child(&commands, Stdio::null(), stores.file_bytes, scratch)?;
    costs
        .try_into()
        .map_err(|_| "nothing was counted".to_owned())
}

/// Runs commands in one process; gives the costs of all but the first.
fn run_child(
    commands: &[String],
    input: Stdio,
    file_bytes: u64,
    scratch: &Scratch,
) -> Result<Vec<Cost>, String> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let report = scratch.path().join(format!("report-{number}"));
    let most = BASE_BYTES.saturating_add(8 * BYTES_FOR_BYTE * file_bytes);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sweep::a_child_counts_what_commands_cost"])
        .args(["--nocapture", "--test-threads=1"])
        .env(REPORT, &report)
        .env(COMMANDS, commands.join("\n"))
        .env(MOST_BYTES, most.min(6 << 30).to_string())
        .env("RAYON_NUM_THREADS", "1")
        .env("LLVM_PROFILE_FILE", "/dev/null")
        .env("RUST_MIN_STACK", (8 << 20).to_string())
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = wait(&mut child)?;
    let text = std::fs::read_to_string(&report).map_err(|_| format!("ended with {status}"))?;
    std::fs::remove_file(report).unwrap();
    let costs = text.lines().skip(1).map(|line| {
        let numbers: Vec<u64> = line
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        let counts = Counts {
            peak: numbers[0],
            total: numbers[1],
            steps: numbers[2],
        };
        Cost {
            counts,
            printed: numbers[3],
            code: numbers[4] as u8,
        }
    });
    Ok(costs.collect())
}

fn wait(child: &mut Child) -> Result<std::process::ExitStatus, String> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Ok(status);
        }
        if start.elapsed() > LONGEST {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("still running after {LONGEST:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What grows too fast, or is too much.
fn judge(costs: &[Cost; 3], file_bytes: u64) -> Vec<String> {
    type Measure = (&'static str, fn(&Cost) -> u64, u64);
    let measures: [Measure; 4] = [
        (
            "bytes at one time",
            |cost| cost.counts.peak,
            4 * FLOOR_BYTES,
        ),
        ("bytes in all", |cost| cost.counts.total, 4 * FLOOR_BYTES),
        ("bytes printed", |cost| cost.printed, FLOOR_BYTES),
        ("steps", |cost| cost.counts.steps, FLOOR_STEPS),
    ];
    let mut wrong = Vec::new();
    for (name, measure, floor) in measures {
        let [first, second, third] = costs.each_ref().map(measure);
        let before = second.saturating_sub(first).max(floor / 4);
        let after = third.saturating_sub(second);
        let is_faster = after as f64 > MOST_GROWTH * before as f64;
        if after > floor && is_faster && third as f64 > MOST_RATIO * second as f64 {
            wrong.push(format!("{name}: {first}, {second}, {third}"));
        }
    }
    let peak = costs[2].counts.peak;
    if peak > BASE_BYTES + BYTES_FOR_BYTE * file_bytes {
        wrong.push(format!(
            "{peak} bytes at one time for a file of {file_bytes}"
        ));
    }
    wrong
}

#[test]
fn growth_is_judged_right() {
    let costs = |f: fn(u64) -> u64| {
        [1_000_000, 2_000_000, 4_000_000].map(|n| Cost {
            printed: f(n),
            ..Cost::default()
        })
    };
    assert!(judge(&costs(|n| 30 * n), 1).is_empty());
    assert!(judge(&costs(|n| n * u64::from(n.ilog2())), 1).is_empty());
    assert!(judge(&costs(|_| 5), 1).is_empty());
    assert!(!judge(&costs(|n| n * n / 1_000_000), 1).is_empty());
    assert!(!judge(&costs(|n| 10 * n + n * n / 100_000), 1).is_empty());
}

/// The families that a line is run over: some of all, others for each line; of a line about the write-ahead log those
/// that have a large one.
fn families_of(number: usize, line: &str, share: usize) -> BTreeSet<usize> {
    let all: Vec<usize> = (0..FAMILIES.len()).collect();
    let with_log = |index: &usize| FAMILIES[*index].0.starts_with("a log");
    let logs: Vec<usize> = all.iter().copied().filter(with_log).collect();
    let some = |of: &[usize], share: usize| -> Vec<usize> {
        let from = number * 7;
        (from..from + share.min(of.len()))
            .map(|at| of[at % of.len()])
            .collect()
    };
    let about_log =
        line.starts_with("wal ") || line.contains("--wal") || line.contains("--timeline");
    let mut chosen = some(
        if line.starts_with("wal ") {
            &logs
        } else {
            &all
        },
        share,
    );
    if about_log {
        chosen.extend(some(&logs, share.min(2)));
    }
    chosen.into_iter().collect()
}

#[test]
fn no_cost_grows_faster_than_n_log_n() {
    let asked = std::env::var(SIZE).ok();
    let most: usize = asked.as_ref().map_or(SMALL, |size| size.parse().unwrap());
    let share = std::env::var(SHARE).map_or(1, |share| share.parse().unwrap());
    let only = std::env::var(ONLY).unwrap_or_default();
    let (scratch, start) = (Scratch::new("sweep"), Instant::now());
    let (mut runs, mut wrong, mut unanswered) =
        (0, Vec::new(), LINES.iter().collect::<BTreeSet<_>>());
    for (index, family) in FAMILIES.iter().enumerate() {
        let mine = |number: usize, line: &str| families_of(number, line, share).contains(&index);
        let named = |line: &str| format!("{}: {line}", family.0).contains(&only);
        let lines = LINES.iter().enumerate();
        let lines = lines.filter(|(number, line)| mine(*number, line) && named(line));
        let lines: Vec<_> = lines.map(|(_, line)| line).collect();
        if lines.is_empty() {
            continue;
        }
        let stores = Stores::make(family, [most / 4, most / 2, most], &scratch);
        for (line, result) in run_all(&stores, &lines, &scratch) {
            runs += 1;
            let found = match result {
                Err(end) => vec![end],
                Ok(costs) => {
                    if costs[2].code != 2 {
                        unanswered.remove(line);
                    }
                    judge(&costs, stores.file_bytes)
                }
            };
            for what in found {
                let what = format!("{}: {line}: {what}", stores.name);
                if asked.is_some() {
                    eprintln!("{what}");
                }
                wrong.push(what);
            }
        }
        for folder in &stores.folders {
            std::fs::remove_dir_all(folder).unwrap();
        }
        if asked.is_some() {
            let seconds = start.elapsed().as_secs();
            eprintln!(
                "{runs} runs, {} wrong, {seconds} s: {}",
                wrong.len(),
                stores.name
            );
        }
    }
    println!("{runs} runs of {} lines up to n = {most}", LINES.len());
    assert!(
        wrong.is_empty(),
        "{} of {runs}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    if only.is_empty() {
        assert!(runs >= LINES.len());
        // With one or two families, some lines are refused by all of them.
        assert!(
            share < 3 || unanswered.is_empty(),
            "no store answers: {unanswered:?}"
        );
    }
}

/// Runs lines over one family, two at a time; in the order of the lines.
fn run_all<'l>(
    stores: &Stores,
    lines: &[&'l &'l str],
    scratch: &Scratch,
) -> Vec<(&'l &'l str, Result<[Cost; 3], String>)> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run(stores, line, scratch);
                    results.lock().unwrap().push((*line, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(line, _)| **line);
    results
}

/// The flags that a help text lists, each with all of its spellings: `-f`, `--file`.
fn flags(help: &str) -> Vec<Vec<&str>> {
    let heads = help.lines().filter(|line| {
        // The texts below them are further in.
        let indent = line.len() - line.trim_start().len();
        [2, 6].contains(&indent) && line.trim_start().starts_with('-')
    });
    heads
        .map(|line| {
            let words = line.split([' ', ',', '[', '=', '<']);
            words.filter(|word| word.starts_with('-')).collect()
        })
        .collect()
}

/// The verbs with their words as they are typed, subcommands included.
fn verbs() -> Vec<Vec<String>> {
    let commands = |verb: &str| -> Vec<String> {
        let help = etcdive([verb, "--help"]).text().to_owned();
        let Some((_, list)) = help.split_once("Commands:\n") else {
            return Vec::new();
        };
        let lines = list.lines().take_while(|line| line.starts_with("  "));
        let names = lines.filter(|line| !line.starts_with("   "));
        names
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect()
    };
    let mut all = Vec::new();
    for verb in crate::support::verbs() {
        let below = commands(&verb);
        if below.is_empty() {
            all.push(vec![verb]);
        } else {
            all.extend(below.into_iter().map(|sub| vec![verb.clone(), sub]));
        }
    }
    all
}

#[test]
fn every_verb_and_every_flag_of_the_help_has_a_line() {
    let (mut count, mut missing) = (0, Vec::new());
    let verbs = verbs();
    for verb in &verbs {
        let help = etcdive(verb.iter().map(String::as_str).chain(["--help"]));
        let lines = LINES.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        let is_mine = |words: &Vec<&str>| words.iter().zip(verb).all(|(word, verb)| word == verb);
        let lines: Vec<_> = lines.filter(is_mine).collect();
        if lines.is_empty() {
            missing.push(verb.join(" "));
        }
        for spellings in flags(help.text()) {
            count += 1;
            let is_it = |word: &&str| spellings.contains(&word.split('=').next().unwrap());
            let is_global = spellings.iter().any(|flag| GLOBAL.contains(flag));
            if !is_global && !lines.iter().any(|words| words.iter().any(is_it)) {
                missing.push(format!("{} {}", verb.join(" "), spellings.join(" ")));
            }
        }
    }
    println!("{} verbs, {count} flags", verbs.len());
    assert!(
        verbs.len() > 20 && count > 150,
        "{} verbs, {count} flags",
        verbs.len()
    );
    assert!(missing.is_empty(), "no line of the sweep has {missing:?}");
    for flag in &GLOBAL[..5] {
        assert!(LINES.iter().any(|line| line.contains(flag)), "{flag}");
    }
}
