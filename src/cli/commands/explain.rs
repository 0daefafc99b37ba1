//! `explain`: what a code means and what to do.

use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::diag::Code;
use crate::near;
use crate::view::explain;

/// Explain a code of fsck: its meaning and what to do
///
/// Without CODE all codes are listed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code, for example page-id-mismatch
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let Some(asked) = &self.code else {
            let list = explain::list(&out.style());
            out.lines(&list)?;
            return Ok(Answer::Yes);
        };
        let mut codes = Code::ALL.iter();
        let code = codes.find(|code| asked.eq_ignore_ascii_case(code.as_str()));
        let code = code.ok_or_else(|| unknown(asked))?;
        out.parts(&explain::parts(*code))?;
        Ok(Answer::Yes)
    }
}

/// The failure for a code that does not exist, with the codes near to it.
fn unknown(asked: &str) -> Failure {
    let failure = Failure::cannot(format!("unknown code \"{asked}\""));
    let near = near::near(asked, Code::ALL.iter().map(|code| code.as_str()));
    if near.is_empty() {
        return failure.hint("`etcdive explain` lists all codes");
    }
    failure.hint(format!("did you mean {}?", near.join(", ")))
}
