//! `blame`: which revision last changed each line of an object, and who.

use std::path::PathBuf;

use crate::cli::args::{At, Database, RowFormat};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb};
use crate::query::Origins;
use crate::query::blame::{ObjectBlame, Options};
use crate::view::blame::{Lines, line_json, lines, write_table};
use crate::view::json_rows::{Form, JsonRows};

/// Show who last changed each line of an object, and when
///
/// The object is printed as YAML. List items are matched by their key (name, port, type, uid, ...). The revision of a
/// line that opens a map, a list or an item is the one that added it. MANAGER is the managedFields entry that owns the
/// field and changed at that revision. TIME is what the object says about it. `-` is unknown. `^` before a revision
/// means: this revision or an earlier one that was compacted; manager and time are then those that managedFields has
/// for the field. For a deleted object or an earlier state use --at REV.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Print metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Show the values of Secrets instead of masking them
    #[arg(long)]
    show_secrets: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

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
        self.output == RowFormat::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if !self.which.asked().is_given() {
            return Err(Failure::cannot("which object?").hint("`blame DB deploy/web -n shop`"));
        }
        let question = run.question()?;
        let (which, at) = self.at.resolve(&question, &self.which.asked())?;
        let selection = which.select(&[(question.store(), at)], run.keyring)?;
        let options = Options {
            managed_fields: self.show_managed_fields,
            show_secrets: self.show_secrets,
        };
        let (blame, mut names) = ObjectBlame::read(&question, at, &selection, options)?;
        let lines = lines(blame.tree(), &blame.blamed);
        self.print(&lines, &mut |name| names.shown(name), out)?;
        blame.note(&question, at, lines.has_boundaries());
        if self.output.is_table() && blame.is_object() {
            question.notices().add_who();
        }
        Ok(question.finish(Answer::Yes))
    }
}

impl Args {
    fn print(
        &self,
        lines: &Lines<'_>,
        name: &mut impl FnMut(&str) -> String,
        out: &mut Out,
    ) -> Result<(), Failure> {
        if self.output.is_table() {
            let style = out.style();
            let left_out = write_table(out.styled(), lines, &style, name)?;
            out.leave_out(left_out);
            return Ok(());
        }
        let mut rows = JsonRows::new(Form::array_if(self.output == RowFormat::Json));
        for line in lines.iter() {
            rows.row(&line_json(lines, &line, name), out)?;
        }
        rows.finish(out)?;
        Ok(())
    }
}
