//! What is wrong with a command line is said without obeying it: no byte of an argument reaches a terminal that the
//! terminal would act on, or not show.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::support::{Run, Scratch, etcdive, part};

/// Arguments that a terminal would act on or not show.
const HOSTILE: [&[u8]; 9] = [
    b"a\x1b]0;title\x07b",
    b"a\x1b[2Jb",
    b"a\x9bb",
    b"a\xc2\x9b31mb",
    "a\u{202e}b".as_bytes(),
    "a\u{34f}b".as_bytes(),
    "a\u{fe0f}\u{e0041}\u{3164}b".as_bytes(),
    b"a\r\n\x7fb",
    b"a\xff\xfeb",
];

/// Lines in which HOSTILE is an error, or a part of one; clap's and our own.
const LINES: &[&[&str]] = &[
    &["HOSTILE"],
    &["--HOSTILE"],
    &["ls", "--HOSTILE"],
    &["ls", "DB", "--sort", "HOSTILE"],
    &["ls", "DB", "--sort=HOSTILE"],
    &["ls", "DB", "--limit", "HOSTILE"],
    &["ls", "DB", "--at", "HOSTILE"],
    &["ls", "DB", "--regex", "(HOSTILE"],
    &["ls", "DB", "--custom=HOSTILE"],
    &["ls", "DB", "--color", "HOSTILE"],
    &["ls", "DB", "--meta", "HOSTILE"],
    &["ls", "DB", "-l", "HOSTILE=("],
    &["ls", "HOSTILE"],
    &["get", "DB", "HOSTILE"],
    &["get", "DB", "pods", "HOSTILE", "-n", "HOSTILE"],
    &["get", "DB", "pods", "-o", "HOSTILE"],
    &["get", "DB", "pods", "-o", "jsonpath={HOSTILE"],
    &["get", "DB", "pods", "-o", "jsonpath-file=HOSTILE"],
    &["get", "DB", "pods", "--encryption-config", "HOSTILE"],
    &["get", "DB", "pods", "--field-selector", "HOSTILE"],
    &["log", "DB", "--since", "HOSTILE"],
    &["log", "DB", "HOSTILE..@"],
    &["show", "DB", "HOSTILE"],
    &["grep", "DB", "(HOSTILE"],
    &["diff", "DB", "HOSTILE"],
    &["wal", "HOSTILE"],
    &["page", "DB", "HOSTILE"],
    &["decode", "HOSTILE"],
    &["explain", "HOSTILE"],
    &["help", "HOSTILE"],
    &["dump-db", "HOSTILE"],
    &["recover", "DB", "--wal=HOSTILE"],
];

fn words(line: &[&str], hostile: &[u8]) -> Vec<OsString> {
    let db = "testdata/healthy/k8s/after.db";
    let word = |word: &&str| {
        let mut bytes = Vec::new();
        let mut parts = word.split("HOSTILE").peekable();
        while let Some(part) = parts.next() {
            let part = if part == "DB" { db } else { part };
            bytes.extend(part.as_bytes());
            if parts.peek().is_some() {
                bytes.extend(hostile);
            }
        }
        OsStr::from_bytes(&bytes).to_owned()
    };
    line.iter().map(word).collect()
}

/// The first character that a terminal acts on or does not show, colours of ours aside.
fn hidden(text: &str) -> Option<char> {
    let text = text.replace("\u{1b}[0m", "").replace("\u{1b}[1m", "");
    text.chars().find(|c| {
        (c.is_control() && *c != '\n' && *c != '\t')
            || matches!(c, '\u{34f}' | '\u{202a}'..='\u{202e}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{e0000}'..='\u{e0fff}')
    })
}

#[test]
fn no_error_echoes_an_argument_that_a_terminal_would_obey() {
    let mut echoed = 0;
    let pairs = LINES
        .iter()
        .flat_map(|line| HOSTILE.iter().map(move |hostile| (line, hostile)));
    let pairs = part(pairs, 3);
    for (line, hostile) in &pairs {
        let run: Run = etcdive(words(line, hostile));
        assert!([1, 2].contains(&run.code), "{line:?}: {}", run.stderr);
        assert!(!run.stderr.is_empty(), "{line:?}");
        assert_eq!(hidden(&run.stderr), None, "{line:?}: {:?}", run.stderr);
        echoed += usize::from(run.stderr.contains("a\\"));
    }
    // Most quote what is wrong.
    assert!(echoed > pairs.len() / 2, "{echoed}");
}

#[test]
fn an_error_of_the_command_line_keeps_its_text_and_help_its_place() {
    let run = etcdive(["nothing-like-it"]);
    assert_eq!((run.code, run.text()), (2, ""));
    let expected = "error: unrecognized subcommand 'nothing-like-it'\n\n\
                    Usage: etcdive VERB DB [ADDRESS]... [OPTIONS]\n\nFor more information, try '--help'.\n";
    assert_eq!(run.stderr, expected);
    let quoted = etcdive(["ls", "db", "--limit", "1\u{1b}[2J\n"]);
    let said = "error: invalid value '1\\x1b[2J\\n' for '--limit <N>'";
    assert!(
        quoted.code == 2 && quoted.stderr.starts_with(said),
        "{}",
        quoted.stderr
    );
    for words in [&["--help"][..], &["--version"], &["ls", "-h"]] {
        let run = etcdive(words);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{words:?}");
        assert!(run.text().contains("etcdive"), "{words:?}");
    }
    let nothing = etcdive::<&str>([]);
    assert!(
        nothing.code == 2 && nothing.stderr.contains("Usage: etcdive"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn a_file_with_a_hostile_name_is_named_in_a_line_of_its_own() {
    let scratch = Scratch::new("arguments");
    let path = scratch.file("a\u{1b}[2Jb\u{202e}", b"no database");
    let run = etcdive(["status", path.to_str().unwrap()]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("a\\x1b[2Jb\\u202e"), "{:?}", run.stderr);
}
