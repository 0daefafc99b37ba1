//! The README and the pages of `docs/`: console blocks show what the program prints, links lead somewhere, and tables
//! and lists are complete.

mod blocks;
mod links;
mod secrets;
mod tables;

use std::path::PathBuf;

use crate::support::{etcdive_line, files_below, repository};

/// A page of text: its path in the repository, and its text.
struct Document {
    name: String,
    text: String,
}

impl Document {
    fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(repository().join(name));
        Self {
            name: name.to_owned(),
            text: text.unwrap_or_else(|error| panic!("{name}: {error}")),
        }
    }

    fn path(&self) -> PathBuf {
        repository().join(&self.name)
    }
}

/// The README, CONTRIBUTING and every page of `docs/`.
fn pages() -> Vec<Document> {
    // The pages of `help TOPIC` are for files of other names: `tests/help.rs` runs them.
    let is_topic = |path: &PathBuf| path.starts_with(repository().join("docs/help"));
    let pages = files_below(&repository().join("docs")).into_iter();
    let pages = pages.filter(|path| !is_topic(path));
    let pages = pages.map(|path| {
        let name = path.strip_prefix(repository()).unwrap();
        Document::read(name.to_str().unwrap())
    });
    let top = ["README.md", "CONTRIBUTING.md"].map(Document::read);
    top.into_iter().chain(pages).collect()
}

#[test]
fn the_readme_is_short_and_its_first_screen_has_what_is_needed() {
    let readme = Document::read("README.md").text;
    let lines: Vec<&str> = readme.lines().collect();
    assert!(lines.len() <= 150, "{} lines", lines.len());
    // The first screen ends with the first console block.
    let block = lines.iter().position(|line| line.starts_with("```console"));
    let end = lines
        .iter()
        .skip(block.unwrap())
        .position(|line| *line == "```");
    let screen = &lines[..=block.unwrap() + end.unwrap()];
    assert!(screen.len() <= 25, "{} lines", screen.len());
    let shown = |part: &str| screen.iter().filter(|line| line.contains(part)).count();
    assert_eq!((shown("cargo install"), shown("cargo test")), (1, 1));
    assert!(shown("etcdive ") >= 5, "{}", screen.join("\n"));
}

#[test]
fn the_set_up_commands_of_the_readme_are_the_right_ones() {
    let readme = Document::read("README.md").text;
    let block = readme.split("```sh\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let lines: Vec<&str> = block.lines().collect();
    let [run, test] = lines[..] else {
        panic!("two commands do all the set-up: {block}")
    };
    assert_eq!(test, "cargo test");
    let ours = etcdive_line(run.strip_prefix("cargo run --release -- ").unwrap());
    assert_eq!((ours.code, ours.text().lines().count()), (0, 5));
}

#[test]
fn every_page_is_in_the_list_of_pages() {
    let index = Document::read("docs/README.md").text;
    let mut listed = 0;
    for page in pages() {
        let Some(name) = page.name.strip_prefix("docs/") else {
            continue;
        };
        if name != "README.md" {
            assert!(
                index.contains(&format!("]({name})")),
                "docs/README.md does not list {name}"
            );
            listed += 1;
        }
    }
    assert!(listed > 10);
}
