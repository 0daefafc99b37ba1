//! The parser of flags that take one of several words.
//!
//! clap compiles its own parser anew for each enum, 3 kB each, and there are forty. This one does its work in one function
//! for all of them. `words!(Enum)` makes it the parser of an enum with `#[derive(ValueEnum)]`.

use std::ffi::OsStr;
use std::marker::PhantomData;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, Error, ValueEnum};

/// Makes [`WordParser`] the parser of an enum.
macro_rules! words {
    ($name:ident) => {
        impl clap::builder::ValueParserFactory for $name {
            type Parser = $crate::cli::words::WordParser<Self>;

            fn value_parser() -> Self::Parser {
                $crate::cli::words::WordParser::new()
            }
        }
    };
}
pub(crate) use words;

/// Parses a word of an enum.
#[derive(Debug, Clone)]
pub struct WordParser<E>(PhantomData<fn() -> E>);

impl<E: ValueEnum> WordParser<E> {
    /// The parser.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }

    /// The words of the variants, in their order. None for a variant that is not a word.
    fn words() -> Vec<Option<PossibleValue>> {
        let variants = E::value_variants().iter();
        variants.map(ValueEnum::to_possible_value).collect()
    }
}

impl<E: ValueEnum> Default for WordParser<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: ValueEnum + Send + Sync + 'static> TypedValueParser for WordParser<E> {
    type Value = E;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, Error> {
        let words = Self::words();
        let place = place_of(&words, command, arg, value)?;
        let variant = place.and_then(|place| E::value_variants().get(place));
        variant
            .cloned()
            .ok_or_else(|| Error::new(clap::error::ErrorKind::InvalidValue))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Self::words().into_iter().flatten()))
    }
}

/// The position of a typed word among the words. The error for another word is clap's.
fn place_of(
    words: &[Option<PossibleValue>],
    command: &Command,
    arg: Option<&Arg>,
    value: &OsStr,
) -> Result<Option<usize>, Error> {
    let parser = PossibleValuesParser::new(words.iter().flatten().cloned());
    let word = parser.parse_ref(command, arg, value)?;
    let ignores_case = arg.is_some_and(Arg::is_ignore_case_set);
    let matches = |known: &Option<PossibleValue>| {
        let known = known.as_ref();
        known.is_some_and(|known| known.matches(&word, ignores_case))
    };
    Ok(words.iter().position(matches))
}
