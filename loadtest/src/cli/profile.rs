//! Profiles: a scenario, its knobs and its objectives in a file, so that a run has a name.
//!
//! A profile is put into words of the command line before that is read, so its knobs have one meaning and one set of bounds, and what is
//! given beside it simply wins. Not responsible for what knobs there are.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::CommandFactory as _;
use serde::Deserialize;

use super::Cli;
use crate::report::objective::Objective;

/// The profiles in this program, by name.
pub(crate) const BUILT_IN: [(&str, &str); 7] = [
    ("smoke", include_str!("../../profiles/smoke.toml")),
    ("fanout", include_str!("../../profiles/fanout.toml")),
    ("rooms", include_str!("../../profiles/rooms.toml")),
    ("connect", include_str!("../../profiles/connect.toml")),
    ("churn", include_str!("../../profiles/churn.toml")),
    ("recover", include_str!("../../profiles/recover.toml")),
    ("soak", include_str!("../../profiles/soak.toml")),
];

/// The option that names one.
const OPTION: &str = "--profile";

/// A profile.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Its name, or the path it was read from.
    pub(crate) name: String,
    /// Which scenario.
    pub(crate) scenario: String,
    /// What it asks of a run.
    pub(crate) objectives: Vec<Objective>,
    knobs: BTreeMap<String, toml::Value>,
}

/// What stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scenario: String,
    #[serde(default)]
    objectives: Vec<String>,
    #[serde(default)]
    knobs: BTreeMap<String, toml::Value>,
}

impl Profile {
    /// One of this program, or one of a file: what has a `/` in it or ends in `.toml` is a path.
    fn load(name: &str) -> Result<Self, String> {
        if name.contains('/') || name.ends_with(".toml") {
            let text = std::fs::read_to_string(name).map_err(|error| format!("profile {name}: {error}"))?;
            return Self::parse(name, &text);
        }
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(name, text),
            None => {
                let names = BUILT_IN.map(|(name, _)| name).join(", ");
                Err(format!("there is no profile `{name}`; there are {names}, and files (./mine.toml)"))
            }
        }
    }

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("profile {name}: {error}");
        let file: File = toml::from_str(text).map_err(|error| wrong(&error))?;
        let objectives = file.objectives.iter().map(|text| text.parse::<Objective>());
        let objectives = objectives.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
        Ok(Self { name: name.to_owned(), scenario: file.scenario, objectives, knobs: file.knobs })
    }

    /// Its scenario is one, and its knobs are options that this one has: one that nobody reads would be counted on in vain.
    fn check(&self) -> Result<(), String> {
        let command = Cli::command();
        let scenarios = || command.get_subcommands().filter(|scenario| !scenario.is_hide_set());
        let is_it = |name: &str| name == self.scenario;
        let is_named =
            |scenario: &&clap::Command| is_it(scenario.get_name()) || scenario.get_all_aliases().any(is_it);
        let Some(scenario) = scenarios().find(is_named) else {
            let names: Vec<_> = scenarios().map(clap::Command::get_name).collect();
            let (name, scenario) = (&self.name, &self.scenario);
            return Err(format!(
                "profile {name}: there is no scenario `{scenario}`; there are {}",
                names.join(", ")
            ));
        };
        let known: Vec<_> = scenario.get_arguments().filter_map(clap::Arg::get_long).collect();
        match self.knobs.keys().find(|knob| !known.contains(&knob.as_str())) {
            None => Ok(()),
            Some(knob) => {
                let (name, scenario) = (&self.name, &self.scenario);
                let known = known.join(", ");
                Err(format!("profile {name}: {scenario} has no knob `{knob}`; it has {known}"))
            }
        }
    }

    /// Its knobs as words of a command line, but for those in `given`.
    fn words(&self, given: &[OsString]) -> Result<Vec<OsString>, String> {
        let mut words = Vec::new();
        for (name, value) in &self.knobs {
            let option = format!("--{name}");
            let begins = format!("{option}=");
            if given
                .iter()
                .filter_map(|word| word.to_str())
                .any(|word| word == option || word.starts_with(&begins))
            {
                continue;
            }
            match value {
                toml::Value::Boolean(true) => words.push(option.into()),
                toml::Value::Boolean(false) => {}
                toml::Value::Array(values) => {
                    for value in values {
                        words.push(format!("{begins}{}", self.word(name, value)?).into());
                    }
                }
                value => words.push(format!("{begins}{}", self.word(name, value)?).into()),
            }
        }
        Ok(words)
    }

    fn word(&self, name: &str, value: &toml::Value) -> Result<String, String> {
        match value {
            toml::Value::String(text) => Ok(text.clone()),
            toml::Value::Integer(number) => Ok(number.to_string()),
            toml::Value::Float(number) => Ok(number.to_string()),
            _ => Err(format!(
                "profile {}: knob {name} is a number, a text, true, false, or a list of those",
                self.name
            )),
        }
    }
}

