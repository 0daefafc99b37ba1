//! The checksum of the live keyspace.

use super::no_answer::NoAnswer;
use super::question::Question;

pub use crate::etcd::checksum::Checksum;

/// The checksum as of a main revision, or of the newest.
///
/// # Errors
/// If the revision is compacted, or was never written.
pub fn checksum(question: &Question<'_>, asked: Option<i64>) -> Result<Checksum, NoAnswer> {
    Ok(Checksum::at(question.store(), asked)?)
}
