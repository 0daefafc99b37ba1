//! Packed input that is cut, too large, hostile, or has no room.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use etcdive::source::work::{Progress, Work};
use etcdive::source::{Source, SourceError, UNPACKED_UP_TO_BYTES, UnpackError, Unpacking};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{SAME, packed, snapshot};
use crate::backups::damaged::Folder;
use crate::support::random::Random;
use crate::support::{Run, ends_soon, etcdive, full_or, program};

fn unpacking(up_to_bytes: u64) -> Unpacking {
    Unpacking {
        temporary_folder: std::env::temp_dir(),
        up_to_bytes,
        work: Work::default(),
    }
}

#[test]
fn progress_counts_the_bytes_of_the_packed_file() {
    let mut compared = 0;
    // In the others an inner file is packed again, and the last pass is over that one.
    let is_flat = |name: &str| !name.starts_with("nested") && !name.starts_with("inner");
    for (name, layers) in SAME.iter().filter(|(name, _)| is_flat(name)) {
        let path = packed(name);
        let unpacking = unpacking(u64::MAX);
        Source::open_unpacking(path.as_ref(), &unpacking).unwrap();
        let Progress { pass, total, done } = unpacking.work.progress();
        assert!(pass > 0, "{name}");
        assert_eq!(total, std::fs::metadata(&path).unwrap().len(), "{name}");
        assert!(done > 0 && done <= total, "{name}: {done} of {total}");
        if !layers.contains(' ') {
            assert_eq!(
                done, total,
                "{name} has one layer, which is read to its end"
            );
        }
        compared += 1;
    }
    assert!(compared > 8, "{compared}");
}

#[test]
fn what_unpacks_to_more_than_the_limit_is_refused_until_the_limit_is_raised() {
    let len = snapshot().len();
    for (name, _) in SAME {
        let below = (len - 1).to_string();
        let run = etcdive(["ls", &packed(name), "--unpack-limit", &below]);
        assert_eq!(run.code, 2, "{name}");
        let part = format!("unpacks to more than {below} bytes");
        assert!(run.stderr.contains(&part), "{name}: {}", run.stderr);
        assert!(
            run.stderr.contains("--unpack-limit"),
            "{name}: {}",
            run.stderr
        );
        let run = etcdive(["ls", &packed(name), "--unpack-limit", "64KiB"]);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    }
}

#[test]
fn a_bomb_of_zeros_ends_at_the_limit() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        packed.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let folder = Folder::new("zeros");
    let bytes = packed.finish().unwrap();
    assert!(bytes.len() < 1 << 17);
    let path = folder.file("bomb.gz", &bytes);
    let error = Source::open_unpacking(&path, &unpacking(32 << 20)).unwrap_err();
    let SourceError::Packed { error, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(*error, UnpackError::TooLong { up_to_bytes } if up_to_bytes == 32 << 20));
    // Below the limit its zeros are a hole of the temporary file.
    let source = Source::open_unpacking(&path, &unpacking(64 << 20)).unwrap();
    assert_eq!(source.len_bytes(), 64 << 20);
    assert_eq!(source.next_data(0), None);
}

#[test]
fn a_name_of_a_member_does_not_fill_the_memory() {
    let folder = Folder::new("long-name");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(48 << 20);
    header.set_cksum();
    tar.append(&header, std::io::repeat(b'n').take(48 << 20))
        .unwrap();
    let snapshot = snapshot();
    let mut header = tar::Header::new_gnu();
    header.set_size(snapshot.len() as u64);
    header.set_path("db").unwrap();
    header.set_cksum();
    tar.append(&header, &snapshot[..]).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&tar.into_inner().unwrap()).unwrap();
    let path = folder.file("a.tar.gz", &packed.finish().unwrap());
    let source = Source::open_unpacking(&path, &unpacking(UNPACKED_UP_TO_BYTES)).unwrap();
    let layers = format!("{:?}", source.unpacked().unwrap().layers);
    assert!(layers.len() < 1 << 18, "{}", layers.len());
}

