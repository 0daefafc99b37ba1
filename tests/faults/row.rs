//! One row of the matrix: faults made of an undamaged file, each judged by the general pass, and by
//! what the row asks for.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::run::{Ended, bounded, unplaced};
use super::whole::{Answer, Whole, answer};
use crate::support::Scratch;

/// A row at work.
pub struct Row {
    scratch: Scratch,
    cases: usize,
    excused: usize,
    failures: Vec<String>,
    /// The program itself is run on every so many faults: on each by itself.
    every: usize,
}

/// What a fault gave.
pub struct Given {
    pub answer: Answer,
    pub path: PathBuf,
    /// Whether the state before was delivered without a word, because the damage is none that can be seen.
    pub excused: bool,
}

impl Given {
    /// Whether a finding of this code was made.
    pub fn has(&self, code: &str) -> bool {
        self.answer.codes.contains(&code)
    }
}

/// Long ago: reading must not change it.
fn written() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

impl Row {
    pub fn new(name: &str) -> Self {
        Self {
            scratch: Scratch::new(&format!("fault-{name}")),
            cases: 0,
            excused: 0,
            failures: Vec::new(),
            every: 1,
        }
    }

    /// A row of so many faults that the program is run on every `every`th of them only.
    pub fn of_many(name: &str, every: usize) -> Self {
        Self {
            every,
            ..Self::new(name)
        }
    }

    /// Notes a failure of the row's own demands.
    pub fn expect(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(text());
        }
    }

    /// The general pass over one damaged copy of a file.
    pub fn fault(&mut self, whole: &Whole, name: &str, bytes: &[u8]) -> Given {
        let path = self.write(bytes);
        let started = Instant::now();
        let answer = answer(&path);
        // A second, and one for each 50 MB; ten times that much without optimisation.
        let allowed = Duration::from_secs(10 + bytes.len() as u64 / 5_000_000);
        let judged = whole.judge(bytes, &answer);
        let mut problems = judged.problems;
        if started.elapsed() > allowed {
            problems.push(format!("{:?}", started.elapsed()));
        }
        if self.cases.is_multiple_of(self.every) {
            let refused = answer.refused.is_some();
            problems.extend(self.program(&path, refused, answer.told));
        }
        problems.extend(untouched(&path, bytes));
        self.cases += 1;
        self.excused += usize::from(judged.excused);
        self.failures.extend(problems.first().map(|first| {
            let more = problems.len() - 1;
            format!("{}: {name}: {first} (and {more} more)", whole.name)
        }));
        Given {
            answer,
            path,
            excused: judged.excused,
        }
    }

    /// As [`Self::fault`], for a fault that must be reported, by exit 3.
    pub fn told(&mut self, whole: &Whole, name: &str, bytes: &[u8]) -> Given {
        let given = self.fault(whole, name, bytes);
        let said = given.answer.told || given.answer.refused.is_some();
        self.expect(said, || format!("{}: {name}: not told", whole.name));
        given
    }

    /// Counts a fault that is judged elsewhere.
    pub fn count(&mut self) {
        self.cases += 1;
    }

    /// Writes a file of long ago.
    pub fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.scratch.file("db", bytes);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(written()).unwrap();
        path
    }

    /// The program ends by itself, and as the library says.
    fn program(&self, path: &std::path::Path, refused: bool, told: bool) -> Option<String> {
        let ended = bounded(
            &["dump-db", "iterate-bucket", "DB", "key", "--decode"],
            path,
        );
        let expected = match (refused, told) {
            (true, _) => 2,
            (false, true) => 3,
            (false, false) => 0,
        };
        ended.crash().or_else(|| {
            if ended.code != Some(expected) {
                return Some(format!(
                    "exit {:?}, not {expected}: {}",
                    ended.code, ended.stderr
                ));
            }
            unplaced(&ended.stderr).map(|line| format!("no page or offset: {line}"))
        })
    }

    /// Runs the program, which must end by itself and leave the file alone.
    pub fn run(&mut self, words: &[&str], bytes: &[u8]) -> Ended {
        let path = self.write(bytes);
        let ended = bounded(words, &path);
        let problem = ended.crash().or_else(|| untouched(&path, bytes));
        self.failures
            .extend(problem.map(|problem| format!("{}: {problem}", words.join(" "))));
        self.cases += 1;
        ended
    }

    #[track_caller]
    pub fn conclude(self, at_least: usize) {
        println!(
            "{} faults, {} of them a whole former state",
            self.cases, self.excused
        );
        assert!(self.cases >= at_least, "{} faults", self.cases);
        let shown: Vec<&str> = self.failures.iter().take(15).map(String::as_str).collect();
        assert!(
            shown.is_empty(),
            "{} failures in {} faults:\n{}",
            self.failures.len(),
            self.cases,
            shown.join("\n")
        );
    }
}

/// What reading did to a file, if anything.
fn untouched(path: &std::path::Path, bytes: &[u8]) -> Option<String> {
    let modified = path.metadata().unwrap().modified().unwrap();
    if modified != written() {
        return Some("its time changed".to_owned());
    }
    (std::fs::read(path).unwrap() != bytes).then(|| "its bytes changed".to_owned())
}
