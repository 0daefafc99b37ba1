//! `events`: the Events of Kubernetes, of all objects or of one.

use std::path::PathBuf;

use clap::ValueEnum;

use super::get::table;
use crate::cli::args::{At, Database};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::sources::Sources;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, report};
use crate::query::kube_events::{About, EventsRequest, KubeEvents};
use crate::query::live_objects::ObjectFilters;
use crate::query::objects::ReadValue;
use crate::query::select::Which;
use crate::query::{Notice, Origins};
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::kube_events;

/// Show Kubernetes events, of all objects or of one
///
/// The oldest comes first, as in `kubectl events`. These are Event objects, which an API server deletes after one hour
/// by default. The changes of objects are in `log`. Times are measured against the newest time in the file, not against
/// today.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Only events about this object: pod/web-1
    #[arg(long = "for", value_name = "TYPE/NAME")]
    about: Option<String>,
    /// Only these namespaces (default: all)
    ///
    /// Names and patterns, separated by commas: `shop`, `shop,dev`, `kube-*`. The flag can be repeated.
    #[arg(short, long, value_name = "NS", value_delimiter = ',')]
    namespace: Vec<String>,
    /// All namespaces, even if -n names some
    ///
    /// All namespaces are the default. The flag is here because kubectl has it.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only events of these types: Warning, Normal
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    types: Vec<String>,
    #[command(flatten)]
    at: At,
    /// Only the newest N events
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print no column names
    #[arg(long)]
    no_headers: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// The table with all columns
    Wide,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
}

words!(Output);

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
        self.output == Output::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let about = self.about.as_deref().map(type_and_name).transpose()?;
        let question = run.question()?;
        let which = Which {
            all_namespaces: self.all_namespaces,
            ..Which::new(vec!["events".into()], self.namespace.clone())
        };
        let (which, at) = self.at.resolve(&question, &which)?;
        let about = about.map(|(types, name)| About::new(&question, types, name));
        let request = EventsRequest {
            about: about.transpose()?,
            types: self.types.clone(),
            limit: self.limit,
        };
        let filters = ObjectFilters::default();
        let events = KubeEvents::read(&question, &which, at, &filters, &request)?;
        match self.output {
            Output::Table | Output::Wide => self.print_table(&events, &which, run, out)?,
            Output::Json | Output::Jsonl => self.print_json(&events, out)?,
        }
        Ok(events.finish()?)
    }
}

/// `pod/web-1` in its two parts.
fn type_and_name(text: &str) -> Result<(&str, &str), Failure> {
    let parts = text.split_once('/');
    let is_whole = |(types, name): &(&str, &str)| !types.is_empty() && !name.is_empty();
    parts.filter(is_whole).ok_or_else(|| {
        Failure::cannot(format!("--for {text}: expected a type and a name"))
            .hint("`--for pod/web-1`")
    })
}

impl Args {
    fn print_table(
        &self,
        events: &KubeEvents<'_, '_>,
        which: &Which,
        run: &Run<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let live = &events.live;
        let clock = live.clock();
        let scope = which.scope();
        let beside = table::Beside {
            wide: self.output == Output::Wide,
            no_headers: self.no_headers,
            show_labels: false,
            label_columns: &[],
            one_namespace: scope.is_one_namespace(),
            with_clusters: live.catalog().has_several_clusters() && !scope.is_one_cluster(),
            clock,
        };
        let printed = table::print(
            &events.entries,
            live.selection(),
            live.catalog(),
            beside,
            |record| Some(live.shown(record, false)),
            out,
        )?;
        if printed.any && !self.no_headers {
            report::notices(&[Notice::AgesAsOf(clock.now)], run.invocation);
        }
        Ok(())
    }

    fn print_json(&self, events: &KubeEvents<'_, '_>, out: &mut Out) -> Result<(), Failure> {
        let mut rows = JsonRows::new(Form::array_if(self.output == Output::Json));
        for entry in &events.entries {
            let ReadValue::Object(object, _) = events.live.shown(&entry.record, false) else {
                continue;
            };
            let row = with_object(
                kube_events::json(&entry.key, &object),
                &entry.key,
                events.live.catalog(),
            );
            rows.row(&row, out)?;
        }
        Ok(rows.finish(out)?)
    }
}
