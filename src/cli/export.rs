//! Writes objects as files below a folder. Only this module and its submodules write anything but the two output
//! streams.
//!
//! **Invariant:** only files that did not exist before are written, only below one folder, never through a symbolic
//! link inside it, and never into the evidence. A file that could not be written completely is removed again.
//!
//! The names of objects are not trusted: anyone who could write to the cluster chose them. In the name of a file,
//! letters, digits, `.`, `_` and `-` remain, and every other byte is written as `%XX`. So are bytes that an operating
//! system or a command could misread: a dot or a dash at the beginning, a dot at the end, and the first letter of a
//! device name. An underscore at the beginning is escaped too, because folders of this program begin with one. Two
//! names that differ only in the case of letters would be one file on some systems: the later one gets `~2`.

pub mod member_dir;
pub mod new_file;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::view::evidence::hex;

use super::Run;
use super::failure::Failure;
use super::opened::Opened;

/// The longest name of a folder, or of a file without its extension, in bytes. File systems allow 255; the rest is
/// for an extension and a `~2`.
const LONGEST_NAME_BYTES: usize = 200;

/// How much of a longer name is kept before the hash that makes it unique, in bytes.
const KEPT_NAME_BYTES: usize = 160;

/// The most files whose names may differ only in the case of letters.
const MOST_ALIKE: usize = 10_000;

/// The folder of objects without a namespace, and that of keys that belong to no object.
const CLUSTER: &str = "_cluster";
const KEYS: &str = "_keys";

/// What a file is written for. Its folders and its name follow from it.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// An object of a resource.
    Object {
        /// Its logical cluster, if the store has several.
        cluster: Option<&'a [u8]>,
        /// Its namespace; none if the object has no namespace.
        namespace: Option<&'a [u8]>,
        /// Its resource with its group: `deployments.apps`.
        resource: &'a str,
        /// Its name.
        name: &'a [u8],
    },
    /// A key that belongs to no known resource.
    Key(&'a [u8]),
    /// A file of this name in the folder itself.
    Flat(&'a [u8]),
    /// A file of the second name in the folder of the first.
    Inside(&'a [u8], &'a [u8]),
}

impl Place<'_> {
    /// The folders, and the name of the file without its extension.
    fn path(&self) -> (Vec<String>, String) {
        match self {
            Self::Object {
                cluster,
                namespace,
                resource,
                name,
            } => {
                let namespace = namespace.map_or_else(|| CLUSTER.to_owned(), file_name);
                let folders = cluster.map(file_name).into_iter();
                let resource = file_name(resource.as_bytes());
                (
                    folders.chain([namespace, resource]).collect(),
                    file_name(name),
                )
            }
            Self::Key(key) => (vec![KEYS.to_owned()], file_name(key)),
            Self::Flat(name) => (Vec::new(), file_name(name)),
            Self::Inside(folder, name) => (vec![file_name(folder)], file_name(name)),
        }
    }
}

/// A folder into which objects are written.
#[derive(Debug)]
pub struct Export {
    /// The path as typed.
    given: PathBuf,
    folder: folder::Folder,
    /// How often each path was used, in lower case and without its extension.
    alike: HashMap<String, usize>,
    /// How many files were written.
    written: usize,
}

impl Export {
    /// Creates the folder, if it does not exist, and opens it.
    ///
    /// # Errors
    /// If it is not a folder, is the evidence or inside it, or cannot be created.
    pub fn into(given: &Path, run: &Run<'_>) -> Result<Self, Failure> {
        let opened = Opened::by(run);
        opened.refuse(given)?;
        let folder = folder::Folder::make(given).map_err(|error| {
            Failure::cannot(format!(
                "{}: cannot be made a folder: {error}",
                given.display()
            ))
        })?;
        // Checked again: now the folder exists, so every symbolic link in its path can be resolved.
        opened.refuse(given)?;
        Ok(Self {
            given: given.to_path_buf(),
            folder,
            alike: HashMap::new(),
            written: 0,
        })
    }

