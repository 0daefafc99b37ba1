//! One verdict: `status`, `fsck`, `verify` and the exit code agree on every file, and what bbolt's check refuses is not
//! intact.

mod directory;
mod former;
mod freelist;

use std::path::{Path, PathBuf};

use etcdive::k8s::encrypt::Keyring;
use etcdive::query::check::Check;
use etcdive::query::evidence::{Evidence, Verify};
use etcdive::query::file_status::{FileStatus, STATUS_LAYERS};
use etcdive::view;
use etcdive::view::status::OBJECTS_NOT_CHECKED;
use serde_json::Value;

use crate::support::synth::mutate::mutate;
use crate::support::{Run, Scratch, case_roots, etcdive, files_below, part, testdata};

/// What a verb says of a file: whether it is intact, the sentence, and each code with its count; or why it says nothing.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    is_intact: bool,
    sentence: String,
    codes: Vec<(String, u64)>,
}

type Answer = Result<Said, String>;

fn by_status(path: &Path) -> Answer {
    let evidence = Evidence::open(path, Verify::Always).map_err(|no| format!("{no:?}"))?;
    let status = FileStatus::read(&evidence).map_err(|no| format!("{no:?}"))?;
    let said = said(&status.verdict, &status.findings);
    // Reading the numbers finds no other codes than the check: the exit code is made of all findings.
    let codes = |said: &[(String, u64)]| -> Vec<String> {
        said.iter().map(|(code, _)| code.clone()).collect()
    };
    let all = said_codes(&evidence.diagnostics().by_code());
    assert_eq!(codes(&said.codes), codes(&all), "{}", path.display());
    Ok(said)
}

fn by_fsck(path: &Path) -> Answer {
    let evidence = Evidence::open(path, Verify::Always).map_err(|no| format!("{no:?}"))?;
    let keyring = Keyring::default();
    let check = Check {
        evidence: &evidence,
        keyring: &keyring,
        layers: &STATUS_LAYERS,
    };
    let checked = check.run().map_err(|no| format!("{no:?}"))?;
    Ok(said(&checked.verdict, &checked.findings))
}

type Findings = etcdive::query::verdict::Findings;

fn said_codes(findings: &Findings) -> Vec<(String, u64)> {
    let codes = findings.iter();
    codes
        .map(|(code, count, _)| (code.to_string(), *count))
        .collect()
}

fn said(verdict: &etcdive::query::verdict::Verdict, findings: &Findings) -> Said {
    Said {
        is_intact: verdict.is_intact(),
        sentence: view::verdict::sentence(verdict).to_owned(),
        codes: said_codes(findings),
    }
}

/// Every file that may be a database, with its size: not texts and packed files.
fn files() -> Vec<PathBuf> {
    let roots = case_roots()
        .into_iter()
        .flat_map(|root| match root.join("corpus").is_dir() {
            true => files_below(&root.join("corpus")),
            false => files_below(&root),
        });
    let is_database = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name == "db" || name.ends_with(".db") || name.ends_with(".snap")
    };
    roots.filter(is_database).collect()
}

#[test]
fn status_and_fsck_give_the_same_verdict_on_every_file() {
    let files = files();
    assert!(files.len() > 30, "compared {} files", files.len());
    let mut sound = 0;
    for path in &files {
        let (status, fsck) = (by_status(path), by_fsck(path));
        sound += usize::from(status.as_ref().is_ok_and(|said| said.is_intact));
        assert_eq!(status, fsck, "{}", path.display());
    }
    println!("{} files, {sound} of them sound", files.len());
    assert!(sound > 10 && sound < files.len());
}

#[test]
fn status_and_fsck_give_the_same_verdict_on_300_corruptions() {
    let image = std::fs::read(testdata("healthy/k8s-encrypted/mixed.db")).unwrap();
    let scratch = Scratch::new("verdict-300");
    let mut sound = 0;
    let seeds = part(0..300, 2);
    for seed in &seeds {
        let (bytes, mutation) = mutate(&image, *seed);
        let path = scratch.file("db", &bytes);
        let (status, fsck) = (by_status(&path), by_fsck(&path));
        sound += usize::from(status.as_ref().is_ok_and(|said| said.is_intact));
        assert_eq!(status, fsck, "seed {seed}: {mutation}");
    }
    println!("{} corruptions, {sound} of them sound", seeds.len());
    assert!(sound < seeds.len() / 4, "{sound} sound");
}

fn run(verb: &str, path: &Path) -> Run {
    let words = verb.split(' ');
    etcdive(words.chain([path.to_str().unwrap()]))
}

