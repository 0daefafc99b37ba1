//! `get --out`: a file for each object, below one folder and nowhere else, never over another.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, files_below, program, testdata};

const AFTER: &str = "testdata/healthy/k8s/after.db";

fn export(db: &str, words: &[&str], folder: &Path) -> Run {
    let out = ["--out", folder.to_str().unwrap()];
    etcdive(["get", db].iter().chain(words).chain(&out))
}

/// The files below a folder, by their paths in it.
fn written(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files_below(folder)
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn each_object_is_a_file_with_what_get_prints_of_it() {
    let scratch = Scratch::new("export");
    let folder = scratch.path().join("out");
    let run = export(AFTER, &["deploy,configmaps,nodes", "-A"], &folder);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let files = written(&folder);
    let names: Vec<&str> = run.text().lines().collect();
    let mut expected: Vec<String> = files
        .keys()
        .map(|name| folder.join(name).to_str().unwrap().to_owned())
        .collect();
    expected.sort();
    let mut told: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    told.sort();
    assert_eq!(told, expected);
    assert_eq!(
        run.stderr,
        format!(
            "note: {} files were written below {}\n",
            files.len(),
            folder.display()
        )
    );
    assert!(files.len() > 10);
    for (name, resource) in [
        ("prod/configmaps/frozen.yaml", "cm/frozen"),
        ("prod/deployments.apps/web.yaml", "deploy/web"),
    ] {
        let printed = etcdive(["get", AFTER, resource, "-n", "prod", "-o", "yaml"]);
        assert_eq!(files[name], printed.stdout, "{name}");
    }
    assert!(files.keys().any(|name| name.starts_with("_cluster/nodes/")));
    let json_folder = scratch.path().join("json");
    let run = export(
        AFTER,
        &["cm/frozen", "-n", "prod", "-o", "json"],
        &json_folder,
    );
    assert_eq!(
        run.text(),
        format!("{}/prod/configmaps/frozen.json\n", json_folder.display())
    );
    let file = std::fs::read(run.text().trim()).unwrap();
    let printed = etcdive(["get", AFTER, "cm/frozen", "-n", "prod", "-o", "json"]);
    assert_eq!(file, printed.stdout);
}

#[test]
fn files_and_folders_are_for_their_owner_alone() {
    let scratch = Scratch::new("export-mode");
    let folder = scratch.path().join("a/b");
    let run = export(AFTER, &["secrets", "-A"], &folder);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mode = |path: &Path| {
        std::fs::symlink_metadata(path)
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    for file in files_below(&folder) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        let mut inside = file.parent().unwrap();
        while inside != scratch.path() {
            assert_eq!(mode(inside), 0o700, "{}", inside.display());
            inside = inside.parent().unwrap();
        }
    }
}

#[test]
fn only_what_is_selected_is_written_and_nothing_makes_no_folder() {
    let scratch = Scratch::new("export-none");
    let folder = scratch.path().join("out");
    let run = export(AFTER, &["configmaps", "-A", "-l", "no=such"], &folder);
    assert_eq!((run.code, run.stdout.len()), (1, 0));
    assert!(!folder.exists());
    let run = export(
        AFTER,
        &[
            "configmaps",
            "-A",
            "--field-selector",
            "metadata.name=frozen",
        ],
        &folder,
    );
    assert_eq!((run.code, written(&folder).len()), (0, 1), "{}", run.stderr);
    for words in [
        &["cm", "-o", "name"][..],
        &["cm", "-o", "jsonl"],
        &["cm", "-w", "json"],
    ] {
        let other = scratch.path().join("other");
        let run = export(AFTER, words, &other);
        assert!(
            run.code == 2 && run.stderr.contains("--out writes"),
            "{}",
            run.stderr
        );
        assert!(!other.exists());
    }
}

/// A store with one object under each of these names, in the namespace `shop`.
fn store_of(names: &[&[u8]]) -> Vec<u8> {
    let mut store = Store::new(Version::V3_6);
    for (index, name) in names.iter().enumerate() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"index": index.to_string()}});
        let key = [b"/registry/configmaps/shop/", *name].concat();
        store.put(key, object.to_string());
    }
    store.builder().build().bytes
}

