//! The messages on standard error, and the exit code.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use terminal_size::Width;

use crate::diag::{Code, Diagnostics, Severity};
use crate::query::logs::Logs;
use crate::query::verify::Outcome;
use crate::query::{Evidence, Notice, verdict};
use crate::source::{Change, TrailerCheck};
use crate::view;
use crate::view::answer_part::{self, AnswerPart};
use crate::view::command::Invocation;
use crate::view::line::Line;
use crate::view::notice;
use crate::view::rows::Rows;
use crate::view::style::{Paint, Style, WordPaint};
use crate::view::{no_answer, sanitize};

use super::Answer;
use super::failure::Failure;

const ANSWERED_NO: u8 = 1;
const CANNOT_ANSWER: u8 = 2;
const PARTIAL: u8 = 3;

/// Takes the place of standard error.
static REDIRECTED: OnceLock<fn(&str)> = OnceLock::new();

/// A message for standard error.
#[derive(Debug)]
enum Message {
    /// Sentences, one per line. A terminal breaks them between words.
    Sentences(String),
    /// A table, which fits the terminal already.
    Table(String),
}

/// Messages that wait for the end of the answer on a terminal, or of its pager; none if nothing is waited for.
static HELD: Mutex<Option<Vec<Message>>> = Mutex::new(None);

/// How standard error looks on a terminal.
static STYLE: OnceLock<Style> = OnceLock::new();

/// The width of a terminal that does not report one.
const USUAL_COLUMNS: usize = 80;

/// On a terminal, messages fit its width, with colours if they are enabled.
pub fn look(is_coloured: bool) {
    let stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return;
    }
    let size = terminal_size::terminal_size_of(&stderr);
    let columns = size.map_or(0, |(Width(columns), _)| usize::from(columns));
    let style = if is_coloured {
        Style::coloured()
    } else {
        Style::default()
    };
    let _ = STYLE.set(Style {
        width: Some(if columns > 0 { columns } else { USUAL_COLUMNS }),
        clean: sanitize::visible,
        ..style
    });
}

/// Holds messages back until [`release`]: the answer is printed first, or a pager has the screen.
pub fn hold() {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.get_or_insert_default();
}

/// Writes the messages that were held back.
pub fn release() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    for message in held.unwrap_or_default() {
        write(message);
    }
}

