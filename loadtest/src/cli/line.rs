//! The command line as a whole: a profile put in, words read, and what of them the report will want.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use super::profile::{self, Profile};
use super::report::ReportOptions;
use super::{Asked, Cli};
use crate::scenario;

/// A command line.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// What the words say.
    pub(crate) cli: Cli,
    /// The profile they named.
    pub(crate) profile: Option<Profile>,
    /// The words as they were given, this program by its name alone.
    pub(crate) words: Vec<String>,
}

impl CommandLine {
    /// Reads the words of a command line, this program's name first.
    ///
    /// # Errors
    /// They are not understood, or are a question (`--help`): clap's error says it and knows the exit code.
    pub(crate) fn read(args: &[OsString]) -> Result<Self, clap::Error> {
        let (expanded, profile) =
            profile::expand(args).map_err(|error| Cli::command().error(ErrorKind::ValueValidation, error))?;
        let cli = Cli::try_parse_from(expanded)?;
        unless_for_nothing(&cli, profile.as_ref())?;
        of_parts_it_has(&cli, profile.as_ref())?;
        let mut words: Vec<String> = args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        if let Some(program) = words.first_mut() {
            // Where it lies is this machine's business.
            *program = program.rsplit('/').next().unwrap_or_default().to_owned();
        }
        Ok(Self { cli, profile, words })
    }
}

/// An option that would change nothing is a mistake to be told of: somebody counts on it.
fn unless_for_nothing(cli: &Cli, profile: Option<&Profile>) -> Result<(), clap::Error> {
    let ReportOptions { slo, out, json, .. } = &cli.report;
    let wrong = |says: &str| Err(Cli::command().error(ErrorKind::ArgumentConflict, says));
    let asks = !slo.is_empty() || profile.is_some_and(|profile| !profile.objectives.is_empty());
    let asked = cli.scenario.asked();
    let reports = matches!(asked, Asked::Load(..) | Asked::Slow(_) | Asked::Sync(_));
    // The floor has objectives of its own and figures to write.
    let writes = reports || matches!(asked, Asked::Floor(_));
    if !reports && (asks || *json) || !writes && out.is_some() {
        return wrong(
            "--slo, --out and --json, and objectives of a profile, are for scenarios that make a report",
        );
    }
    let (name, ignored) = match asked {
        Asked::Load(kind, options) => (kind.name(), options.given().find(|option| kind.ignores(option))),
        Asked::Slow(options) => {
            ("slow", options.load.given().find(|option| matches!(*option, "steps" | "turnover")))
        }
        _ => return Ok(()),
    };
    match ignored {
        Some(option) => wrong(&format!("--{option} changes nothing in {name}")),
        None => Ok(()),
    }
}

