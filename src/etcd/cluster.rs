//! Buckets `cluster`, `members`, `members_removed` and `alarm`: members and alarms of the cluster
//! (`server/etcdserver/api/membership`, `server/storage/schema/{membership,alarm}.go`).

use std::collections::BTreeSet;

use prost::Message;

use crate::bbolt::{Bucket, Direction};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::plural::plural;

use super::schema;
use super::store::Store;

/// A member, from its JSON in bucket `members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Id, in hex as etcd writes it.
    pub id: String,
    /// Name; empty before the member published it.
    pub name: String,
    /// Addresses for other members.
    pub peer_urls: Vec<String>,
    /// Addresses for clients.
    pub client_urls: Vec<String>,
    /// Whether it is a learner, which does not vote.
    pub is_learner: bool,
}

/// etcdserverpb.AlarmMember: the key of an element of bucket `alarm`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct AlarmMember {
    /// The member that raised it.
    #[prost(uint64, tag = "1")]
    pub member_id: u64,
    /// 0 none, 1 NOSPACE, 2 CORRUPT.
    #[prost(int32, tag = "2")]
    pub alarm: i32,
}

impl AlarmMember {
    /// etcd's name of the alarm.
    pub fn alarm_name(&self) -> String {
        match self.alarm {
            0 => "NONE".to_owned(),
            1 => "NOSPACE".to_owned(),
            2 => "CORRUPT".to_owned(),
            other => format!("{other}"),
        }
    }
}

/// The ids of the members of a store, to compare clusters. A damaged member is skipped without a finding.
pub fn member_ids(store: &Store<'_>) -> BTreeSet<String> {
    let diagnostics = Diagnostics::new();
    let bucket = store.bucket(schema::MEMBERS);
    let members = bucket.map(|bucket| members(bucket, &diagnostics));
    members
        .into_iter()
        .flatten()
        .map(|member| member.id)
        .collect()
}

/// The ids of all members that a store names, present and removed, as numbers. Empty if it names no present member,
/// because then the cluster is not known. A damaged member is skipped without a finding.
pub fn known_members(store: &Store<'_>) -> BTreeSet<u64> {
    let mut ids = member_ids(store);
    if !ids.is_empty() {
        let removed = store.bucket(schema::MEMBERS_REMOVED);
        let diagnostics = Diagnostics::new();
        ids.extend(
            removed
                .into_iter()
                .flat_map(|bucket| removed_members(bucket, &diagnostics)),
        );
    }
    let number = |id: String| u64::from_str_radix(&id, 16).ok();
    ids.into_iter().filter_map(number).collect()
}

/// The members of bucket `members`. An invalid element is reported.
pub fn members<'a>(bucket: &Bucket<'a>, diagnostics: &'a Diagnostics) -> Vec<Member> {
    let mut members = Vec::new();
    for (page, element) in bucket.elements(diagnostics, Direction::Forward) {
        match serde_json::from_slice::<serde_json::Value>(element.value) {
            Ok(json) if json.is_object() => {
                let text = |name: &str| {
                    json.get(name)
                        .and_then(|value| value.as_str())
                        .unwrap_or_default()
                        .to_owned()
                };
                let texts = |name: &str| {
                    json.get(name)
                        .and_then(|value| value.as_array())
                        .map(|items| {
                            items
                                .iter()
                                .filter_map(|item| item.as_str().map(str::to_owned))
                                .collect()
                        })
                        .unwrap_or_default()
                };
                members.push(Member {
                    id: element.key.escape_ascii().to_string(),
                    name: text("name"),
                    peer_urls: texts("peerURLs"),
                    client_urls: texts("clientURLs"),
                    is_learner: json
                        .get("isLearner")
                        .and_then(|value| value.as_bool())
                        .unwrap_or(false),
                });
            }
            _ => diagnostics.report(
                Diagnostic::new(
                    Code::BucketValue,
                    page.locus()
                        .element(element.index)
                        .bucket(bucket.name)
                        .key(element.key),
                )
                .expected(
                    "a member as JSON",
                    format!(
                        "{} not",
                        plural(element.value.len(), "byte that is", "bytes that are")
                    ),
                )
                .effect("this member is missing from this answer"),
            ),
        }
    }
    members
}

/// The ids of removed members, as etcd writes them. etcd never uses such an id again.
pub fn removed_members<'a>(bucket: &Bucket<'a>, diagnostics: &'a Diagnostics) -> Vec<String> {
    let elements = bucket.elements(diagnostics, Direction::Forward);
    elements
        .map(|(_, element)| element.key.escape_ascii().to_string())
        .collect()
}

/// The alarms of bucket `alarm`. An invalid element is reported.
pub fn alarms<'a>(bucket: &Bucket<'a>, diagnostics: &'a Diagnostics) -> Vec<AlarmMember> {
    let mut alarms = Vec::new();
    for (page, element) in bucket.elements(diagnostics, Direction::Forward) {
        match AlarmMember::decode(element.key) {
            Ok(alarm) => alarms.push(alarm),
            Err(_) => diagnostics.report(
                Diagnostic::new(
                    Code::BucketValue,
                    page.locus().element(element.index).bucket(bucket.name),
                )
                .expected(
                    "an alarm",
                    format!(
                        "a key of {} that is not one",
                        plural(element.key.len(), "byte", "bytes")
                    ),
                )
                .effect("this alarm is missing from this answer"),
            ),
        }
    }
    alarms
}
