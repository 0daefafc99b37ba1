//! `source`: what is refused, what is left untouched, the trailer, and a file cut under the map.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use etcdive::source::{Change, Source, SourceError, Trailer, TrailerCheck};
use sha2::{Digest, Sha256};
use std::fs::{self, FileTimes, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("etcdive-source-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn refusal(path: &Path) -> SourceError {
    let error = Source::open(path).expect_err("it must be refused");
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    assert!(
        text.contains(&path.display().to_string()),
        "names the path: {text}"
    );
    error
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[test]
fn a_file_is_read_as_it_is() {
    let folder = Folder::new();
    let path = folder.file("db", b"some bytes");
    let source = Source::open(&path).unwrap();
    assert_eq!(source.bytes(), b"some bytes");
    assert_eq!(source.len_bytes(), 10);
    assert_eq!((source.path(), source.given_path()), (&*path, &*path));
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(source.modified(), metadata.modified().ok());
    assert_eq!(source.sha256(), sha256(b"some bytes"));
    assert!(source.read_errors().is_empty());
    assert_eq!(source.read_error_count(), 0);
    assert!(!source.has_read_error(0, 10));
    assert_eq!(source.change().unwrap(), None);
}

#[test]
fn the_database_of_a_directory_is_found() {
    let folder = Folder::new();
    let db = folder.file("data/member/snap/db", b"in a data directory");
    for given in [
        "data",
        "data/member",
        "data/member/snap",
        "data/member/snap/db",
    ] {
        let given = folder.path(given);
        let source = Source::open(&given).unwrap();
        assert_eq!(source.path(), db);
        assert_eq!(source.given_path(), given);
        assert_eq!(source.bytes(), b"in a data directory");
    }
}

#[test]
fn what_is_no_database_file_is_refused() {
    let folder = Folder::new();
    assert!(matches!(Source::open("-"), Err(SourceError::StandardInput)));
    let missing = folder.path("missing");
    assert!(matches!(refusal(&missing), SourceError::NotFound(_)));
    let empty = folder.file("empty", b"");
    assert!(matches!(refusal(&empty), SourceError::Empty(_)));
    let below_a_file = empty.join("member");
    assert!(matches!(refusal(&below_a_file), SourceError::NotFound(_)));
    fs::create_dir(folder.path("bare")).unwrap();
    let bare = refusal(&folder.path("bare"));
    assert!(matches!(bare, SourceError::NoDatabaseInside(_)), "{bare:?}");
    fs::create_dir_all(folder.path("odd/member/snap/db")).unwrap();
    let odd = refusal(&folder.path("odd"));
    assert!(
        matches!(
            odd,
            SourceError::NotRegular {
                kind: "a directory",
                ..
            }
        ),
        "{odd:?}"
    );
}

#[cfg(unix)]
#[test]
fn pipes_sockets_and_devices_are_refused_without_waiting() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let socket = folder.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, expected) in [
        (&*pipe, "a named pipe (FIFO)"),
        (&*socket, "a socket"),
        (Path::new("/dev/null"), "a character device"),
        (Path::new("/dev/zero"), "a character device"),
    ] {
        match refusal(path) {
            SourceError::NotRegular { kind, .. } => assert_eq!(kind, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_bad_ones_refused() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let db = folder.file("db", b"linked");
    symlink(&db, folder.path("link")).unwrap();
    let source = Source::open(folder.path("link")).unwrap();
    assert_eq!(source.bytes(), b"linked");
    assert_eq!(source.file_id(), Source::open(&db).unwrap().file_id());
    symlink(folder.path("b"), folder.path("a")).unwrap();
    symlink(folder.path("a"), folder.path("b")).unwrap();
    let circle = refusal(&folder.path("a"));
    assert!(matches!(circle, SourceError::LinkLoop(_)), "{circle:?}");
    symlink(folder.path("nowhere"), folder.path("dangling")).unwrap();
    let dangling = refusal(&folder.path("dangling"));
    assert!(
        matches!(dangling, SourceError::DanglingLink(_)),
        "{dangling:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_refused_as_such() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let path = folder.file("closed", b"closed");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read it all the same; then so must we.
    match fs::File::open(&path) {
        Ok(_) => assert_eq!(Source::open(&path).unwrap().bytes(), b"closed"),
        Err(_) => assert!(matches!(refusal(&path), SourceError::PermissionDenied(_))),
    }
}

#[test]
fn reading_leaves_the_times_of_the_file_alone() {
    let folder = Folder::new();
    let path = folder.file("db", &[7; 10_000]);
    let accessed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800);
    let modified = accessed + Duration::from_secs(86_400);
    let times = FileTimes::new()
        .set_accessed(accessed)
        .set_modified(modified);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_times(times).unwrap();
    drop(file);
    let source = Source::open(&path).unwrap();
    assert_eq!(source.sha256(), sha256(&[7; 10_000]));
    let untouched = source.atime_untouched();
    drop(source);
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.modified().unwrap(), modified);
    if cfg!(target_os = "linux") {
        assert!(untouched, "the owner of a file may ask for it");
    }
    if untouched {
        assert_eq!(after.accessed().unwrap(), accessed);
    }
}

#[cfg(unix)]
#[test]
fn the_promise_of_the_access_time_is_made_only_where_it_holds() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = Folder::new();
    let us = fs::metadata(folder.file("ours", b"x")).unwrap().uid();
    let shell = Path::new("/bin/sh");
    let owner = fs::metadata(shell).unwrap().uid();
    let untouched = Source::open(shell).unwrap().atime_untouched();
    if us != 0 && us != owner {
        assert!(!untouched, "only the owner and root can have it");
    } else if us == owner {
        assert_eq!(untouched, cfg!(target_os = "linux"));
    }
}

/// 1,536 bytes of a database and what `etcdctl snapshot save` would append to them.
fn snapshot() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).cycle().take(1536).collect();
    let trailer = sha256(&bytes);
    bytes.extend(trailer);
    bytes
}

