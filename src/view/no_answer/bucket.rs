//! Why there is no answer about a bucket.

use crate::query::no_answer::NoAnswer;

use super::super::command::{Invocation, quoted};
use super::{Text, hinted, plain};

/// How many names a sentence has.
const NAMED: usize = 10;

pub(super) fn text(no: &NoAnswer, run: &Invocation) -> Text {
    match no {
        NoAnswer::ForeignBuckets { path, buckets } if buckets.is_empty() => plain(format!(
            "{}: a bbolt file without buckets: nobody wrote to it",
            path.display()
        )),
        NoAnswer::ForeignBuckets { path, buckets } => {
            let first = buckets
                .first()
                .map_or_else(String::new, |name| quoted(name));
            hinted(
                format!(
                    "{}: a bbolt file, not etcd's: its buckets are {}",
                    path.display(),
                    listed(buckets)
                ),
                format!(
                    "`{}` lists its buckets, `{}` the keys of one",
                    run.line("buckets", &[]),
                    run.line("ls", &["--bucket".to_owned(), first])
                ),
            )
        }
        NoAnswer::NoBucket { name, buckets, .. } if buckets.is_empty() => {
            plain(format!("no bucket {name}"))
        }
        NoAnswer::NoBucket {
            name,
            inside,
            buckets,
        } => {
            let inside = inside.as_deref().unwrap_or("it");
            hinted(
                format!("no bucket {name}"),
                format!("{inside} has {}", listed(buckets)),
            )
        }
        NoAnswer::SeveralBuckets { path, buckets } => hinted(
            format!(
                "{path} is the path of {} buckets, whose names have slashes",
                buckets.len()
            ),
            format!("they can be typed as {}", listed(buckets)),
        ),
        NoAnswer::NoKeyInBucket(path) => plain(format!("no keys match in bucket {path}")),
        _ => plain("no such bucket"),
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = if names.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}
