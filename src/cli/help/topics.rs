//! The topics of `help TOPIC`: pages in `docs/help`, which the tests run.

/// A topic: its name, what it is about, its page in Markdown.
type Topic = (&'static str, &'static str);

macro_rules! topic {
    ($name:literal, $file:literal) => {
        ($name, include_str!(concat!("../../../docs/", $file)))
    };
}

/// All topics, in the order in which a newcomer needs them.
const TOPICS: [Topic; 10] = [
    topic!("addresses", "help/addresses.md"),
    topic!("revisions", "help/revisions.md"),
    topic!("times", "help/times.md"),
    topic!("exit-codes", "help/exit-codes.md"),
    topic!("formats", "help/formats.md"),
    topic!("fields", "reference/formats.md"),
    topic!("secrets", "help/secrets.md"),
    topic!("from-etcdctl", "help/from-etcdctl.md"),
    topic!("from-kubectl", "help/from-kubectl.md"),
    topic!("from-auger", "help/from-auger.md"),
];

/// The names of the topics.
pub fn names<'n>() -> impl Iterator<Item = &'n str> {
    TOPICS.iter().map(|(name, _)| *name)
}

/// The text of a topic, for a terminal.
pub fn text(name: &str) -> Option<String> {
    let (_, page) = TOPICS.iter().find(|(topic, _)| *topic == name)?;
    Some(plain(page))
}

/// Markdown as text: headings without their `#`, blocks of code indented and without their fences.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut is_code = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            continue;
        }
        let line = if is_code {
            text.push_str("    ");
            line
        } else {
            line.trim_start_matches('#').trim_start()
        };
        text.truncate(
            text.len()
                .saturating_sub(if line.is_empty() && is_code { 4 } else { 0 }),
        );
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_shown_as_text() {
        let page = "# Title\n\nWords.\n\n```console\n$ etcdive\n\nout\n```\n";
        assert_eq!(plain(page), "Title\n\nWords.\n\n    $ etcdive\n\n    out\n");
    }
}
