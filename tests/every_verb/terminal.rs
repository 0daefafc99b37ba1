//! Every verb on a terminal: no byte of the store reaches it that it would act on.

use std::process::Command;

use unicode_width::UnicodeWidthStr as _;

use super::{Case, LINES, hostile_store};
use crate::support::terminal::{Terminal, without_colours as plain};
use crate::support::{full_or, part, program};

/// Runs the program with its output on a terminal; gives what reached it, then what was said on standard error.
///
/// That goes to a pipe: it is made harmless wherever it goes, and on a terminal the sign of life of a long run
/// would be in it.
fn on_terminal(words: &[String]) -> (i32, Vec<u8>) {
    let mut command = program();
    command.args(words);
    run_on_terminal(command)
}

fn run_on_terminal(command: Command) -> (i32, Vec<u8>) {
    let mut shown = Terminal::wide(100).run(command);
    shown.screen.extend(shown.stderr.into_bytes());
    (shown.code, shown.screen)
}

/// What is left of a text without our own colours: `ESC [ digits m`, or `ESC [ 0 m`.
fn without_colours(bytes: &[u8]) -> Vec<u8> {
    const OURS: [&[u8]; 9] = [
        b"\x1b[32m",
        b"\x1b[31m",
        b"\x1b[35m",
        b"\x1b[1;31m",
        b"\x1b[1;35m",
        b"\x1b[1m",
        b"\x1b[2m",
        b"\x1b[36m",
        b"\x1b[0m",
    ];
    let mut left = Vec::new();
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        match OURS.iter().find(|colour| rest.starts_with(colour)) {
            Some(colour) => rest = &rest[colour.len()..],
            None => {
                left.push(first);
                rest = &rest[1..];
            }
        }
    }
    left
}

/// The first thing in a text that a terminal would act on or hide.
fn acted_on(text: &str) -> Option<char> {
    text.chars().find(|&c| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    })
}

#[test]
fn no_byte_of_the_store_makes_a_terminal_do_anything() {
    let case = Case::new("every-terminal", &hostile_store().bytes);
    let mut seen_bytes = 0;
    let lines = part(LINES, 2);
    for line in &lines {
        for color in ["never", "auto"] {
            let mut words = case.words(line);
            words.extend(["--color".to_owned(), color.to_owned()]);
            let (code, seen) = on_terminal(&words);
            assert!(code != 2, "{line}: exit {code}");
            assert!(!seen.is_empty(), "{line}");
            seen_bytes += seen.len();
            let left = if color == "auto" {
                without_colours(&seen)
            } else {
                seen
            };
            let text = String::from_utf8(left);
            let text = text.unwrap_or_else(|error| panic!("{line} --color {color}: {error}"));
            if let Some(c) = acted_on(&text) {
                let at = text.find(c).unwrap();
                let around: String = text[at.saturating_sub(200)..].chars().take(300).collect();
                panic!("{line} --color {color}: {c:?} in {around:?}");
            }
        }
    }
    println!("{} lines, {seen_bytes} bytes", lines.len());
    assert!(seen_bytes > full_or(10_000_000, 1_000_000));
}

#[test]
fn the_terminal_of_this_test_passes_what_a_program_writes() {
    let mut printf = Command::new("printf");
    printf.arg(r"a\033[2Jb\r\302\233c\n");
    assert_eq!(run_on_terminal(printf).1, b"a\x1b[2Jb\r\xc2\x9bc\n");
    let case = Case::new("every-terminal-control", &hostile_store().bytes);
    let words = case.words("ls DB");
    let (_, shown) = on_terminal(&words);
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("/esc-\\x1b[2J-end"), "{shown}");
    let piped = crate::support::etcdive(words);
    assert!(piped.stdout.contains(&0x1b), "in a pipe bytes are exact");
}

#[test]
fn manifests_on_a_terminal_come_with_the_command_for_kubectl_create_and_none_in_a_pipe() {
    let words = "get testdata/healthy/k8s/after.db cm/frozen -n prod -o yaml";
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let line = "etcdive recover testdata/healthy/k8s/after.db cm/frozen -n prod --at @ -o yaml";
    let (code, seen) = on_terminal(&words);
    let seen = String::from_utf8(seen).unwrap();
    assert_eq!(code, 0);
    assert_eq!(seen.matches("hint: ").count(), 1, "{seen}");
    assert!(seen.contains(line), "{seen}");
    let piped = crate::support::etcdive(&words);
    assert_eq!((piped.code, piped.stderr.as_str()), (0, ""));
    // The command works.
    let manifest = crate::support::etcdive_line(line.trim_start_matches("etcdive "));
    assert!(manifest.code == 0 && manifest.text().contains("kind: ConfigMap"));
    assert!(!manifest.text().contains("uid:"), "{}", manifest.text());
}

/// Lines of [`LINES`] whose output is content: an object, a value, a key asked for by name, another program's text. It is
/// exact on a terminal, too, which breaks long lines by itself.
fn is_content(line: &str) -> bool {
    const CONTENT: [&str; 20] = [
        "-o json",
        "-o yaml",
        "-o name",
        "-o wide",
        "-o bbolt",
        "-o unified",
        "-w ",
        "--values",
        "--fields",
        "extract",
        "decode",
        "dump-db",
        "hexdump",
        "watch",
        "show",
        "help",
        "--style",
        "/registry/ --prefix",
        "completions",
        "complete",
    ];
    CONTENT.iter().any(|word| line.contains(word))
        || line.starts_with("man")
        || line == "get DB /registry/"
}

/// More ways in which a verb prints lines of our own.
const MORE: [&str; 9] = [
    "log DB --ago --local",
    "log DB --by-txn",
    "log DB --oneline --ago",
    "log DB --why-time",
    "diff DB 3..@ --word",
    "diff DB 3..@ --side-by-side",
    "diff DB 3..@ -y --word",
    "explain",
    "recover DB --plan",
];

/// The next commands of `restore` stay on one line, so that they can be pasted.
fn is_pasted(row: &str) -> bool {
    row.contains("etcdutl snapshot restore ") || row.starts_with("etcd --name ")
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let case = Case::new("every-width", &hostile_store().bytes);
    let lines = LINES.iter().filter(|line| !is_content(line));
    let lines: Vec<&str> = lines.chain(&MORE).copied().collect();
    let (mut compared, mut wide) = (0, 0);
    for line in &lines {
        for columns in [20, 80, 120, 200] {
            let mut command = program();
            command.args(case.words(line));
            let shown = Terminal::wide(columns).run(command);
            assert!(
                !shown.stderr.contains("panicked"),
                "{line}: {}",
                shown.stderr
            );
            for row in plain(shown.text()).lines() {
                let width = row.width();
                assert!(
                    width <= usize::from(columns) || is_pasted(row),
                    "{line}: {width} columns on a terminal of {columns}: {row}"
                );
                compared += 1;
                wide += usize::from(width * 4 > usize::from(columns) * 3);
            }
        }
    }
    println!(
        "{} ways to print, {compared} rows, {wide} of them long",
        lines.len()
    );
    assert!(
        lines.len() > 35 && compared > 4000 && wide > 1000,
        "{compared} rows, {wide} long"
    );
}
