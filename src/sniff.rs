//! What a file is if it is not a database: for the error message that names it.
//!
//! This is a guess from the first bytes. It is made only if no bbolt page was found, and it never decides how a file is
//! read.

use crate::wire::Reader;

/// Bytes of the head that are read. The magic of a tar archive ends at 265; the rest makes the guess at a text better.
pub const HEAD_LEN: usize = 4096;

/// Magic bytes at a fixed place: offset, bytes, name with its article.
const MAGICS: &[(usize, &[u8], &str)] = &[
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"\x04\x22\x4d\x18", "an lz4 archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"\x1f\x9d", "a compress archive (.Z)"),
    (0, b"SQLite format 3\x00", SQLITE),
    (0, b"\x7fELF", "an ELF executable"),
    (0, b"age-encryption.org/v1", "a file encrypted by age"),
    (0, b"Salted__", "a file encrypted by openssl"),
    (257, b"ustar", "a tar archive"),
];

/// What any file of SQLite is called.
const SQLITE: &str = "an SQLite database";

/// What it is called if its schema, which is at its beginning, has Kine's table.
const KINE: &str = "an SQLite database, likely Kine of k3s";

/// Names what a file is from its first bytes (at most [`HEAD_LEN`] are read) and its length: a noun
/// with its article, as in "this is a gzip archive". None if it is not recognised.
#[must_use]
pub fn sniff(bytes: &[u8], len_bytes: u64) -> Option<&'static str> {
    // Only the head: a file may be terabytes of zeros.
    let head = bytes.get(..HEAD_LEN).unwrap_or(bytes);
    if head.is_empty() {
        return Some("an empty file");
    }
    if head.iter().all(|&byte| byte == 0) {
        return Some("a file that begins with nothing but zero bytes");
    }
    let magic = MAGICS.iter().find(|(at, magic, _)| {
        head.get(*at..)
            .is_some_and(|bytes| bytes.starts_with(magic))
    });
    if let Some((_, _, name)) = magic {
        let is_kine = *name == SQLITE && memchr::memmem::find(head, b"kine").is_some();
        return Some(if is_kine { KINE } else { name });
    }
    if is_bzip2(head) {
        return Some("a bzip2 archive");
    }
    if head.starts_with(b"[{\"etcdEvent\"") {
        return Some("a delta snapshot of etcd-backup-restore");
    }
    if is_wal(head) {
        return Some("a segment of etcd's write-ahead log (WAL)");
    }
    if is_raft_snapshot(head, len_bytes) {
        return Some("a raft snapshot of etcd (.snap)");
    }
    text_kind(head, len_bytes)
}

/// `BZh`, the block size, and the magic of the first block (digits of pi), or of the end in an empty archive.
fn is_bzip2(head: &[u8]) -> bool {
    let Some((b"BZh", [b'1'..=b'9', rest @ ..])) = head.split_at_checked(3) else {
        return false;
    };
    rest.starts_with(b"1AY&SY") || rest.starts_with(b"\x17rE8P\x90")
}

/// A segment begins with the frame of a `walpb.Record` of type 4 (crc), which has no data. Upstream:
/// etcd `server/storage/wal/encoder.go`.
fn is_wal(head: &[u8]) -> bool {
    let Some((frame, record)) = head.split_first_chunk::<8>() else {
        return false;
    };
    let frame = u64::from_le_bytes(*frame);
    let len = frame & 0x00ff_ffff_ffff_ffff;
    let padding = frame >> 56 & 7;
    // Bit 63 is set if there is padding; bits 59 to 62 are unused.
    let marked = match frame >> 59 {
        0 => padding == 0,
        0b1_0000 => true,
        _ => false,
    };
    // Type and tag of the crc are three bytes, its varint one to five.
    (4..=8).contains(&len)
        && marked
        && (len + padding) % 8 == 0
        && record.starts_with(b"\x08\x04\x10")
}

/// A `snappb.Snapshot` whose second field ends with the file: 1 crc (varint), 2 data. Upstream: etcd
/// `server/etcdserver/api/snap/snappb/snap.proto`.
#[must_use]
pub fn is_raft_snapshot(head: &[u8], len_bytes: u64) -> bool {
    let whole = |head: &[u8]| {
        let mut reader = Reader::new(head);
        (reader.take(1).ok()? == b"\x08").then_some(())?;
        reader.truncated_varint().ok()?;
        (reader.take(1).ok()? == b"\x12").then_some(())?;
        let data_len = reader.truncated_varint().ok()?;
        let before = u64::try_from(reader.position()).ok()?;
        // raftpb.Snapshot: 1 data, 2 metadata, both length-delimited.
        let begins = matches!(head.get(reader.position()), Some(0x0a | 0x12));
        Some(begins && before.checked_add(data_len)? == len_bytes)
    };
    whole(head).unwrap_or(false)
}

/// JSON, YAML or another text, if the head is UTF-8 without control bytes.
fn text_kind(head: &[u8], len_bytes: u64) -> Option<&'static str> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Some("a text (UTF-16)");
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end within a character, the file may not.
        Err(error) if error.error_len().is_none() && more_than(head, len_bytes) => {
            std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_text_rune =
        |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x0c' | '\x1b');
    if text.is_empty() || !text.chars().all(is_text_rune) {
        return None;
    }
    if is_json(text) {
        return Some("a JSON text");
    }
    if is_yaml(text) {
        return Some("a YAML text");
    }
    Some("a text")
}

