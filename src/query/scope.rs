//! Where objects have to be: which namespaces, and in kcp which logical clusters.

use super::glob::Globs;

/// The namespaces and logical clusters that were asked for; all, if none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The namespaces.
    pub namespaces: Option<Globs>,
    /// The logical clusters. What is in none is not in one of them.
    pub clusters: Option<Globs>,
}

impl Scope {
    /// Whether it is all of a store.
    pub fn is_all(&self) -> bool {
        self.namespaces.is_none() && self.clusters.is_none()
    }

    /// Whether exactly one namespace was named: a table then needs no column for it.
    pub fn is_one_namespace(&self) -> bool {
        self.namespaces.as_ref().is_some_and(Globs::is_one)
    }

    /// Whether exactly one logical cluster was named.
    pub fn is_one_cluster(&self) -> bool {
        self.clusters.as_ref().is_some_and(Globs::is_one)
    }

    /// Whether a logical cluster was asked for; none is that of what has none.
    pub fn has_cluster(&self, cluster: Option<&[u8]>) -> bool {
        self.clusters
            .as_ref()
            .is_none_or(|wanted| cluster.is_some_and(|cluster| wanted.matches(cluster)))
    }

    /// Whether a namespace was asked for.
    pub fn has_namespace(&self, namespace: &[u8]) -> bool {
        self.namespaces
            .as_ref()
            .is_none_or(|wanted| wanted.matches(namespace))
    }

    /// Whether the object of a namespace and a logical cluster was asked for, if all of a resource are: what is in no
    /// namespace is in none that was named.
    pub fn covers(&self, cluster: Option<&[u8]>, namespace: Option<&[u8]>) -> bool {
        self.has_cluster(cluster)
            && match namespace {
                Some(namespace) => self.has_namespace(namespace),
                None => self.namespaces.is_none(),
            }
    }

    /// The flag that narrows it, as typed; none if it is all of a store.
    pub fn flag(&self) -> Option<(&'static str, String)> {
        let flag = |flag, wanted: &Option<Globs>| Some((flag, wanted.as_ref()?.text()));
        flag("-n", &self.namespaces).or_else(|| flag("--cluster", &self.clusters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_cluster_or_namespace_is_in_none_that_was_named() {
        let globs = |text: &str| Globs::parse(&[text.to_owned()]);
        let all = Scope::default();
        assert!(all.is_all() && all.covers(None, None) && all.covers(Some(b"root"), Some(b"a")));
        let cluster = Scope {
            clusters: globs("ro*"),
            ..Scope::default()
        };
        assert!(cluster.covers(Some(b"root"), None) && cluster.covers(Some(b"root"), Some(b"a")));
        assert!(!cluster.covers(None, Some(b"a")) && !cluster.covers(Some(b"other"), None));
        let both = Scope {
            namespaces: globs("a"),
            ..cluster
        };
        assert!(both.covers(Some(b"root"), Some(b"a")));
        assert!(!both.covers(Some(b"root"), Some(b"b")) && !both.covers(Some(b"root"), None));
        assert_eq!(both.flag(), Some(("-n", "a".to_owned())));
        assert!(both.is_one_namespace() && !both.is_one_cluster() && !all.is_one_namespace());
    }
}
