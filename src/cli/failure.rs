//! Why a verb has no answer, as a sentence and a hint for who typed it.

use std::io;
use std::path::PathBuf;

use crate::Error;
use crate::query::NoAnswer;
use crate::query::address::BadEscape;
use crate::query::log_alone::with_reach;
use crate::query::no_answer::RevisionUnavailable;
use crate::query::not_found::Missing;

use super::Answer;

/// No answer.
#[derive(Debug)]
pub enum Failure {
    /// The question cannot be answered: exit 2.
    CannotAnswer {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// What was asked for is not there: exit 1.
    NotFound {
        /// What is not there.
        message: String,
        /// What is near.
        hint: Option<String>,
    },
    /// The query layer has no answer; [`crate::view::no_answer`] has the sentence.
    Query(Box<NoAnswer>),
    /// The reader of our output closed the pipe: a quiet end, with the answer if it was known by then.
    BrokenPipe(Option<Answer>),
}

impl Failure {
    /// A question that cannot be answered.
    pub fn cannot(message: impl Into<String>) -> Self {
        Self::CannotAnswer {
            message: message.into(),
            hint: None,
        }
    }

    /// Something that is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound {
            message: message.into(),
            hint: None,
        }
    }

    /// The same, of output whose answer is known: a reader who goes away does not change it.
    #[must_use]
    pub fn with_answer(self, answer: Answer) -> Self {
        match self {
            Self::BrokenPipe(_) => Self::BrokenPipe(Some(answer)),
            other => other,
        }
    }

    /// The same; of a database that cannot be used, with what its write-ahead log gives.
    #[must_use]
    pub fn with_log(self, typed: &[PathBuf]) -> Self {
        match self {
            Self::Query(no) => with_reach(*no, typed).into(),
            other => other,
        }
    }

    /// The same, with a hint.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::CannotAnswer { hint, .. } | Self::NotFound { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe(None);
        }
        Self::cannot(format!("cannot write the output: {error}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::cannot(error.to_string())
    }
}

impl From<NoAnswer> for Failure {
    fn from(no: NoAnswer) -> Self {
        Self::Query(Box::new(no))
    }
}

impl From<RevisionUnavailable> for Failure {
    fn from(error: RevisionUnavailable) -> Self {
        NoAnswer::from(error).into()
    }
}

impl From<BadEscape> for Failure {
    fn from(word: BadEscape) -> Self {
        NoAnswer::from(word).into()
    }
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        NoAnswer::from(missing).into()
    }
}
