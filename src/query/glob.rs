//! Patterns of names: `*` is any text, `?` one byte.

use regex::bytes::Regex;

/// A name, or a pattern of names.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    /// None if the text is one name.
    pattern: Option<Regex>,
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Glob {
    /// Reads a name or a pattern. A pattern that is too long to be compiled is a name.
    pub fn parse(text: &str) -> Self {
        let is_pattern = text.contains(['*', '?']);
        Self {
            text: text.to_owned(),
            pattern: is_pattern.then(|| compile(text).ok()).flatten(),
        }
    }

    /// Whether it is one name and no pattern.
    pub fn is_one(&self) -> bool {
        self.pattern.is_none()
    }

    /// Whether it matches a name as a whole.
    pub fn matches(&self, name: &[u8]) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.is_match(name),
            None => self.text.as_bytes() == name,
        }
    }
}

/// The regular expression of a pattern, which matches a name as a whole. It takes time in the length of the name,
/// whatever the stars.
///
/// # Errors
/// When the pattern is too long.
pub fn compile(text: &str) -> Result<Regex, regex::Error> {
    let mut pattern = String::from(r"(?s-u)\A");
    let mut literal = [0; 4];
    for c in text.chars() {
        match c {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            // Not all characters are allowed where bytes are matched.
            c if c.is_ascii() => pattern.push_str(&regex::escape(c.encode_utf8(&mut literal))),
            c => {
                let bytes = c.encode_utf8(&mut literal).bytes();
                pattern.extend(bytes.map(|byte| format!(r"\x{byte:02x}")));
            }
        }
    }
    pattern.push_str(r"\z");
    Regex::new(&pattern)
}

/// Names and patterns as they are typed after `-n` and `--cluster`. One has to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globs {
    globs: Vec<Glob>,
}

impl Globs {
    /// Reads names and patterns. None if the list is empty.
    pub fn parse(texts: &[String]) -> Option<Self> {
        let globs: Vec<Glob> = texts.iter().map(|text| Glob::parse(text)).collect();
        (!globs.is_empty()).then_some(Self { globs })
    }

    /// Whether a name is one of them.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.globs.iter().any(|glob| glob.matches(name))
    }

    /// The names among them, without the patterns.
    pub fn names(&self) -> Vec<String> {
        let names = self.globs.iter().filter(|glob| glob.is_one());
        names.map(|glob| glob.text.clone()).collect()
    }

    /// Whether they are one name.
    pub fn is_one(&self) -> bool {
        matches!(self.globs.as_slice(), [glob] if glob.is_one())
    }

    /// As they are typed.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.globs.iter().map(|glob| glob.text.as_str()).collect();
        texts.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_a_name_as_a_whole() {
        for (text, name, matches) in [
            ("web", "web", true),
            ("web", "web-1", false),
            ("web*", "web", true),
            ("web*", "web-1", true),
            ("*-1", "web-1", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("*", "", true),
            ("a.c", "abc", false),
            ("\u{e9}*", "\u{e9}1", true),
        ] {
            assert_eq!(
                Glob::parse(text).matches(name.as_bytes()),
                matches,
                "{text} {name}"
            );
        }
        assert!(Glob::parse("web").is_one() && !Glob::parse("w*").is_one());
    }

    #[test]
    fn one_of_several_namespaces_has_to_match() {
        let texts = ["dev".to_owned(), "kube-*".to_owned()];
        let namespaces = Globs::parse(&texts);
        assert_eq!(
            namespaces.as_ref().map(Globs::text).as_deref(),
            Some("dev,kube-*")
        );
        let matches = |name: &str| {
            namespaces
                .as_ref()
                .is_some_and(|all| all.matches(name.as_bytes()))
        };
        assert!(matches("dev") && matches("kube-system") && !matches("prod"));
        assert_eq!(Globs::parse(&[]), None);
    }
}
