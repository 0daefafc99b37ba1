//! New data directories as text: their members, and how to start etcd on them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::view::answer_part::AnswerPart;
use crate::view::command::quoted;
use crate::view::record::insert_text;
use crate::view::style::Paint;

/// The data directories that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The id of the new cluster.
    pub cluster_id: u64,
    /// How many members the new cluster has.
    pub size: usize,
    /// The members whose directories were written.
    pub members: Vec<StartedMember>,
    /// The folder of the log, if it is not in the data directory.
    pub wal_dir: Option<PathBuf>,
    /// How far the revision was raised.
    pub bump: Option<i64>,
}

/// A member that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedMember {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u64,
    /// Its addresses for other members.
    pub peer_urls: Vec<String>,
    /// Its folder below the new directory; none if it is the directory itself.
    pub folder: Option<String>,
}

/// Where a member's data directory is.
fn data_dir(directory: &Path, member: &StartedMember) -> PathBuf {
    match &member.folder {
        Some(folder) => directory.join(folder),
        None => directory.to_path_buf(),
    }
}

/// The facts about the cluster: its members, one per line, its id and size, and how far the revision was raised.
pub(super) fn facts(directory: &Directory) -> Vec<(&'static str, String)> {
    let members = directory.members.iter().map(|member| {
        let urls = member.peer_urls.join(",");
        ("member", format!("{} {:x} {urls}", member.name, member.id))
    });
    let mut facts: Vec<(&'static str, String)> = members.collect();
    facts.push((
        "cluster",
        format!(
            "{:x}, {} in it",
            directory.cluster_id,
            super::plural_members(directory.size)
        ),
    ));
    if let Some(bump) = directory.bump {
        facts.push((
            "raised",
            format!("by {bump}: etcd compacts everything before it when it starts"),
        ));
    }
    facts
}

/// The commands that start etcd, one for each member.
pub(super) fn start_lines(directory: &Directory, path: &Path) -> Vec<AnswerPart> {
    let lines = directory.members.iter().map(|member| {
        let data = data_dir(path, member);
        let mut words = vec![
            "etcd".to_owned(),
            "--name".to_owned(),
            quoted(&member.name),
            "--data-dir".to_owned(),
            quoted(&data.to_string_lossy()),
        ];
        if let Some(wal_dir) = &directory.wal_dir {
            words.push("--wal-dir".to_owned());
            words.push(quoted(&wal_dir.to_string_lossy()));
        }
        words.push("--listen-peer-urls".to_owned());
        words.push(quoted(&member.peer_urls.join(",")));
        AnswerPart::unbroken(words.join(" "), 0, |_| Paint::default())
    });
    lines.collect()
}

/// The cluster and its members for the report.
pub(super) fn json(directory: &Directory, path: &Path) -> Value {
    let members = directory.members.iter().map(|member| {
        let mut row = Map::new();
        row.insert("name".to_owned(), member.name.clone().into());
        row.insert("id".to_owned(), format!("{:x}", member.id).into());
        row.insert("peer_urls".to_owned(), member.peer_urls.clone().into());
        let data = data_dir(path, member);
        insert_text(&mut row, "data_dir", data.as_os_str().as_encoded_bytes());
        Value::Object(row)
    });
    let members: Vec<Value> = members.collect();
    let mut fields = Map::new();
    let id = format!("{:x}", directory.cluster_id);
    fields.insert("id".to_owned(), id.into());
    fields.insert("size".to_owned(), directory.size.into());
    fields.insert("written".to_owned(), members.into());
    if let Some(bump) = directory.bump {
        fields.insert("bump_revision".to_owned(), bump.into());
    }
    Value::Object(fields)
}
