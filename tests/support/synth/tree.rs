//! B+trees: from buckets with sorted pairs to nodes, each of them one run of
//! pages, with the split rules of bbolt (`node.go`, `bucket.go`).
//!
//! A plan holds nodes which name their children by index; page ids are given
//! later, so that the builder is free to scatter the runs over the file.

use super::page::{self, BUCKET_ELEMENT, Endian, HEADER_LEN, LeafElement};
use std::collections::HashMap;

/// bbolt leaves at least this many elements in a page that it splits off.
const MIN_KEYS_PER_PAGE: usize = 2;
/// Most elements of a page; 0xFFFF has a meaning in freelists.
const MAX_COUNT: usize = 0xFFFE;

/// What a key in a bucket means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A plain value.
    Plain(Vec<u8>),
    /// A nested bucket.
    Bucket(Bucket),
    /// An element written as given, for hostile flags and bucket headers.
    Raw {
        /// The element's flags.
        flags: u32,
        /// The element's value.
        bytes: Vec<u8>,
    },
}

/// The content of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Pairs in the order in which they are written.
    entries: Vec<(Vec<u8>, Value)>,
    sequence: u64,
    never_inline: bool,
    keep_order: bool,
}

impl Bucket {
    /// An empty bucket.
    pub fn new() -> Self {
        Self::default()
    }

    /// A bucket with these pairs.
    pub fn of<K: Into<Vec<u8>>, V: Into<Vec<u8>>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut bucket = Self::new();
        for (key, value) in pairs {
            bucket = bucket.put(key, value);
        }
        bucket
    }

    /// Adds a pair; the builder sorts the keys.
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.entries.push((key.into(), Value::Plain(value.into())));
        self
    }

    /// Adds a nested bucket.
    pub fn nest(mut self, name: impl Into<Vec<u8>>, bucket: Bucket) -> Self {
        self.entries.push((name.into(), Value::Bucket(bucket)));
        self
    }

    /// Adds an element with any flags and any value.
    pub fn raw(mut self, key: impl Into<Vec<u8>>, flags: u32, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.entries.push((key.into(), Value::Raw { flags, bytes }));
        self
    }

    /// Sets the bucket's sequence (etcd leaves it 0).
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// Gives the bucket pages of its own even where it would fit inline.
    pub fn never_inline(mut self) -> Self {
        self.never_inline = true;
        self
    }

    /// Writes the pairs as they were added: unsorted or double keys stay.
    pub fn keep_order(mut self) -> Self {
        self.keep_order = true;
        self
    }

    /// Its sequence.
    pub fn seq(&self) -> u64 {
        self.sequence
    }

    /// The pairs in the order of the file.
    pub fn entries(&self) -> Vec<&(Vec<u8>, Value)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        if !self.keep_order {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let distinct = entries.windows(2).all(|pair| pair[0].0 != pair[1].0);
            assert!(distinct, "a key was put twice; see keep_order()");
        }
        entries
    }
}

/// A leaf element whose bucket root is not placed yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Planned {
    flags: u32,
    key: Vec<u8>,
    value: PlannedValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum PlannedValue {
    Bytes(Vec<u8>),
    Root { node: usize, sequence: u64 },
}

impl Planned {
    fn len(&self) -> usize {
        let value = match &self.value {
            PlannedValue::Bytes(bytes) => bytes.len(),
            PlannedValue::Root { .. } => 16,
        };
        HEADER_LEN + self.key.len() + value
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Body {
    Leaf(Vec<Planned>),
    Branch(Vec<(Vec<u8>, usize)>),
}

/// One page with its overflow pages.
#[derive(Clone, Debug)]
pub struct Node {
    body: Body,
    /// Pages it takes, the first one included.
    pub pages: u64,
    /// Names of the buckets down to the one which it belongs to; empty for
    /// the root bucket.
    pub path: Vec<Vec<u8>>,
    /// 0 for a leaf, 1 for the branch above it, ...
    pub level: u32,
}

/// How nodes are cut.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Byte order of everything in a page.
    pub endian: Endian,
    /// Page size in bytes.
    pub page_size: usize,
    /// A node is split where it is filled beyond this, in percent of a page.
    pub fill_percent: usize,
}

/// The nodes of one or more trees.
#[derive(Debug)]
pub struct Plan {
    shape: Shape,
    /// All nodes; a child is before its parent.
    pub nodes: Vec<Node>,
}

impl Plan {
    /// An empty plan.
    pub fn new(shape: Shape) -> Self {
        let nodes = Vec::new();
        Self { shape, nodes }
    }

