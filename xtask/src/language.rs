//! Flags phrases that make a text hard to read, in everything that a user sees: the documentation, the recorded help
//! texts, and the string literals of the program. `docs/` and CONTRIBUTING.md explain what to write instead.
//!
//! Phrases are compared word by word, without regard to case, so `understands` does not match `stands`. Code blocks and
//! code spans of Markdown are skipped: they show output of programs.

use std::fmt;
use std::path::{Path, PathBuf};

/// A phrase, and what to write instead.
const PHRASES: [(&str, &str); 41] = [
    ("told", "shown, reported, known"),
    ("tells", "shows, reports, names"),
    ("tell", "show, report, name"),
    ("stands", "is"),
    ("stand", "are"),
    ("standing", "being"),
    ("behind", "after"),
    ("of which", "whose; or two sentences"),
    ("where there is none", "if there is none"),
    ("where none is", "if there is none"),
    ("none of it", "nothing in it; or name the part"),
    ("answers to", "matches"),
    ("answer to", "match"),
    ("what is there", "what exists"),
    ("that is there", "that exists"),
    ("that are there", "that exist"),
    ("is not there", "does not exist, is missing"),
    ("are not there", "do not exist, are missing"),
    ("lies", "is"),
    ("lie", "are"),
    ("lay", "was"),
    ("came to its end", "ended"),
    ("is gone", "was deleted, is missing"),
    ("are gone", "were deleted, are missing"),
    ("went", "was deleted, ended"),
    ("so it is that", "the default is"),
    ("which is so unless", "unless"),
    ("somebody", "name the actor"),
    ("somebody's", "name the actor"),
    ("of old", "formerly"),
    ("a hand", "name the actor"),
    ("take in", "include"),
    ("taken in", "included"),
    ("taken for", "read as"),
    ("takes for", "reads as"),
    ("one a line", "one per line"),
    ("a file an object", "one file per object"),
    ("to the byte", "byte for byte"),
    ("sound", "intact"),
    ("knows", "has, supports"),
    ("wants", "needs, expects"),
];

/// Texts in which a phrase is right: the end of the file's path, and words around the phrase.
const ALLOWED: [(&str, &str); 1] = [
    // OLD is the name of an argument.
    ("testdata/golden/help/diff.txt", "A..B of OLD"),
];

/// A phrase in a text.
struct Finding {
    path: PathBuf,
    line: usize,
    phrase: &'static str,
    instead: &'static str,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            phrase,
            instead,
            text,
        } = self;
        let path = path.display();
        write!(f, "{path}:{line}: \"{phrase}\": write {instead}: {text}")
    }
}

