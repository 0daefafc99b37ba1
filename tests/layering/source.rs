//! The sources as text in which only code is left: no comments, no contents of texts, no tests. Line numbers stay.

use std::sync::LazyLock;

use crate::support::{files_below, repository};

/// One Rust file of the repository.
pub struct Source {
    /// Its path below the repository, with `/`.
    pub path: String,
    /// Its text as it is written.
    pub text: String,
    /// The same without its tests; only of files of the crate.
    pub untested: String,
    /// The same without comments and texts: code only.
    pub code: String,
}

/// All Rust files, read once.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "xtask", "fuzz"] {
        for path in files_below(&repository().join(folder)) {
            let relative = path.strip_prefix(repository()).unwrap();
            let relative = relative.to_str().unwrap().replace('\\', "/");
            // A package of its own has a folder of compiled and generated files.
            if !relative.ends_with(".rs") || relative.contains("/target/") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let (untested, code) = if folder == "src" {
                without_tests(&text)
            } else {
                <_>::default()
            };
            sources.push(Source {
                path: relative,
                text,
                untested,
                code,
            });
        }
    }
    sources
});

/// All Rust files of the repository; of those outside of `src` the code is not read.
pub fn all_sources() -> &'static [Source] {
    let sources = &*SOURCES;
    assert!(sources.len() > 400, "found {} Rust files", sources.len());
    sources
}

/// The files of the crate itself.
pub fn crate_sources() -> impl Iterator<Item = &'static Source> {
    let is_of_crate = |source: &&Source| source.path.starts_with("src/");
    all_sources().iter().filter(is_of_crate)
}

/// The text with comments and the contents of strings and characters as blanks.
fn without_texts(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !is_in_name(bytes, at) => raw_string_end(bytes, at),
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        if end > at {
            push_blanks(&mut out, &bytes[at..end]);
            at = end;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// Blanks instead of these bytes, with the ends of their lines.
fn push_blanks(out: &mut Vec<u8>, bytes: &[u8]) {
    let blank = |byte: &u8| if *byte == b'\n' { b'\n' } else { b' ' };
    out.extend(bytes.iter().map(blank));
}

/// Whether the byte before belongs to the same name. The `b` of `br"..."` does not.
fn is_in_name(bytes: &[u8], at: usize) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let before = |back: usize| at.checked_sub(back).map(|at| bytes[at]);
    match before(1) {
        Some(b'b') => before(2).is_some_and(is_word),
        Some(byte) => is_word(byte),
        None => false,
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    let length = bytes[at..].iter().position(|byte| *byte == b'\n');
    length.map_or(bytes.len(), |length| at + length)
}

/// The end of a comment that may have comments in it.
fn comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < bytes.len() {
        match (bytes[end], bytes.get(end + 1)) {
            (b'/', Some(b'*')) => (depth, end) = (depth + 1, end + 2),
            (b'*', Some(b'/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

/// The end of `r"..."` or `r#"..."#`; the start itself if it is none.
fn raw_string_end(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#');
    let hashes = hashes.count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return at;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let rest = &bytes[open + 1..];
    let length = rest.windows(close.len()).position(|part| part == close);
    length.map_or(bytes.len(), |length| open + 1 + length + close.len())
}

/// The end of `'x'` or `'\n'`; the start itself if it is a lifetime.
fn char_end(bytes: &[u8], at: usize) -> usize {
    let is_char = match bytes.get(at + 1) {
        Some(b'\\') => true,
        Some(byte) if byte.is_ascii() => bytes.get(at + 2) == Some(&b'\''),
        Some(_) => true,
        None => false,
    };
    // After the backslash comes a character, which may be a quote.
    let rest = bytes.get(at + 3..).unwrap_or_default();
    match rest.iter().position(|byte| *byte == b'\'') {
        _ if !is_char => at,
        _ if bytes[at + 2] == b'\'' && bytes[at + 1] != b'\\' => at + 3,
        Some(length) => at + 3 + length + 1,
        None => at,
    }
}

/// The text and its code with every item under `#[cfg(test)]` or `#[cfg(all(test, ..))]` as blanks.
fn without_tests(text: &str) -> (String, String) {
    let tests = regex::Regex::new(r"#\[cfg\((?:test\)|all\(test\b)").unwrap();
    // Each byte has its place in both.
    let code = without_texts(text);
    let mut both = [text.as_bytes(), code.as_bytes()].map(|whole| (whole, Vec::new()));
    let mut from = 0;
    while let Some(found) = tests.find_at(&code, from) {
        let end = item_end(&code, found.start());
        for (whole, out) in &mut both {
            out.extend_from_slice(&whole[from..found.start()]);
            push_blanks(out, &whole[found.start()..end]);
        }
        from = end;
    }
    let [text, code] = both.map(|(whole, mut out)| {
        out.extend_from_slice(&whole[from..]);
        String::from_utf8(out).unwrap()
    });
    (text, code)
}

/// Where an item ends: after its block, or after its semicolon.
pub fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(byte, b'}' | b';') {
            return at + 1;
        }
    }
    code.len()
}

#[test]
fn only_code_is_left_of_a_source() {
    let text = r###"
// use crate::comment;
/* use crate::a; /* nested */ use crate::b; */
const A: &str = "use crate::text; \" {";
const B: &str = r#"use crate::raw; " {"#;
const C: [char; 5] = ['{', '\'', '\u{7b}', '\\', 'ä'];
fn live<'a>(x: &'a str) {}
#[cfg(test)]
fn helper() { use crate::one; }
fn after() {}
#[cfg(all(test, unix))]
mod tests {
    use crate::two;
}
"###;
    let (untested, code) = without_tests(text);
    assert!(untested.contains("use crate::text") && !untested.contains("helper"));
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(!code.contains("crate"), "{code}");
    assert_eq!(code.matches('{').count(), 2, "{code}");
    assert_eq!(code.matches('\'').count(), 2, "{code}");
    assert!(code.contains("fn live<'a>(x: &'a str) {}"));
    assert!(code.contains("fn after() {}"));
}
