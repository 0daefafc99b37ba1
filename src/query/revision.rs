//! Revisions as they are typed: `123`, `123.2`, `@`, `@~5`; of one object `v3`, `~1`, `created`, `deleted`;
//! and ranges of them, `A..B`.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

/// A revision, of the store or of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionExpr {
    /// `123`: a main revision.
    Main(i64),
    /// `123.2`: one record of a transaction.
    Record(i64, i64),
    /// `@`, `@~5`: the newest main revision, or so many before it.
    Head(i64),
    /// `v3`: the put of this number since the object's creation, of the newest incarnation that has it.
    Version(i64),
    /// `~1`: so many events of the object before its newest.
    Back(usize),
    /// `created`: the first put of the newest incarnation.
    Created,
    /// `deleted`: the newest deletion.
    Deleted,
}

/// What a text that is no revision should have been.
pub const FORMS: &str =
    "a revision is 123, 123.2, @ (the newest), @~5; of one object also v3, ~1, created, deleted";

impl FromStr for RevisionExpr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| -> Option<i64> {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let parsed = match text {
            "@" | "HEAD" | "head" => Some(Self::Head(0)),
            "created" => Some(Self::Created),
            "deleted" => Some(Self::Deleted),
            _ => None,
        };
        parsed
            .or_else(|| number(text).filter(|main| *main > 0).map(Self::Main))
            .or_else(|| {
                let (main, sub) = text.split_once('.')?;
                Some(Self::Record(
                    number(main).filter(|main| *main > 0)?,
                    number(sub)?,
                ))
            })
            .or_else(|| {
                let back = text.strip_prefix("@~").or(text.strip_prefix("HEAD~"))?;
                number(back).map(Self::Head)
            })
            .or_else(|| number(text.strip_prefix('v')?).map(Self::Version))
            .or_else(|| {
                let back = number(text.strip_prefix('~')?)?;
                usize::try_from(back).ok().map(Self::Back)
            })
            .ok_or_else(|| {
                if looks_like_time(text) {
                    format!("{FORMS}; a time is for --at-time")
                } else {
                    FORMS.to_owned()
                }
            })
    }
}

/// Whether a text that is no revision is a time or a date: `21:05`, `2026-11-29`.
fn looks_like_time(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_digit());
    starts && text.contains([':', '-'])
}

impl fmt::Display for RevisionExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main(main) => write!(f, "{main}"),
            Self::Record(main, sub) => write!(f, "{main}.{sub}"),
            Self::Head(0) => f.write_str("@"),
            Self::Head(back) => write!(f, "@~{back}"),
            Self::Version(number) => write!(f, "v{number}"),
            Self::Back(back) => write!(f, "~{back}"),
            Self::Created => f.write_str("created"),
            Self::Deleted => f.write_str("deleted"),
        }
    }
}

/// The parts of `ADDRESS@REV`; none if what follows the `@` is no revision. The first `@` counts after which one
/// follows: `pods@@~5` is `pods` at `@~5`.
pub fn split_revision(word: &OsString) -> Option<(OsString, RevisionExpr)> {
    let text = word.to_str()?;
    let mut signs = text.match_indices('@');
    signs.find_map(|(at, _)| {
        let (address, revision) = text.split_at_checked(at)?;
        let revision = revision.strip_prefix('@')?.parse().ok()?;
        (!address.is_empty()).then(|| (address.into(), revision))
    })
}

impl RevisionExpr {
    /// Whether it is a revision of one object, which depends on the history of that object.
    pub fn is_of_object(self) -> bool {
        matches!(
            self,
            Self::Version(_) | Self::Back(_) | Self::Created | Self::Deleted
        )
    }
}

/// `A..B`, `A..`, `..B`: what is not named is the oldest or the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeExpr {
    /// Where it begins.
    pub from: Option<RevisionExpr>,
    /// Where it ends.
    pub to: Option<RevisionExpr>,
}

