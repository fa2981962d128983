//! The command line as a whole: a profile put in, words read, and what of them the report will want.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use super::profile::{self, Profile};
use super::report::ReportOptions;
use super::{Asked, Cli};

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
        unless_for_nothing(&cli)?;
        of_parts_it_has(&cli)?;
        let mut words: Vec<String> = args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        if let Some(program) = words.first_mut() {
            // Where it lies is this machine's business.
            *program = program.rsplit('/').next().unwrap_or_default().to_owned();
        }
        Ok(Self { cli, profile, words })
    }
}

/// An option that would change nothing is a mistake to be told of: somebody counts on it.
fn unless_for_nothing(cli: &Cli) -> Result<(), clap::Error> {
    let ReportOptions { slo, out, json, .. } = &cli.report;
    let report = matches!(cli.scenario.asked(), Asked::Load(..) | Asked::Slow(_) | Asked::Sync(_));
    // The floor has objectives of its own and figures to write.
    let writes = matches!(cli.scenario.asked(), Asked::Floor(_));
    if report || (slo.is_empty() && (out.is_none() || writes) && !json) {
        return Ok(());
    }
    let says = "--slo, --out and --json are for scenarios that make a report";
    Err(Cli::command().error(ErrorKind::ArgumentConflict, says))
}

/// An objective about a part that the scenario does not have could only be missed, after the run.
fn of_parts_it_has(cli: &Cli) -> Result<(), clap::Error> {
    let has = |part: &str| match cli.scenario.asked() {
        Asked::Load(kind, _) => kind.parts().contains(&part),
        // Rounds have names of their own.
        _ => true,
    };
    let Some(wrong) = cli.report.slo.iter().find(|objective| objective.part().is_some_and(|part| !has(part)))
    else {
        return Ok(());
    };
    let part = wrong.part().unwrap_or_default();
    let says =
        format!("--slo {wrong}: this scenario has no part `{part}`; leave it out, or run one that has");
    Err(Cli::command().error(ErrorKind::ValueValidation, says))
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
        assert!(asked(&["slow", "--slo", "round01_nobody.deliver.p99<50ms"]).is_ok());
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
