//! What the program does on a terminal: its pager, tables that fit, short addresses, colours, the notes after all.
#![cfg(unix)]

use std::process::Command;

use unicode_width::UnicodeWidthStr as _;

use crate::support::synth::etcd::{Store, Version, put};
use crate::support::terminal::{Shown, Terminal, without_colours};
use crate::support::{Scratch, etcdive, etcdive_line, program};
use crate::verbs::{AFTER, TALK};

/// The program on a line of words.
fn command(line: &str) -> Command {
    let mut command = program();
    command.args(line.split(' '));
    command
}

/// A line of words on a terminal of so many columns, without a pager.
fn shown(columns: u16, line: &str) -> Shown {
    Terminal::wide(columns).run(command(line))
}

/// The same with a pager, all on a terminal of 80 columns and 24 lines.
fn paged(line: &str, variable: &str, pager: &str) -> Shown {
    let mut command = command(line);
    command.env_remove("ETCDIVE_PAGER").env(variable, pager);
    let terminal = Terminal {
        with_stderr: true,
        ..Terminal::wide(80)
    };
    terminal.run(command)
}

/// A pager that shows that it ran.
const MARKING: &str = "sed 's/^/paged: /'";

#[test]
fn long_output_goes_through_the_pager_and_short_output_does_not() {
    let long = paged(&format!("ls {AFTER}"), "ETCDIVE_PAGER", MARKING);
    let pages = long
        .text()
        .lines()
        .filter(|line| line.starts_with("paged: "));
    assert_eq!((long.code, pages.count()), (0, 618));
    let short = paged(&format!("ls {TALK}"), "ETCDIVE_PAGER", MARKING);
    assert_eq!((short.code, short.text()), (0, "foo2\n"));
    // One line more than the screen has: its last line is the prompt's.
    for (keys, is_paged) in [(23, false), (24, true)] {
        let run = paged(
            &format!("ls {AFTER} --limit {keys}"),
            "ETCDIVE_PAGER",
            MARKING,
        );
        assert_eq!(run.text().contains("paged: "), is_paged, "{keys} keys");
        assert_eq!(run.text().lines().count(), keys);
    }
}

#[test]
fn the_variables_name_the_pager_and_etcdives_own_comes_first() {
    let ls = format!("ls {AFTER}");
    assert!(paged(&ls, "PAGER", MARKING).text().starts_with("paged: "));
    let mut both = command(&ls);
    both.env("PAGER", "false").env("ETCDIVE_PAGER", MARKING);
    let both = Terminal::wide(80).run(both);
    assert!(both.text().starts_with("paged: "), "{}", both.text());
}

#[test]
fn no_pager_cat_and_an_empty_value_turn_the_pager_off() {
    let ls = format!("ls {AFTER}");
    for (line, pager) in [
        (format!("{ls} --no-pager"), MARKING),
        (ls.clone(), "cat"),
        (ls.clone(), ""),
        (ls.clone(), " "),
    ] {
        let run = paged(&line, "ETCDIVE_PAGER", pager);
        let lines = run.text().lines().count();
        assert_eq!((run.code, lines), (0, 618), "{pager:?}");
        assert!(!run.text().contains("paged: "), "{line} {pager:?}");
    }
    let piped = command(&ls).env("ETCDIVE_PAGER", MARKING).output().unwrap();
    assert!(!String::from_utf8_lossy(&piped.stdout).contains("paged: "));
}

