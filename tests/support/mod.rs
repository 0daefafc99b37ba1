//! What the tests share: running the program, and finding the cases.

pub mod bolt_reader;
pub mod counted;
pub mod examples;
pub mod library;
pub mod random;
pub mod synth;
#[cfg(unix)]
pub mod terminal;
pub mod truth;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The repository's folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of `testdata/`.
pub fn testdata(name: &str) -> PathBuf {
    repository().join("testdata").join(name)
}

/// The folders that cases come from: `testdata/`, and the whole corpus if there is one.
pub fn case_roots() -> Vec<PathBuf> {
    let testdata = repository().join("testdata");
    std::iter::once(testdata).chain(corpus()).collect()
}

/// The folder with `corpus/` and `reference/` that ETCDIVE_CORPUS names. A test that needs it says that it
/// compared nothing.
pub fn corpus() -> Option<PathBuf> {
    let Some(corpus) = std::env::var_os("ETCDIVE_CORPUS") else {
        println!("ETCDIVE_CORPUS is not set: the corpus is not compared");
        return None;
    };
    let corpus = repository().join(corpus);
    assert!(
        corpus.join("corpus").is_dir(),
        "ETCDIVE_CORPUS={}: no folder corpus in it",
        corpus.display()
    );
    Some(corpus)
}

/// Whether the long sweeps are done in full: with the corpus, or if ETCDIVE_FULL is set. By default each does a part
/// that a seed chooses, so that the suite stays well under three minutes.
pub fn is_full() -> bool {
    ["ETCDIVE_CORPUS", "ETCDIVE_FULL"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
}

/// One of these numbers in a full run, the other one by default.
pub fn full_or<T>(full: T, part: T) -> T {
    if is_full() { full } else { part }
}

/// All cases in a full run. By default one of each `every` cases in a row; ETCDIVE_SEED chooses others, and a test
/// that fails shows the seed with its output.
pub fn part<T>(cases: impl IntoIterator<Item = T>, every: usize) -> Vec<T> {
    let mut cases: Vec<T> = cases.into_iter().collect();
    assert!(!cases.is_empty(), "compared 0 cases");
    if !is_full() {
        let seed = std::env::var("ETCDIVE_SEED").map_or(1, |seed| seed.parse().unwrap());
        let (mut random, count) = (random::Random::new(seed), cases.len());
        let (mut at, mut chosen) = (0, 0);
        cases.retain(|_| {
            if at % every == 0 {
                chosen = at + random.below(every.min(count - at));
            }
            at += 1;
            at - 1 == chosen
        });
        println!(
            "ETCDIVE_SEED={seed}: {} of {count} cases; all of them with ETCDIVE_FULL=1",
            cases.len()
        );
    }
    cases
}

#[test]
fn a_part_has_one_case_of_each_few_in_a_row() {
    let rows: Vec<usize> = part(0..11, 4).iter().map(|case| case / 4).collect();
    assert!(is_full() || rows == [0, 1, 2]);
    assert_eq!(part(0..11, 1).len(), 11);
}

/// A run of the program.
pub struct Run {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("standard output is UTF-8")
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output
                .status
                .code()
                .expect("the program ends by itself, not by a signal"),
            stdout: output.stdout,
            stderr: {
                let stderr = String::from_utf8(output.stderr).expect("standard error is UTF-8");
                assert_commands_are_marked(&stderr);
                stderr
            },
        }
    }
}

/// Every command in a hint is in backticks, so that the reader sees what to paste. Each run of the program in a test
/// checks this for the hints that it prints.
#[track_caller]
pub fn assert_commands_are_marked(messages: &str) {
    for hint in messages.lines().filter(|line| line.starts_with("hint: ")) {
        let unmarked: String = hint.split('`').step_by(2).collect();
        let programs = ["etcdive ", "etcdctl ", "etcdutl ", "kubectl "];
        assert!(
            !programs.iter().any(|program| unmarked.contains(program)),
            "a command is not in backticks: {hint}"
        );
    }
}

