//! `--manager`: only what one field manager wrote.

use crate::query::writers::ByManager;

/// Only what one field manager wrote.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ManagerArg {
    /// Only changes that this field manager wrote: `kubectl-edit`, `kubelet (status)`
    #[arg(long, value_name = "NAME")]
    manager: Option<String>,
}

impl ManagerArg {
    /// The filter.
    pub fn filter(&self) -> ByManager {
        ByManager::new(self.manager.clone())
    }
}
