//! The pager: long output on a terminal goes through `less`, as with git.
//!
//! What fits one screen is printed as it is: the first screen waits here until it is known whether more comes. So no
//! pager has to know how to end by itself, and `LESS=FRX` (git's default, if LESS is not set) only keeps the colours
//! and the screen.
//!
//! While the pager runs the screen and Ctrl-C are the pager's: notes for standard error wait in [`super::report`]
//! until it ends. What a pager has not shown because it failed is printed again.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::report;

/// How much of what a pager got is kept, to be printed again if the pager fails.
const KEPT_BYTES: usize = 1 << 20;

/// What `sh` is needed for; a command without one of these is started by itself.
const SHELL_CHARACTERS: &str = "|&;<>()$`\\\"'*?[#~=%";

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// How many columns a line has.
    pub columns: usize,
    /// How many lines it shows.
    pub lines: usize,
}

/// The pager's command; none if there is to be none: `cat`, or an empty value. ETCDIVE_PAGER comes before PAGER.
pub fn command() -> Option<OsString> {
    let of = |name: &str| std::env::var_os(name);
    let command = of("ETCDIVE_PAGER").or_else(|| of("PAGER"));
    let command = command.unwrap_or_else(|| "less".into());
    let trimmed = command.as_encoded_bytes().trim_ascii();
    (!trimmed.is_empty() && trimmed != b"cat").then_some(command)
}

/// A terminal's output: held back while it fits the screen, then given to a pager.
pub struct Paged<W: Write> {
    terminal: W,
    screen: Screen,
    command: OsString,
    state: State,
    /// The message about a pager that does not work.
    failed: Option<String>,
}

enum State {
    /// What has been written so far fits the screen.
    Held { bytes: Vec<u8>, rows: RowCount },
    /// The pager has it. `kept` is all that it got, if that is not too much.
    Paging { pager: Pager, kept: Option<Vec<u8>> },
    /// There is no pager, or no longer.
    Direct,
    /// The user quit the pager before the end.
    Quit,
}

struct Pager {
    child: Child,
    input: Option<ChildStdin>,
}

impl<W: Write> Paged<W> {
    /// Nothing is written yet.
    pub fn new(terminal: W, screen: Screen, command: OsString) -> Self {
        Self {
            terminal,
            screen,
            command,
            state: State::Held {
                bytes: Vec::new(),
                rows: RowCount::default(),
            },
            failed: None,
        }
    }

    /// Prints what is still held back, or waits until the user ends the pager.
    ///
    /// # Errors
    /// Those of the terminal; a broken pipe if the user quit the pager before the end.
    pub fn finish(&mut self) -> io::Result<()> {
        let result = match std::mem::replace(&mut self.state, State::Direct) {
            State::Held { bytes, .. } => self.terminal.write_all(&bytes),
            State::Direct => Ok(()),
            State::Quit => {
                // What waits in a buffer above is not wanted any more.
                self.state = State::Quit;
                report::forget();
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            State::Paging { pager, kept } => self.end(pager, kept, false),
        };
        report::release();
        if let Some(why) = self.failed.take() {
            report::note(&why);
        }
        result?;
        self.terminal.flush()
    }

    /// Gives the pager what was held back.
    fn start(&mut self, held: &[u8]) -> io::Result<()> {
        match Pager::start(&self.command) {
            Ok(pager) => {
                report::hold();
                self.state = State::Paging {
                    pager,
                    kept: Some(Vec::new()),
                };
                self.page(held)
            }
            Err(error) => {
                self.fail(&error.to_string(), true);
                self.state = State::Direct;
                self.terminal.write_all(held)
            }
        }
    }

    fn fail(&mut self, why: &str, is_all: bool) {
        let command = self.command.to_string_lossy();
        let what = if is_all { "the output" } else { "the rest" };
        self.failed = Some(format!(
            "pager \"{command}\" failed ({why}), so {what} is printed without it; ETCDIVE_PAGER names another pager, \
             --no-pager uses none"
        ));
    }

    fn page(&mut self, bytes: &[u8]) -> io::Result<()> {
        let State::Paging { pager, kept } = &mut self.state else {
            return Ok(());
        };
        if let Some(copy) = kept {
            if copy.len().saturating_add(bytes.len()) <= KEPT_BYTES {
                copy.extend_from_slice(bytes);
            } else {
                *kept = None;
            }
        }
        let Some(input) = &mut pager.input else {
            return Ok(());
        };
        if input.write_all(bytes).is_ok() {
            return Ok(());
        }
        match std::mem::replace(&mut self.state, State::Quit) {
            State::Paging { pager, kept } => {
                let was_kept = kept.is_some();
                self.end(pager, kept, true)?;
                self.state = State::Direct;
                // What the pager got is printed with the rest, or these bytes alone.
                if was_kept {
                    Ok(())
                } else {
                    self.terminal.write_all(bytes)
                }
            }
            _ => Ok(()),
        }
    }

    /// Waits for the pager. If it failed, what it got is printed; if the user quit it early, the rest is not wanted.
    fn end(&mut self, mut pager: Pager, kept: Option<Vec<u8>>, is_early: bool) -> io::Result<()> {
        drop(pager.input.take());
        let ended = pager.child.wait();
        interrupts::are_ours();
        match ended {
            Ok(status) if status.success() && is_early => Err(io::ErrorKind::BrokenPipe.into()),
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                self.fail(&status.to_string(), kept.is_some());
                self.terminal.write_all(&kept.unwrap_or_default())
            }
            Err(error) => {
                self.fail(&error.to_string(), kept.is_some());
                self.terminal.write_all(&kept.unwrap_or_default())
            }
        }
    }
}

