//! Our answer is the recorded answer of the other program, byte for byte.
//!
//! The cases are the folders `reference/CLUSTER-VERSION/DB/` of each root; each file in one is what a
//! program printed of that db, its name says which and how (see `testdata/README.md`).

use std::path::{Path, PathBuf};

use crate::support::{Scratch, assert_same, case_roots, etcdive, read_unpacked};

/// The db that a reference folder is about.
pub fn database_of(root: &Path, cluster: &str, db: &str) -> PathBuf {
    let (name, version) = cluster.split_once('-').unwrap_or((cluster, ""));
    let healthy = if root.join("corpus").is_dir() {
        root.join("corpus")
    } else {
        root.join("healthy")
    };
    [
        healthy.join(name).join(version),
        healthy.join(name),
        healthy.join(cluster),
    ]
    .into_iter()
    .map(|folder| folder.join(format!("{db}.db")))
    .find(|path| path.is_file())
    .unwrap_or_else(|| panic!("{}: no db for reference/{cluster}/{db}", root.display()))
}

/// The arguments of ours that ask for what a reference file holds; none for what has no counterpart yet.
fn arguments_for(file: &str) -> Option<Vec<String>> {
    let file = file.trim_end_matches(".gz").strip_suffix(".txt")?;
    let words = |line: String| Some(line.split(' ').map(str::to_owned).collect());
    if let Some(format) = file.strip_prefix("etcdutl-3.6.status.") {
        return words(format!("status -w {format} db"));
    }
    if let Some(format) = file.strip_prefix("etcdutl-3.5.status.") {
        return words(format!("status -w {format} --style 3.5 db"));
    }
    if let Some(format) = file.strip_prefix("etcdutl-3.7.hashkv.") {
        return words(format!("hashkv -w {format} db"));
    }
    if file == "dumpdb.hash" {
        return words("dump-db hash db".to_owned());
    }
    if let Some(bucket) = file
        .strip_prefix("dumpdb.iterate.")
        .and_then(|rest| rest.strip_suffix(".raw"))
    {
        return words(format!("dump-db iterate-bucket db {bucket}"));
    }
    let (style, what) = ["3.5", "3.6"]
        .iter()
        .find_map(|style| Some((style, file.strip_prefix(&format!("dumpdb-{style}."))?)))?;
    match what.split('.').collect::<Vec<_>>()[..] {
        ["list-bucket"] => words("dump-db list-bucket db".to_owned()),
        // etcd-dump-db 3.5.9 has no scan-keys: its file holds an error.
        ["scan-keys"] if *style == "3.6" => words("dump-db scan-keys db".to_owned()),
        ["iterate", bucket, "decode"] => words(format!(
            "dump-db iterate-bucket --style {style} --decode db {bucket}"
        )),
        ["iterate", bucket, "decode", limit] => {
            let limit = limit.strip_prefix("limit")?;
            words(format!(
                "dump-db iterate-bucket --style {style} --decode --limit {limit} db {bucket}"
            ))
        }
        _ => None,
    }
}

#[test]
fn dump_db_and_status_print_what_the_other_programs_printed() {
    let mut compared = 0;
    let mut databases = 0;
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for db in folders(&root.join("reference").join(&cluster)) {
                let folder = root.join("reference").join(&cluster).join(&db);
                let cases: Vec<_> = files(&folder)
                    .into_iter()
                    .filter_map(|file| Some((arguments_for(&file)?, file)))
                    .collect();
                if cases.is_empty() {
                    continue;
                }
                databases += 1;
                // The recorded texts name the file `db`.
                let scratch = Scratch::new(&format!("reference-{cluster}-{db}"));
                std::fs::copy(database_of(&root, &cluster, &db), scratch.path().join("db"))
                    .unwrap();
                for (arguments, file) in cases {
                    let run = crate::support::program()
                        .current_dir(scratch.path())
                        .args(&arguments)
                        .output()
                        .unwrap();
                    let expected = read_unpacked(&folder.join(&file));
                    assert_same(&expected, &run.stdout, &format!("{cluster}/{db}/{file}"));
                    assert_eq!(
                        run.status.code(),
                        Some(0),
                        "{cluster}/{db}: {arguments:?}: {}",
                        String::from_utf8_lossy(&run.stderr)
                    );
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} texts of {databases} databases compared");
    assert!(compared > 0 && databases > 0);
}

#[test]
fn hashkv_is_what_etcdutl_computes() {
    let mut compared = 0;
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for db in folders(&root.join("reference").join(&cluster)) {
                let folder = root.join("reference").join(&cluster).join(&db);
                let Ok(text) = std::fs::read_to_string(folder.join("etcdutl-3.7.hashkv.json.txt"))
                else {
                    continue;
                };
                let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
                let path = database_of(&root, &cluster, &db);
                let run = etcdive(["status", "-o", "json", path.to_str().unwrap()]);
                let got: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
                assert_eq!(got["hash_kv"], expected["hash"], "{cluster}/{db}");
                assert_eq!(
                    got["hash_kv_revision"], expected["hashRevision"],
                    "{cluster}/{db}"
                );
                compared += 1;
            }
        }
    }
    println!("{compared} hashes compared");
    assert!(compared > 0);
}

/// Names of the folders in a folder, sorted; none where it does not exist.
pub fn folders(folder: &Path) -> Vec<String> {
    names(folder, |path| path.is_dir())
}

fn files(folder: &Path) -> Vec<String> {
    names(folder, |path| path.is_file())
}

fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| wanted(path))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}
