//! What holds for every verb: terminals stay safe, JSON stays JSON, standard error shows no secret, a full disk and
//! a closed pipe end in a sentence, and what is no file is refused without waiting.

mod streams;
mod terminal;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::synth::Rng;
use crate::support::synth::etcd::{Store, Version, member_value, user_value};
use crate::support::synth::wal::WalFile;
use crate::support::synth::wire::Message;
use crate::support::synth::{Bucket, Image, Older};
use crate::support::{Run, Scratch, etcdive, part, program};

/// A line for every verb, and for every way in which one prints; DB is the database, VALUE a file with one value,
/// LOG a file of a write-ahead log, NEW a file that does not exist.
pub const LINES: &[&str] = &[
    "status DB",
    "status DB -o json",
    "status DB --evidence",
    "status DB --evidence -o json",
    "status DB -w simple",
    "status DB -w json",
    "status DB -w table",
    "status DB -w fields",
    "status DB -w table --style 3.5",
    "verify DB",
    "verify DB DB -o json",
    "verify DB --max-age 1h -o jsonl",
    "ls DB",
    "ls DB -o jsonl",
    "ls DB --kinds",
    "ls DB --kinds -o jsonl",
    "ls DB --namespaces",
    "ls DB --namespaces -o jsonl",
    "ls DB --deleted",
    "ls DB --deleted -o jsonl",
    "get DB all,configmaps,secrets -A",
    "get DB configmaps -A -o wide --show-labels",
    "events DB",
    "events DB -o jsonl",
    "get DB configmaps -A -o name",
    "get DB /registry/ -o yaml",
    "get DB /registry/ -o json",
    "get DB /registry/ -o jsonl",
    "get DB configmaps -A -o jsonpath={.items[*].data}",
    "get DB configmaps -A -o custom-columns=NAME:.metadata.name,DATA:.data",
    "get DB /registry/ --prefix -w simple",
    "get DB /registry/ --prefix -w json",
    "get DB /registry/ --prefix -w fields",
    "log DB",
    "log DB -p",
    "log DB --stat",
    "log DB --oneline",
    "log DB --carve -p",
    "log DB --timeline",
    "log DB --timeline -o jsonl",
    "log DB --carve -o jsonl",
    "log DB -o json",
    "log DB -o jsonl --values",
    "show DB @",
    "show DB configmaps/evil -n shop",
    "show DB key:/registry/configmaps/shop/evil",
    "show DB @ -o jsonl",
    "watch DB /registry/ --rev 2",
    "watch DB /registry/ --rev 2 -w json",
    "watch DB /registry/ --rev 2 -o jsonl",
    "diff DB 3..@",
    "diff DB 3..@ -o unified",
    "diff DB 3..@ -o json",
    "diff DB 3..@ -o jsonl",
    "diff DB 3..@ --stat",
    "diff DB 3..@ --name-only",
    "blame DB key:/registry/configmaps/shop/evil",
    "blame DB key:/registry/configmaps/shop/evil -o json",
    "grep DB e",
    "grep DB e --history",
    "grep DB e -o jsonl",
    "extract DB",
    "extract DB -k /registry/configmaps/shop/evil",
    "extract DB -k /registry/configmaps/shop/evil -o json",
    "extract DB --fields key,value",
    "decode VALUE",
    "decode VALUE -o json",
    "recover DB",
    "recover DB -o jsonl",
    "recover DB --at 3 -o yaml",
    "restore DB --out NEW",
    "restore DB --out NEW --history none -o json",
    "wal LOG",
    "wal LOG --values",
    "wal LOG -o jsonl --values",
    "wal LOG --style etcd-dump-logs --start-index 0",
    "du DB",
    "du DB --by key --metadata",
    "du DB --by manager",
    "du DB --by bucket -o json",
    "du DB --by key -o jsonl",
    "churn DB",
    "churn DB -o json",
    "churn DB -o jsonl",
    "fsck DB",
    "fsck DB -o json",
    "fsck DB -o jsonl",
    "compare DB DB",
    "compare DB DB -o json",
    "hash DB",
    "hash DB -o json",
    "hashkv DB",
    "hashkv DB --all -w json",
    "hashkv DB --all -w table",
    "hashkv DB -w fields",
    "explain page-twice",
    "analyze DB",
    "checksum DB",
    "dump-db list-bucket DB",
    "dump-db iterate-bucket DB key",
    "dump-db iterate-bucket DB key --decode",
    "dump-db iterate-bucket DB members --decode",
    "dump-db iterate-bucket DB authUsers --decode",
    "dump-db scan-keys DB",
    "dump-db hash DB",
    "pages DB",
    "pages DB -o bbolt",
    "pages DB -o json",
    "pages DB -o jsonl",
    "page DB 0 2 3 4 5 6 --values",
    "page DB 0 2 3 4 5 6 --values -o jsonl",
    "page DB 0 2 3 4 5 6 -o json",
    "buckets DB",
    "buckets DB -o table",
    "buckets DB -o json",
    "buckets DB -o jsonl",
    "hexdump DB --length 20000",
    "hexdump DB --page 2 -o json",
    "hexdump DB --page 2 -o jsonl",
    "help formats",
    "completions bash",
    "man",
    "man get",
];

