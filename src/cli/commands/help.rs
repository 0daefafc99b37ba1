//! `help`: the help of a verb, and topics.

use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Cli, Run, Verb};

/// Show the help of a verb, or a topic: revisions, from-etcdctl, formats
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A verb or a topic
    #[arg(value_name = "VERB|TOPIC")]
    what: Vec<String>,
}

/// The topics, each with its text.
const TOPICS: [(&str, &str); 3] = [
    (
        "revisions",
        include_str!("../../../docs/reference/addresses-and-revisions.md"),
    ),
    (
        "from-etcdctl",
        include_str!("../../../docs/reference/from-etcdctl.md"),
    ),
    (
        "formats",
        include_str!("../../../docs/reference/formats.md"),
    ),
];

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if let [topic] = self.what.as_slice()
            && let Some((_, text)) = TOPICS.iter().find(|(name, _)| name == topic)
        {
            out.write_all(text.as_bytes())?;
            return Ok(Answer::Yes);
        }
        let mut command = Cli::command();
        command.build();
        let mut of = &mut command;
        for name in &self.what {
            of = of.find_subcommand_mut(name).ok_or_else(|| {
                Failure::cannot(format!("there is no verb and no topic {name}"))
                    .hint("topics are revisions, from-etcdctl and formats; `etcdive help` lists the verbs")
            })?;
        }
        let help = of.render_long_help();
        write!(out, "{help}")?;
        Ok(Answer::Yes)
    }
}
