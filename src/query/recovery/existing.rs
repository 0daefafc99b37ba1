//! Notices of `recover` about objects that still exist: objects and namespaces that are being deleted, and earlier
//! lives of keys that were deleted and written again.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::etcd::Events;
use crate::k8s::catalog::Namespace;
use crate::k8s::meta::Meta;
use crate::k8s::object::{is_object, tree_of};
use crate::named::{NameField, key_text};
use crate::parallel::read_all;

use super::super::deletions::{Item, LiveKeys, ObjectHistory};
use super::super::notice::Notice;
use super::super::question::Question;
use super::super::recovery_notice::{EarlierLife, Keys, RecoveryNotice, Terminating};
use super::super::select::Selection;

/// How many objects a notice names. The others are only counted.
const NAMED: usize = 5;

/// Adds the notices about what was asked for and exists, the keys of `live`. `earlier` are the deleted lives of keys that
/// were written again, with their versions.
pub fn note(
    question: &Question<'_>,
    history: &ObjectHistory,
    live: &LiveKeys<'_>,
    selection: &Selection,
    (earlier, versions): (&[Item], &Events<'_>),
) {
    let mut notices = namespaces(question, history, live);
    notices.extend(terminating(question, history, live));
    let earlier: Vec<&Item> = earlier.iter().filter(|item| item.exists).collect();
    // If one object is asked for, its earlier lives are listed. In a longer list such keys are only named.
    let names_objects = selection.addresses().iter().any(|one| one.names_one());
    notices.extend(if names_objects {
        earlier_lives(&earlier, versions)
    } else {
        made_again(question, history, &earlier, versions)
    });
    for notice in notices {
        question.notices().add(Notice::Recovery(notice));
    }
}

/// The newest revision before a deletion began, for a command with `--at`. None if it is compacted.
fn before(question: &Question<'_>, began: i64) -> Option<i64> {
    let before = began.saturating_sub(1);
    (before >= question.store().compact_revision().max(1)).then_some(before)
}

/// One notice for each namespace that is being deleted, if its Namespace object or an object in it is among `live`,
/// what was asked for and exists.
fn namespaces(
    question: &Question<'_>,
    history: &ObjectHistory,
    live: &LiveKeys<'_>,
) -> Vec<RecoveryNotice> {
    let catalog = question.catalog();
    let mut terminating: Vec<(&Namespace, i64)> = history.terminating().collect();
    terminating.sort_unstable();
    let notice = |(namespace, began): (&Namespace, i64)| {
        let still_there = live.count_in(namespace)?;
        let text = String::from_utf8_lossy(&namespace.name);
        let cluster = namespace.cluster.as_deref();
        Some(RecoveryNotice::NamespaceTerminating {
            cluster: cluster
                .filter(|_| catalog.has_several_clusters())
                .map(|cluster| key_text(cluster).into_owned()),
            name: NameField::Namespace.shown(&text).into_owned(),
            began,
            time: question.timeline().bounds(began),
            still_there,
            before: before(question, began),
        })
    };
    terminating.into_iter().filter_map(notice).collect()
}

/// The notice about objects that exist and have a deletion timestamp of their own: finalizers or a grace period keep
/// them. Namespaces are left out, because [`namespaces`] has them. None if there are no such objects.
fn terminating(
    question: &Question<'_>,
    history: &ObjectHistory,
    live: &LiveKeys<'_>,
) -> Option<RecoveryNotice> {
    let catalog = question.catalog();
    let mut found = Vec::new();
    // The history has already read the metadata of all objects, so only objects with a timestamp are decrypted.
    for record in live.terminating.values() {
        let location = catalog.locate(record.key);
        let is_namespace = location.is_some_and(|location| location.is_namespace());
        let cluster = location.and_then(|location| location.cluster);
        let Ok(value) = question.objects().open(record) else {
            continue;
        };
        let Some(meta) = Meta::read(&value).filter(|_| !is_namespace) else {
            continue;
        };
        if meta.deletion_time.is_none() {
            continue;
        }
        // If the history has no revision that set the timestamp, the deletion began at this version or earlier.
        let own = record.revision.main;
        let began = history.marked(cluster, &meta.uid).unwrap_or(own);
        let tree = tree_of(&value).map(|(tree, _)| tree).unwrap_or_default();
        let finalizers = tree.pointer("/metadata/finalizers");
        let finalizers = finalizers
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten();
        let texts = finalizers.filter_map(|finalizer| finalizer.as_str());
        found.push(Terminating {
            key: record.key.to_vec(),
            began,
            finalizers: texts.map(str::to_owned).collect(),
            before: before(question, began),
        });
    }
    if found.is_empty() {
        return None;
    }
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    Some(RecoveryNotice::ObjectsTerminating(found, more))
}

/// The notice about keys that exist and were deleted and written again. For each key only the object that was deleted
/// last is read. None if there are no such keys.
fn made_again(
    question: &Question<'_>,
    history: &ObjectHistory,
    earlier: &[&Item],
    versions: &Events<'_>,
) -> Option<RecoveryNotice> {
    // The items are oldest first, so the newest one of each key is kept.
    let newest: BTreeMap<&[u8], &Item> = earlier.iter().map(|item| (&*item.key, *item)).collect();
    let newest: Vec<(&[u8], &Item)> = newest.into_iter().collect();
    // Controllers delete and create their own objects all the time (Leases, Events): these are not worth a notice.
    let (catalog, reader) = (question.catalog(), question.objects().values());
    let is_user_made = |key: &[u8], object: &Value| {
        let location = catalog.locate(key);
        location.is_some_and(|location| history.reason(object, location.cluster).is_none())
    };
    // On all cores, without findings. What cannot be read there is read again below, in order.
    let quick = read_all(&newest, |(key, item)| {
        let (object, _) = reader.tree_without_field_lists(&versions.placed(item.version)?)?;
        Some(!is_object(&object) || is_user_made(key, &object))
    });
    let newest = newest.into_iter().zip(quick);
    let user_made = newest.filter(|((key, item), quick)| {
        quick.unwrap_or_else(|| {
            let event = versions.get(item.version);
            let object = event.and_then(|event| question.objects().object(&event.record));
            object.is_none_or(|object| is_user_made(key, &object))
        })
    });
    let keys: Vec<&[u8]> = user_made.map(|((key, _), _)| key).collect();
    (!keys.is_empty()).then(|| RecoveryNotice::MadeAgain(Keys::new(&keys)))
}

/// The notice that lists the earlier lives of keys that exist. None if there are none.
fn earlier_lives(earlier: &[&Item], versions: &Events<'_>) -> Option<RecoveryNotice> {
    let lives = earlier.iter().map(|item| EarlierLife {
        key: item.key.to_vec(),
        deleted_at: item.deleted_at,
        last: versions
            .revision(item.version)
            .map_or(0, |revision| revision.main),
    });
    // The lives are oldest first: the newest ones are named, the older ones only counted.
    let more = lives.len().saturating_sub(NAMED);
    let newest: Vec<EarlierLife> = lives.skip(more).collect();
    (!newest.is_empty()).then_some(RecoveryNotice::EarlierLives(newest, more))
}
