//! Every console block of the README is run: what it shows is what the program prints.

use crate::support::{assert_same, etcdive_line, repository};

/// The commands of the console blocks, each with what it is shown to print.
fn shown_commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            match (line.strip_prefix("$ etcdive "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => output.push_str(&format!("{line}\n")),
                (None, None) => panic!("a console block starts with $ etcdive: {line}"),
            }
        }
    }
    commands
}

#[test]
fn every_console_block_shows_what_is_printed() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let commands = shown_commands(&readme);
    assert!(commands.len() > 5);
    for (command, output) in commands {
        let run = etcdive_line(&command);
        assert_same(output.as_bytes(), &run.stdout, &command);
        assert!(run.code < 2, "{command}: {}", run.stderr);
    }
}

#[test]
fn the_two_commands_of_the_readme_are_the_right_ones() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let block = readme
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let lines: Vec<&str> = block.lines().collect();
    let [run, test] = lines[..] else {
        panic!("two commands do all the set-up: {block}")
    };
    assert_eq!(test, "cargo test");
    let ours = etcdive_line(run.strip_prefix("cargo run --release -- ").unwrap());
    assert_eq!((ours.code, ours.text().lines().count()), (0, 5));
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_table() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(readme.contains(&format!("{} in all", etcdive::k8s::schema::kinds().len())));
}

#[test]
fn every_file_the_readme_names_is_there() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let mut named = 0;
    for link in readme.split("](").skip(1) {
        let path = link.split(')').next().unwrap();
        assert!(repository().join(path).exists(), "{path}");
        named += 1;
    }
    assert!(named > 0);
}
