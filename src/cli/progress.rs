//! A sign of life on standard error: after a second without output, on a terminal only, gone without a trace before
//! anything else is written there.
//!
//! A bar with amount and rate while a pass over the file goes on whose bytes are known ([`Work`]), else a spinner.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::query::evidence::{Progress, Work};

/// How long a run may be silent.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the sign moves.
const TICK: Duration = Duration::from_millis(120);

/// Where the bytes are known.
const KNOWN: &str = "reading {bytes} of {total_bytes} [{bar:20}] {bytes_per_sec}";
/// Where they are not.
const UNKNOWN: &str = "{spinner} reading the database, {elapsed}";

static BAR: OnceLock<ProgressBar> = OnceLock::new();
/// Something was said or printed, or the run has ended.
static OVER: AtomicBool = AtomicBool::new(false);

/// Shows the sign, should nothing be printed for a second. `work` is how far the run is.
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

/// Takes the sign away before anything else is written.
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
    fn both_signs_can_be_drawn() {
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
