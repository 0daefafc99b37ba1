//! Every link between the Markdown files of the repository leads to a file that exists, and to a heading in it.

use std::collections::BTreeSet;
use std::path::Path;

use super::Document;
use crate::support::{files_below, repository};

/// Folders whose Markdown is not ours to link from: build output, other people's sources.
const LEFT_OUT: [&str; 4] = ["target", ".git", "fuzz/target", "fuzz/corpus"];

fn markdown_files() -> Vec<Document> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(repository()).unwrap() {
        let path = entry.unwrap().path();
        if LEFT_OUT.iter().any(|left_out| path.ends_with(left_out)) {
            continue;
        }
        files.extend(if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        });
    }
    let names = files.iter().filter_map(|path| {
        let name = path.strip_prefix(repository()).unwrap().to_str()?;
        let is_left_out = LEFT_OUT.iter().any(|left_out| name.starts_with(left_out));
        (name.ends_with(".md") && !is_left_out).then_some(name)
    });
    names.map(Document::read).collect()
}

/// The lines of a text that are not in a code block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let heading = heading.trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        let kept: String = heading.chars().filter(kept).collect();
        let anchor = kept.replace(' ', "-");
        let mut name = anchor.clone();
        for copy in 1.. {
            if anchors.insert(name) {
                break;
            }
            name = format!("{anchor}-{copy}");
        }
    }
    anchors
}

/// The targets of the links of a page, without what is quoted as code.
fn targets(text: &str) -> Vec<String> {
    let code = regex::Regex::new("`[^`]*`").unwrap();
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut targets = Vec::new();
    for line in prose(text) {
        let line = code.replace_all(line, "");
        targets.extend(link.captures_iter(&line).map(|found| found[1].to_owned()));
    }
    targets
}

/// What is wrong with a link of a file.
fn fault(file: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let to = match path {
        "" => file.to_path_buf(),
        path => file.parent().unwrap().join(path),
    };
    if !to.exists() {
        return Some(format!("{target}: no such file"));
    }
    if !anchor.is_empty() && !anchors(&std::fs::read_to_string(&to).unwrap()).contains(anchor) {
        return Some(format!("{target}: no such heading"));
    }
    None
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    let mut faults = Vec::new();
    for file in markdown_files() {
        for target in targets(&file.text) {
            links += 1;
            faults.extend(
                fault(&file.path(), &target).map(|fault| format!("{}: {fault}", file.name)),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(links > 50, "{links} links");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let readme = repository().join("README.md");
    assert!(fault(&readme, "no-such-file.md").is_some());
    assert!(fault(&readme, "docs/README.md#no-such-heading").is_some());
    assert!(fault(&readme, "docs/README.md#guides").is_none());
    let text =
        "# `wal`: the log\n## A b\n## A b\n```\n# no\n```\n[one](a.md) `[two](b.md)` [three](#x)";
    let expected = ["wal-the-log", "a-b", "a-b-1"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
    assert_eq!(targets(text), ["a.md", "#x"]);
}
