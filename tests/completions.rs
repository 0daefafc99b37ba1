//! Completion: what `__complete` offers, and that bash, zsh and fish offer the same.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::examples::Examples;
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Scratch, etcdive, program};

/// What is offered after `line`, whose last word is being typed.
fn offered(examples: &Examples, line: &str) -> Vec<String> {
    let (before, current) = line.rsplit_once(' ').unwrap_or(("", line));
    let mut command = examples.command("etcdive");
    command.args(["__complete", &format!("--current={current}"), "--"]);
    let output = command.args(before.split_whitespace()).output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{line}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned());
    words.collect()
}

#[test]
fn verbs_flags_and_values_are_completed() {
    let examples = Examples::new("complete-words");
    for (line, expected) in [
        ("", &["words", "get", "recover", "log"][..]),
        ("re", &["words", "recover"]),
        ("get snap.db --show-l", &["--show-labels"]),
        ("--d", &["--db"]),
        ("get snap.db pods -o wi", &["wide"]),
        ("log snap.db --op ", &["create", "update", "delete", "put"]),
        ("log snap.db --op=cr", &["--op=create"]),
        ("dump-db it", &["iterate-bucket"]),
        (
            "dump-db iterate-bucket snap.db auth",
            &["auth", "authRoles", "authUsers"],
        ),
        ("completions ", &["bash", "zsh", "fish", "powershell"]),
        ("help rev", &["revisions"]),
        ("man re", &["recover"]),
        ("explain page-id", &["page-id-mismatch"]),
        ("get snap.db --color ", &["auto", "always", "never"]),
    ] {
        let words = offered(&examples, line);
        for word in expected {
            assert!(
                words.iter().any(|known| known == word),
                "{line}: {word}: {words:?}"
            );
        }
    }
    for (line, not) in [
        ("", "__complete"),
        ("get snap.db --", "--template"),
        ("grep snap.db ", "pods"),
    ] {
        let words = offered(&examples, line);
        assert!(!words.iter().any(|word| word == not), "{line}: {words:?}");
    }
}

#[test]
fn the_contents_of_a_database_are_completed() {
    let examples = Examples::new("complete-contents");
    for (line, word) in [
        ("get snap.db confi", "configmaps"),
        ("get snap.db pods,conf", "pods,configmaps"),
        ("get snap.db boo", "books"),
        ("get snap.db -n pr", "prod"),
        ("get snap.db --namespace=pr", "--namespace=prod"),
        ("get snap.db -n kube-system,pr", "kube-system,prod"),
        ("-n prod get snap.db deploy ", "web"),
        ("get --db snap.db deploy/w", "deploy/web"),
        ("--db snap.db get deploy/w", "deploy/web"),
        ("get snap.db cm/app -n prod", ""),
        ("get snap.db /reg", "/registry/"),
        (
            "get snap.db /registry/configmaps/pr",
            "/registry/configmaps/prod/",
        ),
        ("events snap.db --for deploy/", "deploy/web"),
        ("grep snap.db x confi", "configmaps"),
        ("diff old.db snap.db confi", "configmaps"),
        ("log snap.db --exclude eve", "events"),
        ("show snap.db deploy/w", "deploy/web"),
        ("recover snap.db deploy -n shop ", "cart-0"),
    ] {
        let words = offered(&examples, line);
        assert!(
            word.is_empty() || words.iter().any(|known| known == word),
            "{line}: {words:?}"
        );
    }
    // A deleted object is offered where the verb is about deleted objects, and no live one.
    let names = offered(&examples, "get snap.db deploy -n shop ");
    assert!(!names.iter().any(|name| name == "cart-0"), "{names:?}");
    let names = offered(&examples, "recover snap.db deploy -n prod ");
    assert!(!names.iter().any(|name| name == "web"), "{names:?}");
    // Only names of the namespace.
    let names = offered(&examples, "get snap.db cm -n kube-system app");
    assert_eq!(names, ["words"]);
    // Without a database the built-in resources are offered.
    let names = offered(&examples, "get no-such-file statefuls");
    assert_eq!(names, ["words", "statefulsets"]);
}

