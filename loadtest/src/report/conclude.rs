//! The end of a run: judged, written, told; and how the program ends.

use super::exit::Exit;
use super::figures::Run;
use super::objective::{self, Objective};
use super::publish::{self, Out};
use super::{secrets, verdict};

/// What was asked of the report.
#[derive(Debug, Default)]
pub(crate) struct Conclusion {
    /// Which profile the run is of.
    pub(crate) profile: Option<String>,
    /// The command line, as words.
    pub(crate) command: Vec<String>,
    /// What the profile asks; without one the scenario's own objectives stand.
    pub(crate) of_profile: Option<Vec<Objective>>,
    /// What the command line asks.
    pub(crate) asked: Vec<Objective>,
    /// Where files go.
    pub(crate) out: Option<Out>,
    /// JSON on stdout instead of text.
    pub(crate) json: bool,
}

impl Conclusion {
    /// Judges the run, writes its files and says what became of it. `own`: what its scenario asks.
    ///
    /// # Errors
    /// An objective of the scenario is not sound, or the report cannot be written.
    pub(crate) fn draw(&self, run: &mut Run, own: &[&str]) -> anyhow::Result<Exit> {
        self.complete(run, own)?;
        if let Some(out) = &self.out {
            out.write(run)?;
        }
        publish::say(run, self.json)?;
        Ok(Exit::from(run.verdict.outcome))
    }

    fn complete(&self, run: &mut Run, own: &[&str]) -> anyhow::Result<()> {
        run.profile.clone_from(&self.profile);
        run.command = self.command.iter().map(|word| secrets::word(word)).collect();
        for (name, value) in &mut run.server.settings {
            *value = secrets::setting(name, value);
        }
        let own: Vec<Objective> = match &self.of_profile {
            Some(profile) => profile.clone(),
            None => own
                .iter()
                .map(|text| text.parse())
                .collect::<Result<_, String>>()
                .map_err(anyhow::Error::msg)?,
        };
        verdict::judge(run, &objective::all(&own, &self.asked));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures::{Outcome, Verdict};
    use crate::report::sample;

    fn read(text: &[&str]) -> Vec<Objective> {
        text.iter().map(|text| text.parse().expect("an objective")).collect()
    }

    fn completed(conclusion: &Conclusion) -> Run {
        let mut run = sample::run();
        run.verdict = Verdict::default();
        run.server.settings.insert("JWT_SECRET".to_owned(), "canary".to_owned());
        conclusion.complete(&mut run, &["deliver.p99<1ms"]).expect("sound");
        run
    }

    #[test]
    fn a_run_is_held_to_the_promise_its_scenario_and_what_was_asked() {
        let run = completed(&Conclusion::default());
        assert_eq!((run.verdict.objectives.len(), run.verdict.outcome), (8, Outcome::Missed));
        let asked = Conclusion { asked: read(&["deliver.p99<1s"]), ..Conclusion::default() };
        let run = completed(&asked);
        assert_eq!((run.verdict.objectives.len(), run.verdict.outcome), (8, Outcome::Pass));
        let profile =
            Conclusion { of_profile: Some(read(&["ack.p99<1s", "resets==0"])), ..Conclusion::default() };
        let run = completed(&profile);
        assert_eq!((run.verdict.objectives.len(), run.verdict.outcome), (9, Outcome::Pass));
    }

    #[test]
    fn no_secret_gets_into_a_report() {
        let command = ["loadtest", "rooms", "--set", "JWT_SECRET=canary"].map(str::to_owned).to_vec();
        let run = completed(&Conclusion { command, ..Conclusion::default() });
        let text = serde_json::to_string(&run).expect("JSON") + &crate::report::html::page(&run);
        assert!(!text.contains("canary"), "a secret is in the report");
        assert_eq!(run.command.last().map(String::as_str), Some("JWT_SECRET=…"));
    }
}