/// Whether the file goes on after the head.
fn more_than(head: &[u8], len_bytes: u64) -> bool {
    u64::try_from(head.len()).is_ok_and(|len| len < len_bytes)
}

/// The start of a JSON object or list.
fn is_json(text: &str) -> bool {
    let mut runes = text.chars().filter(|c| !c.is_whitespace());
    match (runes.next(), runes.next()) {
        (Some('{'), Some(second)) => matches!(second, '"' | '}'),
        (Some('['), Some(second)) => {
            matches!(
                second,
                '{' | '[' | ']' | '"' | '-' | '0'..='9' | 't' | 'f' | 'n'
            )
        }
        _ => false,
    }
}

/// A `---` mark, or a first line other than a comment that is `key: value` or `key:`.
fn is_yaml(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim_end)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = first else { return false };
    if line == "---" || line.starts_with("--- ") || line.starts_with("%YAML") {
        return true;
    }
    let Some((key, value)) = line.strip_prefix("- ").unwrap_or(line).split_once(':') else {
        return false;
    };
    let is_key_rune = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    !key.is_empty() && key.chars().all(is_key_rune) && (value.is_empty() || value.starts_with(' '))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn of(bytes: &[u8]) -> Option<&'static str> {
        sniff(bytes, bytes.len() as u64)
    }

    /// The first 48 bytes of a segment written by etcd 3.6.
    const WAL: &[u8] = b"\x04\0\0\0\0\0\0\x84\x08\x04\x10\0\0\0\0\0\x20\0\0\0\0\0\0\0\
        \x08\x01\x10\xfe\x8f\xbd\xbc\x06\x1a\x16\x08\xb0\xa7\x86\xf6\xf0\xfd\xa5\xbe\xac";

    #[test]
    fn archives_and_databases_are_named() {
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: &[(&[u8], &str)] = &[
            (b"\x1f\x8b\x08\0\0\0\0\0", "a gzip archive"),
            (b"PK\x03\x04\x14\0", "a zip archive"),
            (&tar, "a tar archive"),
            (b"\x28\xb5\x2f\xfd\x24\0", "a zstd archive"),
            (b"\xfd7zXZ\0\0\x04", "an xz archive"),
            (b"BZh91AY&SY\x01", "a bzip2 archive"),
            (b"BZh9\x17rE8P\x90\0\0\0\0", "a bzip2 archive"),
            (b"SQLite format 3\0\x10\0", "an SQLite database"),
            (
                b"SQLite format 3\0\x10\0CREATE TABLE kine (id INTEGER",
                "an SQLite database, likely Kine of k3s",
            ),
            (b"\x7fELF\x02\x01\x01", "an ELF executable"),
            (b"", "an empty file"),
            (&[0; 4096], "a file that begins with nothing but zero bytes"),
        ];
        for (bytes, name) in cases {
            assert_eq!(of(bytes), Some(*name));
        }
    }

    #[test]
    fn texts_are_told_apart() {
        let cases: &[(&str, &str)] = &[
            ("{\"kind\": \"List\"}\n", "a JSON text"),
            ("{\n  \"a\": 1}", "a JSON text"),
            ("[]", "a JSON text"),
            ("# made by hand\n---\na: b\n", "a YAML text"),
            ("apiVersion: v1\nkind: Pod\n", "a YAML text"),
            ("- name: x\n", "a YAML text"),
            ("{ not json", "a text"),
            ("Dear reader: this is prose\n", "a text"),
            ("http://example.org\n", "a text"),
            ("caf\u{e9}\n", "a text"),
        ];
        for (text, name) in cases {
            assert_eq!(of(text.as_bytes()), Some(*name), "{text}");
        }
        assert_eq!(of(b"text with a bell \x07"), None);
        assert_eq!(of(b"\xff\xfea\0"), Some("a text (UTF-16)"));
    }

    #[test]
    fn a_rune_may_be_cut_only_where_the_file_goes_on() {
        let head = b"caf\xc3";
        assert_eq!(sniff(head, 100), Some("a text"));
        assert_eq!(sniff(head, 4), None);
    }

    #[test]
    fn a_wal_segment_is_named_and_a_wrong_frame_is_not() {
        let name = Some("a segment of etcd's write-ahead log (WAL)");
        assert_eq!(of(WAL), name);
        let mut later = WAL.to_vec();
        later[..16].copy_from_slice(b"\x08\0\0\0\0\0\0\0\x08\x04\x10\xfe\x8f\xbd\xbc\x06");
        assert_eq!(of(&later), name);
        for (at, byte) in [(0, 5), (7, 0x04), (7, 0xc4), (9, 2), (10, 0x1a)] {
            let mut wrong = WAL.to_vec();
            wrong[at] = byte;
            assert_eq!(of(&wrong), None, "byte {at} = {byte}");
        }
    }

    #[test]
    fn a_raft_snapshot_is_named_only_if_its_length_fits() {
        let snap = b"\x08\xb5\xa9\x9c\xd2\x0f\x12\x06\x0a\x02{}\x12\0";
        assert!(of(snap).unwrap().starts_with("a raft snapshot"));
        assert_eq!(sniff(snap, 15), None);
        assert_eq!(of(&snap[..3]), None);
    }

    #[test]
    fn a_page_of_bbolt_is_nothing_of_the_list() {
        let mut page = vec![0; 4096];
        page[8] = 4;
        page[16..20].copy_from_slice(&0xED0C_DAED_u32.to_le_bytes());
        assert_eq!(of(&page), None);
    }
}