/// Whether a line prints JSON of our own, which is UTF-8 whatever the store holds.
fn prints_json(line: &str) -> bool {
    let ours = line.contains("-o json") && !line.contains("jsonpath");
    // What auger and kubectl print of a value is the value.
    ours && !line.starts_with("extract") && !line.starts_with("decode")
}

/// What a terminal would act on, or not show: each with letters around it.
const HOSTILE: &[&[u8]] = &[
    b"esc-\x1b[2J-end",
    b"osc8-\x1b]8;;http://evil\x1b\\link\x1b]8;;\x07-end",
    b"osc52-\x1b]52;c;aGk=\x07-end",
    b"cr-\roverwritten",
    b"bidi-\xe2\x80\xae-end",
    b"zero-width-\xe2\x80\x8b-\xef\xbb\xbf-end",
    b"c1-\xc2\x9b31m-end",
    b"raw-c1-\x9b31m-end",
    b"nul-\0-end",
    b"bell-\x07-backspace-\x08-delete-\x7f-end",
    b"not-utf8-\xff\xfe\xc3-end",
    b"newline-\n-end",
    b"tag-\xf3\xa0\x81\x81-end",
    b"=cmd|' /C calc'!A0",
];

/// A store with hostile bytes everywhere that a writer can put them.
fn hostile_store() -> Image {
    let mut store = Store::new(Version::V3_6);
    store.put("/registry/configmaps/shop/first", "first");
    for (index, bytes) in HOSTILE.iter().enumerate() {
        let lossy = String::from_utf8_lossy(bytes).into_owned();
        let object = |data: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": lossy, "namespace": lossy, "labels": {&lossy: lossy}, "creationTimestamp": lossy,
                    "managedFields": [{"manager": lossy, "operation": "Update", "time": "2026-01-01T00:00:00Z",
                        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {format!("f:{lossy}"): {}}}}]},
                "data": {&lossy: data, "text": lossy}})
            .to_string()
        };
        let key = [b"/registry/configmaps/", *bytes, b"/", *bytes].concat();
        store.put(key.clone(), object("old"));
        store.put(key, object(&lossy));
        store.put([b"/registry/", *bytes].concat(), *bytes);
        store.put([b"/registry/gone/", *bytes].concat(), *bytes);
        store.delete([b"/registry/gone/", *bytes].concat());
        store.put(
            "/registry/configmaps/shop/evil",
            object(&format!("v{index}")),
        );
        let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": lossy, "namespace": "shop"},
            "involvedObject": {"kind": "ConfigMap", "namespace": "shop", "name": "evil", "fieldPath": lossy},
            "type": lossy, "reason": lossy, "message": lossy, "lastTimestamp": "2026-01-01T00:00:00Z"});
        let key = [b"/registry/events/shop/", *bytes].concat();
        store.put(key, event.to_string());
    }
    // One line of a megabyte.
    let long = "\u{1b}[31m".repeat(200_000);
    store.put("/registry/configmaps/shop/long", long);
    let hostile = |value: &dyn Fn(&str) -> Vec<u8>| {
        Bucket::of(HOSTILE.iter().map(|bytes| {
            let lossy = String::from_utf8_lossy(bytes).into_owned();
            (bytes.to_vec(), value(&lossy))
        }))
    };
    store.set_bucket(
        "members",
        hostile(&|text| member_value(7, text, text, text)),
    );
    store.set_bucket(
        "authUsers",
        hostile(&|text| user_value(text, text, &[text])),
    );
    store.set_bucket("cluster", hostile(&|text| text.as_bytes().to_vec()));
    let mut builder = store.builder();
    for bytes in HOSTILE {
        builder = builder.bucket(*bytes, hostile(&|text| text.as_bytes().to_vec()));
    }
    builder.build()
}

