//! Every verb with streams that are full, closed or gone.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::process::{Command, Stdio};

use super::{Case, LINES, hostile_store};
use crate::support::{Run, part, program};

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_sentence_and_exit_2() {
    let case = Case::new("every-full", &hostile_store().bytes);
    for line in LINES {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program().args(case.words(line)).stdout(full).output();
        let run: Run = output.unwrap().into();
        assert_eq!(run.code, 2, "{line}: {}", run.stderr);
        assert!(
            run.stderr.contains("cannot write the output: ") && !run.stderr.contains("panicked"),
            "{line}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_reader_that_closed_the_pipe_ends_every_verb_quietly() {
    let case = Case::new("every-gone", &hostile_store().bytes);
    for line in LINES {
        let mut child = program()
            .args(case.words(line))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Gone before the first byte.
        drop(child.stdout.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let code = child.wait().unwrap().code();
        // What differs was found before the first byte was written.
        let expected = match line.split(' ').next() {
            Some("diff") => 1,
            Some("verify") => 3,
            _ => 0,
        };
        assert!(code == Some(expected), "{line}: {code:?}: {said}");
        assert!(
            !said.contains("panicked") && !said.contains("cannot write"),
            "{line}: {said}"
        );
    }
}

/// The standard library opens /dev/null in the place of a stream that is closed: so the output goes nowhere, and never
/// into a file that happens to get the number of the stream.
#[test]
#[cfg(unix)]
fn closed_streams_are_as_null() {
    let case = Case::new("every-closed", &hostile_store().bytes);
    let before = std::fs::read(&case.db).unwrap();
    for line in LINES {
        for closed in part([">&-", "2>&-", "<&-", "<&- >&- 2>&-"], 2) {
            let status = Command::new("sh")
                .args(["-c", &format!("exec \"$@\" {closed}"), "sh"])
                .arg(program().get_program())
                .args(case.words(line))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .current_dir(crate::support::repository())
                .status()
                .unwrap();
            let code = status.code();
            assert!(matches!(code, Some(0 | 1 | 3)), "{line} {closed}: {status}");
        }
    }
    assert_eq!(std::fs::read(&case.db).unwrap(), before);
}