#[test]
fn where_a_file_is_expected_files_are_offered() {
    let examples = Examples::new("complete-files");
    for line in [
        "get ",
        "diff old.db ",
        "--db ",
        "get snap.db --encryption-config ",
        "decode ",
        "wal ",
        "get snap.db --out ",
    ] {
        assert_eq!(offered(&examples, line)[0], "files", "{line}");
    }
    for line in ["get snap.db ", "log snap.db --since ", "page snap.db "] {
        assert_eq!(offered(&examples, line)[0], "words", "{line}");
    }
}

#[test]
fn a_name_that_a_shell_would_evaluate_is_not_offered() {
    let mut store = Store::new(Version::V3_6);
    for name in [
        "good",
        "$(reboot)",
        "a b",
        "x`y`",
        "q\u{1b}[2J",
        "semi;colon",
        "n\newline",
        "t\tab",
    ] {
        let key = format!("/registry/configmaps/shop/{name}");
        let object = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
        store.put(key, object.to_string());
    }
    let scratch = Scratch::new("complete-hostile");
    let db = scratch.file("db", &store.builder().build().bytes);
    let run = etcdive([
        "__complete",
        "--current=",
        "--",
        "get",
        db.to_str().unwrap(),
        "cm",
    ]);
    assert_eq!(run.text(), "words\ngood\tshop\n");
    let keys = etcdive([
        "__complete",
        "--current=/registry/configmaps/shop/",
        "--",
        "get",
        db.to_str().unwrap(),
    ]);
    assert_eq!(keys.text(), "words\n/registry/configmaps/shop/good\tkey\n");
}

#[test]
fn whatever_is_wrong_with_the_line_or_the_file_completion_is_silent() {
    let examples = Examples::new("complete-silent");
    for line in [
        "get broken.db ",
        "get keys.yaml po",
        "get /nonexistent po",
        "nosuchverb ",
        "nosuchverb x --y ",
        "--db ",
        "--db a --db b get ",
        "get -n ",
        "dump-db nothing ",
        "get snap.db pods -- ",
        "- ",
    ] {
        let words = offered(&examples, line);
        assert!(["words", "files"].contains(&words[0].as_str()), "{line}");
    }
}

