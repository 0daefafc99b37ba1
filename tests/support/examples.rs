//! A folder with the files that the help names in its examples, and a shell in it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Run, Scratch, program, testdata};

/// The files: the name in examples, and where it is in `testdata`.
const FILES: [(&str, &str); 6] = [
    ("snap.db", "healthy/k8s/after.db"),
    ("old.db", "healthy/k8s/before.db"),
    ("broken.db", "damaged/torn-page.db"),
    ("encrypted.db", "healthy/k8s-encrypted/mixed.db"),
    (
        "keys.yaml",
        "healthy/k8s-encrypted/mixed.encryption-config.yaml",
    ),
    ("value.base64", "decode/value.base64"),
];

/// The folder.
pub struct Examples(Scratch);

impl Examples {
    pub fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        for (example, file) in FILES {
            std::fs::copy(testdata(file), scratch.path().join(example)).unwrap();
        }
        let data = testdata("wal/requests");
        for file in super::files_below(&data) {
            let name = Path::new("etcd-data").join(file.strip_prefix(&data).unwrap());
            scratch.file(name.to_str().unwrap(), &std::fs::read(&file).unwrap());
        }
        Self(scratch)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A program that is run in the folder and finds `etcdive` on its path.
    pub fn command(&self, program_name: &str) -> Command {
        let ours = program();
        let folder = Path::new(ours.get_program()).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
        let mut command = Command::new(program_name);
        command
            .env_remove("NO_COLOR")
            .env_remove("ETCDIVE_DB")
            .env_remove("CLICOLOR_FORCE")
            .env("PATH", std::env::join_paths(paths).unwrap())
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a line as a shell does.
    pub fn shell(&self, line: &str) -> Run {
        let mut shell = self.command("sh");
        shell.args(["-c", line]).output().unwrap().into()
    }
}
