//! The help: what `--help` and `-h` print, the examples and the topics, which are run.

use std::path::Path;

use crate::support::examples::Examples;
use crate::support::{assert_golden, assert_same, etcdive, etcdive_line, program, repository};
use etcdive::cli::help::groups::GROUPS;
use etcdive::cli::help::pages::PAGES;

/// The screen that `-h` fits on.
const LINES: usize = 24;
const COLUMNS: usize = 80;

/// The lines of a topic: two screens and a bit.
const TOPIC_LINES: usize = 66;

/// The topics, by the help of `help`.
fn topics() -> Vec<String> {
    let help = etcdive(["help", "help"]);
    let listed = help.text().split("Topics: ").nth(1).unwrap();
    let listed = listed.split("\n\n").next().unwrap().replace('\n', " ");
    let names = listed.trim_end_matches('.').split(", ");
    names.map(|name| name.trim().to_owned()).collect()
}

/// The words of every command that has help, the program itself first.
fn commands() -> Vec<Vec<String>> {
    let list = etcdive(["man", "--list"]);
    let words = |line: &str| line.split(' ').skip(1).map(str::to_owned).collect();
    let commands: Vec<Vec<String>> = list.text().lines().map(words).collect();
    assert!(commands.len() > 25 && commands[0].is_empty());
    commands
}