#[test]
fn a_pager_that_does_not_work_is_one_sentence_and_all_of_the_output() {
    let plain = shown(80, &format!("ls {AFTER}"));
    for pager in ["/no/such/pager", "false", "sh -c 'cat > /dev/null; exit 3'"] {
        let run = paged(&format!("ls {AFTER}"), "ETCDIVE_PAGER", pager);
        let text = without_colours(run.text());
        let (output, said) = text.split_once("note: pager ").expect("a sentence");
        assert_eq!((run.code, output), (0, plain.text()), "{pager}");
        let said = said.replace("\n    ", " ");
        assert!(said.contains("--no-pager uses none"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn the_exit_code_is_the_verbs() {
    let line = format!("diff {AFTER} 1..@");
    for pager in [MARKING, "sh -c 'cat > /dev/null; exit 7'"] {
        assert_eq!(paged(&line, "ETCDIVE_PAGER", pager).code, 1, "{pager}");
    }
}

#[test]
fn a_pager_that_is_quit_early_ends_the_program_quietly() {
    // More than fits into a pipe.
    let line = format!("log {AFTER} -p");
    assert!(etcdive_line(&line).stdout.len() > 1_000_000);
    let run = paged(&line, "ETCDIVE_PAGER", "head -n 1");
    assert_eq!(
        (run.code, run.text().lines().count()),
        (0, 1),
        "{}",
        run.text()
    );
}

#[test]
fn notes_are_said_after_the_pager_has_ended() {
    let line = format!("log {AFTER} -n prod");
    let run = paged(&line, "ETCDIVE_PAGER", "sh -c 'cat; echo ENDED'");
    let text = without_colours(run.text());
    let (_, after) = text.split_once("ENDED\n").expect("the pager ended");
    assert!(
        after.starts_with("note: etcd does not record who"),
        "{after}"
    );
}

#[test]
fn notes_are_said_after_an_answer_that_fits_the_screen() {
    // The note about ages is made before the first row is printed.
    let line = format!("get {AFTER} deployments -n prod");
    for pager in [MARKING, "cat"] {
        let run = paged(&line, "ETCDIVE_PAGER", pager);
        let text = without_colours(run.text());
        let (answer, notes) = text.split_once("note: ").expect("a note");
        assert!(answer.starts_with("NAME"), "{pager}: {text}");
        assert!(!notes.contains("NAME"), "{pager}: {text}");
    }
}

#[test]
fn less_is_asked_to_keep_colours_and_screen_unless_the_user_has_settings() {
    let pager = "sh -c 'cat > /dev/null; echo LESS=$LESS'";
    let run = paged(&format!("ls {AFTER}"), "ETCDIVE_PAGER", pager);
    assert_eq!(run.text(), "LESS=FRX\n");
    let mut own = command(&format!("ls {AFTER}"));
    own.env("ETCDIVE_PAGER", pager).env("LESS", "S");
    assert_eq!(Terminal::wide(80).run(own).text(), "LESS=S\n");
    let colours = paged(
        &format!("log {AFTER}"),
        "ETCDIVE_PAGER",
        "cat -v | head -n 2",
    );
    assert!(
        colours.text().contains("^[[35mupdate^[[0m"),
        "{}",
        colours.text()
    );
}

#[test]
fn a_stored_value_is_never_paged() {
    let mut store = Store::new(Version::V3_6);
    store.put("/k", "line\n".repeat(100));
    let scratch = Scratch::new("paged-raw");
    let db = scratch.file("db", &store.builder().build().bytes);
    let line = format!("extract {} -k /k --raw", db.display());
    let run = paged(&line, "ETCDIVE_PAGER", MARKING);
    assert_eq!(run.code, 0, "{}", run.text());
    assert!(run.text().starts_with("line\n"), "{}", run.text());
}

#[test]
fn a_table_drops_its_least_important_columns_and_says_which() {
    let line = format!("log {AFTER} -n prod --limit 5");
    let heads = |columns| -> Vec<String> {
        let run = shown(columns, &line);
        let text = without_colours(run.text());
        let head = text
            .lines()
            .next()
            .unwrap()
            .replace("FIELD MANAGERS", "MANAGERS");
        head.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(heads(80), ["REVISION", "TYPE", "TIME", "KEY", "MANAGERS"]);
    let all = [
        "REVISION", "TYPE", "VERSION", "SIZE", "CHANGE", "TIME", "KEY", "MANAGERS",
    ];
    assert_eq!(heads(200), all);
    let narrow = shown(80, &line);
    let note =
        "note: left out to fit the terminal: VERSION, SIZE, CHANGE; -o wide shows all columns\n";
    assert!(narrow.stderr.contains(note), "{}", narrow.stderr);
    assert!(
        !shown(200, &line).stderr.contains("left out"),
        "nothing is left out"
    );
    let wide = shown(80, &format!("{line} -o wide"));
    let piped = etcdive_line(&line);
    assert_eq!(without_colours(wide.text()), piped.text());
    assert!(!wide.stderr.contains("left out"));
}

/// Lines whose `-o wide` on a narrow terminal is what a pipe gets.
#[test]
fn wide_tables_are_whole_on_every_verb() {
    for line in [
        "log DB --limit 3",
        "log DB --timeline --limit 3",
        "log DB --limit 3 --stat",
        "ls DB --limit 3",
        "ls DB --kinds",
        "recover DB",
        "recover DB --plan",
        "pages DB",
        "buckets DB",
        "page DB 5",
        "blame DB deploy/web -n prod",
    ] {
        let line = line.replace("DB", AFTER);
        let wide = shown(20, &format!("{line} -o wide"));
        // The names of the buckets alone unless a table is asked for.
        let line = if line.starts_with("buckets") {
            format!("{line} -o table")
        } else {
            line
        };
        let piped = etcdive_line(&line);
        assert!(piped.text().lines().count() > 1, "{line}");
        assert_eq!(without_colours(wide.text()), piped.text(), "{line}");
    }
}

#[test]
fn a_short_address_on_a_terminal_can_be_typed() {
    let run = shown(200, &format!("ls {AFTER} -n prod"));
    let shorts: Vec<&str> = run.text().lines().collect();
    let keys = etcdive_line(&format!("ls {AFTER} -n prod"));
    let keys: Vec<&str> = keys.text().lines().collect();
    assert_eq!(shorts.len(), keys.len());
    let (typed, named): (Vec<&str>, Vec<&str>) = shorts
        .into_iter()
        .zip(keys)
        .filter(|(short, key)| short != key)
        .unzip();
    assert!(typed.len() > 50, "compared {} addresses", typed.len());
    let found = etcdive(["ls", AFTER].iter().chain(&typed));
    assert_eq!(found.text().lines().collect::<Vec<_>>(), named);
    for (short, key) in typed.iter().zip(named).step_by(20) {
        let found = etcdive(["ls", AFTER, short]);
        assert_eq!(found.text(), format!("{key}\n"), "{short}");
    }
    let narrow = shown(40, &format!("ls {AFTER} -n prod"));
    assert!(
        narrow.text().contains('\u{2026}') && narrow.text().lines().all(|key| key.width() <= 40)
    );
}

#[test]
fn events_of_one_transaction_are_bracketed_on_a_terminal() {
    let mut store = Store::new(Version::V3_6);
    store.put("/a", "1");
    store.txn(&[put("/b", "1"), put("/c", "1")]);
    let scratch = Scratch::new("brackets");
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.display();
    let brackets = |line: String| -> Vec<char> {
        let run = shown(80, &line);
        let text = without_colours(run.text());
        text.lines()
            .filter_map(|line| line.chars().next())
            .collect()
    };
    assert_eq!(
        brackets(format!("log {db}")),
        [' ', '\u{250c}', '\u{2514}', ' ']
    );
    assert_eq!(
        brackets(format!("log {db} --oneline")),
        ['\u{250c}', '\u{2514}', ' ']
    );
    let piped = etcdive_line(&format!("log {db}"));
    assert!(piped.text().is_ascii(), "{}", piped.text());
}

#[test]
fn colours_repeat_what_words_say_and_can_be_had_and_turned_off() {
    let line = format!("log {AFTER} -n prod --limit 40");
    let coloured = shown(200, &line);
    for word in ["\u{1b}[35mupdate\u{1b}[0m", "\u{1b}[32mcreate\u{1b}[0m"] {
        assert!(coloured.text().contains(word), "{word:?}");
    }
    // Ages are faint. Times are not: faint text has little contrast on some terminals.
    assert!(!coloured.text().contains("\u{1b}[2m"));
    let aged = shown(200, &format!("{line} --ago"));
    assert!(aged.text().contains("\u{1b}[2m"));
    let plain = shown(200, &format!("{line} --color never"));
    assert!(!plain.text().contains('\u{1b}'));
    assert_eq!(
        without_colours(coloured.text()),
        plain.text(),
        "colours add nothing"
    );
    let with = |variable: &str, words: &str| {
        let mut command = command(&format!("{line}{words}"));
        command.env(variable, "1");
        Terminal::wide(200).run(command)
    };
    assert!(!with("NO_COLOR", "").text().contains('\u{1b}'));
    assert!(
        with("NO_COLOR", " --color always")
            .text()
            .contains('\u{1b}')
    );
    let piped = command(&line).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(piped.stdout.contains(&0x1b));
}

#[test]
fn findings_are_painted_by_severity_and_named_by_a_word() {
    let run = shown(120, "fsck testdata/damaged/both-metas-zeroed.db");
    let text = run.text();
    assert!(text.starts_with("\u{1b}[1;31mDAMAGED\u{1b}[0m: "), "{text}");
    assert!(text.contains("\u{1b}[1;31merror\u{1b}[0m: "), "{text}");
    let sound = shown(120, &format!("fsck {TALK}"));
    assert!(
        sound.text().starts_with("\u{1b}[32mOK\u{1b}[0m: "),
        "{}",
        sound.text()
    );
}

#[test]
fn notes_and_hints_are_broken_between_words_and_commands_in_hints_stay_whole() {
    let terminal = Terminal {
        with_stderr: true,
        ..Terminal::wide(50)
    };
    let run = terminal.run(command(&format!("recover {AFTER} --color never")));
    let mut is_hint = false;
    let (mut notes, mut hints) = (0, 0);
    for line in run.text().lines() {
        is_hint = line.starts_with("hint: ") || (is_hint && line.starts_with("    "));
        notes += usize::from(line.starts_with("note: "));
        hints += usize::from(is_hint);
        if is_hint {
            assert_eq!(
                line.matches('`').count() % 2,
                0,
                "a command is broken: {line}"
            );
        }
        let is_command = is_hint && line.contains('`');
        assert!(is_command || line.width() <= 50, "{line}");
    }
    assert!(notes > 0 && hints > 1, "{}", run.text());
}

#[test]
fn a_table_on_standard_error_fits_80_columns_and_is_broken_in_its_last_column_only() {
    let terminal = Terminal {
        with_stderr: true,
        ..Terminal::wide(80)
    };
    let run = terminal.run(command(&format!(
        "recover {AFTER} -n shop -o name --color never"
    )));
    let mut lines = run
        .text()
        .lines()
        .skip_while(|line| !line.starts_with("COUNT  BROUGHT"));
    let head = lines.next().unwrap();
    let rows: Vec<&str> = lines.take_while(|line| line.starts_with(' ')).collect();
    let what = head.find("WHAT").unwrap();
    assert!(rows.len() > 4, "{}", run.text());
    assert!(
        rows[0].starts_with("   10  --controlled=owned "),
        "{}",
        rows[0]
    );
    for row in &rows {
        assert!(row.width() <= 80, "{row}");
        let (before, text) = row.split_at(what);
        let is_continued = before.trim().is_empty();
        assert!(is_continued || before.contains("  --"), "{row}");
        assert!(!text.starts_with(' '), "{row}");
    }
    let all = rows.join(" ");
    assert!(
        all.contains("made by the controllers of their owners") && !all.contains('…'),
        "{all}"
    );
}

#[test]
fn long_help_goes_through_the_pager_too() {
    let help = paged("log --help", "ETCDIVE_PAGER", MARKING);
    assert!(
        help.code == 0 && help.text().starts_with("paged: "),
        "{}",
        help.text()
    );
    let plain = paged("log --help --no-pager", "ETCDIVE_PAGER", MARKING);
    assert_eq!(plain.code, 0);
    let words = |text: &str| text.split_whitespace().collect::<String>();
    // Its lines are as long as the terminal allows.
    let shown = without_colours(plain.text());
    assert_eq!(words(&shown), words(etcdive_line("log --help").text()));
}
