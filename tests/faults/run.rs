//! The program under a limit of memory and time, on damaged files.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::whole::{Known, Whole, is_of_the_file};
use crate::mutate::oracle::Changed;
use crate::mutate::program;
use crate::support::{Run, repository};

/// The whole address space of a run, in KiB: four times what an intact file of this size takes. An allocation
/// by a declared count of 2^32 fails in it.
const ADDRESS_SPACE_KIB: u64 = 384 << 10;
/// Seconds of computing.
const SECONDS: u64 = 10;

/// How a run ended.
pub struct Ended {
    /// None where a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ended {
    /// As other tests have it.
    pub fn run(&self) -> Run {
        Run {
            code: self.code.unwrap_or(-1),
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
        }
    }

    /// What no run may do, whatever it is given.
    pub fn crash(&self) -> Option<String> {
        match self.code {
            None => Some(format!("ended by a signal: {}", self.stderr)),
            Some(0..=3) if !self.stderr.contains("panicked") => None,
            Some(code) => Some(format!("exit {code}: {}", self.stderr)),
        }
    }
}

/// Runs the program; the word `DB` means the file.
pub fn bounded(words: &[&str], path: &Path) -> Ended {
    let path = path.to_str().unwrap();
    let words = words
        .iter()
        .map(|word| if *word == "DB" { path } else { word });
    let limits = format!("ulimit -v {ADDRESS_SPACE_KIB}; ulimit -t {SECONDS}; exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &limits, env!("CARGO_BIN_EXE_etcdive")])
        .args(words)
        .env_remove("CLICOLOR_FORCE")
        .current_dir(repository())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// A finding on standard error that does not say where it is.
pub fn unplaced(stderr: &str) -> Option<&str> {
    let is_unplaced = |line: &&str| {
        let placed = line.contains("page ") && line.contains("offset ");
        // Of several files, the path is before the code.
        !placed && !line.split(": ").any(is_of_the_file)
    };
    program::findings(stderr).find(is_unplaced)
}

/// Whether the program has a verb.
pub fn has_verb(verb: &str) -> bool {
    let help = bounded(&["--help"], Path::new("."));
    let verbs = String::from_utf8(help.stdout).unwrap();
    verbs
        .lines()
        .any(|line| line.starts_with(&format!("  {verb} ")))
}

/// The questions asked of a damaged file, and what is answered of the undamaged one.
pub struct Questions<'w> {
    whole: &'w Whole,
    path: String,
    asked: Vec<(Vec<String>, Run)>,
    /// Of each record its line of `dump-db iterate-bucket --decode`, and its event of `log`.
    lines: Vec<(Vec<u8>, Value)>,
    /// The live keys, each with the place of its record.
    live: BTreeMap<Vec<u8>, usize>,
}

const ITERATE: usize = 0;
const LOG: usize = 1;
const LS: usize = 2;
const GET: usize = 3;

/// An event without what its neighbours say of it.
fn event(line: &str) -> Value {
    let mut event: Value = serde_json::from_str(line).unwrap();
    let fields = event.as_object_mut().unwrap();
    fields.retain(|name, _| {
        let of_neighbours =
            ["origin", "managers", "type", "versions_missing_before"].contains(&name.as_str());
        !of_neighbours && !name.starts_with("prev_") && !name.starts_with("time_")
    });
    event
}

impl<'w> Questions<'w> {
    /// Asks them of the undamaged file at `path`, whose keys are texts.
    pub fn of(whole: &'w Whole, path: &Path) -> Self {
        let mut newest: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (place, known) in whole.records.iter().enumerate() {
            newest.insert(known.content.key.clone(), place);
        }
        newest.retain(|_, place| !whole.records[*place].content.tombstone);
        let mut this = Self {
            whole,
            path: path.to_str().unwrap().to_owned(),
            asked: Vec::new(),
            lines: Vec::new(),
            live: newest,
        };
        let verbs: [&[&str]; 9] = [
            &["dump-db", "iterate-bucket", "DB", "key", "--decode"],
            &["log", "-o", "jsonl", "DB"],
            &["ls", "DB"],
            &["get", "DB", "KEY"],
            &["status", "-o", "json", "DB"],
            &["diff", "OLD", "DB", "--name-only"],
            &["dump-db", "scan-keys", "DB"],
            &["fsck", "DB"],
            &["pages", "DB"],
        ];
        let first_key = this.live.keys().next().unwrap().clone();
        for verb in verbs {
            if ["fsck", "pages"].contains(&verb[0]) && !has_verb(verb[0]) {
                continue;
            }
            let verb: Vec<String> = verb.iter().map(|word| (*word).to_owned()).collect();
            let run = this.ask(&verb, path, &first_key).run();
            assert_eq!(run.code, 0, "{verb:?}: {}", run.stderr);
            this.asked.push((verb, run));
        }
        let text = |at: usize| this.asked[at].1.text().lines();
        // Both go from the newest to the oldest.
        this.lines = text(ITERATE)
            .rev()
            .map(|line| line.as_bytes().to_vec())
            .zip(text(LOG).rev().map(event))
            .collect();
        assert_eq!(this.lines.len(), whole.records.len());
        this
    }

    fn ask(&self, verb: &[String], path: &Path, key: &[u8]) -> Ended {
        let key = format!("key:{}", String::from_utf8(key.to_vec()).unwrap());
        let words: Vec<&str> = verb
            .iter()
            .map(|word| match word.as_str() {
                "OLD" => self.path.as_str(),
                "KEY" => key.as_str(),
                word => word,
            })
            .collect();
        let mut ended = bounded(&words, path);
        if verb[0] == "status" {
            // Its own path, which is another for each file.
            let text = String::from_utf8(ended.stdout).unwrap();
            ended.stdout = text.replace(path.to_str().unwrap(), "DB").into_bytes();
        }
        ended
    }

    /// Asks some of them of a damaged file, and shows what is wrong with the answers. `turn` chooses them;
    /// the records are asked for each time. `excused`: it holds the state before, without a sign.
    pub fn judge(&self, damaged: &[u8], path: &Path, turn: usize, excused: bool) -> Vec<String> {
        let changed = Changed::between(&self.whole.image, damaged);
        let intact = self.whole.intact(&changed);
        // A live key whose newest record is whole is alive.
        let is_intact = |place: &usize| {
            let known = &self.whole.records[*place];
            intact.iter().any(|one| std::ptr::eq(*one, known))
        };
        let key = self.live.iter().find(|(_, place)| is_intact(place));
        let mut problems = Vec::new();
        for (at, (verb, whole)) in self.asked.iter().enumerate() {
            let has_turn = at == ITERATE || (at + turn).is_multiple_of(4);
            if !has_turn || (at == GET && key.is_none()) {
                continue;
            }
            let asked_key = key.map_or(&b"/none"[..], |(key, _)| key);
            let ended = self.ask(verb, path, asked_key);
            let problem = ended.crash().or_else(|| {
                let run = ended.run();
                self.end(at, whole, &run, &changed, &intact, excused)
                    .or_else(|| {
                        let complete = excused || run.code == 2;
                        (!complete)
                            .then(|| self.missing(at, &run, &intact, is_intact))
                            .flatten()
                    })
            });
            problems.extend(problem.map(|problem| format!("{}: {problem}", verb.join(" "))));
        }
        problems
    }

    /// What is wrong with the exit code.
    fn end(
        &self,
        at: usize,
        whole: &Run,
        run: &Run,
        changed: &Changed,
        intact: &[&Known],
        excused: bool,
    ) -> Option<String> {
        let verb = self.asked[at].0[0].as_str();
        let is_structure = |at: usize| self.whole.structure.get(at) == Some(&true);
        let harmless = !changed.bytes().any(is_structure);
        match run.code {
            0 if excused || harmless || at == GET => None,
            0 if program::answer(run) == program::answer(whole) => None,
            // What it prints is about pages: damage to one that no tree reaches is shown, not reported.
            0 if verb == "pages" => None,
            0 => Some("exit 0 with another answer".to_owned()),
            1 if verb == "fsck" || (verb == "diff" && (excused || harmless)) => None,
            1 if verb == "status" && program::is_harmless(run) => {
                unplaced(&run.stderr).map(str::to_owned)
            }
            2 if intact.is_empty() => {
                let said = run.stdout.is_empty() && run.stderr.starts_with("etcdive: ");
                (!said).then(|| format!("exit 2 without a sentence: {}", run.stderr))
            }
            3 if verb == "fsck" => None,
            3 if program::findings(&run.stderr).next().is_none() => {
                Some("exit 3 without a reason".to_owned())
            }
            3 => unplaced(&run.stderr).map(|line| format!("no page or offset: {line}")),
            code => Some(format!("exit {code}: {}", run.stderr)),
        }
    }

    /// An intact record that is not in the answer.
    fn missing(
        &self,
        at: usize,
        run: &Run,
        intact: &[&Known],
        is_intact: impl Fn(&usize) -> bool,
    ) -> Option<String> {
        let all = self.whole.records.iter().zip(&self.lines);
        let mut expected =
            all.filter(|(known, _)| intact.iter().any(|one| std::ptr::eq(*one, *known)));
        match at {
            ITERATE => {
                let lines: HashSet<&[u8]> = run.stdout.split(|byte| *byte == b'\n').collect();
                expected
                    .find(|(_, (line, _))| !lines.contains(line.as_slice()))
                    .map(|(known, _)| format!("without the line of {}", known.content.name()))
            }
            LOG => {
                let events: HashSet<String> = run
                    .text()
                    .lines()
                    .map(|line| event(line).to_string())
                    .collect();
                expected
                    .find(|(_, (_, line))| !events.contains(&line.to_string()))
                    .map(|(known, _)| format!("without the event of {}", known.content.name()))
            }
            LS => {
                let keys: HashSet<&[u8]> = run.stdout.split(|byte| *byte == b'\n').collect();
                self.live
                    .iter()
                    .find(|(key, place)| is_intact(place) && !keys.contains(key.as_slice()))
                    .map(|(key, _)| format!("without the key {}", key.escape_ascii()))
            }
            GET => run
                .stdout
                .is_empty()
                .then(|| "nothing of an intact object".to_owned()),
            _ => None,
        }
    }
}