    /// Adds the tree of a bucket and returns its root node.
    pub fn add(&mut self, bucket: &Bucket, path: &[Vec<u8>]) -> usize {
        let planned: Vec<Planned> = bucket
            .entries()
            .into_iter()
            .map(|(key, value)| self.planned(key, value, path))
            .collect();
        let lens: Vec<usize> = planned.iter().map(Planned::len).collect();
        let mut rest = planned.into_iter();
        let mut level: Vec<(Vec<u8>, usize)> = Vec::new();
        for n in self.groups(&lens) {
            let body = Body::Leaf(rest.by_ref().take(n).collect());
            level.push(self.push(body, path, 0));
        }
        let mut height = 1;
        while level.len() > 1 {
            let lens: Vec<usize> = level
                .iter()
                .map(|(key, _)| HEADER_LEN + key.len())
                .collect();
            let mut rest = level.into_iter();
            let mut above = Vec::new();
            for n in self.groups(&lens) {
                let body = Body::Branch(rest.by_ref().take(n).collect());
                above.push(self.push(body, path, height));
            }
            level = above;
            height += 1;
        }
        level[0].1
    }

    fn planned(&mut self, key: &[u8], value: &Value, path: &[Vec<u8>]) -> Planned {
        let (flags, value) = match value {
            Value::Plain(bytes) => (0, PlannedValue::Bytes(bytes.clone())),
            Value::Raw { flags, bytes } => (*flags, PlannedValue::Bytes(bytes.clone())),
            Value::Bucket(bucket) => (BUCKET_ELEMENT, self.bucket_value(key, bucket, path)),
        };
        let key = key.to_vec();
        Planned { flags, key, value }
    }

    /// The value of a bucket element: an inline page, or a root to be placed.
    fn bucket_value(&mut self, name: &[u8], bucket: &Bucket, path: &[Vec<u8>]) -> PlannedValue {
        if let Some(elements) = inline_elements(bucket)
            && page::leaf_len(&elements) <= self.shape.page_size / 4
        {
            let mut bytes = page::bucket_header(self.shape.endian, 0, bucket.sequence);
            bytes.extend(page::leaf_image(self.shape.endian, 0, 0, &elements));
            return PlannedValue::Bytes(bytes);
        }
        let mut inner = path.to_vec();
        inner.push(name.to_vec());
        let node = self.add(bucket, &inner);
        PlannedValue::Root {
            node,
            sequence: bucket.sequence,
        }
    }

    fn push(&mut self, body: Body, path: &[Vec<u8>], level: u32) -> (Vec<u8>, usize) {
        let (first, len) = match &body {
            Body::Leaf(elements) => (
                elements.first().map(|element| element.key.clone()),
                elements.iter().map(Planned::len).sum::<usize>(),
            ),
            Body::Branch(elements) => (
                elements.first().map(|(key, _)| key.clone()),
                elements.iter().map(|(key, _)| HEADER_LEN + key.len()).sum(),
            ),
        };
        let pages = (HEADER_LEN + len).div_ceil(self.shape.page_size) as u64;
        let path = path.to_vec();
        self.nodes.push(Node {
            body,
            pages,
            path,
            level,
        });
        (first.unwrap_or_default(), self.nodes.len() - 1)
    }