/// Checks all texts, and prints each finding.
///
/// # Errors
/// There is a finding, or a file cannot be read.
pub fn check() -> Result<(), String> {
    let mut findings = Vec::new();
    let mut texts = 0;
    for (folder, ending) in [
        ("docs", "md"),
        ("testdata/golden/help", "txt"),
        ("src", "rs"),
        (".", "md"),
    ] {
        let is_deep = folder != ".";
        let paths = files(Path::new(folder), ending, is_deep)
            .map_err(|error| format!("{folder}: {error}"))?;
        for path in paths {
            let content = std::fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let lines = match ending {
                "rs" => string_literals(&content),
                "md" => prose(&content),
                _ => numbered(&content),
            };
            texts += lines.len();
            for (line, text) in lines {
                find(&path, line, &text, &mut findings);
            }
        }
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    match (texts, findings.len()) {
        (0, _) => Err("no text was found: run it in the root of the repository".to_owned()),
        (_, 0) => Ok(()),
        (_, count) => Err(format!("{count} phrases in {texts} lines of text")),
    }
}

/// The files below a folder with this ending, sorted.
fn files(folder: &Path, ending: &str, is_deep: bool) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                if is_deep {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The lines of a text with their numbers.
fn numbered(content: &str) -> Vec<(usize, String)> {
    (1..).zip(content.lines().map(str::to_owned)).collect()
}

/// The lines of a Markdown text without code blocks and code spans.
fn prose(content: &str) -> Vec<(usize, String)> {
    let mut in_block = false;
    let mut lines = Vec::new();
    for (number, line) in numbered(content) {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            let outside = line.split('`').step_by(2).collect::<Vec<_>>().join(" ` ");
            lines.push((number, outside));
        }
    }
    lines
}

/// The string literals of Rust code and the doc comments of the command line, up to the first test module.
fn string_literals(content: &str) -> Vec<(usize, String)> {
    let code = content.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut line = 1;
    let mut bytes = code.char_indices().peekable();
    while let Some((at, c)) = bytes.next() {
        match c {
            '\n' => line += 1,
            // A comment ends with its line.
            '/' if code[at..].starts_with("//") => {
                while bytes.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            '\'' => {
                // A character literal; a lifetime has no closing quote this near.
                let rest = &code[at + 1..];
                let close = if rest.starts_with('\\') {
                    rest[2.min(rest.len())..].find('\'').map(|end| end + 3)
                } else {
                    rest.chars().next().and_then(|c| {
                        rest[c.len_utf8()..]
                            .starts_with('\'')
                            .then_some(c.len_utf8() + 1)
                    })
                };
                if let Some(end) = close.filter(|end| *end < 16) {
                    while bytes.next_if(|(next, _)| *next < at + 1 + end).is_some() {}
                }
            }
            '"' => {
                let start = line;
                let mut text = String::new();
                while let Some((_, c)) = bytes.next() {
                    match c {
                        '"' => break,
                        '\\' => {
                            if bytes.next().is_some_and(|(_, c)| c == '\n') {
                                line += 1;
                            }
                            text.push(' ');
                        }
                        '\n' => {
                            line += 1;
                            text.push(' ');
                        }
                        c => text.push(c),
                    }
                }
                if text.contains(' ') {
                    found.push((start, text));
                }
            }
            _ => {}
        }
    }
    found
}

/// The words of a text in lower case.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '-' | '_' | '`' | '{' | '}')))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Adds the phrases in a text.
fn find(path: &Path, line: usize, text: &str, findings: &mut Vec<Finding>) {
    let found = words(text);
    for (phrase, instead) in PHRASES {
        let wanted = words(phrase);
        let is_allowed = || {
            ALLOWED
                .iter()
                .any(|(file, around)| path.ends_with(file) && text.contains(around))
        };
        if found.windows(wanted.len()).any(|part| part == wanted) && !is_allowed() {
            findings.push(Finding {
                path: path.to_owned(),
                line,
                phrase,
                instead,
                text: text.trim().chars().take(120).collect(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The phrases found in a text.
    fn phrases(text: &str) -> Vec<&'static str> {
        let mut findings = Vec::new();
        find(Path::new("a.md"), 1, text, &mut findings);
        findings.iter().map(|finding| finding.phrase).collect()
    }

    #[test]
    fn a_phrase_is_found_as_whole_words_only() {
        assert_eq!(
            phrases("The revision stands Behind it"),
            ["stands", "behind"]
        );
        assert!(phrases("she understands the stand-in").is_empty());
    }

    #[test]
    fn code_of_a_markdown_text_is_skipped() {
        let text = "a `behind` b\n```console\nbehind\n```\nbehind\n";
        let lines: Vec<_> = prose(text)
            .into_iter()
            .filter(|(_, text)| !phrases(text).is_empty())
            .collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].0, 5);
    }

    #[test]
    fn string_literals_are_found_and_comments_and_tests_are_not() {
        let code = "// \"no comment\"\nlet a = '\"'; let b = \"it stands \\\n    here\";\nfn f<'a>() {}\n#[cfg(test)]\nlet c = \"not this\";";
        assert_eq!(
            string_literals(code),
            [(2, "it stands      here".to_owned())]
        );
    }
}
