//! `explain`: what a code means and what to do.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::diag::Code;
use crate::view::explain;

/// Explain a code that fsck or a message names: what it means, what is lost, what to do
///
/// Without CODE, list all of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code, as page-id-mismatch
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let Some(asked) = &self.code else {
            out.write_all(explain::list().as_bytes())?;
            return Ok(Answer::Yes);
        };
        let mut codes = Code::ALL.iter();
        let code = codes.find(|code| asked.eq_ignore_ascii_case(code.as_str()));
        let code = code.ok_or_else(|| unknown(asked))?;
        out.write_all(explain::text(*code).as_bytes())?;
        Ok(Answer::Yes)
    }
}

/// No code is called so: which are called alike.
fn unknown(asked: &str) -> Failure {
    /// Less alike than this is another word.
    const ALIKE: f64 = 0.5;
    const NAMED: usize = 3;
    /// Likeness takes time in the product of the lengths, in bytes.
    const MEASURED_BYTES: usize = 64;
    let failure = Failure::cannot(format!("there is no code {asked}"));
    let mut alike: Vec<(f64, &str)> = Code::ALL
        .iter()
        .filter(|_| asked.len() <= MEASURED_BYTES)
        .map(|code| {
            let likeness = strsim::normalized_damerau_levenshtein(asked, code.as_str());
            (likeness, code.as_str())
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    if alike.is_empty() {
        return failure.hint("`etcdive explain` lists all codes");
    }
    let names: Vec<&str> = alike
        .into_iter()
        .take(NAMED)
        .map(|(_, name)| name)
        .collect();
    failure.hint(format!("near it: {}", names.join(", ")))
}