/// A write-ahead log with hostile bytes in keys, values and the names of users.
fn hostile_log() -> Vec<u8> {
    let mut file = WalFile::after(None);
    file.metadata(7, 9);
    for (index, bytes) in (1_i64..).zip(HOSTILE) {
        let put = Message::new().put(1, bytes).put(2, bytes);
        let header = Message::new().set_int(1, index).put(2, bytes);
        let request = Message::new().nest(100, header).nest(4, put).finish();
        file.entry(1, index, &request);
    }
    file.state(1, i64::try_from(HOSTILE.len()).unwrap());
    file.bytes
}

/// A database, one value in a file, and a file of a log.
struct Case {
    scratch: Scratch,
    db: String,
    value: String,
}

impl Case {
    fn new(name: &str, image: &[u8]) -> Self {
        let scratch = Scratch::new(name);
        let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
        let db = text(scratch.file("db", image));
        let hostile = HOSTILE.concat();
        let hostile = String::from_utf8_lossy(&hostile);
        let object = serde_json::json!({"kind": "X", "apiVersion": "v1", "data": {"key": hostile}});
        let value = text(scratch.file("value", object.to_string().as_bytes()));
        scratch.file("value.wal", &hostile_log());
        Self { scratch, db, value }
    }

    fn words(&self, line: &str) -> Vec<String> {
        words(line, &self.db, &self.value)
    }
}

/// A path in a folder that exists, at which there is no file.
fn new_path() -> String {
    static FOLDER: LazyLock<Scratch> = LazyLock::new(|| Scratch::new("every-verb-new"));
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = FOLDER.path().join(format!("new-{count}.db"));
    path.to_str().unwrap().to_owned()
}

fn words(line: &str, db: &str, value: &str) -> Vec<String> {
    let words = line.split(' ').map(|word| match word {
        "DB" => db,
        "VALUE" => value,
        word => word,
    });
    let words = words.map(|word| match word {
        // It is beside the value, where there is one.
        "LOG" if value == db => value.to_owned(),
        "LOG" => format!("{value}.wal"),
        "NEW" => new_path(),
        word => word.to_owned(),
    });
    words.collect()
}

/// Runs a command to its end, which must come soon.
#[track_caller]
fn in_time(command: &mut Command, most: Duration, what: &str) -> Run {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let late = ended.recv_timeout(most).is_err();
        if late {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
        late
    });
    // Its output is read meanwhile: a full pipe would look like a hang.
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut bytes).unwrap();
        bytes
    });
    let mut output = child.wait_with_output().unwrap();
    let _ = done.send(());
    assert!(
        !watch.join().unwrap(),
        "{what}: still running after {most:?}"
    );
    output.stdout = reader.join().unwrap();
    output.into()
}

/// A run of a verb on a file that is refused. `verify` says why on the line of the file, which is on standard output.
fn reason_on_stderr(line: &str, mut run: Run) -> Run {
    if line.starts_with("verify ") {
        run.stderr = format!("etcdive: {}{}", run.text(), run.stderr);
        run.stdout.clear();
    }
    run
}

#[test]
fn no_verb_is_forgotten() {
    let listed = crate::support::verbs();
    let verbs: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    let tried: BTreeSet<&str> = LINES
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(verbs.len() > 15);
    assert_eq!(verbs, tried);
}