#[test]
fn hostile_names_stay_inside_and_apart() {
    let scratch = Scratch::new("export-hostile");
    let long = vec![b'n'; 3000];
    let longer = [&long[..], b"x"].concat();
    let names: [&[u8]; 16] = [
        b"plain",
        b"Plain",
        b"PLAIN",
        b"..",
        b"../../../../etc/passwd",
        b"/etc/passwd",
        b"con",
        b"NUL.txt",
        b"-rf",
        b"_x",
        b".hidden",
        b"a\\b",
        b"\x1b]52;c;aGk=\x07\r\n",
        b"\xff\xfe",
        &long,
        &longer,
    ];
    let db = scratch.file("db", &store_of(&names));
    let folder = scratch.path().join("out");
    let run = export(
        db.to_str().unwrap(),
        &["/registry/configmaps/shop/"],
        &folder,
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let files = written(&folder);
    assert_eq!(files.len(), names.len());
    let mut indices = Vec::new();
    let mut alike = std::collections::BTreeSet::new();
    for (name, content) in &files {
        let file = name.strip_prefix("shop/configmaps/").unwrap();
        let stem = file.strip_suffix(".yaml").unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-%~".contains(c);
        assert!(stem.chars().all(plain) && file.len() <= 255, "{file}");
        assert!(!stem.starts_with(['.', '-', '_']), "{file}");
        assert!(alike.insert(name.to_lowercase()), "{name}");
        let content = String::from_utf8(content.clone()).unwrap();
        let index = content
            .lines()
            .find_map(|line| line.strip_prefix("  index: "));
        indices.push(index.unwrap().trim_matches('"').parse::<usize>().unwrap());
    }
    indices.sort_unstable();
    assert_eq!(indices, (0..names.len()).collect::<Vec<_>>());
    // Nothing was made elsewhere.
    let beside: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert_eq!(beside.len(), 2);
}

#[test]
fn keys_of_no_resource_and_custom_prefixes_have_their_place() {
    let scratch = Scratch::new("export-keys");
    let folder = scratch.path().join("out");
    let talk = "testdata/healthy/talk/3.6/01-talk.live.db";
    let run = export(talk, &["key:foo2"], &folder);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        written(&folder).keys().collect::<Vec<_>>(),
        ["_keys/foo2.yaml"]
    );
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let scratch = Scratch::new("export-exists");
    let folder = scratch.path().join("out");
    let words = ["configmaps", "-n", "prod"];
    assert_eq!(export(AFTER, &words, &folder).code, 0);
    let before = written(&folder);
    let first = folder.join(before.keys().next().unwrap());
    std::fs::write(&first, "mine").unwrap();
    let again = export(AFTER, &words, &folder);
    assert_eq!(again.code, 2);
    assert!(
        again
            .stderr
            .contains("exists, and nothing is overwritten; nothing was written"),
        "{}",
        again.stderr
    );
    assert_eq!(std::fs::read(&first).unwrap(), b"mine");
    assert_eq!(written(&folder).len(), before.len());
}

