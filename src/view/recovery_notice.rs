//! The notices about the recovery of deleted objects, as lines for standard error.

use std::path::PathBuf;

use crate::named::key_text;
use crate::query::left_out::LeftOut;
use crate::query::recovery_notice::{
    EarlierLife, Keys, Kinds, RecoveryNotice, Summary, Terminating,
};
use crate::query::served_version::StoredVersion;

use super::command::{Invocation, quoted};
use super::human::plural;
use super::line::Line;
use super::recovery_comment::of_version;
use super::rows::Rows;
use super::table::cell;
use super::time;

/// How many kinds are named in a sentence.
const NAMED: usize = 6;

/// How many versions that are not served have a line.
const VERSIONS: usize = 20;

/// The lines of a notice.
#[must_use]
pub fn lines(notice: &RecoveryNotice, invocation: &Invocation) -> Vec<Line> {
    match notice {
        RecoveryNotice::NamespaceDeleted { .. } => vec![Line::Note(namespace_deleted(notice))],
        RecoveryNotice::NamespaceTerminating { .. } => namespace_terminating(notice, invocation),
        RecoveryNotice::ObjectsTerminating(objects, more) => {
            terminating(objects, *more, invocation)
        }
        RecoveryNotice::EarlierLives(lives, more) => earlier(lives, *more, invocation),
        RecoveryNotice::MadeAgain(keys) => made_again(keys, invocation),
        RecoveryNotice::TwoRuns => vec![Line::Hint(
            "run `kubectl create` twice: custom resources are refused until their definitions exist; the second run says AlreadyExists of all others".to_owned(),
        )],
        RecoveryNotice::Create { folders, too_long } => create(folders, *too_long),
        RecoveryNotice::SeveralClusters(count, first) => vec![
            Line::Note(format!(
                "the stream has manifests of {count} logical clusters, the first is {first}: each needs a `kubectl create` of its own"
            )),
            Line::Hint(
                "`--cluster NAME` narrows to one; `--out` writes a folder for each".to_owned(),
            ),
        ],
        RecoveryNotice::WithoutDefinition(names, keys) => {
            let words: Vec<String> = [vec!["crd".to_owned()], names.clone()].concat();
            let line = invocation.line("recover", &words);
            vec![
                Line::Note(format!(
                    "{} ({}), and no such definition comes back",
                    plural(keys.count, "custom resource needs a definition that was deleted", "custom resources need definitions that were deleted"),
                    first_of(keys)
                )),
                Line::Hint(format!("`{line}` brings the definitions back")),
            ]
        }
        RecoveryNotice::VolumeScript(path) => vec![Line::Hint(format!(
            "run {} first, on the cluster that the file is of: it frees the volumes of the claims",
            path.display()
        ))],
        RecoveryNotice::PutBack { key, file } => {
            let file = quoted(&file.to_string_lossy());
            let key = key.as_deref().map_or_else(|| "KEY".to_owned(), quoted);
            vec![Line::Hint(format!(
                "`etcdctl put {key} < {file}` puts a value back"
            ))]
        }
        RecoveryNotice::NotConverted { release, versions } => not_converted(release, versions),
        RecoveryNotice::Summary(summary) => {
            let (sentence, table) = self::summary(summary);
            let table = table.map(Line::Table);
            std::iter::once(Line::Note(sentence)).chain(table).collect()
        }
        _ => vec![Line::Note(text(notice))],
    }
}

