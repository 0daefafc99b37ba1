//! `ls`: the keys, live or deleted; how many each resource or namespace has.

mod bucket;
mod narrow;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::arrange::Arrange as _;
use crate::cli::args::{At, Database};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::v2_store::{V2Output, print, refuse};
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::catalog::Catalog;
use crate::query::key_list::{KeyFilters, KeyList, KeyOrder, PlacedKey};
use crate::query::tally;
use crate::query::v2_store::{self, V2Store};
use crate::query::{Evidence, Notice, Origins, Question};
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::key_names::KeyNames;
use crate::view::listing;
use crate::view::record::key_json;
use crate::view::rows::Rows;

use bucket::NOT_OF_BUCKETS;
use narrow::Narrow;

/// List keys, or count them by kind or namespace
///
/// Prints the live keys in key order, one per line. With --deleted it lists deleted keys instead. With --kinds or
/// --namespaces it counts keys. All filters can be combined.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Count the keys of each resource
    ///
    /// The resource with the most keys comes first. Keys of no known resource are counted by their folder.
    #[arg(long, conflicts_with_all = ["namespaces", "sort"])]
    kinds: bool,
    /// Count the keys of each namespace
    #[arg(long, conflicts_with = "sort")]
    namespaces: bool,
    #[command(flatten)]
    narrow: Narrow,
    /// List deleted keys instead of live ones
    ///
    /// Keys whose deletion is retained and that were not put again since.
    #[arg(long)]
    deleted: bool,
    /// List the keys of this bucket instead
    ///
    /// Works on any bbolt file, etcd's or not. A bucket inside a bucket is printed with a slash at its end and is named
    /// by its path: `a/b/c`. ADDRESS is then the first bytes of a key. After `key:` both may have escapes:
    /// `key:a/\xff`, or `key:a\/b/c` for a name with a slash.
    #[arg(long, value_name = "BUCKET", conflicts_with_all = NOT_OF_BUCKETS)]
    bucket: Option<OsString>,
    /// Sort the keys
    #[arg(
        long,
        value_name = "BY",
        default_value = "key",
        hide_default_value = true
    )]
    sort: Sort,
    /// Reverse the order
    #[arg(long)]
    reverse: bool,
    /// Print the first N only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output format
    ///
    /// The default is `name` for keys and a table for counts.
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Output>,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Only the key, the resource or the namespace
    Name,
    /// The default format with whole keys, even if the terminal is narrower
    Wide,
    /// One JSON array of the objects that jsonl prints
    Json,
    /// One JSON object per line; `etcdive help fields` lists the fields
    Jsonl,
}

words!(Output);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// By key, ascending (the default)
    Key,
    /// By the revision of the last put or, with --deleted, of the deletion; newest first
    Mod,
    /// By the revision of the creation; newest first
    Create,
    /// By the number of puts since the creation; most first
    Version,
    /// By the size of the value; largest first
    Size,
}

words!(Sort);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn origins(&self) -> Origins {
        self.sources.origins()
    }

    fn is_wide(&self) -> bool {
        matches!(self.output, Some(Output::Wide | Output::Name))
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if let Some(bucket) = &self.bucket {
            return self.print_bucket(run, bucket, out);
        }
        if let Some(store) = V2Store::read(Evidence::only(run.evidence)?)? {
            return self.print_v2(&store, out);
        }
        self.sort.order().check(self.deleted)?;
        let question = run.question()?;
        let (which, at) = self.at.resolve(&question, &self.which.asked())?;
        let filters = KeyFilters {
            deleted: self.deleted,
            counted: self.kinds || self.namespaces,
            in_namespaces: self.namespaces,
            ..self.narrow.filters()
        };
        let list = KeyList::read(&question, &which, at, &filters)?;
        let mut chosen = list.chosen();
        if let Some((path, count)) = v2_store::beside(question.evidence()) {
            run.notices.add(Notice::V2Keys(path, count));
        }
        let any = match list.catalog() {
            Some(catalog) => self.print_counts(&chosen, catalog, out)?,
            None => self.print_keys(&mut chosen, &question, out)?,
        };
        Ok(list.finish(any)?)
    }
}

impl Sort {
    fn order(self) -> KeyOrder {
        match self {
            Self::Key => KeyOrder::Key,
            Self::Mod => KeyOrder::Modified,
            Self::Create => KeyOrder::Created,
            Self::Version => KeyOrder::Version,
            Self::Size => KeyOrder::Size,
        }
    }
}