/// The words of the command line with those of the profile they name put in; and the profile.
///
/// # Errors
/// There is no such profile, it is not sound, or it is for another scenario than the one that is asked for.
pub(crate) fn expand(args: &[OsString]) -> Result<(Vec<OsString>, Option<Profile>), String> {
    let Some((name, mut rest)) = cut(args)? else { return Ok((args.to_vec(), None)) };
    let profile = Profile::load(&name)?;
    let asked =
        rest.get(1).and_then(|word| word.to_str()).filter(|word| !word.starts_with('-')).map(str::to_owned);
    match asked {
        Some(asked) if asked == profile.scenario => {}
        Some(asked) => return Err(format!("profile {name} is for {}, not for {asked}", profile.scenario)),
        None => rest.insert(1, profile.scenario.clone().into()),
    }
    profile.check()?;
    let words = profile.words(&rest)?;
    rest.splice(2..2, words);
    Ok((rest, Some(profile)))
}

/// Takes the option and its value out of the words; none if it is not there.
fn cut(args: &[OsString]) -> Result<Option<(String, Vec<OsString>)>, String> {
    let mut rest = args.to_vec();
    let begins = format!("{OPTION}=");
    let is_it =
        |word: &OsString| word.to_str().is_some_and(|word| word == OPTION || word.starts_with(&begins));
    let Some(at) = rest.iter().position(is_it) else { return Ok(None) };
    let word = rest.remove(at);
    let missing = || format!("{OPTION} wants the name of a profile, or a file");
    let name = match word.to_str().and_then(|word| word.strip_prefix(&begins)) {
        Some(name) => name.to_owned(),
        None if at < rest.len() => rest.remove(at).into_string().map_err(|_| missing())?,
        None => return Err(missing()),
    };
    Ok(Some((name, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(words: &[&str]) -> Result<Vec<String>, String> {
        let args: Vec<OsString> = ["loadtest"].iter().chain(words).map(OsString::from).collect();
        let (args, _) = expand(&args)?;
        Ok(args.into_iter().skip(1).map(|word| word.into_string().expect("text")).collect())
    }

    fn profile(text: &str) -> Result<Profile, String> {
        Profile::parse("mine.toml", text)
    }

    #[test]
    fn a_profile_is_words_of_the_command_line() {
        let mine = profile(
            "scenario = \"fanout\"\nobjectives = [\"deliver.p99<50ms\"]\n[knobs]\nconnections = 100\nrate = 0.5\nmint = true\nallow-remote = false\nset = [\"A=1\", \"B=2\"]\nduration = \"30s\"\n",
        )
        .expect("sound");
        let words = |given: &[&str]| {
            let given: Vec<OsString> = given.iter().map(OsString::from).collect();
            let words = mine.words(&given).expect("words");
            words.into_iter().map(|word| word.into_string().expect("text")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(&[]), "--connections=100 --duration=30s --mint --rate=0.5 --set=A=1 --set=B=2");
        assert_eq!(
            words(&["--rate", "60", "--connections=7", "--mint"]),
            "--duration=30s --set=A=1 --set=B=2"
        );
        assert_eq!(mine.objectives.len(), 1);
    }

    #[test]
    fn the_scenario_may_stand_beside_its_profile() {
        let short = expanded(&["--profile", "fanout", "--rate=7"]).expect("expands");
        assert_eq!(short.first().map(String::as_str), Some("fanout"));
        assert_eq!(short.last().map(String::as_str), Some("--rate=7"), "what is given comes last");
        assert_eq!(expanded(&["fanout", "--profile=fanout", "--rate=7"]), Ok(short));
        assert_eq!(expanded(&["fanout", "--rate=7"]), Ok(vec!["fanout".to_owned(), "--rate=7".to_owned()]));
        let error = expanded(&["rooms", "--profile", "fanout"]).expect_err("another");
        assert_eq!(error, "profile fanout is for fanout, not for rooms");
    }

    #[test]
    fn mistakes_are_told_with_the_profile_they_are_in() {
        let wrong = |text: &str| profile(text).map(|_| ()).expect_err("refused");
        assert!(wrong("scenario = 1").starts_with("profile mine.toml: "), "{}", wrong("scenario = 1"));
        assert!(wrong("scenario = \"x\"\nspeed = 1").contains("unknown field `speed`"));
        assert!(wrong("scenario = \"x\"\nobjectives = [\"p99\"]").contains("compares nothing"));
        let odd = profile("scenario = \"x\"\n[knobs.rate]\nhigh = 1").expect("parses");
        assert!(odd.words(&[]).expect_err("a table").contains("knob rate is a number"));
        assert!(expanded(&["--profile"]).expect_err("no name").contains("wants the name"));
        assert!(expanded(&["--profile", "none"]).expect_err("no such").contains("there are smoke, fanout"));
        assert!(expanded(&["--profile", "/no/such.toml"]).expect_err("no file").contains("/no/such.toml"));
    }

    #[test]
    fn a_knob_that_nobody_reads_is_refused_with_those_there_are() {
        let wrong = |scenario: &str, knobs: &str| {
            let text = format!("scenario = \"{scenario}\"\n[knobs]\n{knobs}\n");
            profile(&text).expect("parses").check().expect_err("refused")
        };
        // With the part of a scenario in front, misspelt, of another scenario, of the report, and as it is in the program.
        for (scenario, knobs, knob) in [
            ("smoke", "\"fanout.rate\" = 60", "fanout.rate"),
            ("smoke", "fanout.rate = 60", "fanout"),
            ("rooms", "conections = 10", "conections"),
            ("rooms", "players = 10", "players"),
            ("rooms", "out = \"there\"", "out"),
            ("rooms", "warm_up = \"1s\"", "warm_up"),
        ] {
            let error = wrong(scenario, knobs);
            let says = format!("profile mine.toml: {scenario} has no knob `{knob}`; it has ");
            assert!(error.starts_with(&says) && error.contains("connections, sessions, rate"), "{error}");
            assert!(error.contains("redis-server") && error.contains("warm-up"), "{error}");
        }
        assert!(wrong("sync", "rate = 1").contains("players, hold, round-trip, jitter, seed"));
        assert!(wrong("party", "").contains("no scenario `party`; there are smoke, connect"));
        assert!(!wrong("party", "").contains("floor-server"), "it is not for people");
        let alias = profile("scenario = \"many-rooms\"\n[knobs]\nrate = 1\nset = [\"A=1\"]");
        assert_eq!(alias.expect("parses").check(), Ok(()));
    }

    #[test]
    fn every_built_in_profile_is_sound() {
        for (name, _) in BUILT_IN {
            let profile = Profile::load(name).unwrap_or_else(|error| panic!("{error}"));
            assert!(!profile.objectives.is_empty(), "{name}");
            assert_eq!(profile.check(), Ok(()));
        }
    }
}
