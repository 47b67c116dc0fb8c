//! Progress bars of long work: on standard error, and only when a person watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A bar that counts `what` up to `length`.
pub(crate) fn bar(length: u64, what: &'static str) -> ProgressBar {
    styled(length, "{bar:30} {human_pos}/{human_len} {msg}, {per_sec}, {eta} left").with_message(what)
}

/// A bar that counts bytes up to `length`.
pub(crate) fn bytes(length: u64) -> ProgressBar {
    styled(length, "{bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
}

/// A line that counts bytes of unknown number.
pub(crate) fn bytes_so_far() -> ProgressBar {
    let line = ProgressBar::no_length();
    line.set_draw_target(target());
    line.with_style(ProgressStyle::with_template("{bytes}, {bytes_per_sec}").unwrap_or_else(|_| plain()))
}

fn styled(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), target());
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| plain()))
}

fn plain() -> ProgressStyle {
    ProgressStyle::default_bar()
}

fn target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