#[test]
fn no_link_leads_out_of_the_folder() {
    let scratch = Scratch::new("export-links");
    let victim = scratch.file("victim", b"mine");
    let outside = scratch.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let words = ["cm/frozen", "-n", "prod"];
    // A link where a folder should be, one where the file should be, and one that leads nowhere.
    for (name, link, target) in [
        ("folder", "prod", &outside),
        ("inner", "prod/configmaps", &outside),
        ("file", "prod/configmaps/frozen.yaml", &victim),
        (
            "nowhere",
            "prod/configmaps/frozen.yaml",
            &outside.join("new"),
        ),
    ] {
        let folder = scratch.path().join(name);
        let link = folder.join(link);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, &link).unwrap();
        let run = export(AFTER, &words, &folder);
        assert_eq!(run.code, 2, "{name}: {}", run.stderr);
        assert!(
            run.stdout.is_empty() && run.stderr.contains("nothing was written"),
            "{name}"
        );
        assert_eq!(std::fs::read(&victim).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn the_evidence_is_never_written_to() {
    let scratch = Scratch::new("export-evidence");
    let bytes = std::fs::read(testdata("healthy/talk/3.6/01-talk.live.db")).unwrap();
    let db = scratch.file("data/member/snap/db", &bytes);
    let data = scratch.path().join("data");
    let link = scratch.path().join("link");
    symlink(&data, &link).unwrap();
    let to_db = scratch.path().join("to-db");
    symlink(&db, &to_db).unwrap();
    let before = files_below(&data);
    for (given, out) in [
        (&db, db.clone()),
        (&db, to_db.clone()),
        (&db, db.join("below")),
        (&db, data.join("member/out")),
        (&data, data.clone()),
        (&data, data.join("new/folder")),
        (&data, link.join("new")),
        (&link, data.join("new")),
        (&to_db, db.clone()),
        (&to_db, data.join("member/../member/snap")),
    ] {
        let run = export(given.to_str().unwrap(), &["key:foo2"], &out);
        assert_eq!(run.code, 2, "{}: {}", out.display(), run.stderr);
        assert!(
            run.stderr.contains("the evidence"),
            "{}: {}",
            out.display(),
            run.stderr
        );
    }
    assert_eq!(files_below(&data), before);
    assert_eq!(std::fs::read(&db).unwrap(), bytes);
    // Beside it is allowed.
    let beside = scratch.path().join("beside");
    assert_eq!(export(db.to_str().unwrap(), &["key:foo2"], &beside).code, 0);
}

/// The limit on the length of files is like a full disk: `write` fails in the middle of a file.
#[test]
fn a_file_that_cannot_be_written_whole_is_removed() {
    let scratch = Scratch::new("export-full");
    let mut store = Store::new(Version::V3_6);
    store.put("a", "small");
    store.put("b", "x".repeat(3_000_000));
    store.put("c", "small");
    let db = scratch.file("db", &store.builder().build().bytes);
    let folder = scratch.path().join("out");
    let program = program().get_program().to_owned();
    // SIGXFSZ is ignored, so that the write fails instead of ending the program.
    let run: Run = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$@\"", "sh"])
        .arg(program)
        .args([
            "get",
            db.to_str().unwrap(),
            "key:a",
            "key:b",
            "key:c",
            "--out",
        ])
        .arg(&folder)
        .output()
        .unwrap()
        .into();
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        run.stderr.contains("_keys/b.yaml: cannot be written: ")
            && run
                .stderr
                .contains("1 file was written before it, and is whole"),
        "{}",
        run.stderr
    );
    assert_eq!(run.text(), format!("{}/_keys/a.yaml\n", folder.display()));
    let files = written(&folder);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["_keys/a.yaml"]);
    let whole: Value = serde_norway::from_slice(&files["_keys/a.yaml"]).unwrap();
    assert_eq!(whole["value"], "small");
}

/// Every path below a folder, itself too, with its access time.
#[cfg(target_os = "linux")]
fn access_times(paths: &[std::path::PathBuf]) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let time = |path: &std::path::PathBuf| {
        let metadata = std::fs::metadata(path).unwrap();
        (path.clone(), metadata.accessed().unwrap())
    };
    paths.iter().map(time).collect()
}

/// A data directory with a log, and the paths of all that is in it.
#[cfg(target_os = "linux")]
fn data_directory(scratch: &Scratch) -> Vec<std::path::PathBuf> {
    let source = testdata("wal/requests");
    let mut paths = vec![scratch.path().join("data")];
    for file in files_below(&source) {
        let name = file.strip_prefix(&source).unwrap().to_str().unwrap();
        let copy = scratch.file(&format!("data/{name}"), &std::fs::read(&file).unwrap());
        let folders = copy.ancestors().skip(1);
        let inside = folders.take_while(|folder| *folder != scratch.path());
        paths.extend(inside.map(Path::to_path_buf));
        paths.push(copy);
    }
    paths.sort();
    paths.dedup();
    paths
}

