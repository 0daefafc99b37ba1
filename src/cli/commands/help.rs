//! `help`: the help of a verb, and topics.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::help::{command, topics, unknown_verb};
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::view::answer_part::AnswerPart;

/// Show the help of a verb, or explain a topic
///
/// Topics: addresses, revisions, times, exit-codes, formats, fields, secrets, from-etcdctl, from-kubectl, from-auger.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A verb, or a topic: addresses, revisions, times, exit-codes, ...
    #[arg(value_name = "VERB|TOPIC")]
    what: Vec<String>,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if let [topic] = self.what.as_slice()
            && let Some(text) = topics::text(topic)
        {
            // A page fits 80 columns, but for its tables and examples.
            match out.style().width {
                Some(_) => out.parts(&AnswerPart::paragraphs(&text))?,
                None => out.write_all(text.as_bytes())?,
            }
            return Ok(Answer::Yes);
        }
        let mut root = command();
        root.build();
        let mut found = &mut root;
        for name in &self.what {
            found = found
                .find_subcommand_mut(name)
                .ok_or_else(|| unknown_verb(name))?;
        }
        write!(out, "{}", found.render_long_help())?;
        Ok(Answer::Yes)
    }
}
