//! Which objects a verb is asked about: the arguments that all verbs share.

use std::ffi::OsString;

use crate::query::select::{self, LabelSelector, Which};

/// Which objects or keys.
#[derive(Debug, Clone, clap::Args)]
pub struct Where {
    /// `pods`, `pods web-1`, `pod/web-1`, `pods 'web-*'`, `deploy.apps`, `pods,services`; or a key `/registry/...`, a
    /// prefix ending in `/`; each may end in a revision: `pod/web-1@2185`
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<OsString>,
    /// Only objects in these namespaces: `shop`, `shop,dev`, `kube-*`; repeatable
    #[arg(short, long, value_name = "NS", value_delimiter = ',')]
    namespace: Vec<String>,
    /// Objects in all namespaces, which is so unless one is named; it comes before -n
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only objects in these logical clusters of kcp: `root`, `root,2cynbfy2m0`, `system:*`; repeatable
    #[arg(long = "cluster", value_name = "CLUSTER", value_delimiter = ',')]
    clusters: Vec<String>,
    /// Only objects with these labels: `app=web,tier!=db,env in (a,b),!canary`
    #[arg(short = 'l', long = "selector", value_name = "SELECTOR", value_parser = LabelSelector::parse)]
    labels: Option<LabelSelector>,
}

/// Which resources are left out.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Exclude {
    /// Leave out the objects of these resources: `events`, `events,leases`; repeatable
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    exclude: Vec<String>,
}

impl Where {
    /// The question in these words.
    pub fn asked(&self) -> Which {
        Which {
            addresses: self.addresses.clone(),
            namespace: self.namespace.clone(),
            all_namespaces: self.all_namespaces,
            clusters: self.clusters.clone(),
            labels: self.labels.clone(),
        }
    }
}

impl Exclude {
    /// The resources in these words.
    pub fn asked(&self) -> select::Exclude {
        select::Exclude {
            exclude: self.exclude.clone(),
        }
    }
}
