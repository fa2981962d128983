//! What can be seen while a run goes on: which phase, how long still, and one live line. All of it on stderr; stdout is the report's.
//!
//! Responsible for who is told how (`Show`) and when. What lines say is in `line`, the bars of a terminal in `bars`. Telling never fails a
//! run: a terminal that is gone loses lines and nothing else.

mod bars;
mod line;

use std::io::{IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use bars::Bars;
use line::Lines;

/// A phase of a run or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connections are opened.
    Connect,
    /// Messages flow and are not counted yet.
    WarmUp,
    /// What is measured.
    Run,
    /// The last messages are waited for.
    Drain,
}

impl Phase {
    /// Its name, as in `run.json`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::WarmUp => "warm up",
            Self::Run => "run",
            Self::Drain => "drain",
        }
    }
}

/// How long a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It takes this long, or at most this long.
    Time(Duration),
    /// It is over when so many are done; `Progress::done` tells how many are.
    Count(u64),
}

/// How things stand in this second.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Live {
    /// Connections that are open.
    pub(crate) connections: u64,
    /// Messages sent a second.
    pub(crate) messages_per_s: f64,
    /// Deliveries a second.
    pub(crate) deliveries_per_s: f64,
    /// Publish to delivery, in the last second.
    pub(crate) p50: Option<Duration>,
    /// See `p50`.
    pub(crate) p99: Option<Duration>,
    /// Acknowledged and not received yet: what is on its way included, so only what stays at the end is lost.
    pub(crate) missing: u64,
    /// Cores the gateway keeps busy.
    pub(crate) server_cpu: Option<f64>,
    /// What it has resident.
    pub(crate) server_rss_bytes: Option<u64>,
}

/// Who is told how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// A terminal: bars and a line that changes.
    Bars,
    /// A log: a plain line each five seconds.
    Lines,
    /// A program: the same as JSON.
    Json,
    /// Nobody.
    Quiet,
}

impl Show {
    /// What is asked for, and else what fits where stderr goes. `ci`: the environment says `CI`, where a terminal is none.
    pub(crate) fn choose(quiet: bool, json: bool, ci: bool) -> Self {
        Self::fitting(quiet, json, std::io::stderr().is_terminal() && !ci)
    }

    fn fitting(quiet: bool, json: bool, terminal: bool) -> Self {
        match (quiet, json, terminal) {
            (true, ..) => Self::Quiet,
            (_, true, _) => Self::Json,
            (_, _, true) => Self::Bars,
            _ => Self::Lines,
        }
    }
}

/// Tells what goes on. Share it by reference or in an `Arc`.
pub(crate) struct Progress {
    began: Instant,
    voice: Mutex<Voice>,
}

enum Voice {
    Bars(Bars),
    Lines(Lines),
    Quiet,
}

impl Progress {
    /// On stderr.
    pub(crate) fn new(show: Show) -> Self {
        Self::to(show, Box::new(std::io::stderr()))
    }

    /// To somewhere else; bars are on stderr whatever is given.
    pub(crate) fn to(show: Show, out: Box<dyn Write + Send>) -> Self {
        let voice = match show {
            Show::Bars => Voice::Bars(Bars::new()),
            Show::Lines => Voice::Lines(Lines::new(out, false)),
            Show::Json => Voice::Lines(Lines::new(out, true)),
            Show::Quiet => Voice::Quiet,
        };
        Self { began: Instant::now(), voice: Mutex::new(voice) }
    }

    /// Part (or round) `number` of `of` begins, counted from 1. A run that is one piece never calls this.
    pub(crate) fn part(&self, name: &str, number: usize, of: usize) {
        self.tell(|voice, now| match voice {
            Voice::Bars(bars) => bars.part(name, number, of),
            Voice::Lines(lines) => lines.part(now, name, number, of),
            Voice::Quiet => {}
        });
    }

    /// A phase begins, and the one before is over.
    pub(crate) fn phase(&self, phase: Phase, extent: Extent) {
        self.tell(|voice, now| match voice {
            Voice::Bars(bars) => bars.phase(now, phase, extent),
            Voice::Lines(lines) => lines.phase(now, phase, extent),
            Voice::Quiet => {}
        });
    }

    /// So many are done, of a phase that counts.
    pub(crate) fn done(&self, count: u64) {
        self.tell(|voice, now| match voice {
            Voice::Bars(bars) => bars.done(now, count),
            Voice::Lines(lines) => lines.done(now, count),
            Voice::Quiet => {}
        });
    }

    /// How things stand; to be called each second.
    pub(crate) fn live(&self, live: &Live) {
        self.tell(|voice, now| match voice {
            Voice::Bars(bars) => bars.live(now, live),
            Voice::Lines(lines) => lines.live(now, live),
            Voice::Quiet => {}
        });
    }

    /// Something worth a line of its own that stays, for example how a round went.
    pub(crate) fn say(&self, what: &str) {
        self.tell(|voice, now| match voice {
            Voice::Bars(bars) => bars.say(what),
            Voice::Lines(lines) => lines.say(now, what),
            Voice::Quiet => {}
        });
    }

    /// It is over: bars go, what was said stays.
    pub(crate) fn finish(&self) {
        self.tell(|voice, _| {
            if let Voice::Bars(bars) = voice {
                bars.finish();
            }
        });
    }

    fn tell(&self, what: impl FnOnce(&mut Voice, Duration)) {
        let now = self.began.elapsed();
        what(&mut self.voice.lock().unwrap_or_else(PoisonError::into_inner), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_silence_gets_it_and_a_log_gets_lines() {
        assert_eq!(Show::fitting(true, true, true), Show::Quiet);
        assert_eq!(Show::fitting(false, true, true), Show::Json);
        assert_eq!(Show::fitting(false, false, true), Show::Bars);
        assert_eq!(Show::fitting(false, false, false), Show::Lines);
        assert_ne!(Show::choose(false, false, true), Show::Bars, "CI has no terminal, whatever it pretends");
    }
}
