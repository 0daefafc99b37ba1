//! Which revision last changed each part of an object: `git blame` for its tree.
//!
//! [`Blame`] starts with the shown version and receives the older versions one by one, newest first. A part of the shown
//! tree is *open* as long as each older version has it unchanged. The first version that differs closes the part: it is
//! attributed to the next newer version.
//!
//! **Example.** Version 3 (revision 30) is shown. `replicas` changed in version 2 (revision 20), `image` in version 3:
//!
//! | version | `replicas` | `image` | closed when this version is compared |
//! |---|---|---|---|
//! | 3 (revision 30) | 2 | web:v3 | |
//! | 2 (revision 20) | 2 | web:v2 | `image`: from revision 30 |
//! | 1 (revision 10) | 1 | web:v2 | `replicas`: from revision 20 |
//!
//! All other parts are still open after the oldest version, so they are attributed to revision 10. If version 1 were
//! compacted, they would be attributed to revision 20 *or an earlier one* ([`Attribution::boundary`], shown as the `^`
//! of `git blame`), because version 2 is not the first version of the object.
//!
//! **What counts as unchanged:**
//! - A scalar, an empty map and an empty list: the older version has the same value in the same place.
//! - A map or list with elements: the older version has a map or list there, with any content. The attribution is the
//!   revision in which the map or list came into existence.
//! - An item of a list is matched by its key, as [`super::diff`] names items (`name`, `port`, `type`, `uid`, ... or its
//!   value). A new order of the items is not a change. Items without a key are matched along the longest common
//!   subsequence, and between its items by position.
//! - The parent must exist too: a part that was removed and added again is new.
//!
//! **The manager** is the managedFields entry that, in the attributed version, owns the path (in its field set, or below
//! a leaf of it) and changed in that version: the entry is new, has another time, or owns more fields. Of several
//! entries it is the one with the newest time, then the first. If no entry fits, there is no manager. At a boundary
//! without an older version, every entry that owns the path fits, and the one with the oldest time is taken: all of them
//! agree on the value, and the oldest had it first.
//!
//! Only neighbouring versions are compared. At most three trees are in memory, including the shown one. Each part of an
//! object is closed, and looked up in managedFields, once.

mod owners;
mod pairs;
mod walk;

use serde_json::Value;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::decode::is_name;
use super::diff::MAX_DEPTH;
use super::managed_fields::object_meta;
use super::object::{as_kubectl_shows, as_text};

pub use pairs::segments;

/// One version of an object.
#[derive(Debug)]
pub struct Version {
    /// The revision that wrote it.
    revision: i64,
    /// Its number since the object's creation, from 1.
    version: i64,
    /// The tree in the form in which it is shown.
    tree: Value,
    /// None if the metadata does not have the form of the API.
    meta: Option<ObjectMeta>,
    shape: Shape,
}

/// The kind of content of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A Kubernetes object.
    Object,
    /// Any other tree.
    Tree,
    /// A list of the lines of a text. Lines keep their order: a line that was moved is new.
    Lines,
}

impl Version {
    /// Version number `version` of an object, written at `revision`, from its stored tree. The parts are those that
    /// kubectl shows, and with `managed_fields` also the managedFields.
    #[must_use]
    pub fn new(revision: i64, version: i64, stored: Value, managed_fields: bool) -> Self {
        let meta = object_meta(&stored);
        let mut tree = stored;
        as_kubectl_shows(&mut tree, revision, managed_fields);
        Self {
            revision,
            version,
            tree,
            meta,
            shape: Shape::Object,
        }
    }

    /// A version that is not a Kubernetes object but JSON of another program.
    #[must_use]
    pub fn plain(revision: i64, version: i64, tree: Value) -> Self {
        Self {
            revision,
            version,
            tree,
            meta: None,
            shape: Shape::Tree,
        }
    }

    /// A version that is a text, split into lines; bytes that are not UTF-8 are one line of base64.
    #[must_use]
    pub fn text(revision: i64, version: i64, stored: &[u8]) -> Self {
        let text = as_text(stored);
        let lines = text.as_str().unwrap_or_default().split_inclusive('\n');
        Self {
            shape: Shape::Lines,
            ..Self::plain(revision, version, lines.collect())
        }
    }
}

/// The origin of a part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The revision since which the part is unchanged.
    pub revision: i64,
    /// Whether the part may be older: the previous version is compacted or cannot be read.
    pub boundary: bool,
    /// The manager that wrote it; None if managedFields do not show it.
    pub manager: Option<String>,
    /// `status`, `scale`, or None.
    pub subresource: Option<String>,
    /// RFC 3339 in UTC. The time at which the revision was written, as far as the object has it. At a boundary it is the
    /// time of the manager's entry, which wrote the part then or earlier.
    pub time: Option<String>,
}

/// Whether a text can be the name of a manager or subresource. In a damaged Secret it may be a part of a secret, and is
/// not shown.
#[must_use]
pub fn is_manager_name(text: &str) -> bool {
    is_name(text)
}

/// A part of the shown object.
#[derive(Debug)]
pub struct Node {
    /// The index of its attribution; None while it is open.
    origin: Option<usize>,
    /// For an item of a list: its index in the version that was compared last.
    place: usize,
    /// Its parts.
    children: Children,
}