/// An objective about a part that the scenario does not have could only be missed, after the run.
fn of_parts_it_has(cli: &Cli, profile: Option<&Profile>) -> Result<(), clap::Error> {
    let parts: Vec<String> = match cli.scenario.asked() {
        Asked::Load(kind, _) => kind.parts().into_iter().map(str::to_owned).collect(),
        Asked::Slow(options) => scenario::slow::parts(options.rounds),
        Asked::Sync(options) => scenario::sync::parts(&options.players),
        Asked::Floor(_) | Asked::Compare(_) | Asked::FloorServer => Vec::new(),
    };
    let given = cli.report.slo.iter().map(|objective| (objective, "--slo".to_owned()));
    let profiles = profile.into_iter().flat_map(|profile| {
        profile.objectives.iter().map(|objective| (objective, format!("profile {}:", profile.name)))
    });
    for (objective, whose) in given.chain(profiles) {
        let Some(part) = objective.part().filter(|part| !parts.iter().any(|known| known == part)) else {
            continue;
        };
        let there_are = match &parts[..] {
            [] => "no parts".to_owned(),
            parts => parts.join(", "),
        };
        let says = format!("{whose} {objective}: this scenario has no part `{part}`; it has {there_are}");
        return Err(Cli::command().error(ErrorKind::ValueValidation, says));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::profile::BUILT_IN;

    fn asked(words: &[&str]) -> Result<CommandLine, clap::Error> {
        let args: Vec<OsString> = ["/opt/bin/loadtest"].iter().chain(words).map(OsString::from).collect();
        CommandLine::read(&args)
    }

    #[test]
    fn every_built_in_profile_is_a_command_line() {
        for (name, _) in BUILT_IN {
            let asked = asked(&["--profile", name]).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(asked.profile.map(|profile| profile.name).as_deref(), Some(name));
            assert_eq!(asked.words, ["loadtest", "--profile", name]);
        }
    }

    #[test]
    fn options_of_the_report_go_with_any_scenario() {
        let asked =
            asked(&["fanout", "--slo", "missing==0", "deliver.p99<50ms", "--out", "there", "--json", "-q"]);
        let report = asked.expect("parses").cli.report;
        assert_eq!(
            report.slo.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["missing==0", "deliver.p99<50ms"]
        );
        assert!(report.json && report.quiet && report.out.is_some());
    }

    #[test]
    fn the_floor_writes_its_figures_where_it_is_told() {
        let asked = asked(&["floor", "--regimes", "growth", "--out", "there"]).expect("parses");
        assert_eq!(asked.cli.report.out.as_deref(), Some(std::path::Path::new("there")));
    }

    #[test]
    fn parts_are_those_of_the_scenario() {
        assert!(asked(&["smoke", "--slo", "fanout.deliver.p99<50ms", "recover.missing==0"]).is_ok());
        assert!(asked(&["smoke", "--slo", "storm.deliver.p99<50ms"]).is_err());
        assert!(
            asked(&["slow", "--slo", "round01_nobody.deliver.p99<50ms", "round18_stalled.missing==0"])
                .is_ok()
        );
        assert!(
            asked(&["slow", "--slo", "round01_stalled.missing==0"]).is_err(),
            "that one is of another kind"
        );
        assert!(asked(&["slow", "--rounds", "1", "--slo", "round04_stalled.missing==0"]).is_err());
        assert!(asked(&["sync", "--slo", "players10.missing==0"]).is_ok());
        assert!(asked(&["sync", "--players", "3", "--slo", "players10.missing==0"]).is_err());
    }

    #[test]
    fn objectives_of_a_profile_are_about_parts_there_are_too() {
        let place = std::env::temp_dir().join(format!("loadtest-line-{}.toml", std::process::id()));
        let name = place.to_str().expect("text");
        let read = |scenario: &str, objective: &str| {
            let text = format!("scenario = \"{scenario}\"\nobjectives = [\"{objective}\"]\n");
            std::fs::write(&place, text).expect("a place to write");
            asked(&["--profile", name]).map(|_| ()).map_err(|error| error.to_string())
        };
        let found = [
            read("smoke", "fanout.missing==0"),
            read("smoke", "storm.missing==0"),
            read("rooms", "fanout.missing==0"),
            read("floor", "missing==0"),
        ];
        std::fs::remove_file(&place).expect("it is there");
        let [sound, other, none, no_report] = found;
        assert_eq!(sound, Ok(()));
        let other = other.expect_err("another scenario's");
        assert!(
            other.contains("storm.missing==0: this scenario has no part `storm`; it has fanout"),
            "{other}"
        );
        assert!(none.expect_err("it has none").contains("no part `fanout`; it has no parts"));
        assert!(no_report.expect_err("nobody judges").contains("objectives of a profile"));
    }

    #[test]
    fn what_a_scenario_does_not_read_is_not_taken() {
        for (words, option) in [
            (&["fanout", "--steps", "2"][..], "steps"),
            (&["storm", "--turnover", "2"], "turnover"),
            (&["slow", "--turnover", "2"], "turnover"),
            (&["connect", "--rate", "2"], "rate"),
            (&["connect", "--warm-up", "2s"], "warm-up"),
        ] {
            let error = asked(words).expect_err("refused");
            let says = format!("--{option} changes nothing in {}", words[0]);
            assert!(error.exit_code() == 2 && error.to_string().contains(&says), "{error}");
        }
        assert!(asked(&["churn", "--turnover", "2", "--rate", "3"]).is_ok());
        assert!(asked(&["connect", "--steps", "2"]).is_ok());
    }

    #[test]
    fn mistakes_end_with_2_and_say_what_to_write() {
        for (words, says) in [
            (&["fanout", "--slo", "deliver.p99<50"][..], "give it us, ms, s or m"),
            (&["fanout", "--profile", "none"], "there is no profile `none`"),
            (&["--profile", "fanout", "--connections", "0"], "--connections"),
            (&["compare", "a.json"], "B.json"),
            (&["fanout", "--slo", "fanout.deliver.p99<50ms"], "has no part `fanout`"),
            (&["floor", "--slo", "missing==0"], "are for scenarios that make a report"),
            (&["compare", "a.json", "b.json", "--out", "there"], "are for scenarios that make a report"),
            (&[], "Usage"),
        ] {
            let error = asked(words).expect_err("refused");
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
        assert_eq!(asked(&["--help"]).expect_err("help").exit_code(), 0);
    }
}
