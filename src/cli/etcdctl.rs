//! `get` as `etcdctl get` of etcd 3.6 has it: its flags, its answers, its sentences
//! (`etcdctl/ctlv3/command/get_command.go`, `server/etcdserver/txn/txn.go`).

pub mod range;

use std::ffi::OsString;

use clap::ValueEnum;

use crate::etcd::store::RevisionUnavailable;
use crate::etcd::{AtRevision, KeyEntry, Keyspace};
use crate::view::etcdctl::{Format, GetResponse};

use super::Answer;
use super::failure::Failure;
use super::out::Out;
use crate::query::Question;
use range::KeyRange;

/// The flags of `etcdctl get`; any of them makes the words `KEY [RANGE_END]`. Its --rev is not among them:
/// the verb has it.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "As etcdctl get: the words are KEY [RANGE_END]")]
#[group(conflicts_with_all = ["output", "namespace", "all_namespaces", "labels", "field_selector"])]
pub struct EtcdctlArgs {
    /// How to print etcd's records, to the byte as etcdctl 3.6 does
    #[arg(short = 'w', long, value_name = "FORMAT")]
    write_out: Option<WriteOut>,
    /// All keys that begin with KEY
    #[arg(long)]
    prefix: bool,
    /// All keys from KEY on
    #[arg(long)]
    from_key: bool,
    /// At most so many keys; 0 is all
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<i64>,
    #[arg(skip)]
    sort_by: Option<SortBy>,
    /// How to sort: ASCEND or DESCEND. As in etcd, --sort-by with --limit and without it sorts only the
    /// first keys
    #[arg(long, ignore_case = true, hide_possible_values = true)]
    order: Option<SortOrder>,
    /// Without the values
    #[arg(long)]
    keys_only: bool,
    /// Only how many there are: with -w fields
    #[arg(long)]
    count_only: bool,
    /// Only the values: with -w simple
    #[arg(long)]
    print_value_only: bool,
    /// Only keys created at this revision or later
    #[arg(
        long,
        value_name = "REV",
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    min_create_rev: Option<i64>,
    /// Only keys created at this revision or earlier
    #[arg(
        long,
        value_name = "REV",
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    max_create_rev: Option<i64>,
    /// Only keys written at this revision or later
    #[arg(
        long,
        value_name = "REV",
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    min_mod_rev: Option<i64>,
    /// Only keys written at this revision or earlier
    #[arg(
        long,
        value_name = "REV",
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    max_mod_rev: Option<i64>,
}

/// The formats of etcdctl that have a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum WriteOut {
    /// Key and value, a line each
    #[default]
    Simple,
    /// etcdctl's JSON, keys and values in base64
    Json,
    /// A line for each field
    Fields,
}

impl From<WriteOut> for Format {
    fn from(write_out: WriteOut) -> Self {
        match write_out {
            WriteOut::Simple => Self::Simple,
            WriteOut::Json => Self::Json,
            WriteOut::Fields => Self::Fields,
        }
    }
}

/// By what etcd sorts its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// The revision of creation.
    Create,
    /// The key.
    Key,
    /// The revision of the last put.
    Modify,
    /// The value.
    Value,
    /// The number of puts since the creation.
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SortOrder {
    Ascend,
    Descend,
}

/// The flags that are bounds of revisions: 0 and less are none.
fn bound(flag: Option<i64>) -> Option<i64> {
    flag.filter(|revision| *revision > 0)
}

impl EtcdctlArgs {
    /// The same, sorted by what `--sort-by` names, which `get` shares with kubectl.
    #[must_use]
    pub fn sorted_by(&self, sort_by: Option<SortBy>) -> Self {
        Self {
            sort_by,
            ..self.clone()
        }
    }

    /// Whether any of its flags is given.
    pub fn is_given(&self) -> bool {
        self.write_out.is_some()
            || self.prefix
            || self.from_key
            || self.limit.is_some()
            || self.sort_by.is_some()
            || self.order.is_some()
            || self.keys_only
            || self.count_only
            || self.print_value_only
            || self.bounds().iter().any(Option::is_some)
    }

    fn bounds(&self) -> [Option<i64>; 4] {
        [
            self.min_create_rev,
            self.max_create_rev,
            self.min_mod_rev,
            self.max_mod_rev,
        ]
    }

    /// What etcdctl refuses before it asks.
    fn check(&self) -> Result<(), Failure> {
        if self.keys_only && self.count_only {
            return Err(Failure::cannot(
                "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
            ));
        }
        let pairs = [
            ("CreateRev", self.min_create_rev, self.max_create_rev),
            ("ModRev", self.min_mod_rev, self.max_mod_rev),
        ];
        for (name, min, max) in pairs {
            if let (min, Some(max)) = (min.unwrap_or_default(), bound(max))
                && min > max
            {
                return Err(Failure::cannot(format!(
                    "getMin{name}(={min}) > getMax{name}(={max})"
                )));
            }
        }
        Ok(())
    }

