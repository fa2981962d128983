//! The drift controller: `sdk/drift.js` in Rust, constant by constant. From how far a player is off, what to do about it.
//!
//! Pure, decisions only; `follow` carries them out. Held to the SDK by `vectors`. Film milliseconds throughout.

use super::Ms;

const SAMPLES: usize = 5;
const START_MS: Ms = 40.0;
const END_MS: Ms = 12.0;
const START_FRAMES_MS: Ms = 25.0;
const END_FRAMES_MS: Ms = 8.0;
const GAIN_MS: Ms = 2_000.0;
const SLIGHT: f64 = 0.05;
const STRONG: f64 = 0.1;
const FAR_MS: Ms = 300.0;
const SEEK_MS: Ms = 1_000.0;
const SEEK_STEADY_MS: Ms = 600.0;
const SEEK_UNSEEN_MS: Ms = 300.0;
const SEEK_DISCRETE_MS: Ms = 350.0;
const SEEK_UNSETTLED_MS: Ms = 500.0;
const STEADY_MS: Ms = 100.0;
const MISSED_MS: Ms = 150.0;
const FRESH: u32 = 2;
const SEEK_TIME_MS: Ms = 400.0;
const SEEKS_KEPT: usize = 10;
const REST_MS: Ms = 3_000.0;
const REST_MAX_MS: Ms = 30_000.0;
const REST_DISCRETE_MS: Ms = 10_000.0;
const FAILURES: usize = 3;
const FAILURES_MS: Ms = 60_000.0;

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Action {
    /// Play at this speed.
    Rate(f64),
    /// Seek to where the film is.
    Seek,
    /// Start anew.
    Start,
}

/// How long seeks take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeekTime {
    pub(super) mean: Ms,
    pub(super) sigma: Ms,
}

/// What a decision depends on besides drift.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The viewer's own time.
    pub(super) now: Ms,
    /// The film's own speed.
    pub(super) rate: f64,
    /// Whether the clock is settled.
    pub(super) settled: bool,
    /// Whether nobody sees or hears the player.
    pub(super) unseen: bool,
}

/// The controller of one player.
#[derive(Debug)]
pub(super) struct Drift {
    /// The player is left behind: too many seeks failed.
    pub(super) lagging: bool,
    discrete: bool,
    frames: bool,
    samples: Vec<Ms>,
    seeks: Vec<Ms>,
    failures: Vec<Ms>,
    correcting: bool,
    fresh: u32,
    over: u32,
    judge: bool,
    rest: Ms,
    rest_until: Ms,
}

impl Drift {
    /// `discrete`: the player knows only some speeds; `frames`: it tells of each frame.
    pub(super) fn new(discrete: bool, frames: bool) -> Self {
        Self {
            lagging: false,
            discrete,
            frames,
            samples: Vec::new(),
            seeks: Vec::new(),
            failures: Vec::new(),
            correcting: false,
            fresh: 0,
            over: 0,
            judge: false,
            rest: least(discrete),
            rest_until: f64::NEG_INFINITY,
        }
    }

    /// The median of the newest samples; none before there are enough.
    pub(super) fn median(&self) -> Option<Ms> {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        (sorted.len() == SAMPLES).then(|| sorted[SAMPLES / 2])
    }

    /// How long a seek takes on average, and how much that varies.
    #[expect(clippy::cast_precision_loss, reason = "ten at most")]
    pub(super) fn seek(&self) -> SeekTime {
        let count = self.seeks.len() as f64;
        if self.seeks.is_empty() {
            return SeekTime { mean: SEEK_TIME_MS, sigma: STEADY_MS };
        }
        let mean = self.seeks.iter().sum::<Ms>() / count;
        let sigma = (self.seeks.iter().map(|took| (took - mean).powi(2)).sum::<Ms>() / count).sqrt();
        SeekTime { mean, sigma: if self.seeks.len() < 3 { STEADY_MS } else { sigma } }
    }

    /// The player's film position minus the room's.
    pub(super) fn add(&mut self, drift: Ms) {
        self.samples.push(drift);
        let old = self.samples.len().saturating_sub(SAMPLES);
        self.samples.drain(..old);
    }

    /// What was measured means nothing any more.
    pub(super) fn reset(&mut self) {
        self.samples.clear();
        self.over = 0;
        self.correcting = false;
    }

    /// Another state of the film: a new chance. `starts`: the player stood until now.
    pub(super) fn forgive(&mut self, starts: bool) {
        self.reset();
        self.lagging = false;
        self.judge = false;
        self.failures.clear();
        self.fresh = if starts { FRESH } else { 0 };
        self.rest = least(self.discrete);
        self.rest_until = f64::NEG_INFINITY;
    }

    /// A seek is done.
    pub(super) fn sought(&mut self, now: Ms, took: Ms) {
        self.seeks.push(took);
        let old = self.seeks.len().saturating_sub(SEEKS_KEPT);
        self.seeks.drain(..old);
        self.rest_until = now + self.rest;
        self.reset();
    }

    /// What to do now, asked four times a second.
    pub(super) fn decide(&mut self, Moment { now, rate, settled, unseen }: Moment) -> Action {
        let Some(drift) = self.median() else { return Action::Rate(rate) };
        let off = drift.abs();
        let limit = if self.seek().sigma < STEADY_MS { SEEK_STEADY_MS } else { SEEK_MS };
        let seek = match (self.discrete, unseen, settled) {
            (true, ..) => SEEK_DISCRETE_MS,
            (_, true, _) => SEEK_UNSEEN_MS,
            (.., true) => limit,
            (.., false) => SEEK_UNSETTLED_MS,
        };
        self.verdict(now, off > seek);
        if settled && off <= MISSED_MS {
            self.fresh = 0;
        }
        let fresh = settled && self.fresh > 0;
        self.over = if fresh || off > seek { self.over + 1 } else { 0 };
        if self.lagging {
            return Action::Rate(rate);
        }
        if self.over > 1 && fresh {
            self.fresh -= 1;
            return Action::Start;
        }
        if self.over > 1 && now >= self.rest_until {
            self.judge = true;
            return Action::Seek;
        }
        if self.discrete || !settled {
            return Action::Rate(rate);
        }
        let (start, end) = if self.frames { (START_FRAMES_MS, END_FRAMES_MS) } else { (START_MS, END_MS) };
        self.correcting = if self.correcting { off > end } else { off > start && off <= limit };
        if !self.correcting {
            return Action::Rate(rate);
        }
        let most = if off < FAR_MS { SLIGHT } else { STRONG };
        let by = (drift / GAIN_MS).clamp(-most, most);
        Action::Rate((rate * (1.0 - by) * 1000.0).round() / 1000.0)
    }

    /// Whether the last seek led anywhere.
    fn verdict(&mut self, now: Ms, failed: bool) {
        if !std::mem::take(&mut self.judge) {
            return;
        }
        if !failed {
            self.rest = least(self.discrete);
            return;
        }
        self.rest = (self.rest * 2.0).min(REST_MAX_MS);
        self.rest_until = now + self.rest;
        self.failures.push(now);
        self.failures.retain(|at| now - at <= FAILURES_MS);
        self.lagging = self.failures.len() >= FAILURES;
    }
}

fn least(discrete: bool) -> Ms {
    if discrete { REST_DISCRETE_MS } else { REST_MS }
}
