//! Which revision last changed each part of an object: `git blame` for its tree.
//!
//! [`Blame`] begins with the version that is shown and is given the versions before it, newest first.
//! Every part of the shown tree is *open* as long as each older version has it unchanged; the first version
//! that has not closes it, and the version after that one is the answer. What is still open behind the
//! oldest version was there all the time: it is the oldest version's, or, where that one is not the first
//! of the object, of *this or an earlier revision* ([`Attribution::boundary`], the `^` of `git blame`).
//!
//! What "unchanged" is:
//! - a scalar, and an empty map or list, is the same value at the same place;
//! - a map or list that is not empty is a map or list there, whatever is in it: it tells since when
//!   it has existed;
//! - an item of a list is followed by its key, as [`super::diff`] names items (`name`, `port`, `type`,
//!   `uid`, ... or its own value), from version to version; a new order of the items is no change. Where they
//!   have no key, along the longest common subsequence, and then by place;
//! - the part above it exists: what was taken away and put back is new.
//!
//! Who: the entry of managedFields which, in the version of that revision, owns the path (as a member
//! of its field set, or below a leaf of it) and changed with that version: it is new, has another time, or
//! owns more. Of several the one with the newest time, then the first. None: nobody can tell. Of a
//! boundary behind which nothing is left, any entry that owns the path; of several, who agree on the value,
//! the one with the oldest time: it was so then already.
//!
//! Only neighbouring versions are compared; three trees are in memory, the shown one included, and each part
//! of an object is closed, and looked up in managedFields, once.

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
    /// As it is shown.
    tree: Value,
    /// Not there where the metadata is not as the API has it.
    meta: Option<ObjectMeta>,
    shape: Shape,
}

/// What a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// An object of Kubernetes.
    Object,
    /// Any other tree.
    Tree,
    /// A list of the lines of a text. Lines keep their order: one that was moved is new.
    Lines,
}

impl Version {
    /// The version `version` of an object, written at `revision`, from its stored tree. Shown and followed
    /// is what kubectl shows: with `managed_fields` these too.
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

    /// A version that is no object of Kubernetes: JSON of another program.
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

    /// A version that is a text; bytes that are not UTF-8 are one line of base64.
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

/// Where a part of an object comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The revision since which it has been so.
    pub revision: i64,
    /// It may have been so earlier: the version before is compacted or cannot be read.
    pub boundary: bool,
    /// Who wrote it; none where managedFields do not tell.
    pub manager: Option<String>,
    /// `status`, `scale`, or none.
    pub subresource: Option<String>,
    /// When, RFC 3339 in UTC: when the revision was written, as far as the object says; of a boundary the
    /// time of the manager's entry, which wrote it then or earlier.
    pub time: Option<String>,
}

/// Whether what a manager or a subresource is called can be a name. In a damaged Secret it may be a part
/// of a secret.
#[must_use]
pub fn is_manager_name(text: &str) -> bool {
    is_name(text)
}

/// A part of the shown object.
#[derive(Debug)]
pub struct Node {
    /// Its attribution; none while it is open.
    origin: Option<usize>,
    /// Of the item of a list: its place in the version that was given last.
    place: usize,
    /// What is in it.
    below: Below,
}

/// The parts of a part, in the order of the shown tree.
#[derive(Debug)]
pub enum Below {
    /// None: a scalar, an empty map or list, or one beyond [`MAX_DEPTH`], which is taken as a whole.
    Whole,
    /// Of a map.
    Map(Vec<Node>),
    /// Of a list.
    List(Vec<Node>),
}

impl Node {
    fn of(tree: &Value, place: usize, depth: usize) -> Self {
        let deeper = depth.saturating_add(1);
        let below = match tree {
            _ if depth >= MAX_DEPTH => Below::Whole,
            Value::Object(map) if !map.is_empty() => {
                let nodes = map.values().map(|value| Self::of(value, 0, deeper));
                Below::Map(nodes.collect())
            }
            Value::Array(items) if !items.is_empty() => {
                let nodes = items.iter().enumerate();
                Below::List(nodes.map(|(at, item)| Self::of(item, at, deeper)).collect())
            }
            _ => Below::Whole,
        };
        Self {
            origin: None,
            place,
            below,
        }
    }

    fn is_open(&self) -> bool {
        self.origin.is_none()
    }

    /// Its parts.
    #[must_use]
    pub fn below(&self) -> &Below {
        &self.below
    }
}

/// An object on its way back through its versions.
#[derive(Debug)]
pub struct Blame {
    shown: Version,
    /// The version that was given last; none: the shown one.
    newer: Option<Version>,
    root: Node,
    attributions: Vec<Attribution>,
}

impl Blame {
    /// Begins with the version that is shown.
    #[must_use]
    pub fn of(shown: Version) -> Self {
        Self {
            root: Node::of(&shown.tree, 0, 0),
            shown,
            newer: None,
            attributions: Vec::new(),
        }
    }

    /// Takes the next older version which can be read. Where its number is not the one before, the
    /// versions between are missing: what differs becomes a boundary.
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

    /// Ends with the version that was given last as the oldest one.
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

/// An object, each part of which has its attribution.
#[derive(Debug)]
pub struct Blamed {
    /// Whether the tree is the list of the lines of a text.
    is_text: bool,
    tree: Value,
    root: Node,
    attributions: Vec<Attribution>,
}

impl Blamed {
    /// The shown object, its secrets not masked.
    #[must_use]
    pub fn tree(&self) -> &Value {
        &self.tree
    }

    /// Whether the tree is a list of the lines of a text, each with its line end.
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

    /// The newest attribution of a part and all its parts: of what is shown as one value.
    #[must_use]
    pub fn newest<'b>(&'b self, node: &'b Node) -> Option<&'b Attribution> {
        let below = match &node.below {
            Below::Whole => &[],
            Below::Map(nodes) | Below::List(nodes) => nodes.as_slice(),
        };
        let below = below.iter().filter_map(|node| self.newest(node));
        let own = self.attribution(node);
        // Of equals the outer one.
        below.fold(own, |newest, other| match newest {
            Some(newest) if newest.revision >= other.revision => Some(newest),
            _ => Some(other),
        })
    }

    /// metadata.resourceVersion is the revision itself: of that nothing earlier can be.
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

/// The member of a map, with its tree.
fn child<'a>(node: &'a mut Node, tree: &'a Value, key: &str) -> Option<(&'a mut Node, &'a Value)> {
    let (Below::Map(nodes), Value::Object(map)) = (&mut node.below, tree) else {
        return None;
    };
    let mut members = nodes.iter_mut().zip(map);
    members
        .find(|(_, (name, _))| *name == key)
        .map(|(node, (_, value))| (node, value))
}
