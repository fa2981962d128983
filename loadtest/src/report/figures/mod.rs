//! What is known of a run once it is over: the model that `run.json` is, word for word.
//!
//! Responsible for names, units and the version of this shape. Not responsible for measuring (scenarios fill it), judging (`verdict`) or
//! showing. Units are in the names: `_us` microseconds, `_s` seconds, `_bytes`; `cpu` is in cores (1.0 is one core busy all the time).
//! What a scenario does not measure is `None` or empty, never 0: a zero claims something.

mod counts;
mod drift;
mod latency;
mod place;
mod series;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use counts::Counts;
pub(crate) use drift::Drift;
pub(crate) use latency::{Latencies, Latency};
pub(crate) use place::{Host, Server};
pub(crate) use series::{Cost, PhaseSpan, Sample, Step};

/// The version of this shape. Goes up with any change that would make an older reader wrong; `compare` refuses any other.
pub(crate) const SCHEMA: u32 = 1;

/// A run: `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Always [`SCHEMA`] in what this program writes.
    pub(crate) schema: u32,
    /// Version of this program.
    pub(crate) loadtest: String,
    /// Which scenario ran, by its name on the command line.
    pub(crate) scenario: String,
    /// Which profile chose the knobs and objectives, if one did.
    pub(crate) profile: Option<String>,
    /// The knobs by their names on the command line, defaults included: what a comparison wants equal.
    pub(crate) knobs: BTreeMap<String, String>,
    /// The command that makes this run again, as words.
    pub(crate) command: Vec<String>,
    /// Where randomness began.
    pub(crate) seed: u64,
    /// When it began, UTC, RFC 3339 with whole seconds.
    pub(crate) started_at: String,
    /// Somebody stopped it: figures are of what was done until then.
    pub(crate) interrupted: bool,
    /// The machine.
    pub(crate) host: Host,
    /// The gateway.
    pub(crate) server: Server,
    /// All of the run together.
    pub(crate) total: Figures,
    /// Its parts (`smoke`) or rounds (`slow`), in the order they ran; empty for a run that is one piece.
    pub(crate) parts: Vec<Part>,
    /// Figures that only this scenario has, for example how much longer listeners waited beside a slow one.
    pub(crate) own: Vec<Own>,
    /// What became of it; set by `verdict`.
    pub(crate) verdict: Verdict,
}

/// What was measured, in the whole run or in one part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// What it went through, in order.
    pub(crate) phases: Vec<PhaseSpan>,
    /// How much of what.
    pub(crate) counts: Counts,
    /// How long things took.
    pub(crate) latency: Latencies,
    /// What the gateway's process cost, and what the generator's did.
    pub(crate) server: Cost,
    /// See `server`.
    pub(crate) generator: Cost,
    /// One for each second.
    pub(crate) samples: Vec<Sample>,
    /// The steps of a ramp.
    pub(crate) steps: Vec<Step>,
    /// How far players were from the film; only `sync` has players.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drift: Option<Drift>,
}

/// A part or a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// What it is called: unique in its run; objectives may name it (`fanout.deliver.p99<50ms`).
    pub(crate) name: String,
    /// What a reader should know of it in one line, or nothing.
    pub(crate) note: String,
    /// Its figures.
    pub(crate) figures: Figures,
}

/// A figure of one scenario only; objectives name it by `name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Own {
    /// Its name, in the way of the others: words of `a-z 0-9 _` with dots between.
    pub(crate) name: String,
    /// What it says, for people.
    pub(crate) what: String,
    /// The value, in its unit.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: Unit,
}

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Things.
    Count,
    /// Microseconds.
    Micros,
    /// Bytes.
    Bytes,
    /// A part of a whole: 0.01 is a hundredth.
    Share,
    /// One value as so many times another.
    Ratio,
    /// Cores.
    Cores,
    /// Things a second.
    Rate,
}

/// What became of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// In one word.
    pub(crate) outcome: Outcome,
    /// Every objective, in the order they were given.
    pub(crate) objectives: Vec<Judged>,
    /// Why the run is void. A scenario may put a reason here before the run is judged.
    pub(crate) void: Vec<String>,
}

/// A verdict in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Every objective was met.
    #[default]
    Pass,
    /// One was not.
    Missed,
    /// The figures say nothing about the gateway.
    Void,
    /// Somebody stopped it.
    Interrupted,
}

/// One objective and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    /// The objective as it was written, or in words when the scenario judged it itself.
    pub(crate) objective: String,
    /// What was found, with its unit, for people.
    pub(crate) found: String,
    /// Whether it was met.
    pub(crate) met: bool,
    /// Whether it asks for a count, which holds or not however the generator fared. Of no interest once it is judged, so not in files.
    #[serde(skip)]
    pub(crate) counted: bool,
}

impl Judged {
    /// What a scenario counted itself.
    pub(crate) fn count(objective: &str, found: String, met: bool) -> Self {
        Self { objective: objective.to_owned(), found, met, counted: true }
    }
}

impl Run {
    /// A run that begins now, of which nothing is known but what it is and where. The command is that of this process.
    pub(crate) fn begin(scenario: &str, seed: u64, host: Host) -> Self {
        Self {
            schema: SCHEMA,
            loadtest: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.to_owned(),
            profile: None,
            knobs: BTreeMap::new(),
            command: Vec::new(),
            seed,
            started_at: place::rfc3339(std::time::SystemTime::now()),
            interrupted: false,
            host,
            server: Server::default(),
            total: Figures::default(),
            parts: Vec::new(),
            own: Vec::new(),
            verdict: Verdict::default(),
        }
    }

    /// Adds a knob by its name on the command line.
    pub(crate) fn knob(&mut self, name: &str, value: impl ToString) {
        self.knobs.insert(name.to_owned(), value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// `run.json` of this schema, as it lies in other people's directories.
    const GOLDEN: &str = include_str!("../golden/run.json");

    #[test]
    fn the_golden_run_reads_and_is_written_word_for_word() {
        let run: Run =
            serde_json::from_str(GOLDEN).expect("reads; if the shape had to change, SCHEMA goes up");
        assert!(run == sample::run(), "it reads as something else");
        let written = serde_json::to_string_pretty(&run).expect("writes") + "\n";
        let differs = written.lines().zip(GOLDEN.lines()).find(|(is, was)| is != was);
        assert!(written == GOLDEN, "{differs:?}");
        assert_eq!(run.schema, SCHEMA);
    }

    #[test]
    fn every_figure_of_a_run_has_a_place_in_it() {
        let value: serde_json::Value = serde_json::from_str(GOLDEN).expect("JSON");
        for path in [
            "/total/counts/missing",
            "/total/latency/deliver/p999_us",
            "/total/samples/3/server_rss_bytes",
            "/total/steps/0/deliver/p99_us",
            "/host/kernel",
            "/server/build/revision",
            "/verdict/outcome",
            "/own/0/unit",
        ] {
            assert!(!value.pointer(path).unwrap_or(&serde_json::Value::Null).is_null(), "{path}");
        }
        assert!(value["total"]["latency"]["recovery"].is_null(), "what was not measured is none, not 0");
    }

    #[test]
    fn parts_add_up() {
        let mut sum = Counts::default();
        let mut part = sample::run().total.counts;
        sum.add(&part);
        part.connections = 7;
        part.closed(Some(4408));
        sum.add(&part);
        assert_eq!((sum.connections, sum.delivered, sum.attempts), (1001, 2 * 599_400, 2006));
        assert_eq!(sum.closes.get("4408"), Some(&3));
    }
}
