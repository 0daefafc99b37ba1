//! The Kubernetes objects of a store by kind and size; the keys by prefix if there are no objects.

use crate::etcd::totals::{KeyTotals, key_totals};
use crate::k8s::analysis::{Usage, kind_under};

use crate::named::key_text;
use crate::parallel::read_each;

use super::question::Question;
use super::tally::Prefixes;

pub use crate::k8s::analysis::Analysis;

/// What a store contains.
#[derive(Debug)]
pub enum Contents {
    /// Kubernetes objects, by kind.
    Objects(Analysis),
    /// No Kubernetes object: all keys, by prefix.
    Keys(Analysis),
}

/// How many values are read together.
const BATCH: usize = 512;

/// Counts all objects; all keys if there are no objects, unless `only_objects`.
pub fn contents(question: &Question<'_>, only_objects: bool) -> Contents {
    let totals = key_totals(question.store());
    let objects = objects(question, &totals);
    if only_objects || objects.record_bytes > 0 {
        return Contents::Objects(objects);
    }
    let mut analysis = Analysis::default();
    let prefixes = Prefixes::new(totals.iter().map(|(key, _)| &**key));
    for (key, of_key) in &totals {
        let prefix = key_text(prefixes.prefix_of(key)).into_owned();
        analysis.add(key, prefix, usage_of(key, of_key));
    }
    Contents::Keys(analysis)
}

fn objects(question: &Question<'_>, totals: &[(Box<[u8]>, KeyTotals<'_>)]) -> Analysis {
    let keyring = question.keyring();
    // The first bytes of a value that is still encrypted show that it is.
    let kind_of = |key: &[u8], value: &[u8]| match keyring.decrypt(key, value) {
        Ok(value) => kind_under(key, &value),
        Err(_) => kind_under(key, value),
    };
    // The values are read in the order of the file: in that of keys, pages would be read again and again.
    let mut order: Vec<(u64, usize)> = totals
        .iter()
        .enumerate()
        .map(|(place, (_, totals))| (totals.newest_put.offset, place))
        .collect();
    order.sort_unstable();
    let order: Vec<usize> = order.into_iter().map(|(_, place)| place).collect();
    let read = |place: usize| {
        let (key, totals) = totals.get(place)?;
        kind_of(key, totals.newest_put.value)
    };
    let kinds = read_each(totals.len(), &order, BATCH, read, &mut |values| {
        question.objects().forget_read(values);
    });
    let mut analysis = Analysis::default();
    for ((key, totals), kind) in totals.iter().zip(kinds) {
        if let Some(kind) = kind.flatten() {
            analysis.add(key, kind, usage_of(key, totals));
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
