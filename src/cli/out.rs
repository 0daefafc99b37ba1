//! Standard output: exact bytes in a pipe, harmless bytes on a terminal.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use clap::ValueEnum;
use terminal_size::{Height, Width};

use crate::cli::words::words;
use crate::view::answer_part::{self, AnswerPart};
use crate::view::clip::{Clip, clipped};
use crate::view::fit::cut_middle;
use crate::view::rows::Rows;
use crate::view::sanitize::{Sanitizer, visible};
use crate::view::style::Style;

use super::pager::{self, Paged, Screen};
use super::report;

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

words!(ColorWhen);

impl ColorWhen {
    /// Whether a stream is coloured.
    pub(super) fn resolve(self, terminal: bool) -> bool {
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
    inner: Inner,
    sanitizer: Option<Sanitizer>,
    color: bool,
    width: Option<usize>,
    /// Columns that did not fit the terminal.
    left_out: Vec<String>,
}

enum Inner {
    Plain(Box<dyn Write>),
    Paged(BufWriter<Paged<StdoutLock<'static>>>),
}

/// A write of this size or more goes on by itself: no copy into the buffer.
const BUFFER_BYTES: usize = 128 << 10;

/// Somebody is waiting for the first screen.
const TERMINAL_BUFFER_BYTES: usize = 8 << 10;

/// The size of a terminal that does not report one.
const USUAL_SCREEN: Screen = Screen {
    columns: 80,
    lines: 24,
};

impl Out {
    /// Standard output. `pages`: output on a terminal that is longer than its screen goes through a pager.
    pub fn stdout(color: ColorWhen, pages: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let screen = screen();
        if terminal {
            // The answer first, then the notes about it; see the end of this output.
            report::hold();
        }
        let pager = pager::command().filter(|_| terminal && pages);
        let inner = match pager {
            Some(command) => {
                let paged = Paged::new(stdout.lock(), screen, command);
                Inner::Paged(BufWriter::with_capacity(TERMINAL_BUFFER_BYTES, paged))
            }
            None => {
                let writer = BufWriter::with_capacity(BUFFER_BYTES, stdout.lock());
                Inner::Plain(Box::new(writer))
            }
        };
        Self {
            inner,
            sanitizer: terminal.then(Sanitizer::default),
            color: color.resolve(terminal),
            width: terminal.then_some(screen.columns),
            left_out: Vec::new(),
        }
    }

    /// Any other place, written as a pipe is: exact bytes, no colour.
    pub fn to(inner: Box<dyn Write>) -> Self {
        Self {
            inner: Inner::Plain(inner),
            sanitizer: None,
            color: false,
            width: None,
            left_out: Vec::new(),
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

    /// Whether text for people is coloured.
    pub fn is_coloured(&self) -> bool {
        self.color
    }

    /// Whether tables have to fit the width of a terminal.
    pub fn is_cut(&self) -> bool {
        self.width.is_some()
    }

    /// Cuts nothing from here on, however narrow the terminal is: `-o wide`.
    pub fn uncut(&mut self) {
        self.width = None;
    }

    /// The way out for a view that cleans what comes from the file by itself, see [`Style::clean`]:
    /// its colours would not survive the other way.
    pub fn styled(&mut self) -> &mut dyn Write {
        super::progress::over();
        self.inner.writer()
    }

    /// The same, with lines that end where the terminal ends. Each use ends with a whole line.
    pub fn clipped(&mut self) -> Clip<'_> {
        let width = self.width;
        Clip::new(self.styled(), width)
    }

    /// Prints a line of our own with texts from the file in it: as it is in a pipe, harmless and cut on a terminal.
    ///
    /// # Errors
    /// Those of the output.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        let Some(width) = self.width else {
            return writeln!(self, "{text}");
        };
        let text = clipped(&visible(text), width);
        writeln!(self.styled(), "{text}")
    }

    /// Prints several such lines.
    ///
    /// # Errors
    /// Those of the output.
    pub fn lines(&mut self, text: &str) -> io::Result<()> {
        if self.width.is_none() {
            return self.write_all(text.as_bytes());
        }
        text.lines().try_for_each(|line| self.line(line))
    }

    /// Prints a name on a line of its own; on a terminal its middle is cut if it is too long.
    ///
    /// # Errors
    /// Those of the output.
    pub fn name(&mut self, name: &str) -> io::Result<()> {
        let Some(width) = self.width else {
            return writeln!(self, "{name}");
        };
        let name = cut_middle(&visible(name), width).into_owned();
        writeln!(self.styled(), "{name}")
    }

    /// Prints a table as wide as the terminal; in a pipe, all of it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn table(&mut self, rows: &Rows) -> io::Result<()> {
        let style = self.style();
        let left_out = rows.write(self.styled(), &style)?;
        self.leave_out(left_out);
        Ok(())
    }

    /// Prints the parts of a short answer, as wide as the terminal.
    ///
    /// # Errors
    /// Those of the output.
    pub fn parts(&mut self, parts: &[AnswerPart]) -> io::Result<()> {
        let style = self.style();
        let left_out = answer_part::write(parts, self.styled(), &style)?;
        self.leave_out(left_out);
        Ok(())
    }

    /// Remembers columns that did not fit.
    pub fn leave_out<'n>(&mut self, columns: impl IntoIterator<Item = &'n str>) {
        for column in columns {
            if !self.left_out.iter().any(|known| known == column) {
                self.left_out.push(column.to_owned());
            }
        }
    }

    /// The columns that did not fit the terminal, in the order of the tables.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Ends the output.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        super::progress::over();
        if let Some(sanitizer) = &mut self.sanitizer {
            sanitizer.finish(self.inner.writer())?;
        }
        let finished = self.inner.finish();
        self.release_notes();
        finished
    }

    /// Writes the notes that wait for the end of the answer. They only wait on a terminal.
    fn release_notes(&self) {
        if self.is_terminal() {
            report::release();
        }
    }
}

/// A run that ends without [`Out::finish`] keeps no note back.
impl Drop for Out {
    fn drop(&mut self) {
        self.release_notes();
    }
}

impl Inner {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(writer) => &mut **writer,
            Self::Paged(writer) => writer,
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Paged(writer) => {
                let flushed = writer.flush();
                flushed.and(writer.get_mut().finish())
            }
        }
    }
}

/// The size of a terminal.
fn screen() -> Screen {
    let size = terminal_size::terminal_size_of(io::stdout());
    let known = size.map(|(Width(columns), Height(lines))| Screen {
        columns: columns.into(),
        lines: lines.into(),
    });
    // A serial line reports zero.
    let known = known.filter(|screen| screen.columns > 0 && screen.lines > 0);
    known.unwrap_or(USUAL_SCREEN)
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        super::progress::over();
        let writer = self.inner.writer();
        match &mut self.sanitizer {
            Some(sanitizer) => sanitizer.write(bytes, writer),
            None => writer.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.writer().flush()
    }
}
