//! Arguments that several verbs share.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::etcd::{AtRevision, KeyHistory, Store};
use crate::k8s::encrypt::Keyring;

use super::failure::Failure;
use super::missing::not_found_among;
use super::report;
use super::revision::{RangeExpr, RevisionExpr};
use super::select::Where;
use super::timeline::{Timeline, inferred};

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
    /// Answer as of this time, by what the objects in the store tell of it: 2026-11-20T21:05:00Z,
    /// or 10m before the newest
    #[arg(
        long,
        value_name = "TIME",
        conflicts_with = "at",
        allow_hyphen_values = true
    )]
    pub at_time: Option<String>,
}

impl At {
    /// The main revision to answer for; `which` names the object of a revision such as `v3`.
    ///
    /// # Errors
    /// When it is below the compaction or above the newest, or no such event of the object is retained.
    pub fn resolve(
        &self,
        store: &Store<'_>,
        which: &Where,
        keyring: &Keyring,
    ) -> Result<AtRevision, Failure> {
        if let Some(text) = &self.at_time {
            let timeline = Timeline::of(store, keyring);
            let time = timeline.time(text)?;
            let at = timeline.at_time(time)?;
            report::note(&inferred(&at, time));
            return Ok(store.at(Some(at.revision))?);
        }
        match self.at {
            Some(revision) => resolve(revision, store, which, keyring),
            None => Ok(store.at(None)?),
        }
    }
}

/// The main revision that an expression names; `which` names the object of a revision such as `v3`.
///
/// # Errors
/// When it is below the compaction or above the newest, or no such event of the object is retained.
pub fn resolve(
    revision: RevisionExpr,
    store: &Store<'_>,
    which: &Where,
    keyring: &Keyring,
) -> Result<AtRevision, Failure> {
    if !revision.is_of_object() || !which.is_given() {
        return revision.of_store(store);
    }
    let head = store.at(None)?;
    let selection = which.select(&[(store, head)], keyring)?;
    let missing = |address: &_| not_found_among(address, selection.catalog(), store, head);
    let key = selection.one_key(store, missing)?;
    let address = selection.addresses().first();
    let name = address.map_or_else(String::new, super::address::Address::text);
    let history = KeyHistory::read(store, &key);
    let event = revision.of_object(&history, store, &name)?;
    Ok(AtRevision(event.record.revision.main))
}

/// The two states between the ends of a range: without a beginning the oldest that is whole, without an
/// end the newest.
///
/// # Errors
/// As [`resolve`], and when the range is upside down.
pub fn resolve_range(
    range: RangeExpr,
    store: &Store<'_>,
    which: &Where,
    keyring: &Keyring,
) -> Result<(AtRevision, AtRevision), Failure> {
    let from = match range.from {
        Some(from) => resolve(from, store, which, keyring)?,
        None => AtRevision(store.compact_revision()),
    };
    let to = match range.to {
        Some(to) => resolve(to, store, which, keyring)?,
        None => store.at(None)?,
    };
    if from.0 > to.0 && to != AtRevision::HEAD {
        return Err(Failure::cannot(format!(
            "the range is upside down: {} comes after {}",
            from.0, to.0
        ))
        .hint("A..B goes from the older to the newer"));
    }
    Ok((from, to))
}
