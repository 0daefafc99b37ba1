//! Comments in YAML. Their text may come from the file, and must not leave its line.
//!
//! What ends a line differs from reader to reader (U+0085, U+2028 and U+2029 do in YAML 1.1), so comments are ASCII.

/// The longest comment, in characters: some screens. What is longer ends in `...`.
const LONGEST_COMMENT: usize = 1000;

/// The longest value in a comment, in characters: no name of Kubernetes is longer than 253.
const LONGEST_VALUE: usize = 253;

/// A comment of one line, without its line feed: `# text`. Everything but printable ASCII is escaped: `\u{2028}`.
pub fn comment(text: &str) -> String {
    format!("# {}", escaped(text, LONGEST_COMMENT))
}

/// A value from the file, as it is named in a comment.
pub fn value_in_comment(value: &str) -> String {
    escaped(value, LONGEST_VALUE)
}

fn escaped(text: &str, longest: usize) -> String {
    let mut line = String::new();
    let mut left = longest;
    for c in text.chars() {
        if left == 0 {
            line.push_str("...");
            break;
        }
        left = left.saturating_sub(1);
        match c {
            ' '..='~' => line.push(c),
            _ => line.extend(c.escape_unicode()),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_one_line_of_ascii_for_every_character() {
        for c in '\0'..=char::MAX {
            let text = comment(&format!("a{c}b"));
            assert!(
                text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{c:?}"
            );
            assert!(text.starts_with("# a") && text.ends_with('b'), "{c:?}");
        }
        assert_eq!(comment("a\u{2028}---\tb"), "# a\\u{2028}---\\u{9}b");
    }

    #[test]
    fn long_comments_and_values_are_cut() {
        let long = "\u{2028}".repeat(100_000);
        assert!(comment(&long).len() <= "# ...".len() + LONGEST_COMMENT * "\\u{2028}".len());
        assert!(comment(&long).ends_with("\\u{2028}..."));
        let name = "n".repeat(LONGEST_VALUE);
        assert_eq!(value_in_comment(&name), name);
        assert_eq!(value_in_comment(&(name.clone() + "n")), name + "...");
    }
}
