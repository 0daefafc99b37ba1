//! How the keys of a table are written: whole, or as short addresses where the table has to fit a terminal.

use std::borrow::Cow;

use crate::k8s::catalog::Catalog;
use crate::query::short_address::ShortAddresses;

use super::record::key_text;

/// How keys are written.
#[derive(Debug, Default)]
pub struct KeyNames<'c>(Option<ShortAddresses<'c>>);

impl<'c> KeyNames<'c> {
    /// Each key as it is stored: in a pipe, and for `-o wide`.
    #[must_use]
    pub fn whole() -> Self {
        Self(None)
    }

    /// Keys of this catalog's objects as `TYPE/NAMESPACE/NAME`.
    #[must_use]
    pub fn short(catalog: &'c Catalog) -> Self {
        Self(Some(ShortAddresses::new(catalog)))
    }

    /// The text of a key.
    #[must_use]
    pub fn text<'k>(&self, key: &'k [u8]) -> Cow<'k, str> {
        let short = self.0.as_ref().and_then(|short| short.of_key(key));
        short.map_or_else(|| key_text(key), Cow::Owned)
    }
}
