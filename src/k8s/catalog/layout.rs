//! Splits keys after the prefix into folder, logical cluster, namespace and name.
//!
//! An API server uses `FOLDER/[NAMESPACE/]NAME`. kcp serves many logical clusters from one store and uses three layouts:
//! - `GROUP/RESOURCE/CLUSTER/[NAMESPACE/]NAME` for built-in resources (the core group is called `core`),
//! - `GROUP/RESOURCE/customresources/CLUSTER/...` for custom resources,
//! - `GROUP/RESOURCE/IDENTITY/CLUSTER/...` for resources that are bound to an export.
//!
//! Upstream: kcp's docs, "etcd structure".

/// The maximal number of segments in a folder. No known server uses more than five.
pub(super) const DEEPEST: usize = 8;

/// The segment that kcp uses instead of an identity if the type is defined in the same cluster.
pub(super) const CUSTOM: &[u8] = b"customresources";

/// The layout of the keys in a folder, after the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether its objects are in logical clusters.
    pub has_clusters: bool,
}

/// The parts of a key after its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'k> {
    /// The identity of the export.
    pub identity: Option<&'k [u8]>,
    /// The logical cluster.
    pub cluster: Option<&'k [u8]>,
    /// The namespace; None if the resource is cluster-scoped.
    pub namespace: Option<&'k [u8]>,
    /// The name; it may contain slashes, but not in a logical cluster.
    pub name: &'k [u8],
}

impl Layout {
    /// Splits what follows the folder and its slash. None if there are too few or too many segments.
    pub fn parts(self, inside: &[u8]) -> Option<Parts<'_>> {
        let mut rest = inside;
        let (mut identity, mut cluster) = (None, None);
        if self.has_clusters {
            let slashes = inside.iter().filter(|byte| **byte == b'/').count();
            // An object outside of a logical cluster has nothing before its namespace.
            let before = slashes.checked_sub(usize::from(self.namespaced))?;
            if before > 2 {
                return None;
            }
            if before == 2 {
                let (first, after) = split(rest)?;
                identity = Some(first).filter(|first| *first != CUSTOM);
                rest = after;
            }
            if before > 0 {
                let (first, after) = split(rest)?;
                cluster = Some(first);
                rest = after;
            }
        }
        let (namespace, name) = if self.namespaced {
            let (namespace, name) = split(rest)?;
            (Some(namespace), name)
        } else {
            (None, rest)
        };
        Some(Parts {
            identity,
            cluster,
            namespace,
            name,
        })
    }
}

/// The parts before and after the first slash.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = text.iter().position(|byte| *byte == b'/')?;
    let (before, after) = text.split_at_checked(slash)?;
    Some((before, after.get(1..)?))
}

/// All splits of what follows the prefix into a folder and the rest, the longest folder first.
pub(super) fn cuts(rest: &[u8], deepest: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut slashes = [0; DEEPEST];
    let mut count = 0_usize;
    let places = rest.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    for (slot, (place, _)) in slashes.iter_mut().take(deepest).zip(places) {
        *slot = place;
        count = count.saturating_add(1);
    }
    slashes
        .into_iter()
        .take(count)
        .rev()
        .filter_map(|slash: usize| {
            let (folder, inside) = rest.split_at_checked(slash)?;
            let inside = inside.get(1..).filter(|inside| !inside.is_empty())?;
            Some((folder, inside))
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Identity, cluster, namespace and name, with commas between.
    fn parts(namespaced: bool, has_clusters: bool, inside: &str) -> Option<String> {
        let layout = Layout {
            namespaced,
            has_clusters,
        };
        let parts = layout.parts(inside.as_bytes())?;
        let text = |part: Option<&[u8]>| {
            let part = part.unwrap_or(b"-");
            String::from_utf8_lossy(part).into_owned()
        };
        let all = [
            text(parts.identity),
            text(parts.cluster),
            text(parts.namespace),
            text(Some(parts.name)),
        ];
        Some(all.join(","))
    }

    #[test]
    fn the_number_of_segments_determines_what_precedes_the_namespace() {
        for (namespaced, has_clusters, inside, expected) in [
            (true, false, "shop/web", Some("-,-,shop,web")),
            (true, false, "web", None),
            (false, false, "a/b", Some("-,-,-,a/b")),
            (true, true, "shop/web", Some("-,-,shop,web")),
            (true, true, "root/shop/web", Some("-,root,shop,web")),
            (true, true, "id/root/shop/web", Some("id,root,shop,web")),
            (
                true,
                true,
                "customresources/c/shop/web",
                Some("-,c,shop,web"),
            ),
            (true, true, "a/b/c/d/e", None),
            (true, true, "web", None),
            (false, true, "web", Some("-,-,-,web")),
            (false, true, "root/web", Some("-,root,-,web")),
            (false, true, "id/root/web", Some("id,root,-,web")),
            (
                false,
                true,
                "customresources/root/web",
                Some("-,root,-,web"),
            ),
            (false, true, "a/b/c/d", None),
        ] {
            let found = parts(namespaced, has_clusters, inside);
            assert_eq!(found.as_deref(), expected, "{inside}");
        }
    }

    #[test]
    fn folders_are_tried_from_the_longest_to_the_shortest() {
        let folders = |rest: &'static str, deepest| {
            let cuts = cuts(rest.as_bytes(), deepest);
            cuts.map(|(folder, _)| std::str::from_utf8(folder).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(folders("a/b/c/d", 2), ["a/b", "a"]);
        assert_eq!(folders("a/b/c/d", 8), ["a/b/c", "a/b", "a"]);
        assert_eq!(folders("a/b/", 8), ["a"]);
        assert!(folders("a", 8).is_empty());
        assert_eq!(folders("a/".repeat(20).leak(), 9).len(), DEEPEST);
    }
}
