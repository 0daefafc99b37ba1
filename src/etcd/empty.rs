//! An empty database in memory. If the database of a data directory cannot be used, the records of its write-ahead log
//! are added to this one.
//!
//! It has three pages: both metas, and a root with the empty inline buckets `key` and `meta`.

use std::sync::OnceLock;

use crate::Error;
use crate::bbolt::Db;
use crate::bbolt::meta::empty_image;
use crate::diag::Diagnostics;

use super::schema;
use super::state::State;
use super::store::Store;

static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();

/// A store without a record, at revision 1.
///
/// # Errors
/// As [`Db::from_image`].
pub fn store(diagnostics: &Diagnostics) -> Result<Store<'_>, Error> {
    let image = IMAGE.get_or_init(|| empty_image(&[schema::KEY, schema::META]));
    let db = Db::from_image(image, None, diagnostics)?;
    Ok(Store::new(State::from_db(db)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bbolt::Direction;

    #[test]
    fn an_empty_store_has_no_record_and_no_finding() {
        let diagnostics = Diagnostics::new();
        let store = store(&diagnostics).unwrap();
        assert!(!store.is_foreign());
        assert!(store.bucket(schema::KEY).is_some());
        assert_eq!(store.records(Direction::Forward).count(), 0);
        assert_eq!((store.current_revision(), store.compact_revision()), (1, 0));
        assert!(!diagnostics.found_any());
    }
}
