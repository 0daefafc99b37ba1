//! Opening files and folders for reading, without waiting and without traces.

#[cfg(not(unix))]
use std::fs;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Opens the evidence for reading (the standard library adds `O_CLOEXEC`), without waiting for the other end of
/// a pipe. Returns also whether the access time stays.
#[cfg(unix)]
pub(super) fn open_read_only(path: &Path) -> io::Result<(File, bool)> {
    open_with(path, libc::O_NONBLOCK | libc::O_NOCTTY)
}

/// Opens any other file that the run reads: keys, a value, a template. A pipe is waited for. The access time
/// stays as it is where the system allows that.
///
/// # Errors
/// The system's.
#[cfg(unix)]
pub fn open_untouched(path: &Path) -> io::Result<File> {
    open_with(path, 0).map(|(file, _)| file)
}

#[cfg(unix)]
fn open_with(path: &Path, flags: i32) -> io::Result<(File, bool)> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let open = |more| {
        OpenOptions::new()
            .read(true)
            .custom_flags(flags | more)
            .open(path)
    };
    #[cfg(target_os = "linux")]
    match open(libc::O_NOATIME) {
        // Only the owner may ask for it.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
        other => return other.map(|file| (file, true)),
    }
    open(0).map(|file| (file, false))
}

#[cfg(not(unix))]
pub(super) fn open_read_only(path: &Path) -> io::Result<(File, bool)> {
    open_untouched(path).map(|file| (file, false))
}

/// Opens any other file that the run reads: keys, a value, a template.
///
/// # Errors
/// The system's.
#[cfg(not(unix))]
pub fn open_untouched(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// The paths in a folder, sorted. Its access time stays as it is where the system allows that: `read_dir` of the
/// standard library would set it.
#[cfg(unix)]
pub(super) fn list_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let (opened, _) = open_with(folder, libc::O_DIRECTORY)?;
    let mut paths = Vec::new();
    for entry in rustix::fs::Dir::new(opened)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            paths.push(folder.join(OsStr::from_bytes(name)));
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// The paths in a folder, sorted.
#[cfg(not(unix))]
pub(super) fn list_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort_unstable();
    Ok(paths)
}