    /// Cuts elements of these lengths into nodes; an empty bucket has one
    /// empty leaf.
    fn groups(&self, lens: &[usize]) -> Vec<usize> {
        let threshold = self.shape.page_size * self.shape.fill_percent / 100;
        let mut rest_len: usize = lens.iter().sum();
        let mut groups = Vec::new();
        let mut from = 0;
        loop {
            let left = lens.len() - from;
            let fits = HEADER_LEN + rest_len < self.shape.page_size && left <= MAX_COUNT;
            if left <= 2 * MIN_KEYS_PER_PAGE || fits {
                groups.push(left);
                return groups;
            }
            let mut to = from;
            let mut size = HEADER_LEN;
            while to < lens.len() - MIN_KEYS_PER_PAGE && to - from < MAX_COUNT {
                if to - from >= MIN_KEYS_PER_PAGE && size + lens[to] > threshold {
                    break;
                }
                size += lens[to];
                to += 1;
            }
            groups.push(to - from);
            rest_len -= size - HEADER_LEN;
            from = to;
        }
    }

    /// Lets the nodes from `newer` on use equal nodes before it, as a commit
    /// leaves unchanged pages alone. Each old node is used at most once.
    /// Returns the node to use instead of each node.
    pub fn share(&mut self, newer: usize) -> Vec<usize> {
        let mut instead: Vec<usize> = (0..self.nodes.len()).collect();
        let mut old: HashMap<(Vec<Vec<u8>>, Body), usize> = HashMap::new();
        for i in 0..self.nodes.len() {
            let mut body = self.nodes[i].body.clone();
            if i >= newer {
                redirect(&mut body, &instead);
                self.nodes[i].body = body.clone();
            }
            let key = (self.nodes[i].path.clone(), body);
            if i < newer {
                old.insert(key, i);
            } else if let Some(same) = old.remove(&key) {
                instead[i] = same;
            }
        }
        instead
    }

    /// The nodes of the tree below (and with) `root`.
    pub fn reachable(&self, root: usize) -> Vec<usize> {
        let mut todo = vec![root];
        let mut seen = Vec::new();
        while let Some(i) = todo.pop() {
            seen.push(i);
            match &self.nodes[i].body {
                Body::Branch(children) => todo.extend(children.iter().map(|child| child.1)),
                Body::Leaf(elements) => {
                    todo.extend(elements.iter().filter_map(|element| match element.value {
                        PlannedValue::Root { node, .. } => Some(node),
                        PlannedValue::Bytes(_) => None,
                    }))
                }
            }
        }
        seen
    }

    /// The page image of a node, unpadded. `ids` are the page ids of all
    /// nodes.
    pub fn image(&self, node: usize, ids: &[u64]) -> Vec<u8> {
        let order = self.shape.endian;
        let overflow = (self.nodes[node].pages - 1) as u32;
        match &self.nodes[node].body {
            Body::Branch(children) => {
                let elements: Vec<(Vec<u8>, u64)> = children
                    .iter()
                    .map(|(key, child)| (key.clone(), ids[*child]))
                    .collect();
                page::branch_image(order, ids[node], overflow, &elements)
            }
            Body::Leaf(planned) => {
                let elements: Vec<LeafElement> = planned
                    .iter()
                    .map(|element| LeafElement {
                        flags: element.flags,
                        key: element.key.clone(),
                        value: match &element.value {
                            PlannedValue::Bytes(bytes) => bytes.clone(),
                            PlannedValue::Root { node, sequence } => {
                                page::bucket_header(order, ids[*node], *sequence)
                            }
                        },
                    })
                    .collect();
                page::leaf_image(order, ids[node], overflow, &elements)
            }
        }
    }
}

/// The elements of a bucket that may be inline: no bucket in it.
fn inline_elements(bucket: &Bucket) -> Option<Vec<LeafElement>> {
    if bucket.never_inline {
        return None;
    }
    let elements = bucket.entries().into_iter().map(|(key, value)| {
        let (flags, value) = match value {
            Value::Plain(bytes) => (0, bytes.clone()),
            Value::Raw { flags, bytes } => (*flags, bytes.clone()),
            Value::Bucket(_) => return None,
        };
        let key = key.clone();
        Some(LeafElement { flags, key, value })
    });
    elements.collect()
}

fn redirect(body: &mut Body, instead: &[usize]) {
    match body {
        Body::Branch(children) => {
            for (_, child) in children {
                *child = instead[*child];
            }
        }
        Body::Leaf(elements) => {
            for element in elements {
                if let PlannedValue::Root { node, .. } = &mut element.value {
                    *node = instead[*node];
                }
            }
        }
    }
}
