//! `get` as `etcdctl get` of etcd 3.6 has it: its flags, its answers, its sentences
//! (`etcdctl/ctlv3/command/get_command.go`, `server/etcdserver/txn/txn.go`).

use std::ffi::OsString;

use clap::ValueEnum;

use crate::cli::words::words;
use crate::query::Question;
use crate::query::key_range::KeyRange;
use crate::query::range_request::{self, Bounds, RangeRequest};
use crate::view::etcdctl::{Format, GetResponse};

use super::Answer;
use super::failure::Failure;
use super::out::Out;

/// The flags of `etcdctl get`; any of them makes the words `KEY [RANGE_END]`. Its --rev is not among them:
/// the verb has it.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "As etcdctl get: the words are KEY [RANGE_END]")]
#[group(conflicts_with_all = ["output", "namespace", "all_namespaces", "clusters", "labels", "field_selector"])]
pub struct EtcdctlArgs {
    /// Print records byte for byte as etcdctl 3.6 does
    #[arg(short = 'w', long, value_name = "FORMAT")]
    write_out: Option<WriteOut>,
    /// All keys that start with KEY
    #[arg(long)]
    prefix: bool,
    /// All keys from KEY on, in byte order
    #[arg(long)]
    from_key: bool,
    /// At most N keys; 0 is no limit
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<i64>,
    #[arg(skip)]
    sort_by: Option<SortBy>,
    /// Sort order: ASCEND or DESCEND
    ///
    /// As in etcd, without --sort-by only the keys that --limit leaves are sorted.
    #[arg(long, ignore_case = true, hide_possible_values = true)]
    order: Option<SortOrder>,
    /// Print the keys without the values
    #[arg(long)]
    keys_only: bool,
    /// Print only the number of keys; needs -w fields
    #[arg(long)]
    count_only: bool,
    /// Print only the values; needs -w simple
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
    /// Only keys last written at this revision or later
    #[arg(
        long,
        value_name = "REV",
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    min_mod_rev: Option<i64>,
    /// Only keys last written at this revision or earlier
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
    /// The key and the value, each on one line
    #[default]
    Simple,
    /// etcdctl's JSON, with keys and values in base64
    Json,
    /// One field per line
    Fields,
}

words!(WriteOut);

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

words!(SortBy);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SortOrder {
    Ascend,
    Descend,
}

words!(SortOrder);

impl From<SortBy> for range_request::SortBy {
    fn from(by: SortBy) -> Self {
        match by {
            SortBy::Create => Self::Create,
            SortBy::Key => Self::Key,
            SortBy::Modify => Self::Modify,
            SortBy::Value => Self::Value,
            SortBy::Version => Self::Version,
        }
    }
}

impl From<SortOrder> for range_request::SortOrder {
    fn from(order: SortOrder) -> Self {
        match order {
            SortOrder::Ascend => Self::Ascend,
            SortOrder::Descend => Self::Descend,
        }
    }
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
            if let (min, Some(max)) = (min.unwrap_or_default(), Bounds::new(None, max).max)
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

    fn request(&self, range: KeyRange) -> RangeRequest {
        RangeRequest {
            range,
            is_flagged: self.prefix || self.from_key,
            limit: self.limit,
            sort_by: self.sort_by.map(Into::into),
            order: self.order.map(Into::into),
            count_only: self.count_only,
            created: Bounds::new(self.min_create_rev, self.max_create_rev),
            modified: Bounds::new(self.min_mod_rev, self.max_mod_rev),
        }
    }
}

/// Answers `get` as etcdctl does.
///
/// # Errors
/// etcdctl's and etcd's sentences; and if no key is in the range.
pub fn answer(
    question: &Question<'_>,
    words: &[OsString],
    at: Option<i64>,
    args: &EtcdctlArgs,
    out: &mut Out,
) -> Result<Answer, Failure> {
    let format = args.write_out.unwrap_or_default().into();
    let range = KeyRange::parse(words, args.prefix, args.from_key)?;
    args.check()?;
    let request = args.request(range);
    let at = request.at(question, at)?;
    args.check_format(format)?;
    let answer = request.answer(question, at);
    let response = GetResponse {
        revision: question.store().current_revision(),
        kvs: answer.entries.iter().collect(),
        keys_only: args.keys_only,
        more: answer.more,
        count: answer.count,
    };
    response.write(format, args.print_value_only, out)?;
    match request.why_nothing(&answer, question, at) {
        Some(why) => Err(why.into()),
        None => Ok(Answer::Yes),
    }
}
