//! The newest record of a key in 24 bytes, for lists with one entry for each key of a store.

use super::generation::Generation;
use super::revision::Revision;
use super::succession::NewestRecord;

/// A packed [`NewestRecord`].
#[derive(Debug)]
pub(super) enum PackedNewest {
    /// A record whose numbers fit.
    Usual {
        main: i64,
        sub: u32,
        version: u32,
        /// How many revisions before `main` its key was created; 0 for a tombstone.
        since_creation: u32,
        tombstone: bool,
    },
    /// Any other one. Etcd does not write such records.
    Other(Box<NewestRecord>),
}

impl PackedNewest {
    /// Whether the record deletes its key.
    pub(super) fn is_deletion(&self) -> bool {
        match self {
            Self::Usual { tombstone, .. } => *tombstone,
            Self::Other(newest) => newest.generation.is_none(),
        }
    }

    /// The record.
    pub(super) fn unpack(&self) -> NewestRecord {
        match self {
            Self::Usual {
                main,
                sub,
                version,
                since_creation,
                tombstone,
            } => NewestRecord {
                revision: Revision {
                    main: *main,
                    sub: (*sub).into(),
                },
                generation: (!tombstone).then_some(Generation {
                    create_revision: main.saturating_sub((*since_creation).into()),
                }),
                version: (*version).into(),
            },
            Self::Other(newest) => **newest,
        }
    }

    /// None if a number does not fit.
    fn usual(newest: &NewestRecord) -> Option<Self> {
        let Revision { main, sub } = newest.revision;
        let since_creation = match newest.generation {
            Some(generation) => main.checked_sub(generation.create_revision)?,
            None => 0,
        };
        Some(Self::Usual {
            main,
            sub: u32::try_from(sub).ok()?,
            version: u32::try_from(newest.version).ok()?,
            since_creation: u32::try_from(since_creation).ok()?,
            tombstone: newest.generation.is_none(),
        })
    }
}

impl From<NewestRecord> for PackedNewest {
    fn from(newest: NewestRecord) -> Self {
        Self::usual(&newest).unwrap_or_else(|| Self::Other(Box::new(newest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_unpacked_unchanged() {
        assert_eq!(size_of::<PackedNewest>(), 24);
        let numbers = [i64::MIN, -1, 0, 1, 7, 1 << 32, i64::MAX];
        let mut usual = 0;
        for main in numbers {
            for sub in numbers {
                for version in numbers {
                    for created in numbers.map(Some).into_iter().chain([None]) {
                        let newest = NewestRecord {
                            revision: Revision { main, sub },
                            generation: created
                                .map(|create_revision| Generation { create_revision }),
                            version,
                        };
                        let packed = PackedNewest::from(newest);
                        usual += usize::from(matches!(packed, PackedNewest::Usual { .. }));
                        assert_eq!(format!("{:?}", packed.unpack()), format!("{newest:?}"));
                        assert_eq!(packed.is_deletion(), created.is_none());
                    }
                }
            }
        }
        assert!(usual > 50, "{usual}");
    }
}
