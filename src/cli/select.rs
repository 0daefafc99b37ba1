//! Which objects a verb is asked about: the arguments that all verbs share.

use std::ffi::OsString;

use crate::query::select::{self, LabelSelector, Which};

/// Which objects or keys.
#[derive(Debug, Clone, clap::Args)]
pub struct Where {
    /// Objects or keys: pods, pod/web-1, deploy.apps, /registry/pods/
    ///
    /// A resource (`pods`, `deploy.apps`, `pods,services`), one object (`pod/web-1`, `pods web-1`), a pattern (`pods
    /// 'web-*'`), a key (`/registry/...`), or a prefix of keys that ends in `/`. Each may end in a revision:
    /// `pod/web-1@2185`. `etcdive help addresses` has all forms.
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<OsString>,
    /// Only these namespaces (default: all)
    ///
    /// Names and patterns, separated by commas: `shop`, `shop,dev`, `kube-*`. The flag can be repeated.
    #[arg(short, long, value_name = "NS", value_delimiter = ',')]
    namespace: Vec<String>,
    /// All namespaces, even if -n names some
    ///
    /// All namespaces are the default. The flag is here because kubectl has it.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only these logical clusters of kcp: root,2cynbfy2m0
    ///
    /// Names and patterns, separated by commas. The flag can be repeated. Only stores of kcp have logical clusters.
    #[arg(
        long = "cluster",
        value_name = "CLUSTER",
        value_delimiter = ',',
        hide_short_help = true
    )]
    clusters: Vec<String>,
    /// Only objects with these labels: app=web,tier!=db
    ///
    /// As in kubectl: `app=web`, `tier!=db`, `env in (a,b)`, `env notin (a,b)`, `canary`, `!canary`, joined by commas.
    #[arg(short = 'l', long = "selector", value_name = "SELECTOR", value_parser = LabelSelector::parse)]
    labels: Option<LabelSelector>,
}

/// Which resources are left out.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Exclude {
    /// Leave out these resources: events,leases
    ///
    /// The flag can be repeated.
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