/// The parts of a part, in the order of the shown tree.
#[derive(Debug)]
pub enum Children {
    /// No parts: a scalar, an empty map or list, or a value beyond [`MAX_DEPTH`], which is compared as a whole.
    None,
    /// The members of a map.
    Map(Vec<Node>),
    /// The items of a list.
    List(Vec<Node>),
}

impl Node {
    /// The open parts of a tree.
    fn new(tree: &Value, place: usize, depth: usize) -> Self {
        let deeper = depth.saturating_add(1);
        let children = match tree {
            _ if depth >= MAX_DEPTH => Children::None,
            Value::Object(map) if !map.is_empty() => {
                let nodes = map.values().map(|value| Self::new(value, 0, deeper));
                Children::Map(nodes.collect())
            }
            Value::Array(items) if !items.is_empty() => {
                let nodes = items.iter().enumerate();
                let nodes = nodes.map(|(at, item)| Self::new(item, at, deeper));
                Children::List(nodes.collect())
            }
            _ => Children::None,
        };
        Self {
            origin: None,
            place,
            children,
        }
    }

    fn is_open(&self) -> bool {
        self.origin.is_none()
    }

    /// Its parts.
    #[must_use]
    pub fn children(&self) -> &Children {
        &self.children
    }
}

/// The comparison of an object with its older versions, one by one.
#[derive(Debug)]
pub struct Blame {
    shown: Version,
    /// The version that was compared last; None before the first comparison.
    newer: Option<Version>,
    root: Node,
    attributions: Vec<Attribution>,
}

impl Blame {
    /// Starts with the version that is shown.
    #[must_use]
    pub fn new(shown: Version) -> Self {
        Self {
            root: Node::new(&shown.tree, 0, 0),
            shown,
            newer: None,
            attributions: Vec::new(),
        }
    }

    /// Compares the next older version that can be read. If its number is not one less, versions are missing between,
    /// and the attribution of a difference is a boundary.
    pub fn older(&mut self, older: Version) {
        let newer = self.newer.as_ref().unwrap_or(&self.shown);
        walk::compare(
            &mut self.root,
            &self.shown.tree,
            newer,
            &older,
            &mut self.attributions,
        );
        self.newer = Some(older);
    }

    /// Finishes; the version passed in last is the oldest one.
    #[must_use]
    pub fn finish(mut self) -> Blamed {
        let oldest = self.newer.as_ref().unwrap_or(&self.shown);
        walk::close_all(
            &mut self.root,
            &self.shown.tree,
            oldest,
            &mut self.attributions,
        );
        let mut blamed = Blamed {
            is_text: self.shown.shape == Shape::Lines,
            tree: self.shown.tree,
            root: self.root,
            attributions: self.attributions,
        };
        if self.shown.shape == Shape::Object {
            blamed.own_revision(self.shown.revision);
        }
        blamed
    }
}

/// An object whose parts all have an attribution.
#[derive(Debug)]
pub struct Blamed {
    /// Whether the tree is the list of the lines of a text.
    is_text: bool,
    tree: Value,
    root: Node,
    attributions: Vec<Attribution>,
}

impl Blamed {
    /// The shown object, with secrets unmasked.
    #[must_use]
    pub fn tree(&self) -> &Value {
        &self.tree
    }

    /// Whether the tree is the list of the lines of a text, each with its line ending.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// The object as a part.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The attribution of a part.
    #[must_use]
    pub fn attribution(&self, node: &Node) -> Option<&Attribution> {
        self.attributions.get(node.origin?)
    }

    /// The newest attribution of a part and everything in it, for a part that is shown as one value.
    #[must_use]
    pub fn newest<'b>(&'b self, node: &'b Node) -> Option<&'b Attribution> {
        let children = match &node.children {
            Children::None => &[],
            Children::Map(nodes) | Children::List(nodes) => nodes.as_slice(),
        };
        let newest_below = children.iter().filter_map(|node| self.newest(node));
        let own = self.attribution(node);
        // Of equal revisions the outer part counts.
        newest_below.fold(own, |newest, other| match newest {
            Some(newest) if newest.revision >= other.revision => Some(newest),
            _ => Some(other),
        })
    }

    /// metadata.resourceVersion is the revision itself, so it cannot be older and is never a boundary.
    fn own_revision(&mut self, revision: i64) {
        let Some(node) = child(&mut self.root, &self.tree, "metadata")
            .and_then(|(node, tree)| child(node, tree, "resourceVersion"))
            .map(|(node, _)| node)
        else {
            return;
        };
        let found = node.origin.and_then(|origin| self.attributions.get(origin));
        if found.is_some_and(|found| found.boundary) {
            node.origin = Some(self.attributions.len());
            self.attributions.push(Attribution {
                revision,
                boundary: false,
                manager: None,
                subresource: None,
                time: None,
            });
        }
    }
}

/// The node and the value of a map's member.
fn child<'a>(node: &'a mut Node, tree: &'a Value, key: &str) -> Option<(&'a mut Node, &'a Value)> {
    let (Children::Map(nodes), Value::Object(map)) = (&mut node.children, tree) else {
        return None;
    };
    let mut members = nodes.iter_mut().zip(map);
    members
        .find(|(_, (name, _))| *name == key)
        .map(|(node, (_, value))| (node, value))
}
