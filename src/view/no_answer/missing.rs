//! Why nothing is found at an address, as a sentence and a hint.

use crate::named::key_text;
use crate::query::address::Address;
use crate::query::not_found::{Deleted, Missing, NameKind, Why};

use super::{Text, hinted, plain};
use crate::view::command::{Invocation, quoted, words};
use crate::view::human::{first_of, plural};
use crate::view::time;

/// The subject of a sentence about an address: `pods "web-1" in namespace "shop"`.
fn subject(address: &Address) -> String {
    let Address::Objects(objects) = address else {
        return address.text();
    };
    let mut text = objects.types.clone();
    if let Some(name) = &objects.name {
        text.push_str(&format!(" \"{name}\""));
    }
    if let Some(namespace) = &objects.namespace {
        text.push_str(&format!(" in namespace \"{namespace}\""));
    }
    if let Some(cluster) = &objects.cluster {
        text.push_str(&format!(" in logical cluster \"{cluster}\""));
    }
    text
}

pub(super) fn text(missing: &Missing, run: &Invocation) -> Text {
    let subject = missing.address.as_ref().map(subject).unwrap_or_default();
    let message = match &missing.address {
        Some(Address::Key(_)) => format!("no key {subject}"),
        Some(Address::Prefix(_)) => format!("no key starts with {subject}"),
        Some(Address::Objects(_)) => format!("{subject} not found"),
        None => "nothing found".to_owned(),
    };
    match &missing.why {
        Why::MayBeHidden => plain(format!("{message}, and damage may hide it")),
        Why::Unknown { kind, names, near } => unknown(*kind, names, near, run),
        Why::NotInCluster {
            namespace,
            cluster,
            near,
        } => not_in_cluster(namespace, cluster, near, run),
        Why::Deleted(deleted) => was_deleted(missing.address.as_ref(), deleted, run),
        Why::MayBeEncrypted(count) => may_be_encrypted(&message, *count),
        Why::Later { at, first } => hinted(
            format!("{message} at revision {at}: first written at revision {first}"),
            format!("`{}`", run.line_at(missing.address.as_ref(), *first)),
        ),
        Why::NotKubernetes => {
            let line = run.line("ls", &["--kinds".to_owned()]);
            hinted(message, format!("`{line}` lists the prefixes of the keys"))
        }
        why => match what_exists(why, missing.address.as_ref(), &subject) {
            Some(hint) => hinted(message, hint),
            None => plain(message),
        },
    }
}

fn not_in_cluster(namespace: &str, cluster: &str, near: &[String], run: &Invocation) -> Text {
    let message = format!(
        "unknown namespace \"{}\" in logical cluster \"{}\": no retained revision has it",
        key_text(namespace.as_bytes()),
        key_text(cluster.as_bytes())
    );
    if !near.is_empty() {
        let near: Vec<_> = near.iter().map(|name| key_text(name.as_bytes())).collect();
        return hinted(message, format!("did you mean {}?", near.join(", ")));
    }
    let words = ["--namespaces", "--cluster", &quoted(cluster)].map(str::to_owned);
    let line = run.line("ls", &words);
    hinted(message, format!("`{line}` lists them"))
}

fn may_be_encrypted(message: &str, count: usize) -> Text {
    let definitions = plural(
        count,
        "encrypted definition exists",
        "encrypted definitions exist",
    );
    hinted(
        format!("{message}, and {definitions} that may define it"),
        "`--encryption-config FILE` decrypts custom resource definitions",
    )
}