impl Args {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// Prints the keys of a v2 store.
    fn print_v2(&self, store: &V2Store, out: &mut Out) -> Result<Answer, Failure> {
        let asked = self.which.asked();
        let filters = self.narrow.filters();
        refuse(&[
            ("--at", self.at.at.is_some()),
            ("--at-time", self.at.at_time.is_some()),
            ("-n", !asked.namespace.is_empty()),
            ("--cluster", !asked.clusters.is_empty()),
            ("-l", asked.labels.is_some()),
            ("--kinds", self.kinds),
            ("--namespaces", self.namespaces),
            ("--deleted", self.deleted),
            ("--custom", filters.custom.is_some()),
            ("--modified-since", filters.modified_since.is_some()),
            ("--sort version", self.sort == Sort::Version),
        ])?;
        let mut keys = store.select(&asked.addresses, &filters)?;
        match self.sort {
            Sort::Key | Sort::Version => {}
            Sort::Mod => keys.arrange_by_key(|key| std::cmp::Reverse(key.modified_index)),
            Sort::Create => keys.arrange_by_key(|key| std::cmp::Reverse(key.created_index)),
            Sort::Size => keys
                .arrange_by_key(|key| std::cmp::Reverse(key.value.as_ref().map_or(0, String::len))),
        }
        if self.reverse {
            keys.reverse();
        }
        let any = !keys.is_empty();
        keys.truncate(self.limit());
        let output = match self.output {
            None | Some(Output::Name | Output::Wide) => V2Output::Name,
            Some(form) => V2Output::Json {
                with_values: false,
                is_array: form == Output::Json,
            },
        };
        print(&keys, output, out)?;
        Ok(if any { Answer::Yes } else { Answer::No })
    }

    /// Prints how many keys each resource or namespace has; whether there are any, however few of them were asked for.
    fn print_counts(
        &self,
        chosen: &[PlacedKey<'_, '_>],
        catalog: &Catalog,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        let (mut rows, table): (_, fn(&[tally::Row]) -> Rows) = if self.kinds {
            (tally::resources(chosen, catalog), listing::resources)
        } else {
            (tally::namespaces(chosen, catalog), listing::namespaces)
        };
        if self.reverse {
            rows.reverse();
        }
        let any = !rows.is_empty();
        rows.truncate(self.limit());
        match self.output {
            None | Some(Output::Name | Output::Wide) if rows.is_empty() => {}
            None | Some(Output::Wide) => out.table(&table(&rows))?,
            Some(Output::Name) => out.write_all(listing::names(&rows).as_bytes())?,
            Some(form) => {
                let mut json = JsonRows::new(Form::array_if(form == Output::Json));
                for row in &rows {
                    json.row(&listing::json(row), out)?;
                }
                json.finish(out)?;
            }
        }
        Ok(any)
    }

    /// Prints the keys; whether there are any, however few of them were asked for.
    fn print_keys(
        &self,
        chosen: &mut [PlacedKey<'_, '_>],
        question: &Question<'_>,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        self.sort.order().sort(chosen, self.reverse);
        let form = match self.output {
            None | Some(Output::Name | Output::Wide) => None,
            Some(form) => Some(Form::array_if(form == Output::Json)),
        };
        let mut rows = JsonRows::new(form.unwrap_or(Form::Lines));
        let is_short = self.output.is_none() && out.is_cut();
        let names = if is_short {
            KeyNames::short(question.catalog())
        } else {
            KeyNames::whole()
        };
        for chosen in chosen.iter().take(self.limit()) {
            let key = chosen.key();
            if is_short {
                out.name(&names.text(key))?;
                continue;
            }
            if form.is_none() {
                out.write_all(key)?;
                out.write_all(b"\n")?;
                continue;
            }
            let Some(newest) = chosen.newest() else {
                continue;
            };
            if newest.lease() != 0 {
                question.objects().forget_read(1);
            }
            let row = match self.deleted {
                true => listing::deleted_json(key, newest.revision.main),
                false => key_json(key, &newest),
            };
            rows.row(&with_object(row, key, question.catalog()), out)?;
        }
        if form.is_some() {
            rows.finish(out)?;
        }
        Ok(!chosen.is_empty())
    }
}