/// Whether a shell is installed. A line says that it is not, and what is not tested.
fn has(shell: &str) -> bool {
    let has = std::process::Command::new(shell)
        .args(["-c", "exit 0"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has {
        eprintln!("skipped: {shell} is not installed, its completion is not tested");
    }
    has
}

/// A shell on a terminal, as a person has it.
struct Interactive {
    terminal: File,
    shown: mpsc::Receiver<Vec<u8>>,
    seen: String,
    /// How much of it was waited for.
    waited_for: usize,
    child: std::process::Child,
}

impl Interactive {
    fn start(examples: &Examples, shell: &str, arguments: &[&str]) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let open = || {
            File::options()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap())
                .unwrap()
        };
        let mut command = examples.command("setsid");
        command
            .args(["--ctty", shell])
            .args(arguments)
            .env("TERM", "dumb")
            .env("PS1", "READY> ")
            .env("HOME", examples.path())
            .stdin(open())
            .stdout(open())
            .stderr(open());
        let child = command.spawn().unwrap();
        drop(command);
        let terminal = File::from(controller);
        let mut reader = terminal.try_clone().unwrap();
        let (send, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count) = reader.read(&mut part) {
                if count == 0 || send.send(part[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            terminal,
            shown,
            seen: String::new(),
            waited_for: 0,
            child,
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the terminal shows a text after what was waited for before.
    fn wait_for(&mut self, text: &str) {
        let most = Duration::from_secs(120);
        let start = Instant::now();
        loop {
            if let Some(at) = self.seen[self.waited_for..].find(text) {
                self.waited_for += at + text.len();
                return;
            }
            assert!(
                start.elapsed() < most,
                "waited for {text:?}:\n{}",
                self.seen
            );
            if let Ok(part) = self.shown.recv_timeout(Duration::from_millis(200)) {
                self.seen.push_str(&String::from_utf8_lossy(&part));
            }
        }
    }
}

impl Drop for Interactive {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is typed before the tab, and what the shell completes it to.
const TYPED: [(&str, &str); 5] = [
    ("etcdive reco", "etcdive recover "),
    (
        "etcdive get snap.db statef",
        "etcdive get snap.db statefulsets",
    ),
    ("etcdive get snap.db -n pro", "etcdive get snap.db -n prod "),
    (
        "etcdive get snap.db deploy/we",
        "etcdive get snap.db deploy/web ",
    ),
    (
        "etcdive log snap.db --encryption-c",
        "etcdive log snap.db --encryption-config ",
    ),
];

/// Types each line, a tab and a comment mark, and expects what was completed before the mark.
fn drive(shell: &mut Interactive, script: &str) {
    shell.wait_for("READY> ");
    shell.type_keys(&format!("{script}; echo set''up\r"));
    shell.wait_for("setup");
    shell.wait_for("READY> ");
    for (typed, completed) in TYPED {
        // The line is run with another program in front, which prints what was completed. zsh takes the blank back.
        shell.type_keys(&format!("{typed}\t\x01echo ran: \x05 .\r"));
        let completed: Vec<&str> = completed.split_whitespace().collect();
        shell.wait_for(&format!("ran: {} .", completed.join(" ")));
        shell.wait_for("READY> ");
    }
}

#[test]
fn bash_completes_on_a_terminal() {
    if !has("bash") {
        return;
    }
    let examples = Examples::new("complete-bash");
    let mut bash = Interactive::start(&examples, "bash", &["--norc", "--noprofile", "-i"]);
    drive(&mut bash, "source <(etcdive completions bash)");
}

#[test]
fn bash_completes_a_word_with_a_colon_an_equals_sign_or_an_at_sign() {
    if !has("bash") {
        return;
    }
    let examples = Examples::new("complete-bash-breaks");
    let script = r#"source <(etcdive completions bash)
try() { COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=(); _etcdive; echo "$1 -> ${COMPREPLY[*]}"; }
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:@'
try 'etcdive get snap.db clusterroles/system:kube-dn'
try 'etcdive get --namespace=pro'
try 'etcdive get snap.db --namespace=pro'
try 'etcdive get snap.db -n default,pro'
try 'etcdive get sna'
"#;
    let output = examples
        .command("bash")
        .args(["-c", script])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    for line in [
        "clusterroles/system:kube-dn -> kube-dns",
        "snap.db --namespace=pro -> prod",
        "default,pro -> default,prod",
        "get sna -> snap.db",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn zsh_completes_on_a_terminal() {
    if !has("zsh") {
        return;
    }
    let examples = Examples::new("complete-zsh");
    let mut zsh = Interactive::start(&examples, "zsh", &["-f", "-i"]);
    drive(
        &mut zsh,
        "bindkey -e; autoload -Uz compinit && compinit -u -D; source <(etcdive completions zsh)",
    );
}

#[test]
fn fish_completes() {
    if !has("fish") {
        return;
    }
    let examples = Examples::new("complete-fish");
    for (typed, completed) in TYPED {
        let script = format!("etcdive completions fish | source; complete -C '{typed}'");
        let mut command = examples.command("fish");
        command
            .args(["--no-config", "-c", &script])
            .env("HOME", examples.path());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let word = completed.split_whitespace().last().unwrap();
        let offered: Vec<&str> = text
            .lines()
            .map(|line| line.split('\t').next().unwrap())
            .collect();
        assert_eq!(
            offered,
            [word],
            "{typed}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stderr.is_empty(), "{typed}");
    }
}

#[test]
fn the_script_of_each_shell_is_printed() {
    for (shell, part) in [
        ("bash", "complete -F _etcdive etcdive"),
        ("zsh", "#compdef etcdive"),
        ("fish", "complete -c etcdive"),
        (
            "powershell",
            "Register-ArgumentCompleter -Native -CommandName etcdive",
        ),
    ] {
        let run = etcdive(["completions", shell]);
        assert!(run.code == 0 && run.text().contains(part), "{shell}");
        assert!(run.text().contains("__complete"), "{shell}");
    }
    let unknown = program().args(["completions", "tcsh"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}