/// The sentence about some keys.
fn text(notice: &RecoveryNotice) -> String {
    match notice {
        RecoveryNotice::StrictWebhooks(keys) => format!(
            "{} ({}): while its service has no running pod, the server refuses what it would have to ask about",
            plural(
                keys.count,
                "webhook configuration comes back",
                "webhook configurations come back"
            ),
            first_of(keys)
        ),
        RecoveryNotice::AskedServices(keys) => format!(
            "{} ({}), and its service comes back without a running pod: until one runs, the server refuses what it would have to ask about. Delete the configuration or set its failurePolicy to Ignore first",
            plural(
                keys.count,
                "webhook configuration exists",
                "webhook configurations exist"
            ),
            first_of(keys)
        ),
        RecoveryNotice::Limits(keys) => format!(
            "{} ({}) and may refuse what existed before: create it when the claims are Bound",
            plural(
                keys.count,
                "LimitRange comes back last",
                "LimitRanges come back last"
            ),
            first_of(keys)
        ),
        RecoveryNotice::DefaultAccounts(keys) => format!(
            "{} ({}): the controller makes it with the namespace. If kubectl create says AlreadyExists, run `kubectl replace -f` on that file",
            plural(
                keys.count,
                "account `default` comes back",
                "accounts `default` come back"
            ),
            first_of(keys)
        ),
        RecoveryNotice::Unreadable(keys) => format!(
            "{} cannot be read and {} not come back ({})",
            keys.count,
            if keys.count == 1 { "does" } else { "do" },
            first_of(keys)
        ),
        RecoveryNotice::FromFreedPages { count, of } => {
            format!("{count} of {of} come from freed pages: a later version of them may be lost")
        }
        RecoveryNotice::AfterDeletionBegan { keys, is_carved } => format!(
            "{} of them are as they were after their deletion began: the version before is not retained ({}){}",
            keys.count,
            first_of(keys),
            carve_may_help(*is_carved)
        ),
        RecoveryNotice::Older { keys, is_carved } => format!(
            "{} of them are older than they were: later versions are not retained ({}){}",
            keys.count,
            first_of(keys),
            carve_may_help(*is_carved)
        ),
        _ => text_of_manifests(notice),
    }
}

/// The sentence about the manifests of some keys.
fn text_of_manifests(notice: &RecoveryNotice) -> String {
    match notice {
        RecoveryNotice::NoObjects {
            keys,
            is_kubernetes,
        } => {
            let (one, many) = if *is_kubernetes {
                (
                    "value that is no Kubernetes object is",
                    "values that are no Kubernetes objects are",
                )
            } else {
                ("value is", "values are")
            };
            format!(
                "{} left out of the stream ({}): --out writes the values",
                plural(keys.count, one, many),
                first_of(keys)
            )
        }
        RecoveryNotice::Incomplete(keys) => format!(
            "{} ({}), and a server does not take it: the first lines of each say which fields have no name",
            plural(
                keys.count,
                "manifest is incomplete",
                "manifests are incomplete"
            ),
            first_of(keys)
        ),
        RecoveryNotice::WithoutOwners { keys, keeps_owners } => {
            let which = if *keeps_owners {
                "that do not exist"
            } else {
                "(--keep-owners keeps those to owners that exist)"
            };
            format!(
                "{} references to owners {which}: a garbage collector deletes what refers to an owner that it does not know ({})",
                plural(keys.count, "manifest lacks", "manifests lack"),
                first_of(keys)
            )
        }
        RecoveryNotice::Volumes(keys) => format!(
            "{} ({}): the first lines of each manifest say what became of the volume and how to get it back",
            plural(
                keys.count,
                "claim was bound to a volume",
                "claims were bound to volumes"
            ),
            first_of(keys)
        ),
        RecoveryNotice::Addresses(keys) => format!(
            "{} ({}): the first lines of each manifest have the old ones",
            plural(
                keys.count,
                "service gets new addresses or ports",
                "services get new addresses or ports"
            ),
            first_of(keys)
        ),
        _ => text_of_versions(notice),
    }
}

/// The sentence about the versions of some manifests.
fn text_of_versions(notice: &RecoveryNotice) -> String {
    match notice {
        RecoveryNotice::NotServed(keys) => format!(
            "{} in a version that its definition does not serve ({}): the first lines of each manifest say what to do",
            plural(keys.count, "object is stored", "objects are stored"),
            first_of(keys)
        ),
        RecoveryNotice::Outdated(keys, release) => format!(
            "{} in a version that Kubernetes {release} does not serve ({}): --for RELEASE writes versions that your cluster serves",
            plural(keys.count, "manifest is", "manifests are"),
            first_of(keys)
        ),
        _ => String::new(),
    }
}

/// A line for each version that objects stay in.
fn not_converted(release: &str, versions: &[(StoredVersion, Keys)]) -> Vec<Line> {
    let of_one = |(version, keys): &(StoredVersion, Keys)| {
        Line::Note(format!(
            "{} as stored for Kubernetes {release} ({}): {}",
            plural(keys.count, "object stays", "objects stay"),
            first_of(keys),
            of_version(version).trim_end_matches('.')
        ))
    };
    let mut lines: Vec<Line> = versions.iter().take(VERSIONS).map(of_one).collect();
    let more = versions.len().saturating_sub(VERSIONS);
    if more > 0 {
        lines.push(Line::Note(format!("objects stay in {more} more versions")));
    }
    lines
}