impl RangeExpr {
    /// Whether a text has the form of a range.
    pub fn looks_like_one(text: &str) -> bool {
        text.split_once("..").is_some_and(|(from, to)| {
            let is_end = |end: &str| end.is_empty() || end.parse::<RevisionExpr>().is_ok();
            is_end(from) && is_end(to)
        })
    }
}

impl FromStr for RangeExpr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text
            .split_once("..")
            .ok_or_else(|| format!("a range is A..B, A.. or ..B; {FORMS}"))?;
        let end = |end: &str| match end {
            "" => Ok(None),
            end => end.parse().map(Some),
        };
        Ok(Self {
            from: end(from)?,
            to: end(to)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_revision_is_read() {
        for (text, revision) in [
            ("123", RevisionExpr::Main(123)),
            ("123.2", RevisionExpr::Record(123, 2)),
            ("@", RevisionExpr::Head(0)),
            ("@~5", RevisionExpr::Head(5)),
            ("HEAD~5", RevisionExpr::Head(5)),
            ("v3", RevisionExpr::Version(3)),
            ("~1", RevisionExpr::Back(1)),
            ("created", RevisionExpr::Created),
            ("deleted", RevisionExpr::Deleted),
        ] {
            assert_eq!(text.parse(), Ok(revision), "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "1.",
            ".1",
            "1.2.3",
            "@5",
            "~",
            "v",
            "v-1",
            "x",
            "1 ",
            "99999999999999999999",
        ] {
            assert_eq!(
                text.parse::<RevisionExpr>(),
                Err(FORMS.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_in_the_place_of_a_revision_is_told_from_a_mistyped_one() {
        for (text, is_time) in [
            ("21:05", true),
            ("2026-11-29T09:00:00Z", true),
            ("5x", false),
            ("-5", false),
        ] {
            let error = text.parse::<RevisionExpr>().unwrap_err();
            assert_eq!(
                error.ends_with("a time is for --at-time"),
                is_time,
                "{text}"
            );
        }
    }

    #[test]
    fn a_revision_after_an_address_is_parted_from_it() {
        let split = |word: &str| {
            split_revision(&word.into())
                .map(|(address, revision)| (address.into_string().unwrap_or_default(), revision))
        };
        for (word, address, revision) in [
            ("pods@5", "pods", RevisionExpr::Main(5)),
            ("pods@@", "pods", RevisionExpr::Head(0)),
            ("pods@@~5", "pods", RevisionExpr::Head(5)),
            ("pod/a@v3", "pod/a", RevisionExpr::Version(3)),
            ("pod/a@~1", "pod/a", RevisionExpr::Back(1)),
            ("a@b@5", "a@b", RevisionExpr::Main(5)),
            ("/k@2.1", "/k", RevisionExpr::Record(2, 1)),
        ] {
            assert_eq!(split(word), Some((address.to_owned(), revision)), "{word}");
            assert_eq!(revision.to_string().parse(), Ok(revision));
        }
        for word in ["pods", "@5", "@", "a@b", "a@", "a@5x"] {
            assert_eq!(split(word), None, "{word}");
        }
    }

    #[test]
    fn a_range_may_be_open_at_either_end() {
        let range = |from, to| Ok(RangeExpr { from, to });
        assert_eq!(
            "5..@~1".parse(),
            range(Some(RevisionExpr::Main(5)), Some(RevisionExpr::Head(1)))
        );
        assert_eq!("5..".parse(), range(Some(RevisionExpr::Main(5)), None));
        assert_eq!("..v2".parse(), range(None, Some(RevisionExpr::Version(2))));
        assert!("5".parse::<RangeExpr>().is_err() && "5..x".parse::<RangeExpr>().is_err());
        assert!(RangeExpr::looks_like_one("1..2") && RangeExpr::looks_like_one(".."));
        assert!(!RangeExpr::looks_like_one("/registry/a..b") && !RangeExpr::looks_like_one("pods"));
    }
}
