//! A bar on stderr, if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress(ProgressBar);

impl Progress {
    pub fn new(steps: usize) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} ({eta} left)");
        let bar = ProgressBar::new(steps as u64);
        bar.set_style(style.expect("the template is valid"));
        Self(bar)
    }

    /// The next step begins.
    pub fn step(&self, trace: &str, subject: &str) {
        self.0.set_message(format!("{trace} {subject}"));
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
