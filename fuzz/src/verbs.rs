//! A whole file through the verbs: every view in turn, and the manifests of `recover` through a YAML reader.
//!
//! The verbs open files by name, so the input is written to one, in memory where the system has such a folder.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Once;

use clap::Parser as _;
use etcdive::cli::out::Out;
use etcdive::cli::{Cli, answer, report};
use serde::Deserialize as _;

/// Lines over a database or a data directory: each way in which something is printed for people, and some more.
const DATABASE: &[&str] = &[
    "status DB",
    "status DB -o json",
    "status DB --evidence",
    "status DB -w table",
    "ls DB",
    "ls DB --carve -o jsonl",
    "ls DB --kinds",
    "ls DB --namespaces",
    "ls DB --deleted",
    "get DB /registry/",
    "get DB all,configmaps,secrets,pvc,crd,things -A",
    "get DB all,configmaps,secrets,pvc,things -A -o wide --show-labels",
    "get DB configmaps -A -o custom-columns=N:.metadata.name,A:..a --sort-by .metadata.name",
    "get DB /registry/ -o yaml --show-managed-fields",
    "get DB /registry/ -o json --as-served",
    "get DB / --prefix -w fields",
    "log DB",
    "log DB -p",
    "log DB --stat",
    "log DB --by-txn -p",
    "log DB --carve --why-time",
    "log DB --timeline",
    "log DB -o jsonl --values",
    "show DB @",
    "show DB @ -o jsonl",
    "watch DB / --prefix --rev 1",
    "watch DB /registry/ --prefix --rev 1 -w json",
    "diff DB 2..@",
    "diff DB 2..@ -o unified",
    "diff DB 2..@ --stat",
    "diff DB --metas",
    "blame DB cm,secrets,pvc,things -A",
    "grep DB e",
    "grep DB e --history",
    "grep DB [a-e]v -o jsonl",
    "fsck DB",
    "fsck DB -o json",
    "recover DB",
    "recover DB --carve",
    "recover DB --at @",
    "recover DB --at @ --exact -o yaml",
    "extract DB",
    "analyze DB",
    "checksum DB",
    "dump-db iterate-bucket DB key --decode",
    "dump-db scan-keys DB",
    "pages DB",
    "page DB 0 2 3 4 --values",
    "buckets DB -o table",
    "hexdump DB --length 4096",
];

const LOG: &[&str] = &[
    "wal DB",
    "wal DB --values",
    "wal DB -o jsonl --values",
    "wal DB --style etcd-dump-logs",
    "status DB",
    "ls DB --wal",
    "ls DB --wal --deleted -o jsonl",
    "get DB configmaps,secrets,pvc,things -A --wal",
    "log DB --wal",
    "log DB --wal -p",
    "log DB --timeline",
    "log DB --timeline -o jsonl",
    "show DB @ --wal",
    "diff DB 2..@ --wal",
    "blame DB cm,secrets -A --wal",
    "grep DB e --history --wal",
    "recover DB --wal",
    "recover DB --wal --at @",
];

/// The rows of `recover`, and the manifests of the same objects.
const MANIFESTS: [[&str; 2]; 3] = [
    ["recover DB -o jsonl", "recover DB -o yaml"],
    ["recover DB --at @ -o jsonl", "recover DB --at @ -o yaml"],
    [
        "recover DB --at @ --controlled -o jsonl",
        "recover DB --at @ --controlled -o yaml",
    ],
];
const MANIFESTS_OF_LOG: [&str; 2] = ["recover DB --wal -o jsonl", "recover DB --wal -o yaml"];

/// One input in so many is asked for its manifests, each other one goes through a line.
const MANIFESTS_ONE_IN: usize = 4;

