//! `go::quote` against Go: every code point, recorded quotations, and long inputs by their hash.
//! The fixtures are made by `src/go/quote/gen/main.go`, which says how.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use etcdive::go::quote::{is_print, quote_into};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// How many code points Go 1.26 calls printable.
const PRINTABLE: usize = 148_998;

/// SHA-256 of `strconv.Quote(string(r)) + "\n"` over all code points in order.
const ALL_QUOTED: &str = "16b542ce88f56592ef0c3304b0268cb2099cf05082c38420d53bf8b585a1d74a";

fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    quote_into(bytes, &mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn fixture(name: &str) -> Vec<Value> {
    let path = format!("{}/testdata/goquote/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// The generator of this name, as in `gen/main.go`.
struct Splitmix(u64);

impl Splitmix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }
}

#[test]
fn as_many_code_points_are_printable_as_in_go() {
    let printable = (0..=0x10_ffff).filter(|&c| is_print(c)).count();
    assert_eq!(printable, PRINTABLE);
    assert!(!is_print(0x11_0000) && !is_print(u32::MAX));
}

#[test]
fn every_code_point_is_quoted_as_by_go() {
    let mut hash = Sha256::new();
    for c in 0..=0x10_ffff {
        let rune = char::from_u32(c).unwrap_or('\u{fffd}');
        hash.update(quoted(rune.encode_utf8(&mut [0; 4]).as_bytes()));
        hash.update(b"\n");
    }
    assert_eq!(hex(&hash.finalize()), ALL_QUOTED);
}

#[test]
fn recorded_quotations_of_go_are_repeated() {
    let lines = fixture("golden.jsonl");
    assert!(lines.len() > 250, "only {} recorded", lines.len());
    for line in lines {
        let bytes = STANDARD
            .decode(line["bytes_base64"].as_str().unwrap())
            .unwrap();
        let got = String::from_utf8(quoted(&bytes)).unwrap();
        assert_eq!(got, line["quoted"].as_str().unwrap(), "of {bytes:02x?}");
    }
}

#[test]
fn long_inputs_are_quoted_as_by_go() {
    let lines = fixture("streams.jsonl");
    assert_eq!(lines.len(), 4);
    for line in lines {
        let mut random = Splitmix(line["seed"].as_u64().unwrap());
        let mask = u8::try_from(line["mask"].as_u64().unwrap()).unwrap();
        let size = usize::try_from(line["size"].as_u64().unwrap()).unwrap();
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            bytes.extend(random.next().to_le_bytes().map(|byte| byte & mask));
        }
        let text = quoted(&bytes);
        assert_eq!(
            Some(text.len() as u64),
            line["quoted_size"].as_u64(),
            "{line}"
        );
        assert_eq!(
            hex(&Sha256::digest(&text)),
            line["quoted_sha256"].as_str().unwrap(),
            "{line}"
        );
    }
}

#[test]
fn quoting_appends_and_keeps_what_was_there() {
    let mut out = b"key ".to_vec();
    quote_into(b"foo1", &mut out);
    out.extend(b" | val ");
    quote_into(b"bar\xff\n", &mut out);
    assert_eq!(out, b"key \"foo1\" | val \"bar\\xff\\n\"");
}

/// One rune after the other, the plain way.
fn quoted_slowly(bytes: &[u8]) -> String {
    let mut text = String::from('"');
    for piece in bytes.utf8_chunks() {
        for rune in piece.valid().chars() {
            let c = u32::from(rune);
            match rune {
                '"' | '\\' => text.extend(['\\', rune]),
                '\x07' => text.push_str("\\a"),
                '\x08' => text.push_str("\\b"),
                '\x0c' => text.push_str("\\f"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\x0b' => text.push_str("\\v"),
                _ if is_print(c) => text.push(rune),
                _ if c < 0x80 => write!(text, "\\x{c:02x}").unwrap(),
                _ if c < 0x1_0000 => write!(text, "\\u{c:04x}").unwrap(),
                _ => write!(text, "\\U{c:08x}").unwrap(),
            }
        }
        for byte in piece.invalid() {
            write!(text, "\\x{byte:02x}").unwrap();
        }
    }
    text.push('"');
    text
}

#[test]
fn runes_are_whole_wherever_they_lie_in_the_input() {
    let pieces: [&[u8]; 12] = [
        b"plain text ",
        b"x",
        b"\x08\x02\x12",
        b"\"",
        b"\\",
        b"\xb2\x03",
        b"\xe2\x82",
        "\u{e9}".as_bytes(),
        "\u{4e2d}".as_bytes(),
        "\u{1f600}".as_bytes(),
        "\u{202e}".as_bytes(),
        "\u{10ffff}".as_bytes(),
    ];
    let mut random = Splitmix(3);
    for round in 0..1500 {
        let wanted = if round % 10 == 0 {
            random.below(9000)
        } else {
            random.below(70)
        };
        let mut bytes = Vec::new();
        while bytes.len() < wanted {
            bytes.extend(pieces[random.below(pieces.len())]);
        }
        bytes.truncate(wanted);
        let got = String::from_utf8(quoted(&bytes)).unwrap();
        assert_eq!(got, quoted_slowly(&bytes), "of {bytes:02x?}");
    }
}