impl<W: Write> Write for Paged<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.state {
            State::Held { bytes: held, rows } => {
                held.extend_from_slice(bytes);
                rows.count(bytes, self.screen.columns);
                // The shell's prompt takes the last line.
                if rows.taken() < self.screen.lines {
                    return Ok(());
                }
                let held = std::mem::take(held);
                self.start(&held)
            }
            State::Paging { .. } => self.page(bytes),
            State::Direct => self.terminal.write_all(bytes),
            State::Quit => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is held back is printed at the end.
        match &mut self.state {
            State::Direct => self.terminal.flush(),
            _ => Ok(()),
        }
    }
}

/// A run that ends without [`Paged::finish`] leaves no pager without its end of input, and takes the terminal back.
impl<W: Write> Drop for Paged<W> {
    fn drop(&mut self) {
        if let State::Paging { pager, .. } = &mut self.state {
            drop(pager.input.take());
            drop(pager.child.wait());
            interrupts::are_ours();
        }
    }
}

impl Pager {
    fn start(command: &OsStr) -> io::Result<Self> {
        let mut child = split(command)
            .env("LESS", std::env::var_os("LESS").unwrap_or("FRX".into()))
            .env("LV", std::env::var_os("LV").unwrap_or("-c".into()))
            .stdin(Stdio::piped())
            .spawn()?;
        interrupts::are_the_pagers();
        let input = child.stdin.take();
        Ok(Self { child, input })
    }
}

