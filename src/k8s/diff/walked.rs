//! Paths for a walk over a tree: created only if the walk finds something, and shared by everything found there.

use std::collections::HashMap;

use serde_json::Value;

use super::path::{Path, Segment};

/// The position of a walk. A step becomes part of a [`Path`] only if something is found below it.
#[derive(Debug, Default)]
pub(in crate::k8s) struct PathBuilder {
    steps: Vec<Segment>,
    /// The paths up to the first steps, as far as they have been created.
    paths: Vec<Path>,
    /// The total length of the names up to each step, in bytes.
    bytes: Vec<usize>,
}

impl PathBuilder {
    /// Descends to a child.
    pub(in crate::k8s) fn push(&mut self, segment: Segment) {
        let text_len = |value: &Value| value.as_str().map_or(0, str::len);
        let bytes = match &segment {
            Segment::Key(key) => key.len(),
            Segment::Item(value) => text_len(value),
            Segment::Identity(members) => members
                .iter()
                .map(|(name, value)| {
                    let value = value.as_ref().map_or(0, text_len);
                    name.len().saturating_add(value)
                })
                .fold(0, usize::saturating_add),
            Segment::Index(_) => 0,
        };
        let parent_bytes = self.name_bytes();
        self.bytes.push(parent_bytes.saturating_add(bytes));
        self.steps.push(segment);
    }

    /// Returns to the parent.
    pub(in crate::k8s) fn pop(&mut self) {
        self.steps.pop();
        self.bytes.pop();
        self.paths.truncate(self.steps.len());
    }

    /// The steps from the root.
    pub(in crate::k8s) fn steps(&self) -> &[Segment] {
        &self.steps
    }

    /// The total length of the names from the root, in bytes.
    pub(in crate::k8s) fn name_bytes(&self) -> usize {
        self.bytes.last().copied().unwrap_or_default()
    }

    /// The path of the current position.
    pub(in crate::k8s) fn path(&mut self) -> Path {
        let missing = self.steps.get(self.paths.len()..).unwrap_or_default();
        let mut path = self.paths.last().cloned().unwrap_or_default();
        for segment in missing {
            path = path.child(segment.clone());
            self.paths.push(path.clone());
        }
        path
    }

    /// The path of a child of the current position.
    pub(in crate::k8s) fn child(&mut self, segment: Segment) -> Path {
        self.path().child(segment)
    }
}

/// A cache for values that are derived for a path from the value for its parent. The value for each shared step is
/// derived once.
#[derive(Debug)]
pub(in crate::k8s) struct PathCache<T> {
    /// By the address of a path. The path is kept alive, so that no other path gets its address.
    known: HashMap<*const (), (Path, T)>,
}

impl<T> Default for PathCache<T> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
        }
    }
}

impl<T: Clone> PathCache<T> {
    /// The value for a path. `root` is the value for the root, and `derive` computes a child's value from its parent's.
    pub(in crate::k8s) fn get(
        &mut self,
        path: &Path,
        root: T,
        mut derive: impl FnMut(&T, &Path, &Segment) -> T,
    ) -> T {
        let mut missing = Vec::new();
        let (mut at, mut value) = (path, root);
        while let (Some(segment), Some(parent)) = (at.last(), at.parent()) {
            if let Some((_, known)) = self.known.get(&at.address()) {
                value = known.clone();
                break;
            }
            missing.push((at, segment));
            at = parent;
        }
        for (path, segment) in missing.into_iter().rev() {
            value = derive(&value, path, segment);
            let kept = (path.clone(), value.clone());
            self.known.insert(path.address(), kept);
        }
        value
    }
}

/// Assigns numbers to fields. Two paths that differ only in the indexes of list items get the same number.
#[derive(Debug, Default)]
pub struct FieldNumbers {
    /// The numbers by the parent field's number and the segment's text.
    numbers: HashMap<(usize, String), usize>,
    cache: PathCache<usize>,
}

impl FieldNumbers {
    /// The number of a path; the root has 0.
    pub fn number(&mut self, path: &Path) -> usize {
        let numbers = &mut self.numbers;
        self.cache.get(path, 0, |parent, _, segment| {
            if matches!(segment, Segment::Index(_)) {
                return *parent;
            }
            let next = numbers.len().saturating_add(1);
            *numbers
                .entry((*parent, segment.to_string()))
                .or_insert(next)
        })
    }

    /// Drops the paths that were passed in; the numbers stay.
    pub fn forget_paths(&mut self) {
        self.cache = PathCache::default();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn paths_found_in_one_map_share_the_path_of_the_map() {
        let mut builder = PathBuilder::default();
        builder.push(Segment::Key("spec".to_owned()));
        let (a, b) = (
            builder.child(Segment::Key("a".to_owned())),
            builder.child(Segment::Key("b".to_owned())),
        );
        assert_eq!(
            (a.to_string(), b.to_string()),
            ("spec.a".into(), "spec.b".into())
        );
        let parent = |path: &Path| path.parent().unwrap().address();
        assert_eq!(parent(&a), parent(&b));
        builder.pop();
        builder.push(Segment::Key("status".to_owned()));
        assert_eq!(builder.path(), path("status"));
        assert_eq!(builder.name_bytes(), 6);
    }

    #[test]
    fn a_field_has_one_number_for_all_indexes() {
        let mut numbers = FieldNumbers::default();
        let one = numbers.number(&path("spec.containers[0].image"));
        assert_eq!(one, numbers.number(&path("spec.containers[7].image")));
        numbers.forget_paths();
        assert_eq!(one, numbers.number(&path("spec.containers[3].image")));
        let others = [
            "",
            "spec",
            "spec.containers",
            "spec.image",
            r#"["spec.containers"].image"#,
        ];
        for other in others {
            assert_ne!(one, numbers.number(&path(other)), "{other}");
        }
    }
}
