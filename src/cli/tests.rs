//! The verbs as a shell would see them: arguments, what is said where, exit codes.

use clap::CommandFactory;

use super::gen_token::now;
use super::*;
use crate::auth::token::Keys;
use crate::config::source::MapSource;

const SECRET: &str = "k3Jd9-qLw0_ZxV7bNm2TyR5uHs8PfGcA";

fn check(check: &CheckConfig, source: &MapSource) -> (Result<(), VerbError>, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let done = check.run(source, &mut Output { out: &mut out, err: &mut err });
    (done, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
}

#[test]
fn the_arguments_are_sound() {
    Args::command().debug_assert();
}

#[test]
fn no_verb_is_serve_and_wrong_ones_are_usage() {
    assert!(Args::try_parse_from(["watchparty"]).expect("nothing is needed").verb.is_none());
    let health = Args::try_parse_from(["watchparty", "healthcheck", "--ready"]).expect("a verb");
    assert!(matches!(health.verb, Some(Verb::Healthcheck(Healthcheck { ready: true, url: None }))));
    for wrong in [
        &["watchparty", "dance"][..],
        &["watchparty", "check-config", "--example", "--print"],
        &["watchparty", "gen-token"],
    ] {
        let error = Args::try_parse_from(wrong).expect_err("not a verb of ours");
        assert_eq!(error.exit_code(), i32::from(EXIT_USAGE), "{wrong:?}");
    }
}

#[test]
fn the_version_names_the_revision() {
    let error = Args::try_parse_from(["watchparty", "--version"]).expect_err("clap answers by itself");
    assert_eq!(error.to_string(), format!("watchparty {VERSION} ({REVISION})\n"));
    assert_eq!(error.exit_code(), 0);
}

#[test]
fn check_config_tells_mistakes_and_warnings_apart() {
    let weak =
        MapSource::from([("JWT_SECRET", "short"), ("REDIS_ADDR", "a:1"), ("REDIS_URL", "redis://a:1")]);
    let (done, out, err) = check(&CheckConfig::default(), &weak);
    assert!(done.is_ok());
    assert_eq!(out, "the settings are sound (2 warnings)\n");
    assert_eq!(err.lines().filter(|line| line.starts_with("warning: ")).count(), 2, "{err}");

    let strict = CheckConfig { strict: true, ..CheckConfig::default() };
    let (done, out, _) = check(&strict, &weak);
    let error = done.expect_err("warnings are mistakes here");
    assert_eq!((error.exit_code(), error.to_string().lines().count()), (EXIT_USAGE, 2));
    assert_eq!(out, "");
    let (done, ..) = check(&strict, &MapSource::from([("JWT_SECRET", SECRET)]));
    assert!(done.is_ok(), "nothing to warn of");

    let (done, ..) = check(&CheckConfig::default(), &MapSource::from([("PORT", "x"), ("WEB", "x")]));
    let error = done.expect_err("two mistakes");
    assert_eq!((error.exit_code(), error.to_string().lines().count()), (EXIT_USAGE, 2));
}

#[test]
fn check_config_prints_the_example_whatever_is_set() {
    let example = CheckConfig { example: true, ..CheckConfig::default() };
    let (done, out, _) = check(&example, &MapSource::from([("PORT", "x")]));
    assert!(done.is_ok());
    assert_eq!(out, crate::config::print::example());
    let print = CheckConfig { print: true, ..CheckConfig::default() };
    let (_, out, _) = check(&print, &MapSource::from([("JWT_SECRET", SECRET), ("PORT", "81")]));
    assert!(out.contains("PORT=81  # map\n") && out.contains("JWT_SECRET=set  # map\n"), "{out}");
}

#[test]
fn a_new_secret_is_good_enough_for_production() {
    let mut out = Vec::new();
    gen_secret(&mut out).expect("the system has randomness");
    let secret = String::from_utf8(out).expect("text");
    assert_eq!(secret.trim_end().len(), 64);
    let source = MapSource::from([("ENVIRONMENT", "production"), ("JWT_SECRET", secret.trim_end())]);
    assert!(crate::config::Config::read(&source).is_ok());
}

fn gen_token(more: &[&str]) -> Result<GenToken, clap::Error> {
    const ID: &str = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";
    let base = ["watchparty", "gen-token", "--session", ID, "--participant", ID, "--role", "host"];
    match Args::try_parse_from(base.iter().chain(more))?.verb {
        Some(Verb::GenToken(token)) => Ok(token),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gen_token_refuses_to_sign_with_a_secret_nobody_has() {
    let mut out = Vec::new();
    let error =
        gen_token(&[]).expect("whole").run(&MapSource::default(), &mut out).expect_err("random secret");
    assert_eq!(error.exit_code(), EXIT_USAGE);
    assert!(out.is_empty());
}

#[test]
fn gen_token_signs_for_whom_it_is_told() {
    let mut out = Vec::new();
    let source = MapSource::from([("JWT_SECRET", SECRET)]);
    let asked = gen_token(&["--ttl", "90", "--name", "Ada"]).expect("whole");
    asked.run(&source, &mut out).expect("a secret is set");
    let token = String::from_utf8(out).expect("text");
    let keys = Keys::new(SECRET.as_bytes(), None);
    let claims = keys.verify(token.trim_end(), now().expect("a clock")).expect("a gateway accepts it");
    assert_eq!((claims.sub, claims.sid, claims.role), (asked.participant, asked.session, asked.role));
    assert_eq!(claims.name, asked.name);
    assert_eq!(claims.exp, claims.iat.plus(std::time::Duration::from_secs(90)));
}

#[test]
fn gen_token_judges_its_arguments() {
    assert!(gen_token(&["--ttl", "168h", "--name", "Ada"]).is_ok());
    for wrong in [["--ttl", "0"], ["--ttl", "169h"], ["--ttl", "soon"], ["--name", ""]] {
        let error = gen_token(&wrong).expect_err("out of range");
        assert_eq!(error.exit_code(), i32::from(EXIT_USAGE), "{wrong:?}");
    }
}