/// A command with its arguments; by `sh` if it has what only a shell understands.
fn split(command: &OsStr) -> Command {
    let text = command.to_str();
    let is_plain = |text: &&str| !text.contains(|c| SHELL_CHARACTERS.contains(c));
    let mut words = match text.filter(is_plain) {
        Some(text) => text.split_whitespace().map(OsString::from).collect(),
        None => vec!["sh".into(), "-c".into(), command.to_owned()],
    }
    .into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// How many lines of a terminal a text takes so far.
#[derive(Debug, Default)]
struct RowCount {
    full: usize,
    /// Columns taken in the last line.
    column: usize,
    /// Inside an escape sequence of ours, which takes no room.
    is_escape: bool,
}

impl RowCount {
    /// Counts bytes in UTF-8. A character's first byte counts as one column, or as two from U+1100 on, where the wide
    /// ones begin: at worst the pager starts a few lines early.
    fn count(&mut self, bytes: &[u8], columns: usize) {
        for byte in bytes {
            let width = match byte {
                b'\n' => {
                    self.full = self.full.saturating_add(1);
                    self.column = 0;
                    self.is_escape = false;
                    continue;
                }
                0x1b => {
                    self.is_escape = true;
                    continue;
                }
                byte if self.is_escape => {
                    self.is_escape = !byte.is_ascii_alphabetic();
                    continue;
                }
                b'\t' => 8_usize.saturating_sub(self.column % 8),
                0x80..=0xbf => continue,
                0xe3..=0xff => 2,
                _ => 1,
            };
            if self.column.saturating_add(width) > columns {
                self.full = self.full.saturating_add(1);
                self.column = 0;
            }
            self.column = self.column.saturating_add(width);
        }
    }

    fn taken(&self) -> usize {
        self.full.saturating_add(usize::from(self.column > 0))
    }
}

/// Whom Ctrl-C ends. A pager handles it by itself, and must not lose the program that it reads from, nor share the
/// terminal with the shell's prompt.
#[cfg(unix)]
mod interrupts {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use signal_hook::consts::SIGINT;
    use signal_hook::flag::register_conditional_shutdown;

    /// What a shell reports of a program that Ctrl-C ended.
    const INTERRUPTED: i32 = 130;

    static ENDS_US: OnceLock<Arc<AtomicBool>> = OnceLock::new();

    pub(super) fn are_the_pagers() {
        let ends_us = ENDS_US.get_or_init(|| {
            let flag = Arc::new(AtomicBool::new(false));
            // Without the handler Ctrl-C ends both, which is worse and no reason to give up.
            drop(register_conditional_shutdown(
                SIGINT,
                INTERRUPTED,
                Arc::clone(&flag),
            ));
            flag
        });
        ends_us.store(false, Ordering::SeqCst);
    }

    pub(super) fn are_ours() {
        if let Some(ends_us) = ENDS_US.get() {
            ends_us.store(true, Ordering::SeqCst);
        }
    }
}

#[cfg(not(unix))]
mod interrupts {
    pub(super) fn are_the_pagers() {}
    pub(super) fn are_ours() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pieces: &[&str], columns: usize) -> usize {
        let mut rows = RowCount::default();
        for piece in pieces {
            rows.count(piece.as_bytes(), columns);
        }
        rows.taken()
    }

    #[test]
    fn lines_are_counted_as_a_terminal_shows_them() {
        for (text, columns, expected) in [
            ("", 10, 0),
            ("a", 10, 1),
            ("a\nb\n", 10, 2),
            ("a\nb", 10, 2),
            ("0123456789\n", 10, 1),
            ("01234567890\n", 10, 2),
            ("\u{1b}[31mabcdefghij\u{1b}[0m\n", 10, 1),
            ("\u{540d}\u{540d}\u{540d}\n", 4, 2),
            ("\tab\n", 10, 1),
            ("\tabc\n", 10, 2),
        ] {
            assert_eq!(rows(&[text], columns), expected, "{text:?}");
            let pieces: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            assert_eq!(rows(&pieces, columns), expected, "{text:?} in pieces");
        }
    }

    #[test]
    fn a_command_is_split_at_blanks_and_one_for_a_shell_is_not() {
        let words = |command: &str| -> Vec<String> {
            let command = split(OsStr::new(command));
            std::iter::once(command.get_program())
                .chain(command.get_args())
                .map(|word| word.to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(words("less -R"), ["less", "-R"]);
        assert_eq!(words("tr a b | less"), ["sh", "-c", "tr a b | less"]);
    }

    #[test]
    fn what_fits_the_screen_needs_no_pager() {
        let screen = Screen {
            columns: 10,
            lines: 4,
        };
        let mut seen = Vec::new();
        let mut paged = Paged::new(&mut seen, screen, "/no/such/pager".into());
        paged.write_all(b"a\nb\n").unwrap_or_default();
        paged.write_all(b"c\n").unwrap_or_default();
        assert!(matches!(paged.state, State::Held { .. }));
        paged.finish().unwrap_or_default();
        assert!(paged.failed.is_none());
        drop(paged);
        assert_eq!(seen, b"a\nb\nc\n");
    }
}