/// A database through one of the lines, or its manifests.
pub fn database(data: &[u8]) {
    let db = Place::get().write("file", data);
    let (number, choice) = number(data);
    if choice % MANIFESTS_ONE_IN == 0 {
        manifests(MANIFESTS[number % MANIFESTS.len()], &db);
    } else {
        run(DATABASE[number % DATABASE.len()], &db);
    }
}

/// A log beside a small database through one of the lines, or its manifests.
pub fn log(data: &[u8], db: &[u8]) {
    let place = Place::get();
    if !place.folder.join("dir/member/snap/db").exists() {
        place.write("dir/member/snap/db", db);
    }
    place.write("dir/member/wal/0000000000000000-0000000000000000.wal", data);
    let dir = place.folder.join("dir");
    let (number, choice) = number(data);
    if choice % MANIFESTS_ONE_IN == 0 {
        manifests(MANIFESTS_OF_LOG, &dir);
    } else {
        run(LOG[number % LOG.len()], &dir);
    }
}

/// What is done with an input: two numbers that follow from its bytes.
fn number(data: &[u8]) -> (usize, usize) {
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ((hash >> 20) as usize, (hash >> 8) as usize)
}

/// Promised: each object that comes back is one YAML document, with its kind and name, and there is no other.
fn manifests([rows, stream]: [&'static str; 2], db: &Path) {
    let text = run(rows, db);
    let rows: Vec<serde_json::Value> = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("a row is JSON"))
        .collect();
    let is_manifest =
        |row: &&serde_json::Value| row["comes_back"] == true && row["kind"].is_string();
    let text = run(stream, db);
    let text = std::str::from_utf8(&text).expect("YAML is UTF-8");
    let mut documents = Vec::new();
    if !text.is_empty() {
        for document in serde_norway::Deserializer::from_str(text) {
            let value = serde_norway::Value::deserialize(document);
            documents.push(value.unwrap_or_else(|error| panic!("{error} in:\n{text}")));
        }
    }
    // A file that is read by its damaged tree may give a record late, to the second run only.
    let announced = rows.iter().filter(is_manifest).count();
    assert!(
        documents.len() <= announced,
        "{} documents, {announced} announced:\n{text}",
        documents.len()
    );
    for document in documents {
        let kind = document.get("kind").and_then(|kind| kind.as_str());
        assert!(kind.is_some(), "a document without a kind in:\n{text}");
    }
}

/// Runs a line; gives what it printed.
fn run(line: &'static str, db: &Path) -> Vec<u8> {
    thread_local! {
        static PARSED: RefCell<Vec<(&'static str, Rc<Cli>)>> = const { RefCell::new(Vec::new()) };
    }
    static REDIRECT: Once = Once::new();
    REDIRECT.call_once(|| report::redirect(check_error_text));
    let cli = PARSED.with_borrow_mut(|parsed| {
        if let Some((_, cli)) = parsed.iter().find(|(known, _)| *known == line) {
            return cli.clone();
        }
        let words = line.split(' ').map(|word| match word {
            "DB" => db.as_os_str().to_owned(),
            word => OsString::from(word),
        });
        let words = std::iter::once(OsString::from("etcdive")).chain(words);
        let cli = Rc::new(Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")));
        parsed.push((line, cli.clone()));
        cli
    });
    let printed = Rc::new(RefCell::new(Vec::new()));
    answer(&cli, Out::to(Box::new(Printed(printed.clone()))));
    printed.take()
}

/// Promised: no control character reaches standard error.
fn check_error_text(text: &str) {
    let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    assert!(text.chars().all(is_harmless), "{text:?}");
}

struct Printed(Rc<RefCell<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A folder of this thread's own.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn get() -> Rc<Self> {
        thread_local! {
            static PLACE: Rc<Place> = Rc::new(Place::make());
        }
        PLACE.with(Rc::clone)
    }

    fn make() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let folder = parent.join(format!(
            "etcdive-fuzz-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        Self { folder }
    }

    fn write(&self, name: &str, data: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, data).expect("the input can be written");
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