/// The program, with an environment that changes nothing.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etcdive"));
    command
        .env_remove("NO_COLOR")
        .env_remove("ETCDIVE_DB")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("PAGER")
        .env_remove("LESS")
        .env_remove("COLUMNS")
        // On the terminal of a test nobody quits a pager.
        .env("ETCDIVE_PAGER", "cat")
        .current_dir(repository())
        .stdin(Stdio::null());
    command
}

/// Runs the program.
pub fn etcdive<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    program()
        .args(arguments)
        .output()
        .expect("the program runs")
        .into()
}

/// Runs the program with these bytes on its standard input.
pub fn fed(input: &[u8], arguments: &[&str]) -> Run {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut pipe, input).unwrap();
    drop(pipe);
    child.wait_with_output().unwrap().into()
}

/// Runs the program on arguments separated by spaces.
pub fn etcdive_line(line: &str) -> Run {
    etcdive(line.split_whitespace())
}

/// The verbs that the help of the program lists.
pub fn verbs() -> Vec<String> {
    let help = etcdive(["--help"]);
    let listed = help.text().split("Verbs:\n").nth(1).unwrap();
    let listed = listed.split("Options:\n").next().unwrap();
    let verbs: Vec<String> = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(verbs.len() > 15, "{verbs:?}");
    verbs
}

/// The names in a folder, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every file below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort();
    files
}

/// A file's bytes, unpacked where its name ends in `.gz`.
pub fn read_unpacked(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut unpacked)
            .unwrap();
        return unpacked;
    }
    bytes
}

/// What a function gives, which must be soon: work that follows the square of a hostile store takes minutes.
#[track_caller]
pub fn ends_soon<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || drop(done.send(run())));
    let most = std::time::Duration::from_secs(60);
    match ended.recv_timeout(most) {
        Ok(result) => result,
        Err(error) => panic!("{what}: {error} after {most:?}"),
    }
}

/// Fails with the first line that differs, not with megabytes.
#[track_caller]
pub fn assert_same(expected: &[u8], got: &[u8], what: &str) {
    if expected == got {
        return;
    }
    let lines = |bytes: &[u8]| {
        bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let (expected, got) = (lines(expected), lines(got));
    let at = expected
        .iter()
        .zip(&got)
        .position(|(a, b)| a != b)
        .unwrap_or(expected.len().min(got.len()));
    let show = |lines: &[Vec<u8>]| {
        lines.get(at).map_or("(no such line)".to_owned(), |line| {
            line.escape_ascii().to_string().chars().take(300).collect()
        })
    };
    panic!(
        "{what}: line {} differs\nexpected: {}\n     got: {}",
        at + 1,
        show(&expected),
        show(&got)
    );
}

/// A folder of its own for one test, removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("etcdive-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Compares with `testdata/golden/NAME`; with ETCDIVE_BLESS set, writes it.
#[track_caller]
pub fn assert_golden(name: &str, got: &[u8]) {
    let path = testdata("golden").join(name);
    if std::env::var_os("ETCDIVE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, got).unwrap();
    }
    let expected = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; ETCDIVE_BLESS=1 writes it", path.display()));
    assert_same(&expected, got, name);
}

/// JSON lines without what they say of the object of a key: `resource`, `namespace`, `name`.
pub fn without_object(lines: &str) -> String {
    let fields = regex::Regex::new(r#","resource":"[^"]*"(,"namespace":"[^"]*")?,"name":"[^"]*""#);
    fields.unwrap().replace_all(lines, "").into_owned()
}

/// Standard error without the note that etcd does not record who made a change.
pub fn without_who(stderr: &str) -> String {
    let lines = stderr.lines();
    let other = lines.filter(|line| !line.starts_with("note: etcd does not record who "));
    other.map(|line| format!("{line}\n")).collect()
}
