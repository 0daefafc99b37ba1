//! Why packed evidence cannot be unpacked.

use std::io;
use std::path::PathBuf;

use super::member::Member;
use super::{NESTED_UP_TO, PackedAs};

/// Why packed evidence cannot be unpacked. Every text is one line; the caller puts the path before it.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive cannot be read.
    #[error("cannot read the archive: {0}")]
    Archive(#[source] io::Error),
    /// Standard input cannot be read to its end.
    #[error("cannot read it to the end: {0}")]
    Unreadable(String),
    /// There is not a byte.
    #[error("no bytes, so no database")]
    Empty,
    /// Not a byte could be unpacked.
    #[error("damaged {packing} data: {why}")]
    Damaged {
        /// The method or format.
        packing: &'static str,
        /// What is wrong.
        why: String,
    },
    /// It is longer than the limit.
    #[error("unpacks to more than {up_to_bytes} bytes")]
    TooLong {
        /// The limit.
        up_to_bytes: u64,
    },
    /// The temporary folder is full, or will be.
    #[error("no space for the unpacked database in {}", .folder.display())]
    NoSpace {
        /// The folder.
        folder: PathBuf,
        /// How many bytes are needed at least; none if that is not known.
        needed: Option<u64>,
        /// How many bytes are free.
        free: Option<u64>,
    },
    /// No temporary file can be made.
    #[error("cannot make a temporary file in {}: {error}", .folder.display())]
    Temporary {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        #[source]
        error: io::Error,
    },
    /// A member is protected by a password.
    #[error("{path} in it is protected by a password")]
    Password {
        /// The member.
        path: String,
    },
    /// A member is stored in a way that is not read.
    #[error("{path} in it is stored {how}, which is not read")]
    Method {
        /// The member.
        path: String,
        /// How: "by the method LZMA", "sparsely (tar -S)".
        how: String,
    },
    /// No member is a database.
    #[error("no etcd database in it")]
    NoDatabase {
        /// All members.
        members: Vec<Member>,
    },
    /// Several members are databases.
    #[error("{} databases in it", .members.len())]
    Several {
        /// These members.
        members: Vec<Member>,
        /// The members that were taken before, from outside: of archives in which this one is.
        inside: Vec<String>,
    },
    /// No such member.
    #[error("no {path} in it")]
    NoMember {
        /// The path that was asked for.
        path: String,
        /// All members; none if it is no archive.
        members: Vec<Member>,
        /// The members that were taken before, from outside: of archives in which this one is.
        inside: Vec<String>,
    },
    /// An archive in an archive in an archive ...
    #[error("more than {NESTED_UP_TO} archives inside each other")]
    TooDeep,
}

impl UnpackError {
    /// The same, of an archive in other archives: the members that were taken from these.
    pub(super) fn inside(mut self, layers: &[PackedAs]) -> Self {
        if let Self::Several { inside, .. } | Self::NoMember { inside, .. } = &mut self {
            let taken = layers.iter().filter_map(|layer| match layer {
                PackedAs::Member { path, .. } => Some(path.clone()),
                PackedAs::StandardInput | PackedAs::Compressed(_) => None,
            });
            *inside = taken.collect();
        }
        self
    }
}
