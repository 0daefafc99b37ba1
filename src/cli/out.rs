//! Standard output: exact bytes in a pipe, harmless bytes on a terminal.

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ValueEnum;

use crate::view::sanitize::{Sanitizer, visible};
use crate::view::style::Style;

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// When writing to a terminal and NO_COLOR is not set; CLICOLOR_FORCE colours pipes too
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorWhen {
    fn resolve(self, terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if set("NO_COLOR") => false,
            Self::Auto => {
                set("CLICOLOR_FORCE")
                    || (terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb"))
            }
        }
    }
}

/// Output of a verb. Everything written through [`Write`] is content: on a terminal its control,
/// bidi and zero-width characters are made visible. Colour has its own way in, so that content
/// cannot bring its own.
pub struct Out {
    inner: Box<dyn Write>,
    sanitizer: Option<Sanitizer>,
    color: bool,
    width: Option<usize>,
}

/// A write of this size or more goes on by itself: no copy into the buffer.
const BUFFER_BYTES: usize = 128 << 10;

impl Out {
    /// Standard output.
    pub fn stdout(color: ColorWhen) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self {
            inner: Box::new(BufWriter::with_capacity(BUFFER_BYTES, stdout.lock())),
            sanitizer: terminal.then(Sanitizer::default),
            color: color.resolve(terminal),
            width: terminal.then(terminal_width),
        }
    }

    /// Any other place, written as a pipe is: exact bytes, no colour.
    pub fn to(inner: Box<dyn Write>) -> Self {
        Self {
            inner,
            sanitizer: None,
            color: false,
            width: None,
        }
    }

    /// Whether output goes to a terminal.
    pub fn is_terminal(&self) -> bool {
        self.sanitizer.is_some()
    }

    /// How text for people looks here.
    pub fn style(&self) -> Style {
        let style = if self.color {
            Style::coloured()
        } else {
            Style::default()
        };
        Style {
            width: self.width,
            clean: if self.is_terminal() {
                visible
            } else {
                style.clean
            },
            ..style
        }
    }

    /// The way out for a view that cleans what comes from the file by itself, as [`Style::clean`] says:
    /// its colours would not survive the other way.
    pub fn styled(&mut self) -> &mut dyn Write {
        super::progress::over();
        &mut *self.inner
    }

    /// Ends the output.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        super::progress::over();
        if let Some(sanitizer) = &mut self.sanitizer {
            sanitizer.finish(&mut self.inner)?;
        }
        self.inner.flush()
    }
}

fn terminal_width() -> usize {
    // comfy-table asks the terminal by ioctl; where it does not know, a terminal has 80 columns.
    comfy_table::Table::new().width().map_or(80, usize::from)
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        super::progress::over();
        match &mut self.sanitizer {
            Some(sanitizer) => sanitizer.write(bytes, &mut self.inner),
            None => self.inner.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