#[test]
fn a_good_trailer_is_recognised_and_cut_off() {
    let folder = Folder::new();
    let bytes = snapshot();
    let (image, stored) = bytes.split_at(1536);
    let source = Source::open(folder.file("snapshot.db", &bytes)).unwrap();
    assert_eq!(source.image(), image);
    let stored = stored.try_into().unwrap();
    assert_eq!(source.trailer(), Some(Trailer { stored }));
    assert_eq!(source.verify_trailer(), TrailerCheck::Good);
    assert_eq!(source.sha256(), sha256(&bytes));
    assert_eq!(
        source.verify_trailer_and_sha256(),
        (TrailerCheck::Good, sha256(&bytes))
    );
}

#[test]
fn a_changed_image_or_trailer_is_bad() {
    let folder = Folder::new();
    for at in [0, 1535, 1536, 1567] {
        let mut bytes = snapshot();
        *bytes.get_mut(at).unwrap() ^= 1;
        let source = Source::open(folder.file("snapshot.db", &bytes)).unwrap();
        let (image, stored) = bytes.split_at(1536);
        let expected = TrailerCheck::Bad {
            computed: sha256(image),
            stored: stored.try_into().unwrap(),
        };
        assert_eq!(source.verify_trailer(), expected);
        assert_eq!(
            source.verify_trailer_and_sha256(),
            (expected, sha256(&bytes))
        );
    }
}

#[test]
fn a_file_of_another_length_has_no_trailer() {
    let folder = Folder::new();
    for len in [1, 31, 32, 33, 288, 512, 1536, 1567] {
        let bytes = snapshot().get(..len).unwrap().to_vec();
        let source = Source::open(folder.file("db", &bytes)).unwrap();
        assert_eq!(source.image(), bytes);
        assert_eq!(source.trailer(), None);
        assert_eq!(source.verify_trailer(), TrailerCheck::Absent);
        assert_eq!(source.sha256(), sha256(&bytes));
    }
}

#[test]
fn a_hash_over_many_chunks_is_that_of_the_whole() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..=250).cycle().take((3 << 20) + 32).collect();
    let source = Source::open(folder.file("db", &bytes)).unwrap();
    source.advise_sequential();
    assert_eq!(source.sha256(), sha256(&bytes));
    source.forget_resident();
    assert_eq!(source.bytes(), bytes);
}

