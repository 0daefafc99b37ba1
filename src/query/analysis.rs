//! The Kubernetes objects of a store by kind and size.

use crate::etcd::totals::{KeyTotals, key_totals};
use crate::k8s::analysis::{Usage, kind_under};

use super::question::Question;

pub use crate::k8s::analysis::Analysis;

/// Counts all objects.
pub fn analysis(question: &Question<'_>) -> Analysis {
    let mut analysis = Analysis::default();
    for (key, totals) in key_totals(question.store()) {
        // The first bytes of a value that is still encrypted show that it is.
        let kind = match question.keyring().open(&key, totals.newest_put.value) {
            Ok(value) => kind_under(&key, &value),
            Err(_) => kind_under(&key, totals.newest_put.value),
        };
        if let Some(kind) = kind {
            analysis.add(&key, kind, usage_of(&key, &totals));
        }
    }
    analysis
}

fn usage_of(key: &[u8], totals: &KeyTotals<'_>) -> Usage {
    let current = (key.len() as u64).saturating_add(totals.newest_put.value.len() as u64);
    Usage {
        current_bytes: totals.live.then_some(current),
        version_bytes: totals.version_bytes,
        record_bytes: totals.record_bytes,
    }
}