/// What exists in place of an address that matches nothing.
fn what_exists(why: &Why, address: Option<&Address>, subject: &str) -> Option<String> {
    Some(match why {
        Why::IsFolder { keys: 1, first } => format!("{} exists", key_text(first)),
        Why::IsFolder { keys, first } => format!(
            "{keys} keys start with {subject}/, the first is {}; with the slash at the end it is a prefix",
            key_text(first)
        ),
        Why::NoObjects => {
            let types = match address {
                Some(Address::Objects(objects)) => objects.types.as_str(),
                _ => "such objects",
            };
            format!("the store contains no {types}")
        }
        Why::Elsewhere { count, first } => {
            let narrowed = match address {
                Some(Address::Objects(objects)) => {
                    (objects.namespace.is_some(), objects.cluster.is_some())
                }
                _ => (true, false),
            };
            let others = match narrowed {
                (true, true) => "other namespaces or logical clusters",
                (false, true) => "other logical clusters",
                _ => "other namespaces",
            };
            format!(
                "{} in {others}, the first is {}",
                plural(*count, "exists", "exist"),
                key_text(first)
            )
        }
        Why::SameName(keys) => {
            let keys: Vec<_> = keys.iter().map(|key| key_text(key)).collect();
            format!("{} exists", keys.join(", "))
        }
        Why::NameWithSlash { types, name } => {
            format!(
                "`{types} {name}` is one object, `{types}` all; raw prefixes begin with a slash"
            )
        }
        Why::Nothing { near } if !near.is_empty() => {
            format!("did you mean {}?", near.join(", "))
        }
        _ => return None,
    })
}

fn unknown(kind: NameKind, names: &[String], near: &[String], run: &Invocation) -> Text {
    let (what, list) = match kind {
        NameKind::Resource => ("resource", run.line("ls", &["--kinds".to_owned()])),
        NameKind::CustomResource => (
            "custom resource",
            run.line("ls", &["--kinds".to_owned(), "--custom".to_owned()]),
        ),
        NameKind::Namespace => ("namespace", run.line("ls", &["--namespaces".to_owned()])),
        NameKind::Cluster => (
            "logical cluster",
            run.line("ls", &["--namespaces".to_owned()]),
        ),
        NameKind::Manager => ("field manager", run.line("log", &["-o jsonl".to_owned()])),
    };
    let shown: Vec<String> = names
        .iter()
        .map(|name| format!("\"{}\"", key_text(name.as_bytes())))
        .collect();
    let message = format!(
        "unknown {what} {}: no retained revision has it",
        first_of(&shown, crate::near::SUGGESTED)
    );
    if near.is_empty() {
        let verb = match kind {
            NameKind::Manager => "shows the managers of each change",
            _ => "lists them",
        };
        return hinted(message, format!("`{list}` {verb}"));
    }
    let near: Vec<_> = near.iter().map(|name| key_text(name.as_bytes())).collect();
    hinted(message, format!("did you mean {}?", near.join(", ")))
}

fn was_deleted(address: Option<&Address>, deleted: &Deleted, run: &Invocation) -> Text {
    let when = match time::text(&deleted.time) {
        time if time == "-" => String::new(),
        time => format!(" ({time})"),
    };
    let revision = deleted.revision;
    let subject = address.map(subject).unwrap_or_default();
    let message = match address {
        _ if deleted.namespace.is_some() => format!(
            "namespace \"{}\"{} was deleted at revision {revision}{when}",
            deleted.namespace.as_deref().unwrap_or_default(),
            match &deleted.cluster {
                Some(cluster) => format!(" in logical cluster \"{cluster}\""),
                None => String::new(),
            }
        ),
        Some(address) if address.names_one() => {
            format!("{subject} was deleted at revision {revision}{when}")
        }
        _ => {
            let subject = match address {
                Some(Address::Prefix(_)) => format!("no live key starts with {subject}"),
                _ => format!("{subject} not found"),
            };
            format!(
                "{subject}: {}, the last at revision {revision}{when}",
                plural(deleted.keys, "was deleted", "were deleted")
            )
        }
    };
    let words = match (address, &deleted.namespace) {
        (_, Some(namespace)) => {
            let mut words = vec!["-n".to_owned(), quoted(namespace)];
            if let Some(cluster) = &deleted.cluster {
                words.extend(["--cluster".to_owned(), quoted(cluster)]);
            }
            words
        }
        (Some(address), None) => words(address),
        (None, None) => Vec::new(),
    };
    let before = deleted.before;
    if deleted.is_before_compacted {
        let line = run.line("log", &[words, vec!["--carve".to_owned()]].concat());
        return hinted(
            message,
            format!(
                "the state before it is compacted (history is retained from revision {}); `{line}` searches freed pages",
                deleted.compacted
            ),
        );
    }
    let line = match deleted.namespace {
        Some(_) => run.line("ls", &[words, vec![format!("--at {before}")]].concat()),
        None => run.line_at(address, before),
    };
    hinted(message, format!("`{line}`"))
}
