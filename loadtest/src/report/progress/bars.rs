//! The voice for a terminal: a bar for the phase, and under it the line that changes each second.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::line::{Stand, live_words};
use super::{Extent, Live, Phase};

/// Steps of the bar for a phase that has a length in time: its own, as its position is set by the clock.
const MILLIS: u64 = 1000;

/// A bar and a line.
pub(super) struct Bars {
    all: MultiProgress,
    bar: ProgressBar,
    line: ProgressBar,
    part: String,
    stand: Option<Stand>,
}

impl Bars {
    /// Nothing shown yet. Drawn on stderr.
    pub(super) fn new() -> Self {
        let all = MultiProgress::new();
        let (bar, line) = (all.add(ProgressBar::new(0)), all.add(ProgressBar::new(0)));
        bar.set_style(style("{prefix:<9} {bar:32} {msg}"));
        line.set_style(style("{msg}"));
        Self { all, bar, line, part: String::new(), stand: None }
    }

    pub(super) fn part(&mut self, name: &str, number: usize, of: usize) {
        self.part = format!("{name} ({number} of {of})  ");
        self.stand = None;
    }

    pub(super) fn phase(&mut self, now: Duration, phase: Phase, extent: Extent) {
        let length = match extent {
            Extent::Time(whole) => whole.as_secs().max(1) * MILLIS,
            Extent::Count(all) => all,
        };
        self.stand = Some(Stand::new(now, phase, extent));
        self.bar.set_length(length);
        self.bar.set_prefix(phase.name());
        self.show(now);
    }

    pub(super) fn done(&mut self, now: Duration, count: u64) {
        if let Some(stand) = &mut self.stand {
            stand.done = count;
        }
        self.show(now);
    }

    pub(super) fn live(&mut self, now: Duration, live: &Live) {
        self.show(now);
        self.line.set_message(live_words(live));
    }

    pub(super) fn say(&mut self, what: &str) {
        // A terminal that is gone has nobody to tell.
        let _ = self.all.println(what);
    }

    pub(super) fn finish(&mut self) {
        self.bar.finish_and_clear();
        self.line.finish_and_clear();
    }

    fn show(&self, now: Duration) {
        let Some(stand) = &self.stand else { return };
        let position = match stand.extent {
            Extent::Time(_) => u64::try_from(now.saturating_sub(stand.began).as_millis()).unwrap_or(u64::MAX),
            Extent::Count(_) => stand.done,
        };
        self.bar.set_position(position.min(self.bar.length().unwrap_or(position)));
        self.bar.set_message(format!("{}{}", self.part, stand.words(now)));
    }
}

/// Templates are ours and fixed; one that did not parse would show indicatif's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_understood() {
        for template in ["{prefix:<9} {bar:32} {msg}", "{msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_bar_follows_the_clock_and_the_count() {
        let mut bars = Bars::new();
        bars.phase(Duration::ZERO, Phase::Connect, Extent::Count(10));
        bars.done(Duration::from_secs(1), 4);
        assert_eq!((bars.bar.position(), bars.bar.length()), (4, Some(10)));
        bars.phase(Duration::from_secs(2), Phase::Run, Extent::Time(Duration::from_secs(10)));
        bars.live(Duration::from_secs(7), &Live::default());
        assert_eq!((bars.bar.position(), bars.bar.length()), (5000, Some(10_000)));
        bars.live(Duration::from_secs(20), &Live::default());
        assert_eq!(bars.bar.position(), 10_000, "late is no more than done");
        bars.finish();
        assert!(bars.bar.is_finished());
    }
}