/// Drops the messages that were held back: the user quit the pager and does not expect more.
pub fn forget() {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// Gives all text for standard error to this function instead: for a program that runs verbs itself.
pub fn redirect(to: fn(&str)) {
    let _ = REDIRECTED.set(to);
}

/// Writes sentences, one per line.
fn say(text: &str) {
    write(Message::Sentences(text.to_owned()));
}

/// Writes a message, or holds it back while the answer is being printed on a terminal. Standard error may be closed; an error of writing to it is
/// ignored, because there is no other place to report it.
fn write(message: Message) {
    let (Message::Sentences(text) | Message::Table(text)) = &message;
    if text.is_empty() {
        return;
    }
    super::progress::over();
    if let Some(held) = &mut *HELD.lock().unwrap_or_else(PoisonError::into_inner) {
        held.push(message);
        return;
    }
    if let Some(to) = REDIRECTED.get() {
        return to(&sanitize::visible(text));
    }
    let mut stderr = std::io::stderr().lock();
    match (STYLE.get(), &message) {
        (Some(style), Message::Sentences(text)) => {
            let parts: Vec<AnswerPart> = text.lines().map(painted).collect();
            drop(answer_part::write(&parts, &mut stderr, style));
        }
        _ => drop(stderr.write_all(sanitize::visible(text).as_bytes())),
    }
}

/// A line, painted by its first word: error, warning, note or hint. A command in a hint stays whole, so that it can be
/// pasted.
fn painted(line: &str) -> AnswerPart {
    let paints: [(&str, WordPaint); 5] = [
        ("etcdive:", |style| style.error),
        ("error:", |style| style.error),
        ("warning:", |style| style.warning),
        ("note:", |style| style.note),
        (HINT, |style| style.note),
    ];
    let mut known = paints.into_iter();
    let known = known.find(|(word, _)| line.starts_with(word));
    let (word, paint) = known.unwrap_or(("", |_| Paint::default()));
    if word == HINT {
        AnswerPart::hint(line, word.len(), paint)
    } else {
        AnswerPart::painted(line, word.len(), paint)
    }
}

/// What a line that can be pasted begins with.
const HINT: &str = "hint:";

/// A table below a note.
fn table(rows: &Rows) {
    let style = STYLE.get().copied().unwrap_or_default();
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = rows.write(
        &mut text,
        &Style {
            width: style.width,
            ..Style::default()
        },
    );
    write(Message::Table(String::from_utf8_lossy(&text).into_owned()));
}

fn say_failure(message: &str, hint: Option<&str>) {
    let mut text = format!("etcdive: {message}\n");
    if let Some(hint) = hint {
        let _ = writeln!(text, "hint: {hint}");
    }
    say(&text);
}

/// clap's message about a wrong command line, on standard error.
pub fn usage(message: &str) {
    say(message);
}

/// A note on standard error, which is no finding.
pub fn note(message: &str) {
    say(&format!("note: {message}\n"));
}

/// What can be done, on standard error.
pub fn hint(message: &str) {
    say(&format!("hint: {message}\n"));
}

/// Which columns of tables did not fit the terminal, on standard error.
pub fn left_out(columns: &[String], has_wide: bool) {
    if columns.is_empty() {
        return;
    }
    let way = if has_wide {
        "-o wide"
    } else {
        "a wider terminal or a pipe"
    };
    let columns = columns.join(", ");
    note(&format!(
        "left out to fit the terminal: {columns}; {way} shows all columns"
    ));
}

/// The notices about the answer, on standard error.
pub fn notices(notices: &[Notice], invocation: &Invocation) {
    for line in notice::lines(notices, invocation) {
        match line {
            Line::Note(text) => note(&text),
            Line::Hint(text) => hint(&text),
            Line::Table(rows) => table(&rows),
        }
    }
}

/// Ends a run that has no answer.
pub fn failure(failure: &Failure, invocation: &Invocation) -> ExitCode {
    match failure {
        Failure::Query(no) => {
            let (message, hint) = no_answer::text(no, invocation);
            say_failure(&message, hint.as_deref());
            ExitCode::from(if no.is_no() {
                ANSWERED_NO
            } else {
                CANNOT_ANSWER
            })
        }
        Failure::CannotAnswer { message, hint } => {
            say_failure(message, hint.as_deref());
            ExitCode::from(CANNOT_ANSWER)
        }
        Failure::NotFound { message, hint } => {
            say_failure(message, hint.as_deref());
            ExitCode::from(ANSWERED_NO)
        }
        Failure::BrokenPipe(answer) => answer.map_or(ExitCode::SUCCESS, code_of),
    }
}

/// The exit code of an answer, if no finding changes it.
fn code_of(answer: Answer) -> ExitCode {
    match answer {
        Answer::Yes | Answer::Findings | Answer::Verdict | Answer::Complete => ExitCode::SUCCESS,
        Answer::Partial => ExitCode::from(PARTIAL),
        Answer::No => ExitCode::from(ANSWERED_NO),
        Answer::Worst(Outcome::Ok) => ExitCode::SUCCESS,
        Answer::Worst(Outcome::Failed) => ExitCode::from(ANSWERED_NO),
        Answer::Worst(Outcome::Unreadable) => ExitCode::from(CANNOT_ANSWER),
        Answer::Worst(Outcome::Damaged) => ExitCode::from(PARTIAL),
    }
}

/// Ends a run: reports what is wrong with the databases, one line per code, and determines the exit code.
/// Damage dominates both yes and no: either may be wrong because of it.
pub fn conclude(
    evidence: &[Evidence],
    logs: Option<&Logs>,
    answer: Result<Answer, Failure>,
    invocation: &Invocation,
) -> ExitCode {
    if let Err(closed @ Failure::BrokenPipe(_)) = &answer {
        return failure(closed, invocation);
    }
    let code = match &answer {
        Ok(answer) => code_of(*answer),
        Err(error) => failure(error, invocation),
    };
    let printed = matches!(answer, Ok(Answer::Findings));
    let is_verdict = printed || matches!(answer, Ok(Answer::Verdict));
    let mut damaged = false;
    let mut found_harmless = false;
    for one in evidence {
        one.collect_read_errors();
        let change = one.change();
        damaged |= if is_verdict {
            one.diagnostics().may_hide_records()
        } else {
            one.diagnostics().found_damage()
        };
        found_harmless |= is_verdict && one.diagnostics().found_any();
        damaged |= change.is_some_and(|change| change != Change::Longer);
        if !printed {
            say(&findings(one, evidence.len() > 1));
        }
        say(&change_text(one, change));
        if let Some(TrailerCheck::Followed { at, by, .. }) = one.trailer() {
            hint(&view::evidence::mended(one.given_path(), *at, *by));
        }
    }
    for logs in evidence.iter().filter_map(Evidence::logs).chain(logs) {
        damaged |= logs.diagnostics().found_damage();
        say(&finding_lines(logs.diagnostics(), ""));
    }
    let is_hinted = printed || is_hinted_already(&answer, invocation);
    if let Some(text) = evidence.iter().find_map(fsck_hint).filter(|_| !is_hinted) {
        hint(&text);
    }
    let is_refusal = matches!(&answer, Err(Failure::Query(no)) if no.is_refusal_of_damage());
    let could_answer = match &answer {
        Err(Failure::CannotAnswer { .. }) => false,
        Err(Failure::Query(no)) => no.is_no(),
        _ => true,
    };
    let is_decided = matches!(answer, Ok(Answer::Complete | Answer::Partial));
    if is_decided {
        code
    } else if is_refusal || (damaged && could_answer) {
        ExitCode::from(PARTIAL)
    } else if found_harmless {
        ExitCode::from(ANSWERED_NO)
    } else {
        code
    }
}

/// The command lines that show more of a damaged tree; none if the tree is intact.
fn fsck_hint(evidence: &Evidence) -> Option<String> {
    // A wrong SHA-256 names no page.
    let of_the_tree = |code: Code| {
        code.severity() == Severity::Error
            && (code.layer() == "bbolt" || code == Code::BucketMissing || code.shows_torn_copy())
            && code != Code::TrailerMismatch
    };
    let found = evidence.diagnostics().by_code();
    let mut codes = found.iter().map(|(code, ..)| *code);
    let code = codes.find(|code| of_the_tree(*code))?;
    let fsck = Invocation::new("fsck", Some(evidence.given_path())).line("fsck", &[]);
    evidence
        .read_by_tree()
        .then(|| format!("`{fsck}` lists every finding, `etcdive explain {code}` says what to do"))
}

fn is_hinted_already(answer: &Result<Answer, Failure>, invocation: &Invocation) -> bool {
    match answer {
        Err(Failure::CannotAnswer { hint, .. } | Failure::NotFound { hint, .. }) => hint.is_some(),
        Err(Failure::Query(no)) => no_answer::text(no, invocation).1.is_some(),
        _ => false,
    }
}

/// The warning about a file that changed after it was opened.
fn change_text(evidence: &Evidence, change: Option<Change>) -> String {
    let path = evidence.source().path().display();
    let what = match change {
        None => return String::new(),
        Some(Change::Longer) => {
            return format!(
                "note: {path} became longer while it was read: the new bytes were not looked at\n"
            );
        }
        Some(Change::Shorter) => "became shorter",
        Some(Change::Written) => "was written",
        Some(Change::Replaced) => "was replaced",
    };
    format!("warning: {path} changed while it was read ({what}): the answer may mix two states\n")
}

/// The findings about one database: the verdict first, then one line per code.
fn findings(evidence: &Evidence, name_it: bool) -> String {
    let mut text = String::new();
    let prefix = if name_it {
        format!("{}: ", evidence.given_path().display())
    } else {
        String::new()
    };
    if let Some(torn) = verdict::torn(evidence) {
        let torn = view::verdict::torn_sentence(torn);
        let _ = writeln!(text, "warning: {prefix}{torn}");
    }
    text.push_str(&finding_lines(evidence.diagnostics(), &prefix));
    text
}

/// One line per code. Findings of severity info have no line.
fn finding_lines(diagnostics: &Diagnostics, prefix: &str) -> String {
    let mut text = String::new();
    for (code, count, kept) in diagnostics.by_code() {
        // A notice already reports values that no key decrypts. They are not damage of the file.
        if code.severity() == Severity::Info || code == Code::ValueNotDecrypted {
            continue;
        }
        let Some(first) = kept.first() else { continue };
        let more = if count > 1 {
            format!(" (and {} more)", count.saturating_sub(1))
        } else {
            String::new()
        };
        let _ = writeln!(text, "{}: {prefix}{first}{more}", code.severity().as_str());
    }
    text
}
