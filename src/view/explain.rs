//! What each code means, for whoever has to act on it: the sections of `docs/reference/codes.md`.

use crate::diag::{Code, Severity};

use super::answer_part::AnswerPart;
use super::style::{Paint, Style};
use super::table::{self, plain};

/// A section a code, under its name.
const SECTIONS: &str = include_str!("../../docs/reference/codes.md");

/// Between two sections.
const HEAD: &str = "\n## ";

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS
        .split(HEAD)
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
}

/// What a code means, how it comes about, what is lost, what to do.
pub fn explained(code: Code) -> Option<&'static str> {
    let mut sections = sections();
    let found = sections.find(|(name, _)| *name == code.as_str());
    found.map(|(_, text)| text.trim_end())
}

/// A code with its whole description.
pub fn parts(code: Code) -> Vec<AnswerPart> {
    let (consequence, paint): (_, fn(&Style) -> Paint) = match code.severity() {
        Severity::Error => ("may hide records", |style| style.error),
        Severity::Warning => ("every record could be read", |style| style.warning),
        Severity::Info => ("worth knowing", |style| style.note),
    };
    let severity = code.severity().as_str();
    let name = code.to_string();
    let layer = code.layer();
    let head = format!("{name}: {severity} ({consequence}), layer {layer}");
    let mut parts = vec![
        AnswerPart::painted(head, name.len(), paint),
        AnswerPart::line(""),
    ];
    let explained = explained(code).unwrap_or("Nothing more is known.");
    parts.extend(AnswerPart::paragraphs(explained));
    parts
}

/// Every code with its severity, its layer and the first sentence about it; on a terminal as wide as that.
pub fn list(style: &Style) -> String {
    let mut rows = plain(&["CODE", "SEVERITY", "LAYER", "MEANS"]);
    for code in Code::ALL {
        let means = explained(*code).unwrap_or_default();
        let first = means.lines().next().unwrap_or_default();
        let end = first.find([':', '.', ';']).unwrap_or(first.len());
        let first = first.get(..end).unwrap_or(first);
        rows.add_row([code.as_str(), code.severity().as_str(), code.layer(), first]);
    }
    if let Some(width) = style.width {
        table::fit(&mut rows, width);
    }
    table::text(rows, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_section_and_every_section_a_code() {
        for code in Code::ALL {
            let text = explained(*code).unwrap_or_default();
            let lines = text.lines().count();
            assert!((3..=8).contains(&lines), "{code}: {lines} lines");
            for part in ["Lost: ", "Do: "] {
                let with = text.lines().filter(|line| line.starts_with(part));
                assert_eq!(with.count(), 1, "{code}: {part}");
            }
            let findings = sections().filter(|(name, _)| *name == code.as_str());
            assert_eq!(findings.count(), 1, "{code}");
        }
        assert_eq!(sections().count(), Code::ALL.len());
    }
}