    /// What etcdctl refuses when it has the answer.
    fn check_format(&self, format: Format) -> Result<(), Failure> {
        if self.count_only && format != Format::Fields {
            return Err(Failure::cannot(
                "--count-only is only for `--write-out=fields`",
            ));
        }
        if self.print_value_only && format != Format::Simple {
            return Err(Failure::cannot(
                "print-value-only is only for `--write-out=simple`",
            ));
        }
        Ok(())
    }

    /// The keys of a response, of those in the range, which are in key order; and whether the
    /// limit left out some.
    fn chosen<'r, 'a>(&self, mut entries: Vec<&'r KeyEntry<'a>>) -> (Vec<&'r KeyEntry<'a>>, bool) {
        if self.count_only {
            return (Vec::new(), false);
        }
        let [min_create, max_create, min_mod, max_mod] = self.bounds().map(bound);
        let within = |number: i64, min: Option<i64>, max: Option<i64>| {
            min.is_none_or(|min| min <= number) && max.is_none_or(|max| number <= max)
        };
        entries.retain(|KeyEntry { record, .. }| {
            within(record.create_revision, min_create, max_create)
                && within(record.mod_revision, min_mod, max_mod)
        });
        let limit = self
            .limit
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0);
        let Some(limit) = limit else {
            self.sort(&mut entries);
            return (entries, false);
        };
        // By KEY and ascending is how they stand: etcdctl's client asks for no order then.
        let key = self.sort_by.is_none_or(|by| by == SortBy::Key);
        let unordered = self
            .order
            .is_none_or(|order| key && order == SortOrder::Ascend);
        if unordered && self.bounds().map(bound).iter().all(Option::is_none) {
            // The server takes no more keys then than it needs, and sorts those.
            entries.truncate(limit.saturating_add(1));
        }
        self.sort(&mut entries);
        let more = entries.len() > limit;
        entries.truncate(limit);
        (entries, more)
    }

    fn sort(&self, entries: &mut [&KeyEntry<'_>]) {
        let by = self.sort_by.unwrap_or(SortBy::Key);
        let descending = self.order == Some(SortOrder::Descend);
        entries.sort_by(|this, other| {
            let (a, b) = (&this.record, &other.record);
            let order = match by {
                SortBy::Create => a.create_revision.cmp(&b.create_revision),
                SortBy::Key => this.key.cmp(&other.key),
                SortBy::Modify => a.mod_revision.cmp(&b.mod_revision),
                SortBy::Value => a.value.cmp(b.value),
                SortBy::Version => a.version.cmp(&b.version),
            };
            if descending { order.reverse() } else { order }
        });
    }
}

/// Answers `get` as etcdctl does.
///
/// # Errors
/// etcdctl's and etcd's sentences; and where no key is in the range.
pub fn answer(
    question: &Question<'_>,
    words: &[OsString],
    at: Option<i64>,
    args: &EtcdctlArgs,
    out: &mut Out,
) -> Result<Answer, Failure> {
    let format = args.write_out.unwrap_or_default().into();
    let range = KeyRange::of(words, args.prefix, args.from_key)?;
    args.check()?;
    if range.start.is_empty() && !args.prefix && !args.from_key {
        return Err(
            Failure::cannot("etcdserver: key is not provided").hint("`\"\" --prefix` is every key")
        );
    }
    let store = question.store();
    let at = store.at(at.filter(|at| *at > 0)).map_err(unavailable)?;
    args.check_format(format)?;
    let keyspace = Keyspace::at(store, at, |key| range.covers(key));
    let count = keyspace.live.len();
    let (kvs, more) = args.chosen(keyspace.live.iter().collect());
    let found = !kvs.is_empty() || (args.count_only && count > 0);
    let response = GetResponse {
        revision: store.current_revision(),
        kvs,
        keys_only: args.keys_only,
        more,
        count,
    };
    response.write(format, args.print_value_only, out)?;
    if found {
        return Ok(Answer::Yes);
    }
    Err(nothing_in(&range, count, question, at))
}

/// etcd's sentence for a revision that cannot be asked for, as etcdctl says it.
pub fn unavailable(error: RevisionUnavailable) -> Failure {
    let (sentence, hint) = match error {
        RevisionUnavailable::Compacted { compacted, .. } => (
            "required revision has been compacted",
            if compacted > 0 {
                format!(
                    "the store is compacted to {compacted}: --rev {compacted} is the oldest that can be asked for"
                )
            } else {
                "revisions begin with 1".to_owned()
            },
        ),
        RevisionUnavailable::Future { current, .. } => (
            "required revision is a future revision",
            format!("the newest is --rev {current}"),
        ),
    };
    Failure::cannot(format!("etcdserver: mvcc: {sentence}")).hint(hint)
}

/// The failure for a range without a key to show; `count` are in it.
fn nothing_in(range: &KeyRange, count: usize, question: &Question<'_>, at: AtRevision) -> Failure {
    if range.is_upside_down() {
        return Failure::not_found("the range is upside down: RANGE_END is not after KEY")
            .hint("RANGE_END itself is not in the range");
    }
    if count > 0 {
        return Failure::not_found(format!("none of {count} keys is selected"));
    }
    match range.address() {
        Some(address) => question.missing(&address, None, at).into(),
        None => Failure::not_found("no key is in this range"),
    }
}