#[test]
fn json_is_utf8_whatever_the_store_holds_and_other_bytes_are_base64() {
    let case = Case::new("every-json", &hostile_store().bytes);
    let mut texts = 0;
    for line in LINES.iter().filter(|line| prints_json(line)) {
        let run = etcdive(case.words(line));
        assert!(run.code != 2, "{line}: {}", run.stderr);
        let text =
            std::str::from_utf8(&run.stdout).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(!text.is_empty(), "{line}");
        if line.contains("jsonl") {
            for (number, object) in text.lines().enumerate() {
                let parsed = serde_json::from_str::<serde_json::Value>(object);
                parsed.unwrap_or_else(|error| panic!("{line}: line {number}: {error}"));
            }
        } else {
            let parsed = serde_json::from_str::<serde_json::Value>(text);
            parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        texts += 1;
    }
    for (line, field) in [
        ("ls DB -o jsonl", "key_base64"),
        ("get DB /registry/ -o jsonl", "value_base64"),
        ("log DB -o jsonl", "key_base64"),
        (
            "page DB 2 3 4 5 6 7 8 9 10 11 12 13 14 --values -o jsonl",
            "value_base64",
        ),
        ("buckets DB -o jsonl", "name_base64"),
        ("status DB -o json", "name_base64"),
    ] {
        let run = etcdive(case.words(line));
        let not_utf8 = STANDARD.encode(HOSTILE[10]);
        assert!(run.text().contains(field), "{line}: {field}");
        if field == "name_base64" || field == "value_base64" {
            assert!(run.text().contains(&not_utf8), "{line}");
        }
    }
    println!("{texts} texts of JSON");
    assert!(texts > 20);
}

/// The secret of [`secret_store`]: characters that occur nowhere else.
const SECRET: &str = "QZXJKQZX-0917-JXQZKQ";

fn secret_store() -> Image {
    let mut store = Store::new(Version::V3_6);
    let object = |n: usize| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"},
            "data": {"password": STANDARD.encode(format!("{SECRET}{n}")), "n": n}, "stringData": {"p": format!("{SECRET}{n}")}})
        .to_string()
    };
    let evil = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "evil", "namespace": "shop"}});
    store.put("/registry/configmaps/shop/evil", evil.to_string());
    for n in 0..40 {
        store.put("/registry/secrets/shop/db", object(n));
    }
    let hash = format!("$2a$10${SECRET}");
    store.set_bucket(
        "authUsers",
        Bucket::of([("root", user_value("root", &hash, &["root"]))]),
    );
    store.builder().older(Older::Empty).build()
}