fn help_of(path: &[String], flag: &str) -> String {
    let mut command = program();
    command.args(path).arg(flag).env("COLUMNS", "80");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{path:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_help_text_is_as_recorded() {
    for path in commands() {
        let run = etcdive(path.iter().map(String::as_str).chain(["--help"]));
        assert!(run.text().is_ascii(), "{path:?}");
        let name = if path.is_empty() {
            "etcdive".to_owned()
        } else {
            path.join("-")
        };
        assert_golden(&format!("help/{name}.txt"), &run.stdout);
    }
}

#[test]
fn short_help_fits_a_screen_and_its_first_line_is_short() {
    for path in commands() {
        let help = help_of(&path, "-h");
        let widest = help.lines().map(|line| line.chars().count()).max().unwrap();
        let lines = help.lines().count();
        assert!(
            lines <= LINES && widest <= COLUMNS,
            "{path:?}: {lines} lines, {widest} columns\n{help}"
        );
        let first = help.lines().next().unwrap();
        assert!(first.len() <= 70, "{path:?}: {first}");
    }
}

#[test]
fn every_verb_is_in_one_group_and_has_a_page() {
    let mut grouped: Vec<&str> = GROUPS
        .iter()
        .flat_map(|group| group.verbs)
        .copied()
        .collect();
    let mut verbs: Vec<String> = commands()
        .into_iter()
        .skip(1)
        .filter(|path| path.len() == 1)
        .map(|path| path[0].clone())
        .collect();
    grouped.sort_unstable();
    verbs.sort_unstable();
    assert_eq!(grouped, verbs);
    for path in commands() {
        let page = PAGES.iter().find(|page| page.verb == path.join(" "));
        let page = page.unwrap_or_else(|| panic!("{path:?} has no page"));
        let examples = page.examples.len();
        assert!((2..=4).contains(&examples), "{path:?}: {examples} examples");
        let help = help_of(&path, "-h");
        for flag in page.common {
            assert!(
                help.contains(&format!("--{flag}")),
                "{path:?} has no --{flag}\n{help}"
            );
        }
    }
    assert_eq!(PAGES.len(), commands().len());
}

#[test]
fn every_example_of_the_help_works() {
    let mut run_lines = 0;
    for page in PAGES {
        let examples = Examples::new("help-examples");
        let help = etcdive(page.verb.split_whitespace().chain(["--help"]));
        for example in page.examples {
            let line = example.line;
            assert!(
                help.text()
                    .contains(&format!("  {}:\n    {line}\n", example.does)),
                "{line}"
            );
            assert!(4 + line.len() <= 100, "{line}");
            // Another program follows a pipe, and `source <(...)` is not for every shell.
            let ours = line.split(" | ").next().unwrap();
            let ours = ours.trim_start_matches("source <(").trim_end_matches(')');
            let run = examples.shell(ours);
            assert!(
                run.code < 2 && !run.stdout.is_empty() || ours.contains("broken.db"),
                "{line}: exit {}\n{}",
                run.code,
                run.stderr
            );
            assert!(!run.stdout.is_empty(), "{line}\n{}", run.stderr);
            run_lines += 1;
        }
    }
    assert!(run_lines > 60, "{run_lines}");
}

/// A page with what its console blocks print now; `$` is the prompt.
fn with_output(page: &str, examples: &Examples) -> (String, usize) {
    let (mut text, mut commands, mut is_console) = (String::new(), 0, false);
    for line in page.split_inclusive('\n') {
        match line.trim_end() {
            "```console" => is_console = true,
            "```" => is_console = false,
            command if is_console => {
                let Some(command) = command.strip_prefix("$ ") else {
                    continue;
                };
                assert!(command.starts_with("etcdive "), "{command}");
                let run = examples.shell(command);
                text.push_str(line);
                text.push_str(run.text());
                if !run.text().ends_with('\n') {
                    text.push('\n');
                }
                assert!(
                    !run.stdout.is_empty() && run.code < 2,
                    "{command}: {}",
                    run.stderr
                );
                commands += 1;
                continue;
            }
            _ => {}
        }
        text.push_str(line);
    }
    (text, commands)
}

#[test]
fn the_console_blocks_of_the_topics_show_what_is_printed() {
    let examples = Examples::new("help-topics");
    let mut commands = 0;
    for name in topics().iter().filter(|name| *name != "fields") {
        let path = repository().join(format!("docs/help/{name}.md"));
        let page = std::fs::read_to_string(&path).unwrap();
        let (expected, count) = with_output(&page, &examples);
        if std::env::var_os("ETCDIVE_BLESS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        } else {
            assert_same(expected.as_bytes(), page.as_bytes(), name);
        }
        assert!(count > 0, "{name} has no example");
        commands += count;
    }
    assert!(commands > 12, "{commands}");
}

#[test]
fn a_topic_is_two_screens_at_most() {
    let names = topics();
    assert!(names.len() > 8);
    for name in names {
        let run = etcdive(["help", &name]);
        assert_eq!(run.code, 0, "{name}");
        let text = run.text();
        assert!(!text.contains("```") && !text.starts_with('#'), "{name}");
        if name == "fields" {
            continue;
        }
        let lines = text.lines().count();
        assert!(lines <= TOPIC_LINES, "{name}: {lines} lines");
        // What a command prints is as wide as it is.
        let own = text.lines().filter(|line| !line.starts_with("    "));
        let widest = own.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= COLUMNS, "{name}: {widest} columns");
    }
    let folder = std::fs::read_dir(repository().join("docs/help")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    let pages = files
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .count();
    assert_eq!(pages, topics().len() - 1, "a page is not a topic");
}

#[test]
fn a_topic_is_explained_and_a_verb_has_its_help() {
    assert!(
        etcdive(["help", "fields"])
            .text()
            .contains("time_not_before")
    );
    let verb = etcdive(["help", "dump-db", "hash"]);
    assert_eq!(verb.text(), etcdive(["dump-db", "hash", "--help"]).text());
    assert_eq!(etcdive(["help"]).text(), etcdive(["--help"]).text());
    for (word, hint) in [
        ("nothing-like-it", "the topics are addresses, "),
        ("adresses", "did you mean addresses"),
        ("gte", "did you mean get"),
    ] {
        let unknown = etcdive(["help", word]);
        assert_eq!(unknown.code, 2);
        assert!(unknown.stderr.contains(hint), "{}", unknown.stderr);
    }
}

#[test]
fn a_typo_in_a_verb_or_a_flag_is_answered_with_the_right_word() {
    for (line, near) in [
        ("get DB pods --namespce a", "'--namespace'"),
        ("log DB --patc", "'--patch'"),
        ("get DB pods --atime 3", "'--at-time'"),
        ("ls DB -o jsno", "'json'"),
    ] {
        let run = etcdive_line(&line.replace("DB", "testdata/healthy/talk/3.6/01-talk.live.db"));
        assert_eq!(run.code, 2, "{line}");
        let has = run.stderr.contains("similar") && run.stderr.contains(near);
        assert!(has, "{line}: {}", run.stderr);
    }
    for (line, meant) in [
        ("describe DB pods/a", "hint: `etcdive show DB pods/a`"),
        ("lgo DB -n a", "hint: `etcdive log DB -n a`"),
        ("recove DB", "hint: `etcdive recover DB`"),
        ("pag DB", "hint: did you mean page, pages?"),
        ("list-bucket DB", "hint: `etcdive dump-db list-bucket DB`"),
    ] {
        let db = "testdata/healthy/talk/3.6/01-talk.live.db";
        let run = etcdive_line(&line.replace("DB", db));
        assert!(
            run.stderr.contains(&meant.replace("DB", db)),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_man_page_is_roff_with_the_same_flags_and_examples() {
    let mut pages = 0;
    for path in commands() {
        let page = etcdive([&["man".to_owned()], path.as_slice()].concat());
        assert_eq!(page.code, 0, "{path:?}: {}", page.stderr);
        let text = page.text();
        let name = [&["etcdive".to_owned()], path.as_slice()]
            .concat()
            .join("-");
        assert!(text.contains(&format!(".TH {name} 1")), "{path:?}: {text}");
        for section in [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SH EXAMPLES"] {
            assert!(text.contains(section), "{path:?}: {section}");
        }
        let plain = text.replace('\\', "");
        for page in PAGES.iter().filter(|page| page.verb == path.join(" ")) {
            for flag in page.common {
                assert!(plain.contains(&format!("--{flag}")), "{path:?} {flag}");
            }
            for example in page.examples {
                assert!(
                    plain.contains(&example.line.replace('\\', "")),
                    "{path:?} {}",
                    example.line
                );
            }
        }
        pages += 1;
    }
    assert!(pages > 25);
    assert_eq!(etcdive(["man", "nothing"]).code, 2);
}

#[test]
fn man_reads_a_page_without_a_warning() {
    if !Path::new("/usr/bin/groff").exists() && !Path::new("/usr/bin/mandoc").exists() {
        eprintln!("skipped: neither groff nor mandoc is installed");
        return;
    }
    let examples = Examples::new("help-man");
    let run = examples.shell(
        "etcdive man get > get.1 && LC_ALL=C man --warnings -l get.1 2>&1 >get.txt; cat get.txt",
    );
    assert!(
        run.text().contains("NAMESPACE") || run.text().contains("--namespace"),
        "{}",
        run.text()
    );
    assert!(!run.text().contains("warning:"), "{}", run.text());
}
