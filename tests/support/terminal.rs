//! A terminal for the program: what reaches it.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// What a run on a terminal shows.
pub struct Shown {
    pub code: i32,
    /// What reached the terminal.
    pub screen: Vec<u8>,
    /// Standard error, where it does not go to the terminal.
    pub stderr: String,
}

impl Shown {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.screen).expect("the terminal gets UTF-8")
    }
}

/// How a terminal is.
#[derive(Clone, Copy)]
pub struct Terminal {
    pub columns: u16,
    pub lines: u16,
    /// Whether standard error goes to it, too; else to a pipe.
    pub with_stderr: bool,
}

impl Terminal {
    /// Of so many columns and 24 lines.
    pub fn wide(columns: u16) -> Self {
        Self {
            columns,
            lines: 24,
            with_stderr: false,
        }
    }

    /// Runs a command with its output on this terminal.
    pub fn run(self, mut command: Command) -> Shown {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        // As it is written: no carriage returns of the system's own.
        let mut settings = tcgetattr(&terminal).unwrap();
        settings.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &settings).unwrap();
        let size = Winsize {
            ws_row: self.lines,
            ws_col: self.columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        command.env("TERM", "xterm").stderr(if self.with_stderr {
            Stdio::from(terminal.try_clone().unwrap())
        } else {
            Stdio::piped()
        });
        command.stdout(Stdio::from(OwnedFd::from(terminal)));
        let mut child = command.spawn().unwrap();
        // The parent's ends of the terminal: without them reading ends with the child.
        drop(command);
        let stderr = child.stderr.take();
        let said = std::thread::spawn(move || {
            let mut said = Vec::new();
            if let Some(mut stderr) = stderr {
                stderr.read_to_end(&mut said).unwrap();
            }
            said
        });
        let mut screen = Vec::new();
        // At its end Linux says EIO.
        let _ = File::from(controller).read_to_end(&mut screen);
        let stderr = said.join().unwrap();
        Shown {
            code: child.wait().unwrap().code().unwrap(),
            screen,
            stderr: String::from_utf8(stderr).expect("standard error is UTF-8"),
        }
    }
}

/// A text without escape sequences that set colours.
pub fn without_colours(text: &str) -> String {
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    colours.replace_all(text, "").into_owned()
}