#[test]
fn standard_error_shows_no_secret_whatever_is_damaged() {
    let image = secret_store();
    let page = image.page_size;
    let mut rng = Rng::new(11);
    let (mut runs, mut findings) = (0, 0);
    for turn in part(0..8, 2) {
        let mut bytes = image.bytes.clone();
        // In every page some bytes are wrong: tables, keys and values.
        for at in (2 * page..bytes.len()).step_by(page) {
            for _ in 0..=turn {
                let place = at + rng.below(page as u64) as usize;
                bytes[place] = rng.below(256) as u8;
            }
        }
        let case = Case::new(&format!("every-secret-{turn}"), &bytes);
        for line in LINES.iter().filter(|line| line.contains("DB")) {
            let run = etcdive(case.words(line));
            let encoded = STANDARD.encode(SECRET);
            for secret in [SECRET, &encoded[..12], "QZXJK"] {
                assert!(!run.stderr.contains(secret), "{line}: {}", run.stderr);
            }
            runs += 1;
            findings += usize::from(run.code == 3);
        }
    }
    println!("{runs} runs, {findings} with findings");
    assert!(findings > runs / 4);
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_refused_by_every_verb_without_waiting() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new("every-refused");
    let path = |name: &str| scratch.path().join(name);
    assert!(
        Command::new("mkfifo")
            .arg(path("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let _listener = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    symlink(path("pipe"), path("to-pipe")).unwrap();
    symlink(path("a"), path("b")).unwrap();
    symlink(path("b"), path("a")).unwrap();
    symlink(path("nowhere"), path("dangling")).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::create_dir_all(path("data/member/snap")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(path("data/member/snap/db"))
            .status()
            .unwrap()
            .success()
    );
    scratch.file("empty", b"");
    scratch.file("file", b"x");
    let cases = [
        ("pipe", "a named pipe (FIFO)"),
        ("to-pipe", "a named pipe (FIFO)"),
        ("data", "a named pipe (FIFO)"),
        ("socket", "a socket"),
        ("/dev/zero", "a character device"),
        ("folder", "without an etcd database"),
        ("a", "in a circle"),
        ("dangling", "a symbolic link to a file that does not exist"),
        ("empty", "an empty file"),
        ("no-such", "no such file"),
        ("file/below", "no such file"),
    ];
    let mut runs = 0;
    for line in LINES.iter().filter(|line| line.contains("DB")) {
        for (name, said) in cases {
            let db = path(name);
            let mut command = program();
            command.args(words(line, db.to_str().unwrap(), ""));
            let what = format!("{line} of {name}");
            let run = reason_on_stderr(line, in_time(&mut command, Duration::from_secs(20), &what));
            assert_eq!(
                (run.code, run.stdout.len()),
                (2, 0),
                "{what}: {}",
                run.stderr
            );
            assert!(run.stderr.contains(said), "{what}: {}", run.stderr);
            runs += 1;
        }
    }
    println!("{runs} runs");
    assert!(runs > 500);
    let pipe = path("pipe");
    let refused = etcdive([OsStr::new("get"), pipe.as_os_str()]);
    let hint = format!("hint: `cat {} | etcdive get -` reads it", pipe.display());
    assert!(refused.stderr.contains(&hint), "{}", refused.stderr);
}

/// Root may read everything: the program is run as nobody then.
#[test]
#[cfg(unix)]
fn a_file_that_may_not_be_read_is_refused_as_such() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let case = Case::new("every-eacces", &secret_store().bytes);
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(Path::new(&case.db), 0o000);
    let root = std::fs::File::open(&case.db).is_ok();
    for line in LINES.iter().filter(|line| line.contains("DB")) {
        let mut command = program();
        command.args(case.words(line));
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let run: Run = match command.output() {
            Ok(output) => output.into(),
            // The folder of the program itself is not checked.
            Err(error) if root && error.kind() == std::io::ErrorKind::PermissionDenied => {
                println!("skipped: {error}");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let run = reason_on_stderr(line, run);
        assert_eq!(
            (run.code, run.stdout.len()),
            (2, 0),
            "{line}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains("permission denied"),
            "{line}: {}",
            run.stderr
        );
    }
    mode(Path::new(&case.db), 0o600);
    mode(case.scratch.path(), 0o700);
}

/// Two terabytes of nothing: no page is searched where nothing is stored.
#[test]
fn a_sparse_file_of_zeros_is_refused_at_once() {
    let case = Case::new("every-zeros", b"");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&case.db)
        .unwrap();
    if let Err(error) = file.set_len(2 << 40) {
        println!("skipped: no such file here: {error}");
        return;
    }
    let asked = |line: &&&str| line.contains("DB") && !line.contains("--evidence");
    let mut refused = 0;
    for line in LINES.iter().filter(asked) {
        let mut command = program();
        command.args(case.words(line));
        let run = in_time(&mut command, Duration::from_secs(10), line);
        assert!(
            run.code != 0 || run.stdout.is_empty(),
            "{line}: {}",
            run.text()
        );
        refused += usize::from(run.code == 2);
    }
    assert!(refused > 20, "{refused} lines");
}

/// Of a terabyte nearly all is a hole: only what is stored is looked at.
#[test]
fn a_sparse_file_of_a_terabyte_is_answered_at_once() {
    let case = Case::new("every-sparse", &secret_store().bytes);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&case.db)
        .unwrap();
    if let Err(error) = file.set_len(1 << 40) {
        println!("skipped: no such file here: {error}");
        return;
    }
    // These hash every byte of the file.
    let hashes = |line: &str| line.contains("--evidence") || line.starts_with("restore");
    let skipped = |line: &&&str| !line.contains("DB") || hashes(line);
    for line in LINES.iter().filter(|line| !skipped(line)) {
        let start = Instant::now();
        let mut command = program();
        command.args(case.words(line));
        let run = in_time(&mut command, Duration::from_secs(60), line);
        assert!(run.code < 2, "{line}: {}", run.stderr);
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{line}: {:?}",
            start.elapsed()
        );
    }
}
