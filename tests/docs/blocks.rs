//! Runs every console block of the documentation, as a reader would in a fresh clone.
//!
//! A block begins with ```` ```console ````. A line that begins with `$ ` is a command for `sh`; the lines after it are
//! what it prints, standard error included. In a block that begins with ```` ```console stdout ````, standard error is
//! left out. A line that ends with `\` goes on in the next one. A command that ends with exit code 2 or 3 is followed
//! by `$ echo $?`, so that the page shows the code.
//!
//! All blocks of a page run in one folder, one after the other: a file that one command writes is there for the next.
//! `testdata` in it is the repository's. ETCDIVE_BLESS=1 writes what is printed into the pages (`cargo xtask bless`).

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::{Document, pages};
use crate::support::{Scratch, assert_same, testdata};

/// Pages that have no command to run, each with the reason.
const WITHOUT_BLOCKS: &[(&str, &str)] = &[
    ("CONTRIBUTING.md", "its commands build the program"),
    ("docs/README.md", "the list of pages"),
    (
        "docs/installing.md",
        "its commands build and install the program",
    ),
    ("docs/performance.md", "figures of one machine"),
    (
        "docs/reference/comparison.md",
        "`tables.rs` runs its tables",
    ),
    (
        "docs/reference/from-etcdctl.md",
        "`tables.rs` runs its table",
    ),
    (
        "docs/reference/input.md",
        "`packed.rs` and `backups.rs` make its files",
    ),
    ("docs/reference/verbs.md", "`tables.rs` compares its list"),
];

const BLOCK: &str = "```console";
const STDOUT_ONLY: &str = "```console stdout";

/// A line of text with its line end, or a command with what it prints.
enum Part {
    Text(String),
    Command(Shown),
}

/// A command, and what the page shows of it.
struct Shown {
    command: String,
    has_stderr: bool,
    output: String,
}

fn parts(page: &Document) -> Vec<Part> {
    let mut parts = Vec::new();
    // Within a block: whether standard error is shown.
    let mut block = None;
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        match block {
            None if line.starts_with(BLOCK) => block = Some(line != STDOUT_ONLY),
            None => {}
            Some(_) if line == "```" => block = None,
            Some(has_stderr) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    let mut command = command.to_owned();
                    while command.ends_with('\\') {
                        let _ = write!(command, "\n{}", lines.next().unwrap_or_default());
                    }
                    parts.push(Part::Command(Shown {
                        command,
                        has_stderr,
                        output: String::new(),
                    }));
                } else if let Some(Part::Command(shown)) = parts.last_mut() {
                    let _ = writeln!(shown.output, "{line}");
                } else {
                    panic!(
                        "{}: a console block begins with a command: {line}",
                        page.name
                    );
                }
                continue;
            }
        }
        parts.push(Part::Text(format!("{line}\n")));
    }
    assert!(block.is_none(), "{}: a console block has no end", page.name);
    parts
}

/// Runs a command in a folder; `last` is the exit code of the command before.
fn run(command: &str, last: i32, has_stderr: bool, folder: &Path) -> (String, i32) {
    let program = Path::new(env!("CARGO_BIN_EXE_etcdive")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(program.to_path_buf()).chain(std::env::split_paths(&path));
    let stderr = if has_stderr {
        "exec 2>&1"
    } else {
        "exec 2>/dev/null"
    };
    let mut shell = Command::new("sh");
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "ETCDIVE_DB"] {
        shell.env_remove(variable);
    }
    let output = shell
        .env("PATH", std::env::join_paths(folders).unwrap())
        .current_dir(folder)
        .stdin(Stdio::null())
        .args(["-c", &format!("{stderr}; (exit {last}); {command}")])
        .output()
        .expect("sh runs");
    let printed = String::from_utf8(output.stdout).expect("what is printed is UTF-8");
    (
        printed,
        output.status.code().expect("the shell ends by itself"),
    )
}

/// Runs the commands of a page. How many there are, and the page as it should be.
fn run_page(page: &Document) -> (usize, String) {
    let scratch = Scratch::new(&page.name.replace('/', "-"));
    std::os::unix::fs::symlink(testdata(""), scratch.path().join("testdata")).unwrap();
    let parts = parts(page);
    let (mut commands, mut code, mut text) = (0, 0, String::new());
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text(line) => text.push_str(line),
            Part::Command(shown) => {
                let (printed, ended) = run(&shown.command, code, shown.has_stderr, scratch.path());
                if std::env::var_os("ETCDIVE_BLESS").is_none() {
                    let what = format!("{}: {}", page.name, shown.command);
                    assert_same(shown.output.as_bytes(), printed.as_bytes(), &what);
                }
                let next = parts.get(index + 1);
                let is_shown =
                    matches!(next, Some(Part::Command(next)) if next.command == "echo $?");
                assert!(
                    ended < 2 || is_shown,
                    "{}: {} ended with {ended} and `$ echo $?` does not follow:\n{printed}",
                    page.name,
                    shown.command
                );
                let _ = write!(text, "$ {}\n{printed}", shown.command);
                code = ended;
                commands += 1;
            }
        }
    }
    (commands, text)
}

/// Runs the pages on all cores: most of the time is the start of programs.
fn run_pages(pages: Vec<Document>) -> Vec<(Document, usize, String)> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let (waiting, done) = (Mutex::new(pages), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(page) = waiting.lock().unwrap().pop() else {
                        return;
                    };
                    let (commands, text) = run_page(&page);
                    done.lock().unwrap().push((page, commands, text));
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn is_without_blocks(name: &str) -> bool {
    WITHOUT_BLOCKS.iter().any(|(listed, _)| name == *listed)
}

#[test]
fn every_console_block_shows_what_is_printed() {
    let mut commands_of_all = 0;
    for (page, commands, text) in run_pages(pages()) {
        assert_eq!(
            commands == 0,
            is_without_blocks(&page.name),
            "{} has {commands} commands in console blocks: WITHOUT_BLOCKS lists the pages that have none",
            page.name
        );
        if std::env::var_os("ETCDIVE_BLESS").is_some() && text != page.text {
            std::fs::write(page.path(), &text).unwrap();
        }
        commands_of_all += commands;
    }
    assert!(commands_of_all > 50, "{commands_of_all} commands");
}

#[test]
fn a_page_that_shows_another_output_is_found() {
    let page = |text: &str| Document {
        name: "a page".to_owned(),
        text: format!("# A page\n\n```console\n{text}```\n"),
    };
    let right = page("$ echo one \\\n  two\none two\n$ (exit 3)\n$ echo $?\n3\n");
    assert_eq!(run_page(&right), (3, right.text.clone()));
    for wrong in [
        "$ echo one\ntwo\n",
        "$ echo one\n",
        "$ echo error >&2\n",
        "$ (exit 3)\n",
    ] {
        let run = std::panic::catch_unwind(|| run_page(&page(wrong)));
        assert!(
            run.is_err() || std::env::var_os("ETCDIVE_BLESS").is_some(),
            "{wrong}"
        );
    }
}
