//! Tests of the recognisers: the exact bytes, the limits, and hostile input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::{Fault, Form, Pasted};

const OBJECT: &[u8] = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x02xy\x1a\x00\x22\x00";

fn read(text: &str) -> (Vec<Form>, Vec<u8>) {
    let pasted = Pasted::read(text.as_bytes()).unwrap_or_else(|no| panic!("{text}: {no:?}"));
    assert_eq!(pasted.values.len(), 1);
    (pasted.forms, pasted.values[0].value.clone())
}

fn fault(input: &[u8]) -> Fault {
    Pasted::read(input).unwrap_err().fault
}

fn hex(bytes: &[u8], separator: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(separator)
}

#[test]
fn hexadecimal_digits_may_be_separated_and_marked() {
    for text in [
        hex(OBJECT, ""),
        hex(OBJECT, " ").to_uppercase(),
        hex(OBJECT, ":"),
        format!("0x{}", hex(OBJECT, "")),
        format!("\\x{}", hex(OBJECT, "")),
        format!("0x{}", hex(OBJECT, ", 0x")),
        format!(
            "unsigned char v[] = {{\n  0x{}\n}};\nunsigned int v_len = 21;\n",
            hex(OBJECT, ", 0x")
        ),
    ] {
        assert_eq!(read(&text), (vec![Form::Hex], OBJECT.to_vec()), "{text}");
    }
}

#[test]
fn escapes_may_be_in_quotes_of_several_languages() {
    let escapes = format!("\\x{}", hex(OBJECT, "\\x"));
    assert_eq!(read(&escapes), (vec![Form::Escapes], OBJECT.to_vec()));
    for quoted in [
        format!("\"{escapes}\""),
        format!("b'{escapes}'"),
        format!("$'{escapes}'\n"),
    ] {
        assert_eq!(
            read(&quoted),
            (vec![Form::Quoted], OBJECT.to_vec()),
            "{quoted}"
        );
    }
}

#[test]
fn the_two_lines_of_jq_are_base64_each_for_itself() {
    let pasted = Pasted::read(b"L3JlZ2lzdHJ5L2EvYg==\nazhzAAoJCgJ2MRIDUG9kEgJ4eRoAIgA=\n").unwrap();
    assert_eq!(pasted.forms, [Form::Base64, Form::EtcdctlSimple]);
    assert_eq!(pasted.values[0].key.as_deref(), Some(&b"/registry/a/b"[..]));
    assert_eq!(pasted.values[0].value, OBJECT);
}

#[test]
fn utf_16_and_a_byte_order_mark_are_taken_off() {
    let text = hex(OBJECT, "");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let pasted = Pasted::read(&[&b"\xff\xfe"[..], &wide].concat()).unwrap();
    assert_eq!(pasted.forms, [Form::Utf16, Form::Hex]);
    assert_eq!(read(&format!("\u{feff}{text}\r\n")).1, OBJECT);
}

#[test]
fn a_value_among_others_ends_where_its_content_does() {
    // Its text looks like the next entry.
    let inner = b"\n/registry/x\nk8s\0\x0a\x04";
    let raw = [
        &b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x13"[..],
        inner,
        b"\x1a\x00\x22\x00",
    ]
    .concat();
    let text = [
        b"/registry/a\n",
        &raw[..],
        b"\n/registry/b\n{\"a\":\"\\n\"}\n\n/registry/c\nplain\ntext\n/registry/d\n",
        OBJECT,
        b"\n",
    ];
    let pasted = Pasted::read(&text.concat()).unwrap();
    let values: Vec<&[u8]> = pasted.values.iter().map(|value| &*value.value).collect();
    assert_eq!(
        values,
        [&raw[..], b"{\"a\":\"\\n\"}\n", b"plain\ntext", OBJECT]
    );
}

#[test]
fn lines_that_a_dump_leaves_out_are_repeated_up_to_a_limit() {
    let lines = |count: u64| {
        let end = 32 + count * 16;
        format!(
            "00000000: {}\n00000010: {}\n*\n{end:08x}: 41\n",
            "6b38 7300 ".repeat(4).trim_end(),
            "2020 ".repeat(8).trim_end()
        )
    };
    let (forms, value) = read(&lines(3));
    assert_eq!((forms, value.len()), (vec![Form::Xxd], 16 + 4 * 16 + 1));
    assert!(value[16..80].iter().all(|byte| *byte == b' '));
    assert_eq!(fault(lines(1 << 24).as_bytes()), Fault::DumpLine(4));
    let endless = "00000000: 6b38\n*\n";
    assert_eq!(fault(endless.as_bytes()), Fault::DumpLine(2));
}

/// The offset 400 has one meaning in each radix: without a further line the number of repeated lines is unknown.
#[test]
fn offsets_of_unknown_radix_are_not_guessed() {
    let first = format!("0000000 {}", hex(&[b'k'; 16], " "));
    assert_eq!(
        fault(format!("{first}\n*\n0000400\n").as_bytes()),
        Fault::DumpLine(3)
    );
}

#[test]
fn forms_around_forms_end() {
    let mut text = hex(OBJECT, "");
    for _ in 0..8 {
        text = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    assert_eq!(fault(text.as_bytes()), Fault::TooManyForms);
}

/// Every form, cut at every byte and with every byte changed, is recognised or refused; a form that is read is never
/// longer than the limits.
#[test]
fn no_input_is_too_damaged() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/decode");
    let (mut inputs, mut seed) = (0, 1_u64);
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for at in 0..bytes.len().min(600) {
            drop(Pasted::read(&bytes[..at]));
            let mut changed = bytes.clone();
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            changed[at] ^= seed.to_be_bytes()[0] | 1;
            drop(Pasted::read(&changed));
            inputs += 2;
        }
    }
    assert!(inputs > 5000, "read {inputs} inputs");
}