    /// Writes one file, and returns its path.
    ///
    /// # Errors
    /// If it exists, or cannot be written completely. Then the part that was written is removed.
    pub fn write(
        &mut self,
        place: Place<'_>,
        extension: &str,
        content: &[u8],
    ) -> Result<PathBuf, Failure> {
        let (folders, name) = place.path();
        let name = self.distinct(&folders, name)? + extension;
        let mut path = self.given.clone();
        path.extend(&folders);
        path.push(&name);
        let written = self.folder.write(&folders, &name, content);
        written.map_err(|error| self.failure(&path, &error))?;
        self.written = self.written.saturating_add(1);
        Ok(path)
    }

    /// How many files were written.
    pub fn written(&self) -> usize {
        self.written
    }

    /// The name, followed by a number if an earlier file has the same one or one that differs only in the case of
    /// letters.
    fn distinct(&mut self, folders: &[String], name: String) -> Result<String, Failure> {
        let alike = format!("{}/{name}", folders.join("/")).to_ascii_lowercase();
        let count = self.alike.entry(alike).or_insert(0);
        *count = count.saturating_add(1);
        match *count {
            1 => Ok(name),
            more if more <= MOST_ALIKE => Ok(format!("{name}~{more}")),
            _ => Err(Failure::cannot(format!(
                "more than {MOST_ALIKE} objects are called {name}, but for the case of letters"
            ))),
        }
    }

    /// Why a file could not be written, and how many were written before it.
    fn failure(&self, path: &Path, error: &io::Error) -> Failure {
        let path = path.display();
        let written = match self.written {
            0 => "nothing was written".to_owned(),
            1 => "1 file was written before it, and is whole".to_owned(),
            count => format!("{count} files were written before it, and are whole"),
        };
        match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::cannot(format!(
                "{path} exists, and nothing is overwritten; {written}"
            ))
            .hint("`--out` never overwrites a file: name another folder"),
            _ => Failure::cannot(format!("{path}: cannot be written: {error}; {written}")),
        }
    }
}

