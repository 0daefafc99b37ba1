//! `diff -y` and `diff --word`: versions beside each other, and what changed within a text.

use unicode_width::UnicodeWidthStr as _;

use crate::support::{Run, etcdive_line, program};
use crate::verbs::{AFTER, BEFORE};

fn diff(flags: &str) -> Run {
    let run = etcdive_line(&format!("diff {BEFORE} {AFTER} {flags}"));
    assert_eq!(run.code, 1, "{flags}: {}", run.stderr);
    run
}

/// The widest line, apart from those that name an object.
fn widest(text: &str) -> usize {
    let names = |line: &&str| {
        line.get(1..)
            .is_some_and(|rest| rest.starts_with(" /registry/"))
    };
    let lines = text.lines().filter(|line| !names(line));
    lines.map(|line| line.width()).max().unwrap()
}

#[test]
fn two_versions_are_beside_each_other() {
    let run = diff("deploy/web -n prod --exclude-status -y");
    assert_eq!(
        diff("deploy/web -n prod --exclude-status --side-by-side").text(),
        run.text()
    );
    let (head, hunks) = run.text().split_once('\n').unwrap();
    assert!(
        head.starts_with("~ /registry/deployments/prod/web  (mod "),
        "{head}"
    );
    assert!(hunks.starts_with("@@ -"), "{hunks}");
    let image = hunks
        .lines()
        .position(|line| line.contains("image: registry.exam") && line.contains(" | "));
    let rows: Vec<&str> = hunks
        .lines()
        .skip(image.expect("the image changed"))
        .take(2)
        .collect();
    let below: String = rows.concat().replace(' ', "");
    assert!(
        below.contains("1.3.0") && below.contains("2.0.0-rc1"),
        "nothing is cut: {rows:?}"
    );
}

#[test]
fn an_object_of_one_side_has_the_other_empty() {
    let run = diff("secrets/new-secret -n prod -y");
    let lines: Vec<&str> = run.text().lines().skip(2).collect();
    assert!(lines.len() > 5);
    for line in lines {
        let (old, new) = line.split_at(39);
        assert!(
            old.starts_with("     ") && (new.starts_with("> ") || new.starts_with("  ")),
            "{line}"
        );
    }
}

#[test]
fn the_width_is_80_or_that_of_columns_or_what_is_asked_for() {
    let changes = "deploy -A -y";
    assert_eq!(widest(diff(changes).text()), 79);
    assert_eq!(widest(diff(&format!("{changes} --width 101")).text()), 101);
    let columns = |columns: &str| {
        let words = format!("diff {BEFORE} {AFTER} {changes}");
        let mut command = program();
        let output = command
            .args(words.split(' '))
            .env("COLUMNS", columns)
            .output();
        Run::from(output.unwrap())
    };
    assert_eq!(widest(columns("61").text()), 61);
    assert_eq!(widest(columns("many").text()), 79);
    for wrong in [
        "--width 100",
        "-y --width 19",
        "-y --stat",
        "-y -o json",
        "-y --name-only",
    ] {
        let run = etcdive_line(&format!("diff {BEFORE} {AFTER} {wrong}"));
        assert_eq!(run.code, 2, "{wrong}: {}", run.stderr);
    }
}

#[test]
fn what_changed_within_a_text_is_marked() {
    let path = "deploy/web -n prod --exclude-status";
    let image = |flags: &str| {
        let run = diff(&format!("{path} {flags}"));
        let line = run.text().lines().find(|line| line.contains("image"));
        line.unwrap().trim().to_owned()
    };
    assert_eq!(
        image("--word"),
        "spec.template.spec.containers[name=web].image: \
         \"registry.example.com/books/web:[-1-]{+2+}.[-3-]{+0+}.0{+-rc1+}\""
    );
    assert!(image("").contains("web:1.3.0\" -> \"registry"));
    assert!(
        diff(&format!("{path} -y --word --width 160"))
            .text()
            .contains("web:[-1-].")
    );
    for wrong in [
        "--word --stat",
        "--word --name-only",
        "--word -o json",
        "--word -o jsonl",
    ] {
        let run = etcdive_line(&format!("diff {BEFORE} {AFTER} {wrong}"));
        assert_eq!(run.code, 2, "{wrong}: {}", run.stderr);
    }
}

#[test]
fn changed_lines_of_a_text_are_one_text_with_marks() {
    use etcdive::view::diff::{Style, TextSide, write_unified};
    let side = |text| {
        Some(TextSide {
            mod_revision: 7,
            text,
        })
    };
    let style = Style {
        words: true,
        ..Style::default()
    };
    let mut out = Vec::new();
    let (old, new) = (
        "a\nrun the server on port 80\nb\n",
        "a\nrun the server on port 81\nb\n",
    );
    write_unified(&mut out, "/k", side(old), side(new), &style).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.ends_with("@@ -1,3 +1,3 @@\n a\n~run the server on port [-80-]{+81+}\n b\n"),
        "{text}"
    );
}

#[test]
fn secrets_are_masked_beside_each_other_and_word_by_word() {
    let secret = "secrets/db-pass -n prod";
    let open = diff(&format!("{secret} --show-secrets"));
    let line = open
        .text()
        .lines()
        .find(|line| line.contains("data.password"))
        .unwrap();
    let values: Vec<&str> = line
        .split('"')
        .filter(|part| part.len() > 6 && !part.contains("data"))
        .collect();
    assert_eq!(values.len(), 2, "{line}");
    for flags in ["-y", "--word", "-y --word", "-y --word --width 300"] {
        let run = diff(&format!("{secret} {flags}"));
        for value in &values {
            let folded = run.text().replace(['\n', ' '], "");
            assert!(!folded.contains(value), "{flags}: {}", run.text());
        }
        assert!(
            run.text().contains("<masked #1, 16 byt"),
            "{flags}: {}",
            run.text()
        );
        let mut masks = run.text().lines().filter(|line| line.contains("<masked"));
        assert!(
            masks.all(|line| !line.contains("[-")),
            "{flags}: a part of a mask means nothing"
        );
    }
}
