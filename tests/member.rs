//! The member directories that `restore --data-dir` writes, and the log that it reads.

mod bytes;
mod directory;
mod log;
mod log_at;
mod place;
