//! How much load: the knobs that scenarios share, each with a default of the scenario's own.

use std::time::Duration;

use clap::Args;

use super::target::TargetOptions;
use crate::report::figures::Run;

/// What can be turned; what is not given is the scenario's own.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadOptions {
    #[command(flatten)]
    pub(crate) target: TargetOptions,
    /// People who are connected at the same time
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: Option<u32>,
    /// Sessions they spread over
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sessions: Option<u32>,
    /// Messages a second in all sessions together, published on schedule whatever the server does
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Bytes of a message's body
    #[arg(long, value_parser = clap::value_parser!(u32).range(64..=60_000))]
    pub(crate) payload: Option<u32>,
    /// How long is measured: 30s, 5m, 2h, 500ms
    #[arg(long, value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Over how long people come in; 0s: as fast as they are let in
    #[arg(long, value_parser = duration)]
    pub(crate) ramp: Option<Duration>,
    /// Messages flow this long before they are measured
    #[arg(long, value_parser = duration)]
    pub(crate) warm_up: Option<Duration>,
    /// How long the last messages are waited for at most
    #[arg(long, value_parser = duration)]
    pub(crate) drain: Option<Duration>,
    /// Where randomness begins
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Threads that read; more of them take cores from a gateway on the same machine
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) threads: Option<u32>,
    /// Steps in which connections are opened (connect)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) steps: Option<u32>,
    /// People a second who come and go, or connections a second that are cut (churn, recover, soak)
    #[arg(long, value_parser = rate)]
    pub(crate) turnover: Option<f64>,
}

/// What a scenario runs with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Knobs {
    /// See [`LoadOptions`], as for all others.
    pub(crate) connections: u32,
    pub(crate) sessions: u32,
    pub(crate) rate: f64,
    pub(crate) payload: u32,
    pub(crate) duration: Duration,
    pub(crate) ramp: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) drain: Duration,
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    pub(crate) steps: u32,
    pub(crate) turnover: f64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            connections: 100,
            sessions: 10,
            rate: 100.0,
            payload: 128,
            duration: Duration::from_secs(10),
            ramp: Duration::from_secs(2),
            warm_up: Duration::from_secs(2),
            drain: Duration::from_secs(15),
            seed: 1,
            threads: 1,
            steps: 1,
            turnover: 0.0,
        }
    }
}

impl LoadOptions {
    /// Which of those options were given that not every scenario reads.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("rate", self.rate.is_some()),
            ("payload", self.payload.is_some()),
            ("warm-up", self.warm_up.is_some()),
            ("steps", self.steps.is_some()),
            ("turnover", self.turnover.is_some()),
        ];
        given.into_iter().filter_map(|(name, given)| given.then_some(name))
    }

    /// What was given, and the scenario's own where nothing was.
    pub(crate) fn over(&self, own: &Knobs) -> Knobs {
        let connections = self.connections.unwrap_or(own.connections);
        Knobs {
            connections,
            // A session without anybody would be none.
            sessions: self.sessions.unwrap_or(own.sessions).min(connections),
            rate: self.rate.unwrap_or(own.rate),
            payload: self.payload.unwrap_or(own.payload),
            duration: self.duration.unwrap_or(own.duration),
            ramp: self.ramp.unwrap_or(own.ramp),
            warm_up: self.warm_up.unwrap_or(own.warm_up),
            drain: self.drain.unwrap_or(own.drain),
            seed: self.seed.unwrap_or(own.seed),
            threads: self.threads.unwrap_or(own.threads),
            steps: self.steps.unwrap_or(own.steps),
            turnover: self.turnover.unwrap_or(own.turnover),
        }
    }
}

impl Knobs {
    /// Writes them into the report, by their names on the command line.
    pub(crate) fn tell(&self, run: &mut Run) {
        run.knob("connections", self.connections);
        run.knob("sessions", self.sessions);
        run.knob("rate", self.rate);
        run.knob("payload", self.payload);
        run.knob("duration", text(self.duration));
        run.knob("ramp", text(self.ramp));
        run.knob("warm-up", text(self.warm_up));
        run.knob("drain", text(self.drain));
        run.knob("threads", self.threads);
        if self.steps > 1 {
            run.knob("steps", self.steps);
        }
        if self.turnover > 0.0 {
            run.knob("turnover", self.turnover);
        }
    }
}

/// A duration as it may be given.
pub(crate) fn text(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// Reads `30s`, `5m`, `2h`, `500ms`; a number alone is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "a duration is 30s, 5m, 2h or 500ms")?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err("a duration is 30s, 5m, 2h or 500ms".to_owned()),
    }
}

/// Reads how many a second, up to a million.
fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "a rate is a number a second")?;
    (0.0..=1e6)
        .contains(&number)
        .then_some(number)
        .ok_or_else(|| "a rate is between 0 and a million a second".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_they_are_written() {
        for (written, is) in
            [("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("500ms", 500), ("7", 7000)]
        {
            assert_eq!(duration(written), Ok(Duration::from_millis(is)), "{written}");
        }
        for wrong in ["", "s", "5d", "-1s", "1.5s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!([text(Duration::from_secs(90)), text(Duration::from_millis(1500))], ["90s", "1500ms"]);
    }

    #[test]
    fn rates_are_bounded() {
        assert_eq!(rate("0.5"), Ok(0.5));
        assert!(rate("-1").is_err() && rate("1e7").is_err() && rate("NaN").is_err());
    }
}