#[test]
#[cfg(target_os = "linux")]
fn reading_leaves_the_access_times_of_logs_folders_and_key_files_alone() {
    let scratch = Scratch::new("access-times");
    let mut paths = data_directory(&scratch);
    let config = "testdata/healthy/k8s-encrypted/mixed.encryption-config.yaml";
    let config = scratch.file("keys.yaml", &std::fs::read(config).unwrap());
    let template = scratch.file("template", b"{.items[*].metadata.name}");
    let value = scratch.file("value", b"a value");
    paths.extend([config.clone(), template.clone(), value.clone()]);
    // So long ago that any reading would set it, also where the file system is mounted with relatime.
    for path in &paths {
        let file = std::fs::File::open(path).unwrap();
        let times = std::fs::FileTimes::new().set_accessed(std::time::SystemTime::UNIX_EPOCH);
        file.set_times(times).unwrap();
    }
    let before = access_times(&paths);
    assert!(
        paths.len() > 6
            && before
                .iter()
                .all(|(_, time)| *time == std::time::SystemTime::UNIX_EPOCH)
    );
    let data = scratch.path().join("data");
    let (data, config) = (data.to_str().unwrap(), config.to_str().unwrap());
    let format = format!("jsonpath-file={}", template.to_str().unwrap());
    for words in [
        &["wal", data][..],
        &["wal", data, "--values", "-o", "jsonl"],
        &[
            "ls",
            "testdata/healthy/talk/3.6/06-after.live.db",
            &format!("--wal={data}"),
        ],
        &[
            "get",
            "testdata/healthy/k8s-encrypted/mixed.db",
            "secrets",
            "-A",
            "--encryption-config",
            config,
        ],
        &["get", AFTER, "pods", "-A", "-o", &format],
        &["decode", value.to_str().unwrap()],
    ] {
        let run = etcdive(words);
        assert!(
            !run.stderr.contains("cannot be read"),
            "{words:?}: {}",
            run.stderr
        );
        assert_eq!(access_times(&paths), before, "{words:?}");
    }
}

#[test]
fn nothing_is_written_into_anything_that_was_opened() {
    let scratch = Scratch::new("export-opened");
    let paths = data_directory(&scratch);
    let data = scratch.path().join("data");
    let db = std::fs::read(testdata("healthy/k8s/after.db")).unwrap();
    let db = scratch.file("db", &db);
    let config = "testdata/healthy/k8s-encrypted/mixed.encryption-config.yaml";
    let config = scratch.file("keys.yaml", &std::fs::read(config).unwrap());
    symlink(&data, scratch.path().join("link")).unwrap();
    let log = files_below(&data)
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "wal"));
    let log = log.unwrap();
    let words = |wal: &Path, out: &str| {
        let line = [
            "recover".to_owned(),
            db.to_str().unwrap().to_owned(),
            "--at=@".to_owned(),
            format!("--wal={}", wal.display()),
            format!("--encryption-config={}", config.display()),
            "--out".to_owned(),
            scratch.path().join(out).to_str().unwrap().to_owned(),
        ];
        etcdive(line)
    };
    let mut refused = 0;
    for (wal, outs) in [
        (
            data.clone(),
            &[
                "data",
                "data/new",
                "data/member/wal/new",
                "link/new",
                "data/no/../member/x",
            ][..],
        ),
        (
            data.join("member"),
            &["data/member/new", "data/member/snap/new/new"],
        ),
        (data.join("member/wal"), &["data/member/wal/new"]),
        (
            log,
            &[
                "data/member/wal/new",
                "data/member/new",
                "link/member/snap/new",
            ],
        ),
    ] {
        for out in outs.iter().chain(&["db", "db/new", "keys.yaml/new"]) {
            let run = words(&wal, out);
            assert_eq!(run.code, 2, "{} {out}: {}", wal.display(), run.stderr);
            let is_said = run.stderr.contains("which is never written to") || out.contains("..");
            assert!(is_said, "{out}: {}", run.stderr);
            refused += 1;
        }
    }
    assert!(refused > 15);
    let mut now: Vec<_> = files_below(&data);
    now.retain(|path| !paths.contains(path));
    assert!(now.is_empty(), "{now:?}");
    for folder in [
        "data/new",
        "data/no",
        "data/member/new",
        "data/member/wal/new",
    ] {
        assert!(!scratch.path().join(folder).exists(), "{folder}");
    }
    let beside = words(&data, "out");
    assert_eq!(beside.code, 0, "{}", beside.stderr);
}