fn carve_may_help(is_carved: bool) -> &'static str {
    if is_carved {
        ""
    } else {
        "; --carve may find it"
    }
}

/// How to create the objects of folders.
fn create(folders: &[PathBuf], too_long: usize) -> Vec<Line> {
    let each = folders.iter().take(NAMED).map(|folder| {
        let folder = quoted(&folder.to_string_lossy());
        Line::Hint(format!(
            "`kubectl create -f {folder}` creates them in this order"
        ))
    });
    let mut lines: Vec<Line> = each.collect();
    if folders.len() > 1 {
        lines.push(Line::Note(format!(
            "{} folders are written, one for each logical cluster: set kubectl to that cluster first",
            folders.len()
        )));
    }
    let refused = match too_long {
        0 => String::new(),
        1 => ". It would refuse 1 of these files, which is too long for that".to_owned(),
        count => format!(". It would refuse {count} of these files, which are too long for that"),
    };
    lines.push(Line::Note(format!(
        "`kubectl apply` would record these manifests as the author's: the author's next apply would reset what others set since, such as replicas{refused}"
    )));
    lines
}

/// Which namespace of several with one name.
fn of_cluster(cluster: Option<&str>) -> String {
    cluster.map_or_else(String::new, |cluster| {
        format!(" of logical cluster {cluster}")
    })
}

fn namespace_deleted(notice: &RecoveryNotice) -> String {
    let RecoveryNotice::NamespaceDeleted {
        cluster,
        name,
        began,
        time,
        objects,
        deleted_at,
        is_before,
    } = notice
    else {
        return String::new();
    };
    let when = time::text(time);
    let of = of_cluster(cluster.as_deref());
    let mut text = format!("namespace {name}{of} turned Terminating at revision {began} ({when})");
    if let Some((count, first, last)) = objects {
        let went = plural(*count, "object in it was", "objects in it were");
        let when = if first == last {
            format!("at revision {first}")
        } else {
            format!("from revision {first} to {last}")
        };
        text.push_str(&format!("; {went} deleted {when}"));
    }
    if let Some(deleted_at) = deleted_at {
        text.push_str(&format!(", the namespace itself at {deleted_at}"));
    }
    if *is_before {
        text.push_str("; objects come back as they were before it turned Terminating");
    }
    text
}

fn namespace_terminating(notice: &RecoveryNotice, invocation: &Invocation) -> Vec<Line> {
    let RecoveryNotice::NamespaceTerminating {
        cluster,
        name,
        began,
        time,
        still_there,
        before,
    } = notice
    else {
        return Vec::new();
    };
    let when = time::text(time);
    let mut lines = vec![Line::Note(format!(
        "namespace {name}{} is Terminating since revision {began} ({when}): {} still in it and will be deleted; nothing can be created in it until it is removed",
        of_cluster(cluster.as_deref()),
        plural(*still_there, "object is", "objects are")
    ))];
    if let Some(before) = before {
        let mut words = vec!["-n".to_owned(), quoted(name)];
        if let Some(cluster) = cluster {
            words.extend(["--cluster".to_owned(), quoted(cluster)]);
        }
        words.push(format!("--at {before}"));
        let line = invocation.line("recover", &words);
        lines.push(Line::Hint(format!("`{line}` has all of it")));
    }
    lines
}

fn terminating(objects: &[Terminating], more: usize, invocation: &Invocation) -> Vec<Line> {
    let mut lines = Vec::new();
    for object in objects {
        let finalizers = match object.finalizers.as_slice() {
            [] => "it has no finalizer".to_owned(),
            names => {
                let names: Vec<String> = names.iter().map(|name| cell(name)).collect();
                format!(
                    "it is deleted when these finalizers are removed: {}",
                    names.join(", ")
                )
            }
        };
        let key = key_text(&object.key);
        lines.push(Line::Note(format!(
            "{key} is being deleted since revision {}: {finalizers}",
            object.began
        )));
        if let Some(before) = object.before {
            lines.push(at_hint(&key, before, "is the version before", invocation));
        }
    }
    if more > 0 {
        lines.push(Line::Note(format!("{more} more are being deleted")));
    }
    lines
}

