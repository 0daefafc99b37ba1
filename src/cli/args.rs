//! Arguments that several verbs share.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::etcd::store::RevisionUnavailable;
use crate::etcd::{AtRevision, KeyHistory};
use crate::query::address::Address;
use crate::query::{NoAnswer, Question};

use super::failure::Failure;
use super::select::Where;
use crate::query::revision::{RangeExpr, RevisionExpr, only_one};

/// The database to read.
#[derive(Debug, clap::Args)]
pub struct Database {
    /// A db file, a snapshot file, or a data directory
    #[arg(value_name = "DB")]
    pub db: PathBuf,
}

/// How a list of rows is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// For people
    Table,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
}

/// The revision to answer for.
#[derive(Debug, clap::Args)]
pub struct At {
    /// Answer as of this revision instead of the newest: 123, @~5; of one object also v3, ~1, created
    #[arg(long, aliases = ["rev", "revision"], value_name = "REV", allow_negative_numbers = true)]
    pub at: Option<RevisionExpr>,
    /// Answer as of this time, by the times in the objects of the store: 2026-11-20T21:05:00Z, 21:05 on the newest
    /// day, or 10m before the newest time
    #[arg(
        long,
        value_name = "TIME",
        conflicts_with = "at",
        allow_hyphen_values = true
    )]
    pub at_time: Option<String>,
}

impl At {
    /// The addresses without a revision of their own, and the main revision to answer for.
    ///
    /// # Errors
    /// When two revisions are named, and as [`Self::revision`].
    pub fn resolve(
        &self,
        question: &Question<'_>,
        which: &Where,
    ) -> Result<(Where, AtRevision), Failure> {
        let (which, own) = which.split_revision(question.store())?;
        if let (Some(own), Some(time)) = (own, &self.at_time) {
            return Err(Failure::cannot(format!(
                "two revisions are named: {own}, and --at-time {time}"
            )));
        }
        let at = only_one(own, self.at, "--at")?;
        let at = match at {
            Some(revision) => resolve(revision, question, &which)?,
            None => self.revision(question, &which)?,
        };
        Ok((which, at))
    }

    /// The main revision that the flags name; `which` names the object of a revision such as `v3`.
    ///
    /// # Errors
    /// When it is below the compaction or above the newest, or no such event of the object is retained.
    pub fn revision(&self, question: &Question<'_>, which: &Where) -> Result<AtRevision, Failure> {
        if let Some(text) = &self.at_time {
            return Ok(question.revision_at(text)?);
        }
        match self.at {
            Some(revision) => resolve(revision, question, which),
            None => Ok(question.store().at(None)?),
        }
    }
}

/// The main revision that an expression names; `which` names the object of a revision such as `v3`.
///
/// # Errors
/// When it is below the compaction or above the newest, or no such event of the object is retained.
pub fn resolve(
    revision: RevisionExpr,
    question: &Question<'_>,
    which: &Where,
) -> Result<AtRevision, Failure> {
    let store = question.store();
    if !revision.is_of_object() || !which.is_given() {
        return revision.of_store(store).map_err(|error| {
            if matches!(
                error,
                NoAnswer::Unavailable(RevisionUnavailable::Compacted { .. })
            ) {
                question.note_compacted(&|_| true, None);
            }
            error.into()
        });
    }
    let head = store.at(None)?;
    let selection = which.select(&[(store, head)], question.keyring())?;
    let key = selection.one_key(question, head)?;
    let address = selection.addresses().first();
    let name = address.map_or_else(String::new, Address::text);
    let history = KeyHistory::read(store, &key);
    let event = revision.of_object(&history, store, &name)?;
    Ok(AtRevision(event.record.revision.main))
}

/// The revisions that events are asked of, the first of them not included: those of `A..B`, or up to the revision
/// after an address, or all.
///
/// # Errors
/// As [`resolve_range`], and when both are given.
pub fn resolve_events(
    range: Option<RangeExpr>,
    own: Option<RevisionExpr>,
    question: &Question<'_>,
    which: &Where,
) -> Result<(AtRevision, AtRevision), Failure> {
    match (range, own) {
        (Some(_), Some(own)) => Err(Failure::cannot(format!(
            "a range and a revision after an address, {own}: one of them is enough"
        ))),
        (Some(range), None) => resolve_range(range, question, which),
        (None, Some(own)) => Ok((AtRevision(0), resolve(own, question, which)?)),
        (None, None) => Ok((AtRevision(0), AtRevision::HEAD)),
    }
}

/// The two states between the ends of a range: without a beginning the oldest that is whole, without an
/// end the newest.
///
/// # Errors
/// As [`resolve`], and when the range is upside down.
pub fn resolve_range(
    range: RangeExpr,
    question: &Question<'_>,
    which: &Where,
) -> Result<(AtRevision, AtRevision), Failure> {
    let store = question.store();
    let from = match range.from {
        Some(from) => resolve(from, question, which)?,
        None => AtRevision(store.compact_revision()),
    };
    let to = match range.to {
        Some(to) => resolve(to, question, which)?,
        None => store.at(None)?,
    };
    if from.0 > to.0 && to != AtRevision::HEAD {
        return Err(NoAnswer::RangeUpsideDown {
            from: from.0,
            to: to.0,
        }
        .into());
    }
    Ok((from, to))
}
