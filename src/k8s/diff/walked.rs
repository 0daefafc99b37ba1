//! Paths of a walk over a tree: made only where something is found, and shared by all that is found there.

use std::collections::HashMap;

use serde_json::Value;

use super::path::{Path, Segment};

/// The way from the root to where a walk is. A step becomes part of a [`Path`] when something is found below it.
#[derive(Debug, Default)]
pub(in crate::k8s) struct PathBuilder {
    steps: Vec<Segment>,
    /// The paths up to the first steps, as far as they were asked for.
    paths: Vec<Path>,
    /// Length of the names up to each step, in bytes.
    bytes: Vec<usize>,
}

impl PathBuilder {
    /// Goes one step down.
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
        let above = self.name_bytes();
        self.bytes.push(above.saturating_add(bytes));
        self.steps.push(segment);
    }

    /// Goes back up.
    pub(in crate::k8s) fn pop(&mut self) {
        self.steps.pop();
        self.bytes.pop();
        self.paths.truncate(self.steps.len());
    }

    /// The steps from the root.
    pub(in crate::k8s) fn steps(&self) -> &[Segment] {
        &self.steps
    }

    /// Length of all names on the way, in bytes.
    pub(in crate::k8s) fn name_bytes(&self) -> usize {
        self.bytes.last().copied().unwrap_or_default()
    }

    /// The path to where the walk is.
    pub(in crate::k8s) fn path(&mut self) -> Path {
        let missing = self.steps.get(self.paths.len()..).unwrap_or_default();
        let mut path = self.paths.last().cloned().unwrap_or_default();
        for segment in missing {
            path = path.child(segment.clone());
            self.paths.push(path.clone());
        }
        path
    }

    /// The path to what is one step further down.
    pub(in crate::k8s) fn child(&mut self, segment: Segment) -> Path {
        self.path().child(segment)
    }
}

/// Something about each of many paths, derived from that of the path above it; looked at once for all paths that
/// share a step.
#[derive(Debug)]
pub(in crate::k8s) struct PerStep<T> {
    /// By the address of a path. The path itself is kept, so that no other has its address.
    known: HashMap<*const (), (Path, T)>,
}

impl<T> Default for PerStep<T> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
        }
    }
}

impl<T: Clone> PerStep<T> {
    /// What is derived for a path, given that of the root.
    pub(in crate::k8s) fn get(
        &mut self,
        path: &Path,
        root: T,
        mut derive: impl FnMut(&T, &Path, &Segment) -> T,
    ) -> T {
        let mut missing = Vec::new();
        let (mut at, mut value) = (path, root);
        while let (Some(segment), Some(above)) = (at.last(), at.above()) {
            if let Some((_, known)) = self.known.get(&at.address()) {
                value = known.clone();
                break;
            }
            missing.push((at, segment));
            at = above;
        }
        for (path, segment) in missing.into_iter().rev() {
            value = derive(&value, path, segment);
            let kept = (path.clone(), value.clone());
            self.known.insert(path.address(), kept);
        }
        value
    }
}

/// Numbers of fields: equal for two paths that are the same but for the places of items in their lists.
#[derive(Debug, Default)]
pub struct FieldNumbers {
    /// By the number of the field above and the name.
    numbers: HashMap<(usize, String), usize>,
    per_step: PerStep<usize>,
}

impl FieldNumbers {
    /// The number of a path; the root has 0.
    pub fn of(&mut self, path: &Path) -> usize {
        let numbers = &mut self.numbers;
        self.per_step.get(path, 0, |above, _, segment| {
            if matches!(segment, Segment::Index(_)) {
                return *above;
            }
            let next = numbers.len().saturating_add(1);
            *numbers.entry((*above, segment.to_string())).or_insert(next)
        })
    }

    /// Lets go of the paths that were asked about; the numbers stay.
    pub fn forget_paths(&mut self) {
        self.per_step = PerStep::default();
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
    fn what_is_found_in_one_map_shares_its_path() {
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
        let above = |path: &Path| path.above().unwrap().address();
        assert_eq!(above(&a), above(&b));
        builder.pop();
        builder.push(Segment::Key("status".to_owned()));
        assert_eq!(builder.path(), path("status"));
        assert_eq!(builder.name_bytes(), 6);
    }

    #[test]
    fn a_field_has_one_number_wherever_its_items_are() {
        let mut numbers = FieldNumbers::default();
        let one = numbers.of(&path("spec.containers[0].image"));
        assert_eq!(one, numbers.of(&path("spec.containers[7].image")));
        numbers.forget_paths();
        assert_eq!(one, numbers.of(&path("spec.containers[3].image")));
        let others = [
            "",
            "spec",
            "spec.containers",
            "spec.image",
            r#"["spec.containers"].image"#,
        ];
        for other in others {
            assert_ne!(one, numbers.of(&path(other)), "{other}");
        }
    }
}