/// A safe name for a file or a folder, see the rules at the top of this file. Different names give different results,
/// but these may differ only in the case of letters. A name that is too long is cut, and a hash of all of it is
/// added.
fn file_name(name: &[u8]) -> String {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    let device = is_device(stem);
    let last = name.len().saturating_sub(1);
    let mut text = String::with_capacity(name.len());
    for (index, byte) in name.iter().enumerate() {
        let plain = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => index > 0 || !device,
            b'_' | b'-' => index > 0,
            b'.' => index > 0 && index < last,
            _ => false,
        };
        if plain {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    if text.is_empty() {
        // No other name gives this: in all others, two digits follow a `%`.
        return "%".to_owned();
    }
    if text.len() <= LONGEST_NAME_BYTES {
        return text;
    }
    text.truncate(KEPT_NAME_BYTES);
    let hash: [u8; 32] = Sha256::digest(name).into();
    format!("{text}~{}", hex(hash.get(..16).unwrap_or(&hash)))
}

/// Whether Windows treats a file of this name, with any extension, as a device.
fn is_device(stem: &[u8]) -> bool {
    let stem = stem.to_ascii_lowercase();
    match stem.as_slice() {
        b"con" | b"prn" | b"aux" | b"nul" | b"conin$" | b"conout$" => true,
        [b'c', b'o', b'm', digit] | [b'l', b'p', b't', digit] => digit.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(unix)]
mod folder {
    use std::fs::{DirBuilder, File};
    use std::io::{self, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::DirBuilderExt as _;
    use std::path::Path;

    use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, open, openat, unlinkat};
    use rustix::io::Errno;

    /// Only the owner may read the files: they may contain secrets.
    const FOLDER_MODE: u32 = 0o700;
    const FILE_MODE: u32 = 0o600;

    /// An open folder. Files are written to it even if its path is changed to lead elsewhere during the run.
    #[derive(Debug)]
    pub(super) struct Folder(OwnedFd);

    impl Folder {
        /// Creates the folder, if it does not exist, and opens it.
        pub(super) fn make(path: &Path) -> io::Result<Self> {
            DirBuilder::new()
                .recursive(true)
                .mode(FOLDER_MODE)
                .create(path)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(Self(open(path, flags, Mode::empty())?))
        }

        /// Writes a new file in folders below this one. A symbolic link among them is not followed, it is an error.
        pub(super) fn write(
            &self,
            folders: &[String],
            name: &str,
            content: &[u8],
        ) -> io::Result<()> {
            let mut inner: Option<OwnedFd> = None;
            for folder in folders {
                let at = inner.as_ref().unwrap_or(&self.0);
                match mkdirat(at, folder.as_str(), Mode::from_raw_mode(FOLDER_MODE)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                inner = Some(openat(at, folder.as_str(), flags, Mode::empty())?);
            }
            let at = inner.as_ref().unwrap_or(&self.0);
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(openat(at, name, flags, Mode::from_raw_mode(FILE_MODE))?);
            let written = file.write_all(content);
            if written.is_err() {
                drop(file);
                // An incomplete file must not remain. If it cannot be removed, the message still names it.
                let _ = unlinkat(at, name, AtFlags::empty());
            }
            written
        }
    }
}

/// For systems without `openat`: each folder is checked for a symbolic link before the next step.
#[cfg(not(unix))]
mod folder {
    use std::fs::{self, File};
    use std::io::{self, Write as _};
    use std::path::{Path, PathBuf};

    /// The path of the folder, absolute and without symbolic links.
    #[derive(Debug)]
    pub(super) struct Folder(PathBuf);

    impl Folder {
        pub(super) fn make(path: &Path) -> io::Result<Self> {
            fs::create_dir_all(path)?;
            Ok(Self(fs::canonicalize(path)?))
        }

        pub(super) fn write(
            &self,
            folders: &[String],
            name: &str,
            content: &[u8],
        ) -> io::Result<()> {
            let mut path = self.0.clone();
            for folder in folders {
                path.push(folder);
                match fs::create_dir(&path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
                if !fs::symlink_metadata(&path)?.is_dir() {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
            }
            path.push(name);
            let mut file = File::create_new(&path)?;
            let written = file.write_all(content);
            if written.is_err() {
                drop(file);
                let _ = fs::remove_file(&path);
            }
            written
        }
    }
}

/// How many files were written and where, for people.
pub fn summary(export: &Export) -> String {
    match export.written() {
        1 => format!("1 file was written below {}", export.given.display()),
        count => format!(
            "{count} files were written below {}",
            export.given.display()
        ),
    }
}

/// Writes a line with the path of a file to standard output.
///
/// # Errors
/// Those of `to`.
pub fn write_name(path: &Path, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(path.as_os_str().as_encoded_bytes())?;
    to.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_the_fixed_alphabet() {
        for (name, expected) in [
            (&b"web-1.shop_2"[..], "web-1.shop_2"),
            (b"..", "%2E%2E"),
            (b".", "%2E"),
            (b"a/../b", "a%2F..%2Fb"),
            (b"/etc/passwd", "%2Fetc%2Fpasswd"),
            (b"-rf", "%2Drf"),
            (b"_cluster", "%5Fcluster"),
            (b".hidden.", "%2Ehidden%2E"),
            (b"system:node", "system%3Anode"),
            (b"100%", "100%25"),
            (b"con", "%63on"),
            (b"NUL.txt", "%4EUL.txt"),
            (b"com7", "%63om7"),
            (b"console", "console"),
            (b"a\0b\n\x1b", "a%00b%0A%1B"),
            (b"\xc3\xa9", "%C3%A9"),
            (b"", "%"),
        ] {
            assert_eq!(file_name(name), expected);
        }
    }

    #[test]
    fn names_that_differ_stay_different_however_long() {
        let long = |last: u8| [vec![b'/'; 3000], vec![last]].concat();
        let (one, other) = (file_name(&long(b'a')), file_name(&long(b'b')));
        assert!(one != other && one.len() <= LONGEST_NAME_BYTES);
        // The hash makes them different, and no shorter name contains the `~` before it.
        assert!(one.contains('~') && !file_name(b"~").contains('~'));
    }
}
