//! The member directories that `restore --data-dir` writes, and the log that it reads.

mod bytes;
mod directory;
mod log;
mod log_at;
mod place;

use crate::support::{Run, Scratch, etcdive};

/// Restores the data directory of a scratch folder into `new.db` in it.
fn restore_data(scratch: &Scratch, arguments: &str) -> Run {
    let data = scratch.path().join("data");
    let new = scratch.path().join("new.db");
    for path in [new.clone(), scratch.path().join("new.db.restore.json")] {
        let _ = std::fs::remove_file(path);
    }
    let words = [
        "restore",
        data.to_str().unwrap(),
        "--out",
        new.to_str().unwrap(),
    ];
    etcdive(words.into_iter().chain(arguments.split_whitespace()))
}