#[test]
fn a_change_of_the_file_is_noticed() {
    let folder = Folder::new();
    let path = folder.file("db", &[1; 100]);
    let source = Source::open(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(200).unwrap();
    assert_eq!(source.change().unwrap(), Some(Change::Longer));
    file.set_len(100).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(source.change().unwrap(), Some(Change::Written));
    if cfg!(unix) {
        file.set_len(50).unwrap();
        assert_eq!(source.change().unwrap(), Some(Change::Shorter));
        file.set_len(100).unwrap();
        fs::rename(folder.file("other", &[1; 100]), &path).unwrap();
        assert_eq!(source.change().unwrap(), Some(Change::Replaced));
    }
}

/// A file cut by another handle after it was mapped, always in a child: a failure is a signal.
#[cfg(unix)]
mod cut {
    use super::{Folder, sha256};
    use etcdive::source::{Source, os_page_len};
    use std::ffi::OsString;
    use std::fs::{File, OpenOptions};
    use std::path::Path;

    /// Tells a child which file it shall cut.
    const CHILD: &str = "ETCDIVE_TEST_CUT";

    /// Runs one test of this module again in a child, with the file it shall cut, and gives the lines
    /// in which it answered. The child must end normally.
    fn answers_of_child(test: &str, path: &Path) -> Vec<String> {
        let module = module_path!().split_once("::").map_or("", |(_, rest)| rest);
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", &format!("{module}::{test}")])
            .env(CHILD, path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        let complaint = String::from_utf8_lossy(&child.stderr);
        assert!(
            child.status.success(),
            "{}\n{text}{complaint}",
            child.status
        );
        text.lines()
            .filter_map(|line| Some(line.split_once("answer: ")?.1.to_owned()))
            .collect()
    }

    fn cut_to(path: &OsString, len: u64) {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(len).unwrap();
    }

    fn sum(bytes: &[u8]) -> u64 {
        bytes.iter().copied().map(u64::from).sum()
    }

    /// The page offsets from the first page without a byte left up to `len`.
    fn lost_pages(left: usize, len: usize) -> Vec<u64> {
        (left.next_multiple_of(os_page_len())..len)
            .step_by(os_page_len())
            .map(|offset| offset as u64)
            .collect()
    }

    #[test]
    fn a_file_cut_under_the_map_is_read_as_zeros_and_reported() {
        const LEN: usize = 1 << 20;
        const LEFT: usize = 300_000;
        if let Some(path) = std::env::var_os(CHILD) {
            let other = Source::open(std::env::current_exe().unwrap()).unwrap();
            let source = Source::open(&path).unwrap();
            cut_to(&path, LEFT as u64);
            println!("\nanswer: {}", sum(source.bytes()));
            println!("answer: {:?}", source.read_errors());
            println!("answer: {}", source.read_error_count());
            source.forget_resident();
            println!("answer: {}", sum(source.bytes()));
            println!("answer: {:?}", source.read_errors());
            let first_lost = LEFT.next_multiple_of(os_page_len()) as u64;
            println!("answer: {}", source.has_read_error(0, first_lost));
            println!("answer: {}", source.has_read_error(0, first_lost + 1));
            println!("answer: {}", source.has_read_error(LEN as u64 - 1, 1));
            println!("answer: {}", source.has_read_error(LEN as u64, u64::MAX));
            println!("answer: {:?}", source.change().unwrap());
            println!("answer: {:?}", other.read_errors());
            return;
        }
        let folder = Folder::new();
        let bytes: Vec<u8> = (1..=251).cycle().take(LEN).collect();
        let path = folder.file("db", &bytes);
        let name = "a_file_cut_under_the_map_is_read_as_zeros_and_reported";
        let total = sum(bytes.get(..LEFT).unwrap()).to_string();
        let lost = lost_pages(LEFT, LEN);
        assert!(!lost.is_empty());
        let expected = [
            total.clone(),
            format!("{lost:?}"),
            lost.len().to_string(),
            total,
            format!("{lost:?}"),
            "false".to_owned(),
            "true".to_owned(),
            "true".to_owned(),
            "false".to_owned(),
            "Some(Shorter)".to_owned(),
            "[]".to_owned(),
        ];
        assert_eq!(answers_of_child(name, &path), expected);
    }

    #[test]
    fn a_cut_file_is_hashed_as_zeros_and_reported_by_many_threads_alike() {
        const LEN: usize = (2 << 20) + 32;
        const LEFT: usize = 70_000;
        if let Some(path) = std::env::var_os(CHILD) {
            let source = Source::open(&path).unwrap();
            cut_to(&path, LEFT as u64);
            let hashes = std::thread::scope(|scope| {
                let threads = [0; 4].map(|_| scope.spawn(|| source.sha256()));
                threads.map(|thread| thread.join().unwrap())
            });
            println!("\nanswer: {hashes:?}");
            println!("answer: {:?}", source.read_errors());
            println!("answer: {}", source.read_error_count());
            return;
        }
        let folder = Folder::new();
        let mut bytes: Vec<u8> = (1..=251).cycle().take(LEN).collect();
        let path = folder.file("db", &bytes);
        let name = "a_cut_file_is_hashed_as_zeros_and_reported_by_many_threads_alike";
        bytes.get_mut(LEFT..).unwrap().fill(0);
        let lost = lost_pages(LEFT, LEN);
        let expected = [
            format!("{:?}", [sha256(&bytes); 4]),
            format!("{lost:?}"),
            lost.len().to_string(),
        ];
        assert_eq!(answers_of_child(name, &path), expected);
    }

    /// A sparse file of more pages than a process may have maps (65,530 on Linux unless set otherwise),
    /// cut to nothing and read at every second page: each replaced page is a map of its own until the
    /// system refuses, and the run must go on all the same.
    #[test]
    fn more_lost_pages_than_the_system_allows_maps_do_not_end_the_run() {
        const PAGES: usize = 140_000;
        if let Some(path) = std::env::var_os(CHILD) {
            let source = Source::open(&path).unwrap();
            cut_to(&path, 0);
            let every_second = source.bytes().iter().step_by(2 * os_page_len());
            println!(
                "\nanswer: {}",
                every_second.map(|&byte| u64::from(byte)).sum::<u64>()
            );
            let lost = source.read_error_count();
            println!("answer: {}", (PAGES / 2..=PAGES).contains(&lost));
            println!("answer: {}", source.read_errors().len());
            return;
        }
        let folder = Folder::new();
        let path = folder.path("db");
        let file = File::create(&path).unwrap();
        file.set_len((PAGES * os_page_len()) as u64).unwrap();
        let name = "more_lost_pages_than_the_system_allows_maps_do_not_end_the_run";
        assert_eq!(answers_of_child(name, &path), ["0", "true", "65536"]);
    }
}

/// What a progress bar shows is counted where the file is read, and costs no second pass.
#[test]
fn a_pass_over_the_records_is_counted_up_to_the_bytes_in_use() {
    use etcdive::bbolt::Direction;
    use etcdive::diag::Diagnostics;
    use etcdive::source::work::Work;

    let work = Work::default();
    let path = crate::support::repository().join(crate::verbs::AFTER);
    let source = Source::open(path).unwrap().counted(&work);
    assert_eq!(work.progress().pass, 0, "opening is no pass");
    assert_eq!(source.verify_trailer(), TrailerCheck::Good);
    let hashed = work.progress();
    assert_eq!((hashed.pass, hashed.total), (1, source.len_bytes()));
    assert!(hashed.done + 32 >= hashed.total, "{hashed:?}");
    let diagnostics = Diagnostics::new();
    let state = etcdive::etcd::State::open(&source, &diagnostics).unwrap();
    let before = work.progress().pass;
    assert_eq!(state.records(Direction::Forward).count(), 3128);
    let read = work.progress();
    assert_eq!(read.pass, before + 1);
    assert!(read.done > 3_000_000, "{read:?}");
    assert!(read.total == 0 || read.done <= read.total, "{read:?}");
}