#[test]
fn too_many_layers_are_refused() {
    let folder = Folder::new("layers");
    let mut bytes = snapshot();
    for _ in 0..6 {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&bytes).unwrap();
        bytes = packed.finish().unwrap();
    }
    let path = folder.file("deep.gz", &bytes);
    let run = etcdive(["ls", path.to_str().unwrap()]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("more than 4 archives inside each other"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_cut_file_gives_the_part_before_the_cut_and_says_so() {
    let folder = Folder::new("cut");
    for name in ["snapshot.db.gz", "two-frames.zst", "openshift.tar.gz"] {
        let whole = fs::read(packed(name)).unwrap();
        let path = folder.file(name, &whole[..whole.len() - 40]);
        let run = etcdive(["status", path.to_str().unwrap()]);
        let text = format!("{}{}", run.text(), run.stderr);
        assert!(run.code >= 2, "{name}: {text}");
        let is_told = text.contains("archive-damaged") || text.contains("damaged gzip data");
        assert!(is_told, "{name}: {text}");
    }
    // Only the checksum after the data is missing: all of the database is there.
    let whole = fs::read(packed("snapshot.db.gz")).unwrap();
    let path = folder.file("no-checksum.gz", &whole[..whole.len() - 8]);
    let run = etcdive(["ls", path.to_str().unwrap()]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("archive-damaged"), "{}", run.stderr);
    assert!(run.text().contains("app/config"), "{}", run.text());
}

#[test]
fn a_wrong_checksum_of_the_packing_is_a_finding() {
    let folder = Folder::new("crc");
    for (name, from_end) in [("snapshot.db.gz", 8), ("snapshot.db.zst", 1)] {
        let mut bytes = fs::read(packed(name)).unwrap();
        let at = bytes.len() - from_end;
        bytes[at] ^= 1;
        let path = folder.file(name, &bytes);
        let run = etcdive(["ls", path.to_str().unwrap()]);
        assert_eq!(run.code, 3, "{name}: {}", run.stderr);
        assert!(
            run.stderr.contains("archive-damaged"),
            "{name}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_temporary_folder_that_cannot_be_used_is_named_with_the_variable() {
    let output = program()
        .env("TMPDIR", "/nowhere/at/all")
        .args(["ls", &packed("k3s.zip")])
        .output();
    let run = Run::from(output.unwrap());
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("/nowhere/at/all"), "{}", run.stderr);
    assert!(run.stderr.contains("TMPDIR"), "{}", run.stderr);
}

#[test]
fn room_in_the_temporary_folder_is_checked_before_a_member_is_unpacked() {
    let folder = Folder::new("room");
    let mut header = tar::Header::new_gnu();
    header.set_path("db").unwrap();
    // More than any disk has, and the archive ends after the beginning of the database.
    header.set_size(1 << 60);
    header.set_cksum();
    let bytes = [&header.as_bytes()[..], &snapshot()].concat();
    let path = folder.file("huge.tar", &bytes);
    let error = Source::open_unpacking(&path, &unpacking(u64::MAX)).unwrap_err();
    let SourceError::Packed { error, .. } = error else {
        panic!("{error}");
    };
    let UnpackError::NoSpace { needed, free, .. } = *error else {
        panic!("{error}");
    };
    assert_eq!(needed, Some(1 << 60));
    assert!(free.is_some());
}

#[test]
fn a_sparse_member_is_named() {
    let folder = Folder::new("sparse");
    let snapshot = snapshot();
    let mut header = tar::Header::new_gnu();
    header.set_path("db").unwrap();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_size(snapshot.len() as u64);
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, &snapshot[..]).unwrap();
    let path = folder.file("sparse.tar", &tar.into_inner().unwrap());
    let run = etcdive(["ls", &format!("{}::db", path.display())]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("sparsely (tar -S)"), "{}", run.stderr);
}

/// Any file may be changed anywhere: the program ends, within its limit.
#[test]
fn changed_archives_never_panic_or_hang() {
    let folder = Folder::new("changed");
    let mut names: Vec<&str> = SAME.iter().map(|(name, _)| *name).collect();
    names.extend(["two.tgz", "password.zip"]);
    let files: Vec<(PathBuf, Vec<u8>)> = names
        .iter()
        .map(|name| (folder.path(name), fs::read(packed(name)).unwrap()))
        .collect();
    let opened = ends_soon("changed archives", move || {
        let mut random = Random::new(11);
        let (mut opened, mut refused) = (0, 0);
        for (path, bytes) in &files {
            for _ in 0..full_or(300, 40) {
                let mut bytes = bytes.clone();
                for _ in 0..=random.below(4) {
                    let at = random.below(bytes.len());
                    bytes[at] = u8::try_from(random.below(256)).unwrap();
                }
                bytes.truncate(bytes.len() - random.below(bytes.len() / 4));
                fs::write(path, &bytes).unwrap();
                match Source::open_unpacking(path, &unpacking(16 << 20)) {
                    Ok(source) => {
                        assert!(source.len_bytes() <= 16 << 20);
                        opened += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        (opened, refused)
    });
    assert!(opened.0 > 0 && opened.1 > 0, "{opened:?}");
}
