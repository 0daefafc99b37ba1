//! `--manager`: only what one field manager wrote.

use crate::query::writers::ByManager;

/// Only what one field manager wrote.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ManagerArg {
    /// Only changes by this field manager: kubectl-edit
    ///
    /// The name as managedFields has it, with the subresource if it has one: `kubelet (status)`.
    #[arg(long, value_name = "NAME")]
    manager: Option<String>,
}

impl ManagerArg {
    /// The filter.
    pub fn filter(&self) -> ByManager {
        ByManager::new(self.manager.clone())
    }
}
