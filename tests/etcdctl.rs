//! etcdctl's questions: `get` with its flags, and `watch`.
//!
//! The recorded answers are in the folders `reference/CLUSTER-VERSION/etcdctl-3.6.DB/`: in a file of text
//! the command line and what it printed, or in `answers.jsonl.gz` one command a line: `args` (a character
//! is a byte), `stdout` or `stdout_base64`, and `error`, what etcdctl said where it failed.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::reference::folders;
use crate::support::truth::healthy;
use crate::support::{Run, assert_same, case_roots, etcdive, files_below, read_unpacked, testdata};

mod get;
mod watch;

const ETCDCTL: &str = "etcdctl-3.6.";

/// A command of etcdctl and its answer.
struct Case {
    args: Vec<Vec<u8>>,
    stdout: Vec<u8>,
    error: Option<String>,
}

impl Case {
    fn of_text(bytes: &[u8]) -> Self {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let (line, output) = (&bytes[..end], &bytes[end + 1..]);
        let args = line
            .strip_prefix(b"$ etcdctl ")
            .unwrap()
            .split(|byte| *byte == b' ');
        let text = String::from_utf8_lossy(output);
        let error = text.lines().find_map(|line| line.strip_prefix("Error: "));
        Self {
            args: args.map(<[u8]>::to_vec).collect(),
            stdout: if error.is_some() {
                Vec::new()
            } else {
                output.to_vec()
            },
            error: error.map(str::to_owned),
        }
    }

    fn of_json(row: &Value) -> Self {
        let bytes_of = |arg: &Value| arg.as_str().unwrap().chars().map(|c| c as u8).collect();
        let stdout = match row["stdout"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => STANDARD
                .decode(row["stdout_base64"].as_str().unwrap())
                .unwrap(),
        };
        Self {
            args: row["args"]
                .as_array()
                .unwrap()
                .iter()
                .map(bytes_of)
                .collect(),
            stdout,
            error: row["error"].as_str().map(str::to_owned),
        }
    }

    fn name(&self) -> String {
        self.args.join(&b' ').escape_ascii().to_string()
    }

    /// Whether the answer has a key, or counts one.
    fn finds_something(&self) -> bool {
        let has = |text: &[u8]| self.stdout.windows(text.len()).any(|part| part == text);
        match self.args.last().map(Vec::as_slice) {
            Some(b"json") => has(b"\"kvs\":[") || has(b"\"Events\":[{"),
            Some(b"fields") if self.args.contains(&b"--count-only".to_vec()) => {
                !has(b"\"Count\" : 0\n")
            }
            Some(b"fields") => has(b"\"Key\" : "),
            _ => !self.stdout.is_empty(),
        }
    }

    /// The same question to us: without -w, `get` is kubectl's.
    fn ask(&self, db: &Path) -> Run {
        use std::os::unix::ffi::OsStrExt as _;
        let mut args = self.args.clone();
        args.insert(1, db.as_os_str().as_bytes().to_vec());
        if args[0] == b"get" && !args.contains(&b"-w".to_vec()) {
            args.extend([b"-w".to_vec(), b"simple".to_vec()]);
        }
        etcdive(args.iter().map(|arg| std::ffi::OsStr::from_bytes(arg)))
    }
}

/// A header without what only a server knows: the ids and the raft term.
fn without_ids(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let header = [&b"{\"header\":{"[..], b"{\"Header\":{"]
            .into_iter()
            .find(|start| line.starts_with(start));
        let field = [
            &b"\"ClusterID\" : "[..],
            b"\"MemberID\" : ",
            b"\"RaftTerm\" : ",
        ]
        .into_iter()
        .find(|start| line.starts_with(start));
        lines.push(if let Some(start) = header {
            let end = line.iter().position(|byte| *byte == b'}').unwrap();
            let inside = std::str::from_utf8(&line[start.len()..end]).unwrap();
            let kept: Vec<&str> = inside
                .split(',')
                .filter(|field| field.starts_with("\"revision\""))
                .collect();
            [start, kept.join(",").as_bytes(), &line[end..]].concat()
        } else if let Some(start) = field {
            [start, b"0"].concat()
        } else {
            line.to_vec()
        });
    }
    lines.join(&b'\n')
}

/// The databases of a recorded folder: all copies of one state.
fn databases_of(root: &Path, cluster: &str, state: &str) -> Vec<PathBuf> {
    let (name, version) = cluster.split_once('-').unwrap();
    let folder = healthy(root).join(name).join(version);
    let found: Vec<PathBuf> = ["live", "snapshot", "stopped"]
        .iter()
        .map(|copy| folder.join(format!("{state}.{copy}.db")))
        .filter(|path| path.is_file())
        .collect();
    assert!(!found.is_empty(), "{}: no {state}", folder.display());
    found
}

#[test]
fn get_and_watch_print_what_etcdctl_printed() {
    let (mut compared, mut refused, mut states) = (0, 0, 0);
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for folder in folders(&root.join("reference").join(&cluster)) {
                let Some(state) = folder.strip_prefix(ETCDCTL) else {
                    continue;
                };
                states += 1;
                let cases = cases_of(&root.join("reference").join(&cluster).join(&folder));
                for db in databases_of(&root, &cluster, state) {
                    for case in &cases {
                        assert_answered(case, &db);
                        compared += 1;
                        refused += usize::from(case.error.is_some());
                    }
                }
            }
        }
    }
    println!("{compared} answers of {states} states compared, {refused} of them refusals");
    assert!(states >= 2 && compared > 200 && refused > 20);
}

fn cases_of(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for file in files_below(folder) {
        let bytes = read_unpacked(&file);
        let name = file.file_name().unwrap().to_str().unwrap();
        if name == "answers.jsonl.gz" {
            let text = String::from_utf8(bytes).unwrap();
            let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
            cases.extend(rows.map(|row: Value| Case::of_json(&row)));
        } else if name.starts_with("get-") || name.starts_with("watch-") {
            cases.push(Case::of_text(&bytes));
        } else {
            // What `status` shows.
            let others = [
                "lease-list",
                "member-list",
                "role-get",
                "status",
                "user-list",
            ];
            assert!(others.contains(&name.trim_end_matches(".txt")), "{name}");
        }
    }
    assert!(cases.len() > 10, "{}", folder.display());
    cases
}

fn assert_answered(case: &Case, db: &Path) {
    let what = format!("{}: etcdctl {}", db.display(), case.name());
    let run = case.ask(db);
    assert_same(&without_ids(&case.stdout), &run.stdout, &what);
    // A recorded text has no standard error where the server canceled a watch.
    let canceled = run.stderr.contains("required revision has been compacted");
    let code = match (&case.error, canceled) {
        (Some(error), _) => {
            let said = run.stderr.lines().next().unwrap();
            assert_eq!(said, format!("etcdive: {error}"), "{what}");
            2
        }
        (None, true) => 2,
        (None, false) => i32::from(!case.finds_something()),
    };
    assert_eq!(run.code, code, "{what}: {}", run.stderr);
}

fn talk(state: &str) -> String {
    let path = testdata("healthy/talk/3.6").join(format!("{state}.snapshot.db"));
    path.to_str().unwrap().to_owned()
}

/// Runs the program on a database; words are separated by spaces.
fn run(verb: &str, db: &str, words: &str) -> Run {
    etcdive([verb, db].into_iter().chain(words.split_whitespace()))
}