/// The exit code and the verdict of both verbs, as they print them.
#[track_caller]
fn agree(path: &Path, name: &str) -> (i32, String) {
    let verbs = [
        "status -o json",
        "fsck -o json --layer bbolt --layer etcd",
        "fsck -o json",
    ];
    let [status, fsck, of_all_layers] = verbs.map(|verb| run(verb, path));
    assert_eq!(status.code, fsck.code, "{name}: {}", status.stderr);
    let etcdutls = run("status -w simple", path);
    if status.code == 2 || status.stdout.is_empty() {
        // There is no state at all: etcdutl refuses the file too.
        assert_eq!(etcdutls.code, status.code, "{name}");
        return (status.code, String::new());
    }
    if status.code == 3 {
        assert!(
            matches!(etcdutls.code, 0 | 3),
            "{name}: {}",
            etcdutls.stderr
        );
    }
    let json = |run: &Run| serde_json::from_slice::<Value>(&run.stdout).unwrap();
    let (of_status, of_fsck) = (json(&status), json(&fsck));
    for field in ["sound", "verdict", "torn"] {
        assert_eq!(of_status[field], of_fsck[field], "{name}: {field}");
    }
    assert_eq!(of_status["sound"] == true, status.code == 0, "{name}");
    let text = run("status", path);
    assert_eq!(text.code, status.code, "{name}");
    let row = text
        .text()
        .lines()
        .find(|line| line.starts_with("verdict "));
    let row = row.unwrap_or_default().trim_start_matches("verdict").trim();
    let yes_or_no = ["DAMAGED", "OK"][usize::from(status.code == 0)];
    let sentence = of_fsck["verdict"].as_str().unwrap();
    let suffix = match (status.code, of_status["kind"] == "bbolt") {
        (0, false) => OBJECTS_NOT_CHECKED,
        _ => "",
    };
    assert_eq!(row, format!("{yes_or_no}: {sentence}{suffix}"), "{name}");
    verify_agrees(path, &json(&of_all_layers), of_all_layers.code, name);
    (status.code, sentence.to_owned())
}

/// `verify` has the verdict of `fsck`. It fails in addition for a file without keys, and for another program's file.
#[track_caller]
fn verify_agrees(path: &Path, fsck: &Value, code: i32, name: &str) {
    let verify = run("verify -o jsonl", path);
    let object = serde_json::from_slice::<Value>(&verify.stdout).unwrap();
    if object["outcome"] == "unreadable" {
        assert_eq!((&fsck["kind"], verify.code), (&"bbolt".into(), 2), "{name}");
        return;
    }
    if object.get("error").is_some() {
        assert_eq!((code, verify.code), (3, 3), "{name}: {object}");
        return;
    }
    for field in ["sound", "verdict", "torn"] {
        assert_eq!(object[field], fsck[field], "{name}: {field}");
    }
    let unmet = object["unmet"].as_array().unwrap();
    let expected = code.max(i32::from(!unmet.is_empty()));
    assert_eq!(verify.code, expected, "{name}: {object}");
}

#[test]
fn the_program_prints_one_verdict_and_ends_by_it() {
    let image = std::fs::read(testdata("healthy/k8s-encrypted/mixed.db")).unwrap();
    let scratch = Scratch::new("verdict-program");
    let mut codes = [0; 4];
    for path in files_below(&testdata("damaged")) {
        if path.extension().is_some_and(|extension| extension == "db") {
            let (code, _) = agree(&path, &path.display().to_string());
            codes[code as usize] += 1;
        }
    }
    for name in [
        "trailer/newline.db",
        "foreign/raft.db",
        "healthy/talk/3.6/06-after.live.db",
    ] {
        codes[agree(&testdata(name), name).0 as usize] += 1;
    }
    for seed in part(0..300, 15) {
        let (bytes, mutation) = mutate(&image, seed);
        let path = scratch.file("db", &bytes);
        let (code, _) = agree(&path, &format!("seed {seed}: {mutation}"));
        codes[code as usize] += 1;
    }
    assert!(codes[0] > 0 && codes[1] > 0 && codes[3] > 0, "{codes:?}");
}

#[test]
fn a_database_of_which_no_state_is_left_is_damaged_for_each_verb_that_judges_it() {
    let image = std::fs::read(testdata("healthy/k8s-encrypted/mixed.db")).unwrap();
    let scratch = Scratch::new("verdict-no-state");
    let metas = &image[..8192];
    for (name, bytes) in [
        ("only-metas", metas.to_vec()),
        ("zeros-after-metas", [metas, &vec![0; 65_536]].concat()),
        ("cut-in-meta", metas[..2048].to_vec()),
    ] {
        let path = scratch.file(name, &bytes);
        for verb in ["status", "status -o json", "status -w json", "fsck"] {
            let run = run(verb, &path);
            assert_eq!((run.code, run.text()), (3, ""), "{name}: {verb}");
            assert!(
                run.stderr.contains("no state can be read"),
                "{}",
                run.stderr
            );
        }
        // Another question cannot be answered.
        assert_eq!(run("ls", &path).code, 2, "{name}");
    }
    // What is no database at all is none for each of them.
    for name in ["not", "zeros"] {
        let path = scratch.file(
            name,
            if name == "not" {
                b"no database at all"
            } else {
                &[0; 8192]
            },
        );
        for verb in ["status", "status -w json", "fsck"] {
            assert_eq!(run(verb, &path).code, 2, "{name}: {verb}");
        }
    }
}