fn earlier(lives: &[EarlierLife], more: usize, invocation: &Invocation) -> Vec<Line> {
    let mut lines = Vec::new();
    if more > 0 {
        lines.push(Line::Note(format!(
            "{more} earlier deletions are not shown"
        )));
    }
    for life in lives {
        let key = key_text(&life.key);
        let when = match life.deleted_at {
            Some(main) => format!("was deleted at revision {main}"),
            None => "was deleted at a revision that is not retained".to_owned(),
        };
        lines.push(Line::Note(format!(
            "{key} exists; an earlier object of this key {when}"
        )));
        lines.push(at_hint(&key, life.last, "shows it", invocation));
    }
    lines
}

fn made_again(keys: &Keys, invocation: &Invocation) -> Vec<Line> {
    let line = invocation.line("recover", &["1..@".to_owned()]);
    vec![
        Line::Note(format!(
            "{} ({}): they exist and are not listed",
            plural(
                keys.count,
                "object was deleted and created again",
                "objects were deleted and created again"
            ),
            first_of(keys)
        )),
        Line::Hint(format!(
            "`{line}` lists every retained deletion; with the name of one object `recover` has the command for each of its earlier versions"
        )),
    ]
}

fn at_hint(key: &str, revision: i64, what: &str, invocation: &Invocation) -> Line {
    let words = [quoted(key), format!("--at {revision} -o yaml")];
    Line::Hint(format!("`{}` {what}", invocation.line("recover", &words)))
}

/// What comes back, and a table of what does not, by reason.
#[must_use]
pub fn summary(summary: &Summary) -> (String, Option<Rows>) {
    let back = summary.back.count();
    let first = match back {
        0 => "nothing comes back".to_owned(),
        1 => format!("1 comes back ({})", kinds_text(&summary.back)),
        count => format!("{count} come back ({})", kinds_text(&summary.back)),
    };
    let first = match summary.incomplete {
        0 => first,
        count => format!("{first}, {count} of them incomplete"),
    };
    if summary.left_out.is_empty() {
        return (first, None);
    }
    let left: usize = summary
        .left_out
        .iter()
        .map(|(_, kinds)| kinds.count())
        .sum();
    // The column of sentences is the last one, which continues on the next line of a narrow terminal.
    let heads = ["COUNT", "BROUGHT BACK BY", "WHAT"];
    let mut table = Rows::new(&heads, &[0]).whole(&[1]).wrapped();
    for (reason, kinds) in &summary.left_out {
        let flag = match (reason, reason.flag()) {
            (_, None) => "-".to_owned(),
            (LeftOut::Controlled(_) | LeftOut::StorageGone, Some(flag)) => {
                format!("{flag}={}", reason.word())
            }
            (_, Some(flag)) => flag.to_owned(),
        };
        table.add(&[
            kinds.count().to_string(),
            flag,
            format!("{}: {}", reason_text(*reason), kinds_text(kinds)),
        ]);
    }
    let are = if left == 1 { "1 is" } else { "are" };
    let left = if left == 1 {
        String::new()
    } else {
        format!("{left} ")
    };
    (format!("{first}; {left}{are} left out:"), Some(table))
}

/// Why something is left out, in a few words.
#[must_use]
pub fn reason_text(reason: LeftOut) -> &'static str {
    match reason {
        LeftOut::Controlled(reason) => reason.as_str(),
        LeftOut::Finished => "ended, and would run again",
        LeftOut::Before => "deleted before the namespace or the Helm release, or by an upgrade",
        LeftOut::StorageGone => "volumes whose data was deleted with the claim",
        LeftOut::CreatedLate => "created during the deletion",
        LeftOut::MadeAgain => "deleted, and created again later",
        LeftOut::Unreadable => "encrypted or damaged",
    }
}

/// The first of some keys, and that there are more.
fn first_of(keys: &Keys) -> String {
    let more = if keys.count > 1 { ", ..." } else { "" };
    format!("{}{more}", key_text(&keys.first))
}

/// `12 Pod, 3 ReplicaSet`: the most frequent kinds.
fn kinds_text(Kinds(counts): &Kinds) -> String {
    let named: Vec<String> = counts
        .iter()
        .take(NAMED)
        .map(|(kind, count)| match (kind.as_str(), count) {
            ("keys", 1) => "1 key".to_owned(),
            _ => format!("{count} {}", cell(kind)),
        })
        .collect();
    let more = if counts.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", named.join(", "))
}
