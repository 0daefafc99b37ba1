//! A sign of life on standard error: after a second without output, on a terminal only.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a run may be silent.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the sign moves.
const TICK: Duration = Duration::from_millis(120);

static BAR: OnceLock<ProgressBar> = OnceLock::new();
/// Something was said or printed, or the run has ended.
static OVER: AtomicBool = AtomicBool::new(false);

/// Shows the sign, should nothing be printed for a second.
pub fn start() {
    if !std::io::stderr().is_terminal() {
        return;
    }
    std::thread::spawn(|| {
        std::thread::sleep(PATIENCE);
        if OVER.load(Ordering::Acquire) {
            return;
        }
        let bar =
            BAR.get_or_init(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        if let Ok(style) = ProgressStyle::with_template("{spinner} reading the database, {elapsed}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        if OVER.load(Ordering::Acquire) {
            bar.finish_and_clear();
        }
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
