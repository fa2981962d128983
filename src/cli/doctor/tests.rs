//! `doctor` as a shell would see it: lines, JSON, exit codes. The whole way through a running gateway is in `tests/it/doctor.rs`.

use super::*;
use crate::cli::{EXIT_FAILED, EXIT_USAGE};
use crate::config::source::MapSource;

const SECRET: &str = "k3Jd9-qLw0_ZxV7bNm2TyR5uHs8PfGcA";

fn doctor(doctor: &Doctor, source: &MapSource) -> (Result<(), VerbError>, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let done = doctor.run(source, &mut Output { out: &mut out, err: &mut err });
    (done, String::from_utf8(out).expect("text"))
}

#[test]
fn sound_settings_on_memory_are_nothing_wrong_but_something_to_look_at() {
    let (done, out) = doctor(&Doctor::default(), &MapSource::from([("JWT_SECRET", SECRET)]));
    assert!(done.is_ok(), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.contains(&"ok     settings            all are sound"), "{out}");
    assert!(
        lines.iter().any(|line| line.starts_with("look   redis ") && line.contains("one process")),
        "{out}"
    );
    assert!(lines.last().is_some_and(|line| line.ends_with(" to look at, 0 wrong")), "{out}");
}

#[test]
fn mistakes_and_a_redis_that_is_not_there_are_wrong() {
    let (done, out) = doctor(&Doctor::default(), &MapSource::from([("PORT", "x"), ("WEB", "x")]));
    assert_eq!(done.expect_err("mistakes").exit_code(), EXIT_FAILED);
    assert_eq!(out.lines().filter(|line| line.starts_with("WRONG  settings")).count(), 2, "{out}");
    // Nobody listens on port 1, and the password in the address is said nowhere.
    let source = MapSource::from([("JWT_SECRET", SECRET), ("REDIS_URL", "redis://:canary-1f@127.0.0.1:1")]);
    let (done, out) = doctor(&Doctor::default(), &source);
    assert_eq!(done.expect_err("no Redis").to_string(), "doctor: 1 wrong");
    assert!(out.contains("WRONG  redis               no connection: "), "{out}");
    assert!(!out.contains("canary"), "{out}");
}

#[test]
fn json_says_the_same_in_one_object() {
    let (done, out) = doctor(&Doctor { json: true, ..Doctor::default() }, &MapSource::from([("PORT", "x")]));
    assert!(done.is_err());
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&report["wrong"], &report["version"]), (&1.into(), &VERSION.into()));
    assert_eq!(report["findings"][0]["check"], "settings");
    assert_eq!(report["findings"][0]["state"], "wrong");
}

#[test]
fn an_address_where_nobody_is_and_one_that_is_none_are_wrong() {
    for url in ["http://127.0.0.1:1", "http://127.0.0.1:1/x", "gopher://a"] {
        let asked = Doctor { url: Some(url.to_owned()), ..Doctor::default() };
        let (done, out) = doctor(&asked, &MapSource::default());
        assert_eq!(done.expect_err(url).exit_code(), EXIT_FAILED);
        assert!(out.starts_with("WRONG  "), "{out}");
    }
}

#[test]
fn a_session_is_found_in_the_lines_by_the_secret_alone() {
    const ID: &str = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";
    let asked = Doctor { log_id: ID.parse().ok(), ..Doctor::default() };
    let (done, out) = doctor(&asked, &MapSource::from([("JWT_SECRET", SECRET)]));
    assert!(done.is_ok());
    assert_eq!(out.trim_end(), LogIds::new(SECRET.as_bytes()).of(ID).to_string());
    let (done, out) = doctor(&asked, &MapSource::default());
    assert_eq!(done.expect_err("no secret").exit_code(), EXIT_USAGE);
    assert_eq!(out, "");
}
