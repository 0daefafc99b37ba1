//! Progress on standard error: on a terminal only, after a second without output. It is erased before anything else is
//! written there.
//!
//! A bar with amount and rate, if the number of bytes of the pass is known ([`Work`]); otherwise a spinner. For packed
//! input the first bar counts the bytes of the packed file.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::query::evidence::{Progress, Work};

/// How long a run may be silent.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is drawn.
const TICK: Duration = Duration::from_millis(120);

/// The template if the number of bytes is known.
const KNOWN: &str = "reading {bytes} of {total_bytes} [{bar:20}] {bytes_per_sec}";
/// The template if it is not.
const UNKNOWN: &str = "{spinner} reading the database, {elapsed}";

static BAR: OnceLock<ProgressBar> = OnceLock::new();
/// Something was printed, or the run has ended.
static OVER: AtomicBool = AtomicBool::new(false);

/// Shows progress if nothing is printed for a second. `work` is how far the run is.
pub fn start(work: &Work) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let work = work.clone();
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        if OVER.load(Ordering::Acquire) {
            return;
        }
        let bar =
            BAR.get_or_init(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        let mut pass = None;
        while !OVER.load(Ordering::Acquire) {
            show(bar, work.progress(), &mut pass);
            std::thread::sleep(TICK);
        }
        bar.finish_and_clear();
    });
}

/// Erases the progress before anything else is written.
pub fn over() {
    if !OVER.swap(true, Ordering::AcqRel)
        && let Some(bar) = BAR.get()
    {
        bar.finish_and_clear();
    }
}

/// Shows how far the run is; `pass` is the pass that was shown before.
fn show(bar: &ProgressBar, progress: Progress, pass: &mut Option<u64>) {
    if *pass != Some(progress.pass) {
        *pass = Some(progress.pass);
        let template = if progress.total > 0 { KNOWN } else { UNKNOWN };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if progress.total > 0 {
            bar.set_length(progress.total);
            bar.reset_eta();
        }
    }
    bar.set_position(progress.done);
    bar.tick();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_can_be_drawn() {
        for template in [KNOWN, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_new_pass_is_shown_from_its_beginning() {
        let bar = ProgressBar::hidden();
        let mut pass = None;
        let at = |pass, total, done| Progress { pass, total, done };
        show(&bar, at(1, 100, 60), &mut pass);
        assert_eq!((bar.length(), bar.position()), (Some(100), 60));
        show(&bar, at(2, 400, 10), &mut pass);
        assert_eq!((bar.length(), bar.position()), (Some(400), 10));
    }
}
